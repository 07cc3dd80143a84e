package fake

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"maps"
	"slices"
	"strings"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/certsync/certsync/vaultstore/kvtest"
)

// User is what a world's Vault holds of a user, in an owner's folder of certsync's. It is read with nothing of
// certsync's own code, so that tests of that code can rely on it.
type User struct {
	State        string        // of the ledger record; "" if there is none, "unreadable" if it is no record
	Certificates []Certificate // in the ledger
	Stored       []Stored      // versions of the credential that are not destroyed, oldest first
	Version      int           // current one of the credential
}

// Certificate is a certificate in a ledger record.
type Certificate struct {
	Status            string
	PEM               string
	CredentialVersion int
	Live              bool      // it has not expired; without PEM: one that was asked for can still be alive
	Key               string    // SHA-256 of the public key, where the record says one
	NotAfter          time.Time // as the record says
}

// Stored is a version of a credential.
type Stored struct {
	Version     int
	Readable    bool   // not deleted
	Certificate string // PEM, the leaf; "" if there is none in it
	Live        bool   // the certificate has not expired
}

// Users reads ledger/ and users/ in a folder, such as "certsync/prod-eu".
func (w *World) Users(folder string) map[string]User {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := map[string]User{}
	for path, s := range w.secrets {
		if name, ok := strings.CutPrefix(path, folder+"/ledger/"); ok {
			u := all[name]
			u.readRecord(s, w.now())
			all[name] = u
		}
		if name, ok := strings.CutPrefix(path, folder+"/users/"); ok {
			u := all[name]
			u.readCredential(s, w.now())
			all[name] = u
		}
	}
	return all
}

func (u *User) readRecord(s *kvtest.Secret, now time.Time) {
	v := s.Versions[s.Current]
	if !v.Readable(now) || strings.TrimSpace(string(v.Data)) == "{}" {
		return
	}
	var record struct {
		State        string
		Certificates []struct {
			Status            string
			Certificate       string
			CredentialVersion int
			PublicKeySHA256   string
			NotAfter          time.Time
		}
	}
	if err := json.Unmarshal(v.Data, &record); err != nil {
		u.State = "unreadable"
		return
	}
	u.State = record.State
	for _, c := range record.Certificates {
		alive := live(c.Certificate, now) || c.Certificate == "" && c.NotAfter.After(now)
		u.Certificates = append(u.Certificates, Certificate{c.Status, c.Certificate, c.CredentialVersion, alive, c.PublicKeySHA256, c.NotAfter})
	}
}

func (u *User) readCredential(s *kvtest.Secret, now time.Time) {
	u.Version = s.Current
	for _, n := range slices.Sorted(maps.Keys(s.Versions)) {
		v := s.Versions[n]
		if v.Destroyed {
			continue
		}
		var data struct {
			Certificate string `json:"tls.crt"`
		}
		_ = json.Unmarshal(v.Data, &data) // what is no credential has no certificate
		u.Stored = append(u.Stored, Stored{n, v.Readable(now), data.Certificate, live(data.Certificate, now)})
	}
}

// live reports whether there is a certificate, and it has not expired.
func live(text string, now time.Time) bool {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return false
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	return err == nil && cert.NotAfter.After(now)
}

// Credential is the certificate of the credential that the user can read now, "" if there is none or it has expired.
func (u User) Credential() string {
	for _, s := range u.Stored {
		if s.Version == u.Version && s.Readable && s.Live {
			return s.Certificate
		}
	}
	return ""
}

// Recorded returns the ledger's entry for a certificate.
func (u User) Recorded(cert string) (Certificate, bool) {
	i := slices.IndexFunc(u.Certificates, func(c Certificate) bool { return c.PEM == cert })
	if i < 0 {
		return Certificate{}, false
	}
	return u.Certificates[i], true
}

// Knows reports whether the ledger has a certificate, or that one was asked for which could be it.
func (u User) Knows(cert *x509.Certificate) bool {
	key := sha256.Sum256(cert.RawSubjectPublicKeyInfo)
	return slices.ContainsFunc(u.Certificates, func(c Certificate) bool {
		if block, _ := pem.Decode([]byte(c.PEM)); block != nil {
			return bytes.Equal(block.Bytes, cert.Raw)
		}
		return c.Key == hex.EncodeToString(key[:]) && !c.NotAfter.Before(cert.NotAfter)
	})
}

// Live counts the live certificates in the ledger by status.
func (u User) Live() map[string]int {
	n := map[string]int{}
	for _, c := range u.Certificates {
		if c.Live {
			n[c.Status]++
		}
	}
	return n
}

// Binding is a ClusterRoleBinding or RoleBinding without what differs from run to run.
type Binding struct {
	Name     string // "RoleBinding payments/x"
	Labels   map[string]string
	Role     string   // "ClusterRole view"
	Subjects []string // "User alice@example.com", sorted
}

// Bindings lists all bindings by name.
func (w *World) Bindings() []Binding {
	w.mu.Lock()
	defer w.mu.Unlock()
	var all []Binding
	for _, key := range append(w.keys(clusterRoleBindings, ""), w.keys(roleBindings, "")...) {
		obj := w.objects[key]
		b := Binding{Name: key.String(), Labels: obj.GetLabels()}
		var subjects []rbacv1.Subject
		switch o := obj.(type) {
		case *rbacv1.ClusterRoleBinding:
			subjects = o.Subjects
		case *rbacv1.RoleBinding:
			subjects = o.Subjects
		}
		b.Role = roleRef(obj).Kind + " " + roleRef(obj).Name
		for _, s := range subjects {
			b.Subjects = append(b.Subjects, s.Kind+" "+strings.TrimPrefix(s.Namespace+"/"+s.Name, "/"))
		}
		slices.Sort(b.Subjects)
		all = append(all, b)
	}
	return all
}
