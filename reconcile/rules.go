package reconcile

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/certsync/certsync/inventory"
)

// Rules are what is asked of a run beyond the inventory: what it must not do, and which refusals somebody lifts, each for
// one thing. The zero value lifts nothing.
type Rules struct {
	// Revoke has users whose certificates from before are void. They get new ones, under a later epoch of their names.
	Revoke []string
	// Retry has users whose CertificateSigningRequest was denied, and who are to get another.
	Retry []string
	// Adopt has users at whose place in Vault something stands that is not certsync's, to be taken over.
	Adopt []string
	// AllowEmpty lets an inventory without users take everybody's access.
	AllowEmpty bool
	// MoveToThisCluster lets an owner whose state is about another cluster be applied to this one.
	MoveToThisCluster bool
	// NewLedger lets an owner begin without a state although the cluster has bindings or a generation of theirs.
	NewLedger bool
	// AcceptRollback takes a state that is older than the one that a run last wrote, or of which no Lease tells.
	AcceptRollback bool
	// AcceptSharedCA gives out certificates with which anybody can be whoever they like, see FrontProxy.
	AcceptSharedCA bool

	// MaxRemovals is how much may be taken away at once; the zero Limit is 25%.
	MaxRemovals Limit
	// Protect has users from whom nothing is taken, beside Self, who runs certsync.
	Protect []string
	Self    string
	// Expect refuses a plan that would change something and has another digest; "": any will do.
	Expect string
	// Drift refuses an inventory that is not the one of the last run.
	Drift bool
	// Policy keeps kinds of steps from running.
	Policy Policy
	// BatchSize is how many users one batch of a revocation has; 0: 100.
	BatchSize int
	// Denying says that the admission policy was in force when this run looked before. The state may not know it yet.
	Denying bool

	// Namespace is where certsync runs unattended, and LockNamespace where its Lease is: grants there are noted. "": none
	// is.
	Namespace, LockNamespace string
}

// Policy says what a run may do. Steps that it may not are held, and neither refuse a run nor fail it.
type Policy string

// The policies. The empty one is Sync.
const (
	Sync       Policy = "sync"        // everything
	UpsertOnly Policy = "upsert-only" // issue, renew, reissue, bind, and add subjects
	CreateOnly Policy = "create-only" // issue and bind
)

// Forbids says why the policy keeps an action that takes nothing away from running, or "".
func (p Policy) Forbids(a Action) string {
	creates := a == Issue || a == Bind
	upserts := creates || a == Renew || a == Reissue || a == Update
	if p == CreateOnly && !creates || p == UpsertOnly && !upserts {
		return "not with --policy=" + string(p)
	}
	return ""
}

// Takes reports whether the policy lets anything be taken away.
func (p Policy) Takes() bool { return p != UpsertOnly && p != CreateOnly }

// Limit is how much may be taken away at once: a number, or a share of what there is, which is at least one unless it is
// 0%. The zero value is 25%.
type Limit struct {
	n       int
	percent bool
	given   bool
}

const defaultPercent = 25

var limitForm = regexp.MustCompile(`^[0-9]{1,9}%?$`)

// UnmarshalText reads "5" or "25%".
func (l *Limit) UnmarshalText(text []byte) error {
	digits, percent := strings.CutSuffix(string(text), "%")
	n, err := strconv.Atoi(digits)
	if err != nil || !limitForm.Match(text) || percent && n > 100 {
		return errors.New("expected a number such as 5, or a share up to 100% such as 25%")
	}
	*l = Limit{n: n, percent: percent, given: true}
	return nil
}

// String is the limit as it is written: 5, or 25%.
func (l Limit) String() string {
	switch {
	case !l.given:
		return strconv.Itoa(defaultPercent) + "%"
	case l.percent:
		return strconv.Itoa(l.n) + "%"
	}
	return strconv.Itoa(l.n)
}

// Allowed is how many of total may be taken away.
func (l Limit) Allowed(total int) int {
	switch {
	case !l.given:
		return max(1, total*defaultPercent/100)
	case l.percent && l.n > 0:
		return max(1, total*l.n/100)
	}
	return l.n // 0% too
}

// UnknownName is a name on the command line that stands nowhere: a typing error, which would else lift or protect nothing
// in silence.
type UnknownName struct {
	Flag, Name string
	// WithoutVault: nobody has asked Vault, so that users who left may be unknown.
	WithoutVault bool
}

func (u UnknownName) Error() string {
	if u.WithoutVault {
		return fmt.Sprintf("%s %q: this name is neither in the inventory nor in the cluster", u.Flag, u.Name)
	}
	return fmt.Sprintf("%s %q: this name is neither in the inventory, the ledger nor the cluster", u.Flag, u.Name)
}

// Unknown returns an UnknownName for the first name that is one, or nil.
func (r Rules) Unknown(inv *inventory.Inventory, o Observed) error {
	known := func(name string) bool { // by what only certsync and administrators write
		indexed := false
		if o.State != nil {
			_, indexed = o.State.Names[name]
		}
		return indexed ||
			slices.ContainsFunc(inv.Users, func(u inventory.User) bool { return u.Name == name || slices.Contains(u.Previously, name) }) ||
			slices.ContainsFunc(o.Bindings, func(b Binding) bool { // tenants can make and delete others
				return b.Kind == ClusterRoleBinding && slices.ContainsFunc(b.Subjects, func(s Subject) bool { return s.Person() == name })
			})
	}
	recorded := func(name string) bool {
		_, record := o.Ledger[name]
		_, stored := o.Credentials[name]
		return record || stored
	}
	for _, flag := range []struct {
		name  string
		names []string
	}{{"--revoke", r.Revoke}, {"--retry", r.Retry}, {"--protect", r.Protect}, {"--adopt", r.Adopt}} {
		for _, name := range flag.names {
			// A writer of one path must not stop a job by deleting the path of a protected name.
			byVault := flag.name != "--protect" || o.State == nil || o.State.Names == nil
			if !known(name) && !(byVault && recorded(name)) {
				return UnknownName{Flag: flag.name, Name: name}
			}
		}
	}
	return nil
}
