package usage

import "time"

// The limits of a Log. Everything above them is added up in one Use.
const (
	maxBindings     = 500  // of a user
	maxCertificates = 32   // of a user, beside those that the caller knows
	maxOthers       = 1000 // certificates of names that the caller did not ask about
)

// Log is what an audit log says of certificates and bindings. It is the same whatever the order of the sources.
type Log struct {
	From     time.Time // when the first event was written
	To       time.Time // when the last one was
	Events   int
	Requests int // of everybody. Where there are events and no requests, the audit policy leaves out ends
	TooLong  int // lines of more than 4 MiB, which were skipped
	Invalid  int // lines that are no audit event, such as the last line of a log that is being written

	Users map[string]User // each name that the caller asked about

	// Others are the certificates of names that the caller did not ask about, without those of Kubernetes itself (system:),
	// sorted by fingerprint: the first maxOthers of them. The names are shortened.
	Others     []Certificate
	OthersRest Use // of all further ones
}

// User is what one name in Kubernetes did, whatever the credential.
type User struct {
	Use
	Impersonations int // requests on behalf of somebody else

	Certificates       []Certificate // that were used, sorted by fingerprint; at most maxCertificates that the caller does not know
	CertificatesRest   Use           // of all further ones
	WithoutCertificate Use           // by a token, for example

	// Bindings are those that allowed a request, sorted; at most maxBindings. Unless BindingsRest is zero, a binding that is
	// not here may have been used.
	Bindings         []BindingUse
	BindingsRest     Use
	AllowedOtherwise Use // requests that were allowed otherwise, by the group system:masters or a webhook for example
}

// Certificate is the use of a client certificate. Any string in it may be hostile.
type Certificate struct {
	SHA256   string // hex, of the DER
	Username string
	Use
}

// BindingUse is the use of a binding by one user.
type BindingUse struct {
	Binding
	Use
}

// Use is when and how often something was used.
type Use struct {
	First    time.Time // when the first request arrived; zero if there was none
	Last     time.Time
	Requests int    // that have ended
	Denied   int    // of Requests: by an authorizer, or with 403 by admission
	Source   string // the address that the last request came from: of the client, or of the last proxy
}

// see counts an event.
func (u *Use) see(e *event) {
	if u.First.IsZero() || e.received.Before(u.First) {
		u.First = e.received
	}
	if later := e.received.Compare(u.Last); later > 0 || later == 0 && string(e.source) > u.Source {
		u.Last = e.received
		if u.Source != string(e.source) { // as a rule it is the same, and costs no memory
			u.Source = string(e.source)
		}
	}
	if e.final() {
		u.Requests++
		if e.denied() {
			u.Denied++
		}
	}
}

func (u *Use) merge(other Use) {
	if u.First.IsZero() || !other.First.IsZero() && other.First.Before(u.First) {
		u.First = other.First
	}
	if later := other.Last.Compare(u.Last); later > 0 || later == 0 && other.Source > u.Source {
		u.Last, u.Source = other.Last, other.Source
	}
	u.Requests += other.Requests
	u.Denied += other.Denied
}
