package reconcile

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
)

// StateVersion is the formatVersion of the states that certsync writes. It also reads version 1, which had no endpoint, no
// grants and no names.
const StateVersion = "2"

// The bounds of a state. Vault takes no entry of over 1 MiB with integrated storage, and no object of over 10,000 entries.
const (
	MaxNames     = 10000
	MaxStateSize = 512 << 10 // bytes of JSON
	// maxUnpacked bounds what the compressed part of a state may become.
	maxUnpacked = 32 << 20
)

// State is the index of one owner in Vault, at <folder>/state. A run writes it, check-and-set, before its first step. Only
// certsync and Vault's administrators write it, so certsync believes all of it: whom it may have given access, and under
// which names certificates may live. Its JSON is:
//
//	formatVersion    "2"
//	clusterUID       UID of the namespace kube-system of the owner's cluster
//	inventoryDigest  of the inventory that was applied last
//	generation       counts the runs that changed something; the Lease has it too
//	runID, startedAt, startedBy
//	                 of the last run; startedBy is the identity that Kubernetes sees
//	heldBack         in version 1: that run held something back
//	endpoint         what certsync's own connection said of the cluster at the first apply, see endpoint.Recorded
//	epochs           the counter of epochs
//	admission        the admission policy for revoked certificates has been in force
//	lostEpochs, lostUntil
//	                 the index was restored from a backup or lost when the counter was lostEpochs. It may lack names, and
//	                 revocations if that is not 0, of certificates that live until lostUntil at most
//	runs             the last MaxRuns runs that changed somebody's access, the latest last, each a Run
//	grants           a Grants, as JSON, gzip and base64
//	names            by user a Name, as JSON, gzip and base64
type State struct {
	FormatVersion   string
	ClusterUID      string
	InventoryDigest string
	Generation      int64
	RunID           string
	StartedAt       time.Time
	StartedBy       string
	HeldBack        bool
	Endpoint        Endpoint
	Epochs          int64
	Admission       bool
	LostEpochs      int64
	LostUntil       time.Time // zero: the index lacks nothing
	Runs            []Run
	Grants          *Grants         // nil in version 1
	Names           map[string]Name // nil in version 1
}

// MaxRuns is how many runs a state remembers.
const MaxRuns = 100

// Run is a run of apply that set out to change somebody's access.
type Run struct {
	ID       string    `json:"run"`
	At       time.Time `json:"at"` // when it began
	By       string    `json:"by"` // who ran it, as Kubernetes sees them
	Revision string    `json:"revision,omitempty"`
	Drift    bool      `json:"drift,omitempty"` // the inventory was that of the run before
}

// Mark is what the run leaves at the lock.
func (s State) Mark() Mark { return Mark{s.Generation, s.Epochs} }

// Name is what the index knows of a name under which a certificate may live.
type Name struct {
	Epoch int64 `json:"epoch"` // the present one
	// Since is when the epoch began, or when no certificate of it lived, by the API server's clock; zero: nobody knows.
	Since time.Time `json:"since"`
	Until time.Time `json:"until"` // the latest end that a certificate of the name can have
	// Left: the person left the inventory. The next person of that name must not get what these certificates may still do.
	Left bool `json:"left,omitempty"`
	// Stored: certsync has stored a credential for the name, and the path is not empty. If the ledger record is lost, certsync
	// takes the secret there for its own.
	Stored bool `json:"stored,omitempty"`
	// Revoked is the time at the lock (ClusterView.Revoked) for which the epoch began. Another one there asks for the next epoch.
	Revoked time.Time `json:"revoked,omitzero"`
	// Ended: the person's `until` has passed, or their `from` lies ahead, and all was taken. They count as nobody who can be
	// removed.
	Ended bool `json:"ended,omitempty"`
	// Protected: the last inventory that had the user protects them. It stays while the user is in no inventory.
	Protected bool `json:"protected,omitempty"`
}

// document is the JSON form of a State.
type document struct {
	FormatVersion   string            `json:"formatVersion"`
	ClusterUID      string            `json:"clusterUID"`
	InventoryDigest string            `json:"inventoryDigest"`
	Generation      int64             `json:"generation"`
	RunID           string            `json:"runID"`
	StartedAt       time.Time         `json:"startedAt"`
	StartedBy       string            `json:"startedBy"`
	HeldBack        bool              `json:"heldBack,omitempty"`
	Endpoint        *endpointDocument `json:"endpoint,omitempty"`
	Epochs          int64             `json:"epochs"`
	Admission       bool              `json:"admission,omitempty"`
	LostEpochs      int64             `json:"lostEpochs,omitzero"`
	LostUntil       time.Time         `json:"lostUntil,omitzero"`
	Runs            []Run             `json:"runs,omitempty"`
	Grants          string            `json:"grants,omitempty"`
	Names           string            `json:"names,omitempty"`
}

type endpointDocument struct {
	Name                 string `json:"name"`
	Server               string `json:"server"`
	CertificateAuthority string `json:"certificateAuthority"` // PEM
	ProxyURL             string `json:"proxyURL,omitempty"`
	TLSServerName        string `json:"tlsServerName,omitempty"`
}

// MarshalJSON gives the form that stands in Vault.
func (s State) MarshalJSON() ([]byte, error) {
	d := document{
		FormatVersion: s.FormatVersion, ClusterUID: s.ClusterUID, InventoryDigest: s.InventoryDigest, Generation: s.Generation,
		RunID: s.RunID, StartedAt: s.StartedAt, StartedBy: s.StartedBy, HeldBack: s.HeldBack, Epochs: s.Epochs, Admission: s.Admission,
		LostEpochs: s.LostEpochs, LostUntil: s.LostUntil, Runs: s.Runs,
	}
	if s.Grants != nil {
		d.Endpoint = &endpointDocument{s.Endpoint.Name, s.Endpoint.Server, string(s.Endpoint.CA), s.Endpoint.ProxyURL, s.Endpoint.TLSServerName}
		var err error
		if d.Grants, err = pack(s.Grants); err != nil {
			return nil, err
		}
		if d.Names, err = pack(s.Names); err != nil {
			return nil, err
		}
	}
	return json.Marshal(d)
}

// ParseState reads what stands at <folder>/state.
func ParseState(data []byte) (*State, error) {
	var d document
	if err := json.Unmarshal(data, &d); err != nil {
		return nil, err
	}
	s := State{
		FormatVersion: d.FormatVersion, ClusterUID: d.ClusterUID, InventoryDigest: d.InventoryDigest, Generation: d.Generation,
		RunID: d.RunID, StartedAt: d.StartedAt, StartedBy: d.StartedBy, HeldBack: d.HeldBack, Epochs: d.Epochs, Admission: d.Admission,
		LostEpochs: d.LostEpochs, LostUntil: d.LostUntil, Runs: d.Runs,
	}
	switch d.FormatVersion {
	case "1":
		return &s, nil
	case StateVersion:
	default:
		return nil, fmt.Errorf("its formatVersion is %q, not %q", Shown(d.FormatVersion), StateVersion)
	}
	if d.Endpoint == nil {
		return nil, errors.New("it has no endpoint")
	}
	s.Endpoint = Endpoint{d.Endpoint.Name, d.Endpoint.Server, []byte(d.Endpoint.CertificateAuthority), d.Endpoint.ProxyURL, d.Endpoint.TLSServerName}
	if err := unpack(d.Grants, &s.Grants); err != nil {
		return nil, fmt.Errorf("its grants: %w", err)
	}
	if err := unpack(d.Names, &s.Names); err != nil {
		return nil, fmt.Errorf("its names: %w", err)
	}
	if s.Grants == nil || s.Names == nil {
		return nil, errors.New("it has no grants or no names")
	}
	if err := s.timesInUTC(); err != nil {
		return nil, err
	}
	s.Grants.sort()
	return &s, nil
}

// timesInUTC makes sure that what was read can be written again.
func (s *State) timesInUTC() error {
	ok := inUTC(&s.StartedAt, &s.LostUntil)
	for i := range s.Runs {
		ok = inUTC(&s.Runs[i].At) && ok
	}
	for user, name := range s.Names {
		ok = inUTC(&name.Since, &name.Until, &name.Revoked) && ok
		s.Names[user] = name
	}
	if !ok {
		return errors.New("it has a time that JSON cannot hold")
	}
	return nil
}

// removalRoom is how many bytes of a state selectors must leave free. A removal or a revocation can make a state larger, and must
// not wait for somebody to delete namespaces.
const removalRoom = MaxStateSize / 8

// Crowded reports whether s leaves less than removalRoom.
func (s State) Crowded() bool {
	data, err := json.Marshal(s)
	return err != nil || len(data) > MaxStateSize-removalRoom || len(s.Names) > MaxNames
}

// TooLarge says why Vault would not take s, or is "".
func (s State) TooLarge() string {
	const way = "move some users to an inventory with another owner"
	if len(s.Names) > MaxNames {
		return fmt.Sprintf("owner has %d names under which certificates may live, and a state has room for %d (%s)", len(s.Names), MaxNames, way)
	}
	data, err := json.Marshal(s)
	if err != nil {
		return err.Error()
	}
	if len(data) > MaxStateSize {
		return fmt.Sprintf("the state would have %d bytes, and %d is the limit (%s)", len(data), MaxStateSize, way)
	}
	return ""
}

// pack returns v as JSON, gzip and base64.
func pack(v any) (string, error) {
	var b bytes.Buffer
	text := base64.NewEncoder(base64.StdEncoding, &b)
	zip := gzip.NewWriter(text)
	if err := json.NewEncoder(zip).Encode(v); err != nil {
		return "", err
	}
	if err := errors.Join(zip.Close(), text.Close()); err != nil {
		return "", err
	}
	return b.String(), nil
}

// unpack is the inverse of pack.
func unpack(text string, v any) error {
	zip, err := gzip.NewReader(base64.NewDecoder(base64.StdEncoding, bytes.NewReader([]byte(text))))
	if err != nil {
		return err
	}
	data, err := io.ReadAll(io.LimitReader(zip, maxUnpacked+1))
	if err != nil {
		return err
	}
	if len(data) > maxUnpacked {
		return fmt.Errorf("they have over %d bytes", maxUnpacked)
	}
	return json.Unmarshal(data, v)
}
