package reconcile_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/certsync/certsync/inventory/userkey"
	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/reconciletest"
)

// TestParseRecord: whoever may write a ledger record can write anything. What a certificate says wins, and what is not
// this user's record is an error.
func TestParseRecord(t *testing.T) {
	w := reconciletest.NewWorld(t)
	w.MustApply(reconciletest.Parse(t, reconciletest.Team))
	good := *w.Ledger["bob"].Versions[1].Record
	asked := reconcile.CertificateSpec{User: "bob", Groups: []string{"devs"}, Expiration: time.Hour, Own: reconcile.OwnKeyOf(reconciletest.WithOwnKey(t, reconciletest.Parse(t, reconciletest.Team), "bob", "laptop").Users[1])}.Requested(w.Now)
	// requested puts an entry without a certificate in the place of bob's.
	requested := func(change func(*reconcile.CertificateEntry)) func(*reconcile.Record) {
		return func(r *reconcile.Record) {
			entry := asked
			change(&entry)
			r.Certificates = append(r.Certificates, entry)
		}
	}
	tests := map[string]struct {
		change func(*reconcile.Record)
		want   string // part of the error; empty: no error
	}{
		"as it was written": {func(*reconcile.Record) {}, ""},
		"another format":    {func(r *reconcile.Record) { r.FormatVersion = "3" }, `formatVersion is "3"`},
		"another user":      {func(r *reconcile.Record) { r.User = "alice" }, `the record of "alice"`},
		"an unknown state":  {func(r *reconcile.Record) { r.State = "gone" }, `state is "gone"`},
		"an unknown status": {func(r *reconcile.Record) { r.Certificates[0].Status = "gone" }, `status is "gone"`},
		"no certificate":    {func(r *reconcile.Record) { r.Certificates[0].Certificate = "x" }, "no PEM certificate"},
		"a broken certificate": {func(r *reconcile.Record) {
			r.Certificates[0].Certificate = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
		}, "parsing the certificate"},
		"a certificate of alice":      {func(r *reconcile.Record) { r.Certificates[0] = w.Ledger["alice"].Versions[1].Record.Certificates[0] }, `a certificate for "alice"`},
		"two current ones":            {func(r *reconcile.Record) { r.Certificates = append(r.Certificates, r.Certificates[0]) }, "2 current certificates"},
		"a negative version":          {func(r *reconcile.Record) { r.Certificates[0].CredentialVersion = -1 }, "negative"},
		"a request":                   {requested(func(*reconcile.CertificateEntry) {}), ""},
		"what became of one":          {requested(func(e *reconcile.CertificateEntry) { e.Status = reconcile.Revoked }), ""},
		"a request that is current":   {requested(func(e *reconcile.CertificateEntry) { e.Status = reconcile.Current }), "it is current, and holds no certificate"},
		"a request without a key":     {requested(func(e *reconcile.CertificateEntry) { e.PublicKeySHA256 = "" }), "no SHA-256 of the public key"},
		"a request for no key":        {requested(func(e *reconcile.CertificateEntry) { e.PublicKeySHA256 = strings.Repeat("X", 64) }), "no SHA-256 of the public key"},
		"a request with a version":    {requested(func(e *reconcile.CertificateEntry) { e.CredentialVersion = 1 }), "has a credentialVersion"},
		"a request at no time":        {requested(func(e *reconcile.CertificateEntry) { e.IssuedAt = time.Time{} }), "times are none"},
		"a request that has ended":    {requested(func(e *reconcile.CertificateEntry) { e.NotAfter = e.IssuedAt.Add(-1) }), "times are none"},
		"a request for a century":     {requested(func(e *reconcile.CertificateEntry) { e.NotAfter = e.IssuedAt.AddDate(100, 0, 0) }), "times are none"},
		"a lie about whose key it is": {func(r *reconcile.Record) { r.Certificates[0].PublicKeySHA256 = asked.PublicKeySHA256 }, ""},
		"lies about a request":        {requested(func(e *reconcile.CertificateEntry) { e.Serial, e.SHA256, e.NotBefore = "x", "x", e.NotAfter }), ""},
		"lies about times and groups": {func(r *reconcile.Record) {
			c := &r.Certificates[0]
			c.NotAfter, c.IssuedAt = c.NotAfter.AddDate(9, 0, 0), c.IssuedAt.AddDate(9, 0, 0)
			c.Serial, c.SHA256, c.Groups, c.KeyAlgorithm = "x", "x", []string{"admins"}, "x"
		}, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			r := good
			r.Certificates = append([]reconcile.CertificateEntry{}, good.Certificates...)
			tt.change(&r)
			text, err := json.Marshal(r)
			if err != nil {
				t.Fatal(err)
			}
			got, err := reconcile.ParseRecord("bob", text)
			if tt.want != "" {
				if err == nil || !strings.Contains(err.Error(), tt.want) {
					t.Errorf("error %v, want %q", err, tt.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			c, is := got.Certificates[0], good.Certificates[0]
			if !c.NotAfter.Equal(is.NotAfter) || c.SHA256 != is.SHA256 || c.Serial != is.Serial || c.KeyAlgorithm != is.KeyAlgorithm ||
				len(c.Groups) != 1 || c.Groups[0] != "devs" || c.IssuedAt.After(c.NotAfter) {
				t.Errorf("parsed %+v", c)
			}
			if cert, err := reconcile.ParseLeaf([]byte(c.Certificate)); err != nil || c.PublicKeySHA256 != "" && c.PublicKeySHA256 != userkey.Fingerprint(cert.PublicKey) {
				t.Errorf("a certificate for key %q (%v)", c.PublicKeySHA256, err)
			}
			for _, e := range got.Certificates[1:] {
				want := asked
				want.Status, want.Epoch = e.Status, reconcile.FirstEpoch
				if diff := cmp.Diff(want, e); diff != "" {
					t.Error(diff)
				}
			}
		})
	}
	for name, text := range map[string]string{
		"an unknown field": `{"formatVersion":"1","user":"bob","state":"active","key":"x"}`,
		"no object":        `[]`, "nothing": ``, "a string for a list": `{"certificates":"x"}`,
	} {
		if _, err := reconcile.ParseRecord("bob", []byte(text)); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
