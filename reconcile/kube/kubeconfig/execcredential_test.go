package kubeconfig

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/certsync/certsync/reconcile"
)

// TestCheckExecInfo: a plugin answers no kubectl that would not understand it.
func TestCheckExecInfo(t *testing.T) {
	tests := map[string]struct{ text, want, hint string }{
		"kubectl's":              {`{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1","spec":{"interactive":true}}`, "", ""},
		"run by hand":            {"", "", ""},
		"an old kubeconfig":      {`{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1beta1","spec":{}}`, `"client.authentication.k8s.io/v1beta1"`, "to client.authentication.k8s.io/v1 in the kubeconfig"},
		"another group":          {`{"kind":"ExecCredential","apiVersion":"v1"}`, `"v1"`, "users[].user.exec.apiVersion"},
		"another kind":           {`{"kind":"Pod","apiVersion":"client.authentication.k8s.io/v1"}`, `its kind is "Pod"`, "unset it"},
		"nothing in it":          {`{}`, `its kind is ""`, "unset it"},
		"no JSON":                {`s3cret`, "it is not JSON", "unset it"},
		"more than one document": {`{} {}`, "it is not JSON", "unset it"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			err := CheckExecInfo(tt.text)
			if tt.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(reconcile.Hint(err), tt.hint) || strings.Contains(err.Error(), "s3cret") {
				t.Errorf("%v\nhint: %s", err, reconcile.Hint(err))
			}
		})
	}
}

// TestExecCredential: the text for kubectl, byte for byte.
func TestExecCredential(t *testing.T) {
	expires := time.Date(2026, 3, 1, 13, 0, 0, 999, time.FixedZone("", 3600))
	got, err := ExecCredential([]byte("the\nchain\n"), reconcile.NewSecret([]byte("the\nkey\n")), expires)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1","spec":{"interactive":false},` +
		`"status":{"expirationTimestamp":"2026-03-01T12:00:00Z","clientCertificateData":"the\nchain\n","clientKeyData":"the\nkey\n"}}` + "\n"
	if diff := cmp.Diff(want, string(got.Reveal())); diff != "" {
		t.Error(diff)
	}
}
