package reconcile

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"slices"
	"time"

	"github.com/certsync/certsync/inventory"
)

// PlanVersion is the formatVersion of plans.
const PlanVersion = "2"

// Step is one change. User or Group says for whom it is. Kind, Namespace, Name, Role and RoleKind are those of the binding that it
// writes. Text and Markdown are made from the fields that JSON has, and from nothing else.
type Step struct {
	User     string      `json:"user,omitempty"`
	Username string      `json:"username,omitempty"` // the CN of the user's certificates
	Group    string      `json:"group,omitempty"`
	Action   Action      `json:"action"`
	Reason   Reason      `json:"reason"` // Reasons[0]
	Reasons  []Reason    `json:"reasons"`
	Kind     BindingKind `json:"kind,omitempty"`
	// Namespace is that of a RoleBinding.
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name,omitempty"`
	Role      string `json:"role,omitempty"` // the role in the name, which the binding has or gets
	// RoleKind is "Role" for a Role of the namespace, and absent for a ClusterRole.
	RoleKind RoleKind `json:"roleKind,omitempty"`
	// Power lists why this step makes users as good as cluster-admin. For a certificate, it covers all that the inventory
	// gives its user. It is nil if the step gives nothing.
	Power  []string `json:"power,omitzero"`
	Detail *Detail  `json:"detail,omitempty"`
	// Why is what the inventory says of the user, or of the grant; nil: nothing.
	Why *inventory.Why `json:"why,omitempty"`
	// Batch is the number of the batch in which the step runs, from 1. It is 0 for a step of no batch, see Stage.
	Batch  int       `json:"batch,omitempty"`
	Held   string    `json:"held,omitempty"` // why the step is kept from running
	HeldBy HoldCause `json:"heldBy,omitempty"`

	// The fields with which apply carries the step out. They are in no output.
	Stage   Stage         `json:"-"`
	Issue   *Issuance     `json:"-"` // of issue, renew and reissue
	Leave   *Leaving      `json:"-"` // of remove and purge
	Binding *BindingWrite `json:"-"` // of bind, unbind and update

	Revocations *RevocationWrite `json:"-"` // of the admission policy's update and purge
}

// Detail is what a reviewer wants to know of a step beyond its reasons.
type Detail struct {
	Groups     []string `json:"groups,omitempty"`     // O of the new certificate
	Expiration string   `json:"expiration,omitempty"` // asked for, as a Go duration
	Add        []string `json:"add,omitempty"`        // subjects added
	Remove     []string `json:"remove,omitempty"`     // subjects taken out
	Versions   []int    `json:"versions,omitempty"`   // of the credential, to be destroyed

	// PublicKeySHA256 is the fingerprint of the key for which the certificate is, where the user alone has it; hex, of the
	// SubjectPublicKeyInfo.
	PublicKeySHA256 string `json:"publicKeySHA256,omitempty"`

	// Kubeconfig is what the new kubeconfig leads to: where a user is sent is part of what is reviewed.
	Kubeconfig *KubeconfigRef `json:"kubeconfig,omitempty"`
}

// removed are the subjects that a step takes out.
func (d *Detail) removed() []string {
	if d == nil {
		return nil
	}
	return d.Remove
}

// Note is something that a reader of the plan should know.
type Note struct {
	User    string   `json:"user,omitempty"`
	Group   string   `json:"group,omitempty"`
	Kind    NoteKind `json:"kind"`
	Object  string   `json:"object,omitempty"`
	Message string   `json:"message"`
	// Power lists why the access that exists, or begins, makes as good as cluster-admin, the worst first.
	Power []string   `json:"power,omitempty"`
	From  *time.Time `json:"from,omitempty"`
	Until *time.Time `json:"until,omitempty"`
	// Why is what the inventory says of a user or grant that begins later.
	Why *inventory.Why `json:"why,omitempty"`
}

// Plan is the difference between an inventory and what was observed. It holds no key and no certificate.
type Plan struct {
	Owner           string
	ClusterUID      string
	InventoryDigest string
	Steps           []Step // in the order of the run
	Notes           []Note
	Unchanged       int // users of the inventory that no step names
	// Forbidden lists what forbids every write, whatever the run may hold back.
	Forbidden []string
	Guards    []string // why steps are held by a guard
	// RemovalsOnly: the plan was made without Vault. It only takes subjects out of bindings.
	RemovalsOnly bool
	// Revoked has the users whose certificates are void, and since when, as the run leaves it at the lock. A run without Vault
	// adds users, and one with Vault takes out those whose next epoch the state has. Nil: the lock stays as it is.
	Revoked map[string]time.Time

	// State is the index that a run of this plan writes before its first step. The run itself fills in what it is called,
	// when it began, and who runs it.
	State        State
	StateVersion int  // KV version of the state that was observed
	Leased       bool // the lock's Lease exists
	RecordState  bool // the state is to be written even if there is no step
	Moves        bool // the state is of another cluster
	Endpoint     Endpoint
	FrontProxy   FrontProxy                  // nobody gets a certificate that it would take
	SharedCA     bool                        // but for one that anybody's is, which somebody has accepted
	Certificates map[string]UserCertificates // everybody's certificates, before the run
}

// Changes reports whether apply would write anything.
func (p Plan) Changes() bool { return len(p.Steps) > 0 || p.RecordState }

// HasWork reports whether any step is not held, or the state is to be written.
func (p Plan) HasWork() bool {
	return p.RecordState || slices.ContainsFunc(p.Steps, func(s Step) bool { return s.Held == "" })
}

// Records says what a run without any step records: in Vault the inventory, at the lock the users whose certificates are void.
func (p Plan) Records() string {
	if p.RemovalsOnly {
		return "the revocation"
	}
	return "the inventory"
}

// Refusals lists why apply refuses this plan, each with the flag that lifts it: what forbids every write, and what guards
// found. With --hold only the first kind counts. A conflict refuses no plan: otherwise anybody who may write one path of
// Vault could stop everybody else's removals.
func (p Plan) Refusals() []string { return slices.Concat(p.Forbidden, p.Guards) }

// Summary counts the steps by action, the held ones once more as "held", and the users without a step as "unchanged".
func (p Plan) Summary() map[string]int {
	sum := map[string]int{"unchanged": p.Unchanged}
	for _, s := range p.Steps {
		sum[string(s.Action)]++
		if s.Held != "" {
			sum["held"]++
		}
	}
	return sum
}

// Digest identifies what a reviewer agreed to: "sha256:<hex>" over owner, cluster, inventory, steps and existing-access
// notes. Steps and notes include Power, so a plan is another one after a ClusterRole was widened. Renewals and purges are
// left out: time alone decides on them, and a plan reviewed in the morning still applies in the afternoon. A plan that only
// removes is another one than the same steps with Vault, and so is one that revokes somebody else.
func (p Plan) Digest() string {
	reviewed := struct {
		Owner, ClusterUID, InventoryDigest string
		Steps                              []Step
		Notes                              []Note
		RemovalsOnly                       bool     `json:",omitempty"`
		Revoked                            []string `json:",omitempty"`
	}{p.Owner, p.ClusterUID, p.InventoryDigest, nil, nil, p.RemovalsOnly, nil}
	if p.RemovalsOnly {
		reviewed.Revoked = slices.Sorted(maps.Keys(p.Revoked))
	}
	for _, s := range p.Steps {
		if s.Action == Renew || s.Action == Purge {
			continue
		}
		if s.Held != "" {
			// Why a step does not run is no part of it. A conflict names the version of a secret, which whoever may write
			// that one path could change all the time.
			s.Held = s.HeldBy.String()
		}
		if s.Issues() {
			// Whether the old certificate is about to expire as well is time's decision too.
			s.Reasons = slices.DeleteFunc(slices.Clone(s.Reasons), func(r Reason) bool { return r == Expiring })
		}
		reviewed.Steps = append(reviewed.Steps, s)
	}
	for _, n := range p.Notes {
		if n.Kind == ExistingAccess {
			reviewed.Notes = append(reviewed.Notes, n)
		}
	}
	text, err := json.Marshal(reviewed)
	if err != nil {
		panic(err) // strings and ints only
	}
	sum := sha256.Sum256(text)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// Refusal is why apply refuses a plan. With Hold, --hold skips the steps that it is about, and does the rest.
type Refusal struct {
	Message string `json:"message"`
	Hold    bool   `json:"hold"`
}

// MarshalJSON gives the form of `plan -o json`. The same plan gives the same bytes. Its fields are:
//
//	formatVersion    "2"
//	owner            of the inventory
//	clusterUID       UID of the namespace kube-system
//	inventoryDigest  "sha256:<hex>", of what the inventory means
//	digest           what `apply --expect` takes, see Digest
//	removalsOnly     true if the plan was made without Vault
//	revoked          whose certificates the lock then says are void, and since when; absent if the run does not write that
//	changes          whether apply would write anything
//	summary          number of steps by action, "held", and users without a step as "unchanged"
//	refusals         why apply would refuse the plan, each a Refusal; absent if it would not
//	steps            each a Step, in the order of the run
//	notes            each a Note
func (p Plan) MarshalJSON() ([]byte, error) {
	var refusals []Refusal
	for _, why := range p.Forbidden {
		refusals = append(refusals, Refusal{why, false})
	}
	for _, why := range p.Guards {
		refusals = append(refusals, Refusal{why, true})
	}
	return json.Marshal(struct {
		FormatVersion   string               `json:"formatVersion"`
		Owner           string               `json:"owner"`
		ClusterUID      string               `json:"clusterUID"`
		InventoryDigest string               `json:"inventoryDigest"`
		Digest          string               `json:"digest"`
		RemovalsOnly    bool                 `json:"removalsOnly,omitempty"`
		Revoked         map[string]time.Time `json:"revoked,omitempty"`
		Changes         bool                 `json:"changes"`
		Summary         map[string]int       `json:"summary"`
		Refusals        []Refusal            `json:"refusals,omitempty"`
		Steps           []Step               `json:"steps"`
		Notes           []Note               `json:"notes"`
	}{PlanVersion, p.Owner, p.ClusterUID, p.InventoryDigest, p.Digest(), p.RemovalsOnly, p.Revoked, p.Changes(), p.Summary(), refusals,
		OrEmpty(p.Steps), OrEmpty(p.Notes)})
}

// Sort puts steps and notes in the order that they are shown and run in, which no map order can disturb.
func (p *Plan) Sort() {
	slices.SortFunc(p.Steps, func(a, b Step) int {
		return cmp.Or(cmp.Compare(max(a.Stage, StageGrant), max(b.Stage, StageGrant)), cmp.Compare(a.Batch, b.Batch), cmp.Compare(a.Stage, b.Stage), cmp.Compare(a.User, b.User), cmp.Compare(a.Group, b.Group),
			cmp.Compare(a.Object(), b.Object()), cmp.Compare(a.Action, b.Action), cmp.Compare(a.Held, b.Held),
			slices.Compare(a.Detail.removed(), b.Detail.removed()))
	})
	slices.SortFunc(p.Notes, func(a, b Note) int {
		return cmp.Or(cmp.Compare(a.User, b.User), cmp.Compare(a.Group, b.Group), cmp.Compare(a.Kind, b.Kind),
			cmp.Compare(a.Object, b.Object), cmp.Compare(a.Message, b.Message))
	})
}

// Grant returns what the binding that a step writes grants, and false for a step that writes none.
func (p Plan) Grant(s Step) (Grant, bool) {
	return ParseBindingName(p.Owner, s.Namespace, s.Name)
}

// Powerful says why those to whom a step gives a role become as good as cluster-admin by it, the worst of Step.Power, or "".
// A certificate gives no role by itself: there it is "".
func (p Plan) Powerful(s Step) string {
	if s.Kind == "" || len(s.Power) == 0 {
		return ""
	}
	return s.Power[0]
}

// UserCertificates is what the ledger knows of the certificates of one user.
type UserCertificates struct {
	Leaver  bool
	Expires time.Time // the current one, if a next run would renew it; zero: there is none
	Live    int       // certificates that the API server accepts, or would accept if they came to be
}
