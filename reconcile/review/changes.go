package review

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"time"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/status"
)

// MaxSize is how many bytes an earlier review has at most.
const MaxSize = 256 << 20

// sealed finds the time and the digest in the JSON of a review. In JSON, no string can hold these quotes.
var sealed = regexp.MustCompile(`"at":"[^"]*","digest":"[^"]*"`)

// Parse reads what `certsync review -o json` printed. It refuses data that the digest does not fit.
func Parse(text []byte) (Review, error) {
	var r Review
	if err := json.Unmarshal(text, &r); err != nil {
		return Review{}, fmt.Errorf("reading the review: %w", err)
	}
	switch {
	case r.FormatVersion != reconcile.FormatVersion:
		return Review{}, fmt.Errorf("its formatVersion is %q, not %q", reconcile.Shown(r.FormatVersion), reconcile.FormatVersion)
	case r.Owner == "" || r.At.IsZero():
		return Review{}, errors.New("it has no owner or no time")
	case digestOf(bytes.TrimSpace(text)) != r.Digest:
		return Review{}, errors.New("its data does not fit its digest: somebody changed it, or it is not as certsync printed it")
	}
	return r, nil
}

// digestOf is the digest of a review's JSON, without its time and digest.
func digestOf(text []byte) string {
	if at := sealed.FindIndex(text); at != nil {
		text = slices.Concat(text[:at[0]], []byte(`"at":"0001-01-01T00:00:00Z","digest":""`), text[at[1]:])
	}
	sum := sha256.Sum256(text)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// Changes says what has changed since an earlier review.
type Changes struct {
	Since    time.Time `json:"since"`  // when the earlier review was made
	Digest   string    `json:"digest"` // of the earlier review
	Came     []string  `json:"came"`   // people who are in the inventory now, and were not
	Left     []string  `json:"left"`   // people who were in the inventory, and are not now, or whose access has ended
	Gained   []Change  `json:"gained"`
	Lost     []Change  `json:"lost"`
	Stronger []Growth  `json:"stronger"` // roles that give more than they did
	// Runs since then that changed somebody's access, the latest first.
	Runs []reconcile.Run `json:"runs"`
	// MoreRuns: there were more than the state remembers.
	MoreRuns bool `json:"moreRuns,omitempty"`
}

// Cause says what changed somebody's access.
type Cause string

// The causes of a change.
const (
	ByCertsync  Cause = "certsync"     // a run of certsync, from the inventory
	NotCertsync Cause = "not-certsync" // somebody else, by a binding of others or by writing to one of certsync's
)

// Change is access that somebody gained or lost.
type Change struct {
	Kind      string `json:"kind"` // Person, or the kind of an Other
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name"`
	Access    Access `json:"access"`
	By        Cause  `json:"by"`
	// Run and Revision are those of the run that made it, if that is known.
	Run      string `json:"run,omitempty"`
	Revision string `json:"revision,omitempty"`
}

// holder is somebody in a review.
type holder struct{ kind, namespace, name string }

// accessKey is access of somebody, whatever binding of certsync's it comes by. A binding of others that names a User is the same
// whether that user is in the inventory or not.
type accessKey struct {
	holder
	kind, role, namespace string
	through               Through
	group, binding        string
}

// Compare adds to a review what has changed since an earlier one, and since when access exists at least. The two must be of one
// owner and one cluster, and the earlier one must be older.
func (r *Review) Compare(earlier Review) error {
	switch {
	case earlier.Owner != r.Owner:
		return fmt.Errorf("the earlier review is of owner %q, not %q", reconcile.Shown(earlier.Owner), r.Owner)
	case earlier.ClusterUID != r.ClusterUID:
		return fmt.Errorf("the earlier review is of another cluster (UID %s, not %s)", reconcile.Shown(earlier.ClusterUID), r.ClusterUID)
	case !earlier.At.Before(r.At):
		return fmt.Errorf("the earlier review is from %s, which is not before now", reconcile.TimeText(earlier.At))
	}
	c := &Changes{Since: earlier.At, Digest: earlier.Digest, Came: []string{}, Left: []string{}, Gained: []Change{}, Lost: []Change{}}
	c.runs(*r)
	was, whose := map[accessKey]Access{}, map[accessKey]holder{}
	earlier.each(func(who holder, key accessKey, a *Access) { was[key], whose[key] = *a, who })
	is, departures := map[accessKey]bool{}, map[string]Departure{}
	for _, p := range r.People {
		if p.Left != nil {
			departures[p.Name] = *p.Left
		}
	}
	r.each(func(who holder, key accessKey, a *Access) {
		is[key] = true
		before, had := was[key]
		if !had {
			c.Gained = append(c.Gained, c.gain(who, *a, r.Runs))
			return
		}
		since := before.Since
		if since == nil {
			since = &earlier.At
		}
		if a.Since == nil || since.Before(*a.Since) {
			a.Since = since
		}
	})
	wanted := r.missing()
	for key, a := range was {
		if !is[key] {
			c.Lost = append(c.Lost, c.loss(whose[key], a, wanted[key], departures[whose[key].name]))
		}
	}
	c.membership(*r, earlier)
	c.Stronger = stronger(*r, earlier)
	slices.SortFunc(c.Gained, compareChanges)
	slices.SortFunc(c.Lost, compareChanges)
	r.Changes = c
	r.seal()
	return nil
}

// each calls f for all access that there is now.
func (r Review) each(f func(holder, accessKey, *Access)) {
	list := func(who holder, username string, all []Access) {
		for i := range all {
			if a := &all[i]; a.Gives() {
				f(who, keyOf(who, username, *a), a)
			}
		}
	}
	for _, p := range r.People {
		list(holder{"Person", "", p.Name}, p.Username, p.Access)
	}
	for _, o := range r.Others {
		list(holder{o.Kind, o.Namespace, o.Name}, o.Name, o.Access)
	}
}

func keyOf(who holder, username string, a Access) accessKey {
	key := accessKey{who, a.Kind, a.Role, a.Namespace, a.Through, a.Group, ""}
	if a.Through == Others {
		key.binding = a.Binding
		if who.kind == "Person" && a.Group == "" {
			key.holder = holder{"User", "", username}
		}
	}
	return key
}

// missing has what the inventory grants, and no binding gives.
func (r Review) missing() map[accessKey]bool {
	all := map[accessKey]bool{}
	for _, p := range r.People {
		for _, a := range p.Access {
			if a.Status == status.IsMissing {
				all[keyOf(holder{"Person", "", p.Name}, p.Username, a)] = true
			}
		}
	}
	return all
}

// runs notes the runs since the earlier review. The state remembers reconcile.MaxRuns of them.
func (c *Changes) runs(r Review) {
	c.Runs = []reconcile.Run{}
	for _, run := range r.Runs {
		if run.At.After(c.Since) {
			c.Runs = append(c.Runs, run)
		}
	}
	c.MoreRuns = len(c.Runs) == reconcile.MaxRuns
}

// gain says by what somebody gained access: a binding of others, somebody who wrote to one of certsync's, or certsync, since the
// inventory has it. The binding of somebody's own was made by the run that began last before it. When somebody came to a group's
// binding, nobody knows.
func (c *Changes) gain(who holder, a Access, runs []reconcile.Run) Change {
	change := Change{Kind: who.kind, Namespace: who.namespace, Name: who.name, Access: a, By: ByCertsync}
	if a.Through == Others || a.Status == status.IsUnwanted {
		change.By = NotCertsync
		return change
	}
	if a.Through != Own || a.Made == nil || !a.Made.After(c.Since) {
		c.only(&change)
		return change
	}
	for _, run := range runs { // the latest first; Kubernetes' times are in whole seconds
		if !run.At.Truncate(time.Second).After(*a.Made) {
			change.Run, change.Revision = run.ID, run.Revision
			break
		}
	}
	return change
}

// loss says by what somebody lost access. Access that the inventory still grants was not taken by certsync.
func (c *Changes) loss(who holder, a Access, stillGranted bool, left Departure) Change {
	change := Change{Kind: who.kind, Namespace: who.namespace, Name: who.name, Access: a, By: ByCertsync}
	switch {
	case a.Through == Others || a.Status == status.IsUnwanted || stillGranted:
		change.By = NotCertsync
	case left.At.After(c.Since):
		change.Run, change.Revision = left.Run, left.Revision
	default:
		c.only(&change)
	}
	return change
}

// only names the run of a change if the state remembers but one. It does not remember runs without Vault, so it can be wrong after one.
func (c *Changes) only(change *Change) {
	if len(c.Runs) == 1 {
		change.Run, change.Revision = c.Runs[0].ID, c.Runs[0].Revision
	}
}

// membership notes who came and who left.
func (c *Changes) membership(now, earlier Review) {
	in := func(r Review) map[string]bool {
		all := map[string]bool{}
		for _, p := range r.People {
			if p.InInventory && !p.Gone {
				all[p.Name] = true
			}
		}
		return all
	}
	is, was := in(now), in(earlier)
	for _, name := range slices.Sorted(maps.Keys(is)) {
		if !was[name] {
			c.Came = append(c.Came, name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(was)) {
		if !is[name] {
			c.Left = append(c.Left, name)
		}
	}
}

// compareChanges puts first what no run of certsync did, then what is strongest.
func compareChanges(a, b Change) int {
	return cmp.Or(-cmp.Compare(a.By, b.By), -cmp.Compare(a.Access.Strength, b.Access.Strength), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Namespace, b.Namespace),
		cmp.Compare(a.Name, b.Name), compareAccess(a.Access, b.Access))
}
