package apply_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/certsync/certsync/reconcile"
	given "github.com/certsync/certsync/reconcile/access"
	"github.com/certsync/certsync/reconcile/reconciletest"
)

// TestNothingIsIssuedWhereBindingsDecideNothing: where everybody who has a certificate may do everything, or nobody can tell,
// no certificate is asked for. Leavers lose what they have all the same, and so do others what is taken from them.
func TestNothingIsIssuedWhereBindingsDecideNothing(t *testing.T) {
	for sentence, tt := range map[string]struct {
		change func(*reconciletest.World)
		why    string
		hint   string
	}{
		"AlwaysAllow": {func(w *reconciletest.World) { w.Everybody.Everything = true },
			"certsync requests no certificate: bindings have no effect in this cluster: every user with a certificate may do everything", "--authorization-mode=Node,RBAC"},
		"a binding of everybody to cluster-admin": {func(w *reconciletest.World) {
			w.Everybody = given.Decision{Everything: true, Why: `RBAC: allowed by ClusterRoleBinding "open"`}
		}, `may do everything (the API server says "RBAC: allowed by ClusterRoleBinding \"open\"")`, "delete it"},
		"no answer": {func(w *reconciletest.World) {
			w.Fail = reconciletest.Failing("review anybody", reconcile.WithHint(errors.New("boom"), "calm down"))
		}, "certsync requests no certificate: boom", "calm down"},
	} {
		t.Run(sentence, func(t *testing.T) {
			w := reconciletest.NewWorld(t)
			w.MustApply(reconciletest.Parse(t, "users: [{name: alice, clusterRoles: [view]}, {name: bob, clusterRoles: [view, edit]}, {name: dan, clusterRoles: [view]}]"))
			tt.change(w)
			o, err := w.Apply(reconciletest.Parse(t, "users: [{name: bob, clusterRoles: [view]}, {name: carol, clusterRoles: [view]}, {name: dan, clusterRoles: [view]}, {name: eve}]"))
			if err != nil {
				t.Fatal(err)
			}
			want := []string{
				"bind carol ClusterRoleBinding certsync:test:user:carol:view held", "issue carol held", "issue eve held",
				"remove alice done", "unbind alice ClusterRoleBinding certsync:test:user:alice:view done",
				"unbind bob ClusterRoleBinding certsync:test:user:bob:edit done",
			}
			var got []string
			for _, e := range o.Events {
				got = append(got, strings.Join(strings.Fields(strings.Join([]string{string(e.Action), e.User, e.Object, string(e.Result)}, " ")), " "))
				if e.Action == reconcile.Issue && (!strings.Contains(e.Error, tt.why) || !strings.Contains(e.Hint, tt.hint)) {
					t.Errorf("%s: %q, hint %q", e.User, e.Error, e.Hint)
				}
			}
			slices.Sort(got)
			if diff := cmp.Diff(want, got); diff != "" || o.Failed() != 3 {
				t.Errorf("%d failed: %s", o.Failed(), diff)
			}
			if i := slices.IndexFunc(w.Calls, func(c string) bool { return strings.HasPrefix(c, "issue ") }); i >= 0 {
				t.Errorf("certsync asked for a certificate: %s", w.Calls[i])
			}
		})
	}
}

// TestAuthorizerNotAsked: a run says once what it could not check, and goes on. The authorizer is asked once, and only by a run
// that issues by itself.
func TestAuthorizerNotAsked(t *testing.T) {
	const pair = "users: [{name: alice}, {name: bob}]"
	for sentence, tt := range map[string]struct {
		decision given.Decision
		manual   bool
		want     []string
		asked    int
	}{
		"bindings decide": {want: []string{"", ""}, asked: 1},
		"it may not be asked": {decision: given.Decision{Unasked: "forbidden here"}, asked: 1,
			want: []string{"certsync did not check that bindings limit what a certificate may do (certsync preflight --issue checks it with a certificate): forbidden here", ""}},
		"everybody reads Secrets": {decision: given.Decision{Secrets: true}, asked: 1,
			want: []string{"every user with a certificate may read the Secrets of kube-system, tokens among them", ""}},
		"people approve": {decision: given.Decision{Everything: true}, manual: true, want: []string{"", ""}},
	} {
		t.Run(sentence, func(t *testing.T) {
			w := reconciletest.NewWorld(t)
			w.Everybody, w.WithoutCanary = tt.decision, tt.manual
			asked := func() (n int) {
				for _, c := range w.Calls {
					if c == "review anybody" {
						n++
					}
				}
				return n
			}
			var got []string
			for _, e := range w.MustApply(reconciletest.Parse(t, pair)).Events {
				got = append(got, e.Note)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" || asked() != tt.asked {
				t.Errorf("asked %d times: %s", asked(), diff)
			}
			if w.MustApply(reconciletest.Parse(t, "users: [{name: alice}]\n")); asked() != 0 {
				t.Error("a run that issues nothing has asked")
			}
		})
	}
}
