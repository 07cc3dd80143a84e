package reconcile_test

import (
	"encoding/json"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/reconciletest"
)

// FuzzParseRecord: no bytes make it panic. What it takes is a record of the user who was asked for, with certificates of
// that user alone; it says of them what they say; and it is the same record when it is written and read again.
func FuzzParseRecord(f *testing.F) {
	for _, record := range realRecords(f) {
		f.Add(record.User, encode(f, record))
		f.Add("eve", encode(f, record))
	}
	f.Add("bob", []byte(`{"formatVersion":"1","user":"bob","state":"active","certificates":[{"status":"current","certificate":"-----BEGIN CERTIFICATE-----\n"}]}`))
	f.Add("bob", []byte(`{"formatVersion":"1","user":"bob","state":"lapsed","since":"2026-03-01T12:00:00+23:59","certificates":null}`))
	for _, since := range []string{"2026-03-01T12:00:00+24:00", "9999-12-31T23:00:00-02:00"} { // Go reads these, and does not write them
		f.Add("bob", []byte(`{"formatVersion":"2","user":"bob","state":"active","since":"`+since+`","certificates":null}`))
	}
	f.Fuzz(func(t *testing.T, user string, text []byte) {
		record, err := reconcile.ParseRecord(user, text)
		if err != nil {
			return
		}
		if record.User != user {
			t.Errorf("a record of %q", record.User)
		}
		current := 0
		for _, entry := range record.Certificates {
			saysItself(t, user, entry)
			if entry.Status == reconcile.Current {
				current++
			}
		}
		if current > 1 {
			t.Errorf("%d current certificates", current)
		}
		again, err := reconcile.ParseRecord(user, encode(t, *record))
		if err != nil {
			t.Fatalf("written again, it is not read: %v", err)
		}
		if diff := cmp.Diff(record, again); diff != "" {
			t.Errorf("written again, it is another: %s", diff)
		}
	})
}

// saysItself compares an entry with its certificate.
func saysItself(t *testing.T, user string, entry reconcile.CertificateEntry) {
	t.Helper()
	if entry.Certificate == "" {
		wasRequested(t, entry)
		return
	}
	cert, err := reconcile.ParseLeaf([]byte(entry.Certificate))
	if err != nil {
		t.Fatal(err)
	}
	want := reconcile.CertificateEntry{
		Status: entry.Status, Certificate: entry.Certificate, IssuedAt: entry.IssuedAt, CredentialVersion: entry.CredentialVersion, CSR: entry.CSR,
		PublicKeySHA256: entry.PublicKeySHA256,
	}
	want.Describe(cert)
	if diff := cmp.Diff(want, entry); diff != "" {
		t.Errorf("it says something else than its certificate: %s", diff)
	}
	if cert.Subject.CommonName != user || !cert.NotAfter.Equal(entry.NotAfter) || !cert.NotBefore.Equal(entry.NotBefore) {
		t.Errorf("%+v is for %q, from %s until %s", entry, cert.Subject.CommonName, cert.NotBefore, cert.NotAfter)
	}
	if early := entry.IssuedAt.Sub(cert.NotBefore); early < 0 || early > time.Hour {
		t.Errorf("issued %s after %s", early, cert.NotBefore)
	}
}

// wasRequested looks at an entry of whose certificate nobody knows whether it is there.
func wasRequested(t *testing.T, entry reconcile.CertificateEntry) {
	t.Helper()
	if entry.Status == reconcile.Current || len(entry.PublicKeySHA256) != 64 || entry.Serial+entry.SHA256 != "" || entry.CredentialVersion != 0 {
		t.Errorf("%+v", entry)
	}
	// A Duration is too short for what anybody may have written.
	if entry.NotAfter.Before(entry.IssuedAt) || entry.NotAfter.After(entry.IssuedAt.AddDate(70, 0, 0)) {
		t.Errorf("requested at %s, accounted for until %s", entry.IssuedAt, entry.NotAfter)
	}
}

// realRecords are records of people who came, changed and left.
func realRecords(f *testing.F) []reconcile.Record {
	w := reconciletest.NewWorld(f)
	w.MustApply(reconciletest.Parse(f, reconciletest.Team))
	w.Now = w.Now.Add(time.Hour)
	w.MustApply(reconciletest.Parse(f, "groups: [{name: devs}, {name: ops}]\nusers: [{name: alice, groups: [devs, ops]}, {name: bob, groups: [ops], until: 2026-03-01T12:30:00Z}]"))
	own := reconciletest.WithOwnKey(f, reconciletest.WithOwnKey(f, reconciletest.Parse(f, "users: [{name: dan}, {name: erin}]"), "dan", "laptop"), "erin", "phone")
	w.Rules.MaxRemovals = reconciletest.Limit(f, "100%")
	w.Fail = reconciletest.Failing("issue erin", reconcile.ErrNotApproved)
	if _, err := w.Apply(own); err != nil {
		f.Fatal(err)
	}
	var records []reconcile.Record
	for _, user := range slices.Sorted(maps.Keys(w.Ledger)) {
		for _, version := range slices.Sorted(maps.Keys(w.Ledger[user].Versions)) {
			records = append(records, *w.Ledger[user].Versions[version].Record)
		}
	}
	return records
}

func encode(t testing.TB, record reconcile.Record) []byte {
	text, err := json.Marshal(record)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
