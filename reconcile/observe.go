package reconcile

import (
	"context"
	"errors"
	"time"

	"github.com/certsync/certsync/inventory"
)

// Observed is all that plan.Diff looks at besides the inventory. It is complete or it does not exist: a failed list is not
// an empty cluster (external-dns#2858), so a reader that misses one object returns an error and no view.
type Observed struct {
	At time.Time // when it was read; the only clock of plan.Diff
	ClusterView
	StoreView
}

// ClusterView is what a ClusterReader sees.
type ClusterView struct {
	UID          string               // of namespace kube-system; what tells clusters apart
	Endpoint     Endpoint             // what certsync itself connects to
	Bindings     []Binding            // all of them, whoever made them
	ClusterRoles map[string]bool      // that exist
	Rules        map[Role][]Rule      // of all ClusterRoles and Roles
	Partly       map[string]bool      // namespaces with too many RoleBindings of others, or Roles: some of these are left out
	Namespaces   map[string]Namespace // that exist
	Requests     []Request            // CertificateSigningRequests with a name of ours and no certificate, the first of them
	MoreRequests int                  // how many there are beside Requests

	Clock  time.Time // the API server's, when it answered; zero: it did not tell
	Mark             // that the last run left at the lock
	Leased bool      // the owner's Lease exists, whoever holds it
	// Revoked has the users whose certificates a run without Vault has revoked, and when. The lock tells it. The next run with
	// Vault begins their next epochs.
	Revoked map[string]time.Time

	FrontProxy FrontProxy // whom the API server lets speak for others

	Revocations *RevocationPolicy // nil: the cluster has none for the owner
}

// Endpoint is what goes into a kubeconfig to reach the cluster.
type Endpoint struct {
	Name          string // of the cluster and the context; empty: nobody gave it one
	Server        string // https URL; empty: certsync's own way is of no use to others
	CA            []byte // PEM; empty: the user's system roots
	ProxyURL      string
	TLSServerName string
}

// Fault says what in e no inventory would hold, and so no kubeconfig of certsync's, or nothing. It repeats no URL.
func (e Endpoint) Fault() string {
	return inventory.Cluster{Name: e.Name, Server: e.Server, ProxyURL: e.ProxyURL, TLSServerName: e.TLSServerName}.Fault()
}

// Namespace is a namespace as far as certsync looks at it.
type Namespace struct {
	Labels map[string]string
	Open   bool // it accepts new objects; false: it is terminating, or does not exist
}

// Role names a ClusterRole, or with a namespace a Role.
type Role struct{ Namespace, Name string }

// Rule is a rule of a role. It is about resources, or about URLs.
type Rule struct {
	Verbs     []string `json:"verbs"`
	Groups    []string `json:"apiGroups,omitempty"`
	Resources []string `json:"resources,omitempty"`
	Names     []string `json:"resourceNames,omitempty"` // of single objects; none: all of them
	URLs      []string `json:"nonResourceURLs,omitempty"`
}

// Request is a CertificateSigningRequest in flight. Anyone who may create one can give it such a name: it is shown,
// and nothing else is ever done with it.
type Request struct {
	Name        string
	User        string // the CN that it asks for
	RequestedBy string // set by the API server
	CreatedAt   time.Time
	State       string // "pending", "approved", "denied" or "failed"
	Reason      string // of the condition
	Message     string // of the condition
}

// StoreView is what a StoreReader sees of Vault. It holds no key: it is read from the ledger, the state and the
// metadata of users/.
type StoreView struct {
	State          *State // nil: none yet, or none that can be read
	StateVersion   int    // KV version of the state, for check-and-set; 0: none
	StateProblem   error  // why what stands there is no state; --new-ledger begins a new one
	Ledger         map[string]LedgerEntry
	Credentials    map[string]CredentialMeta
	UnknownEntries []string // entries whose names no user can have ("ledger/x y", "users/folder/"), sorted
}

// LedgerEntry is what stands at ledger/<user>. Record is nil when the current version is deleted, and when Problem says
// why it is not a record of that user.
type LedgerEntry struct {
	Version     int // current KV version, for check-and-set
	Record      *Record
	Problem     string
	Lost        bool          // Vault has metadata and no version that can be read, and certsync did not empty it
	DeleteAfter time.Duration // Vault deletes what is written there after so long; 0: it does not, or nobody may know
}

// CredentialMeta is the KV v2 metadata of users/<user>.
type CredentialMeta struct {
	CurrentVersion int // 0: metadata without any version
	Versions       []CredentialVersion
	DeleteAfter    time.Duration // as in a LedgerEntry
}

// CredentialVersion is one version in the metadata of a secret.
type CredentialVersion struct {
	Version   int
	Deleted   bool // soft-deleted: readable again after an undelete
	Destroyed bool // gone
}

// Current returns the state of the current version.
func (m CredentialMeta) Current() CredentialVersion {
	for _, v := range m.Versions {
		if v.Version == m.CurrentVersion {
			return v
		}
	}
	// Vault prunes old versions, never the current one; a version that it doesn't list cannot be read.
	return CredentialVersion{Version: m.CurrentVersion, Destroyed: true}
}

// Older lists the versions before the current one that are not destroyed: each may hold a private key that somebody
// can still read.
func (m CredentialMeta) Older() []int {
	var old []int
	for _, v := range m.Versions {
		if v.Version != m.CurrentVersion && !v.Destroyed {
			old = append(old, v.Version)
		}
	}
	return old
}

// Observe reads cluster and Vault at once and returns both or an error.
func Observe(ctx context.Context, owner string, cluster ClusterReader, store StoreReader, now func() time.Time) (Observed, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	o := Observed{}
	failed := make(chan error, 1)
	go func() {
		var err error
		o.StoreView, err = store.ObserveStore(ctx)
		if err != nil {
			cancel(err)
		}
		failed <- err
	}()
	var err error
	o.ClusterView, err = cluster.ObserveCluster(ctx, owner)
	answered := now()
	if err != nil {
		cancel(err)
	}
	if storeErr := <-failed; storeErr != nil && (err == nil || errors.Is(err, context.Canceled)) {
		err = storeErr
	}
	if err != nil {
		return Observed{}, err
	}
	o.At = now().UTC()
	if !o.Clock.IsZero() {
		o.Clock = o.Clock.Add(o.At.Sub(answered)) // Vault's answer may have taken longer
	}
	return o, nil
}
