package lease

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"

	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/inventory/shell"
	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/kube/api"
)

// revokedText returns the value of revokedAnnotation for users: alice=2026-11-28T10:00:00.123456789Z,bob=…, sorted by name. No name of a
// user holds a comma or an equals sign.
func revokedText(users map[string]time.Time) string {
	var entries []string
	for _, name := range slices.Sorted(maps.Keys(users)) {
		entries = append(entries, name+"="+users[name].UTC().Format(time.RFC3339Nano))
	}
	return strings.Join(entries, ",")
}

// revokedOf is the inverse of revokedText. To ignore what it cannot read would give revoked certificates their access back.
func (c *Client) revokedOf(owner string, lease *coordinationv1.Lease) (map[string]time.Time, error) {
	text, there := lease.Annotations[revokedAnnotation]
	if !there {
		return nil, nil
	}
	entries := strings.SplitN(text, ",", reconcile.MaxRevoked+1)
	if len(entries) > reconcile.MaxRevoked {
		return nil, c.unreadable(owner, fmt.Sprintf("has more than %d entries", reconcile.MaxRevoked))
	}
	users := map[string]time.Time{}
	for _, entry := range entries {
		name, at, _ := strings.Cut(entry, "=")
		since, err := time.Parse(time.RFC3339, at)
		if err != nil || since.UTC().Year() > 9999 || !inventory.ValidName(name) { // a state could not hold a later year
			return nil, c.unreadable(owner, fmt.Sprintf("holds %q, which is not NAME=TIME", api.Shorten(entry)))
		}
		users[name] = since.UTC()
	}
	return users, nil
}

// unreadable returns the error for a value of revokedAnnotation that certsync did not write.
func (c *Client) unreadable(owner, why string) error {
	return reconcile.WithHint(fmt.Errorf("reading Lease %s: its annotation %s %s", c.name(owner), revokedAnnotation, why),
		fmt.Sprintf("find out who wrote that, since certsync did not. Set revokedBefore in the inventory for each user whose certificates are revoked, "+
			"then remove the annotation: kubectl annotate lease -n %s %s %s-", shell.Quote(c.namespace), shell.Quote(reconcile.LockName(owner)), shell.Quote(revokedAnnotation)))
}
