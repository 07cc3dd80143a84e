package fake

import (
	"errors"
	"io"
	"net/http"
	"syscall"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TestFaults: which of them a write gets through, and what its sender sees, at either server.
func TestFaults(t *testing.T) {
	for kind, want := range map[FaultKind]struct {
		done   bool
		status int // 0: no answer
		err    error
	}{
		Refused:      {err: io.EOF},
		Reset:        {done: true, err: syscall.ECONNRESET},
		Unauthorized: {status: 401},
		Forbidden:    {status: 403},
		Conflict:     {status: 409},
		Throttled:    {status: 429},
		ServerError:  {status: 500},
		Timeout:      {status: 504},
		Truncated:    {done: true, err: io.ErrUnexpectedEOF},
		DieBefore:    {err: io.EOF},
		DieAfter:     {done: true, err: syscall.ECONNRESET},
	} {
		t.Run(string(kind), func(t *testing.T) {
			w, f := newFront(t)
			died := 0
			f.Break(func() { died++ }, Fault{Call{"PUT secret/data/a", 2}, kind})
			vault(t, f, "PUT", "secret/data/a", `{"data":{"n":"1"}}`)
			status, _, err := tryVault(within(t), f, "PUT", "secret/data/a", `{"data":{"n":"2"}}`)
			if !errors.Is(err, want.err) || want.err == nil && status != want.status {
				t.Errorf("Vault: %d, %v", status, err)
			}
			if done := w.Dump()["secret/a"] != "" && pick(t, string(w.Secret("a")), "n") == "2"; done != want.done || len(f.Met()) != 1 {
				t.Errorf("Vault: done: %t, met: %v", done, f.Met())
			}
			dies := kind == DieBefore || kind == DieAfter
			if _, _, err := tryVault(within(t), f, "GET", "secret/data/a", ""); (err != nil) != dies || died > 0 != dies || died > 1 {
				t.Errorf("the next request: %v; died %d times", err, died)
			}

			g := f.servers.Open(w)
			defer g.Close()
			g.Break(func() {}, Fault{Call{"POST clusterrolebindings", 1}, kind})
			c, _ := client(t, g, "application/json")
			_, err = c.RbacV1().ClusterRoleBindings().Create(within(t), newBinding("b", "view"), metav1.CreateOptions{})
			var answered apierrors.APIStatus
			switch {
			case kind == Throttled:
				if err != nil { // client-go comes back when told to
					t.Errorf("Kubernetes: %v", err)
				}
			case want.err == nil && (!errors.As(err, &answered) || int(answered.Status().Code) != want.status), want.err != nil && err == nil:
				t.Errorf("Kubernetes: %v", err)
			}
			if done := w.Dump()["ClusterRoleBinding b"] != ""; done != (want.done || kind == Throttled) {
				t.Errorf("Kubernetes: done: %t", done)
			}
		})
	}
}

// TestCallNames: the same request has the same name in every run.
func TestCallNames(t *testing.T) {
	_, f := newFront(t)
	c, _ := client(t, f, "application/vnd.kubernetes.protobuf")
	ctx, all := within(t), c.CertificatesV1().CertificateSigningRequests()
	for range 2 {
		sent, _ := newRequest(t, "alice")
		made, err := all.Create(ctx, sent, metav1.CreateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := all.UpdateApproval(ctx, made.Name, approved(made), metav1.UpdateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	vault(t, f, http.MethodPost, "secret/data/certsync/x", `{"data":{}}`)
	vault(t, f, http.MethodGet, "secret/metadata/certsync/?list=true", "")
	want := []Call{
		{"POST certificatesigningrequests for alice", 1}, {"PUT certificatesigningrequests/approval for alice", 1},
		{"POST certificatesigningrequests for alice", 2}, {"PUT certificatesigningrequests/approval for alice", 2},
		{"PUT secret/data/certsync/x", 1}, {"LIST secret/metadata/certsync", 1},
	}
	got := f.Calls()
	if len(got) != len(want) {
		t.Fatal(got)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("%d: %v", i, got[i])
		}
	}
}
