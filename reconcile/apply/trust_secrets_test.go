package apply_test

import (
	"errors"
	"testing"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/reconciletest"
)

// TestPlantedBindingTouchesNoSecret: a binding for a name is no sign that what stands at users/NAME is certsync's.
func TestPlantedBindingTouchesNoSecret(t *testing.T) {
	for sentence, text := range map[string]string{"nobody's": "users: [{name: alice}]", "somebody new's": "users: [{name: alice}, {name: zed}]"} {
		t.Run(sentence, func(t *testing.T) {
			w := reconciletest.NewWorld(t)
			w.MustApply(reconciletest.Parse(t, "users: [{name: alice}]"))
			w.Write(w.Users, "zed", reconciletest.KVVersion{})
			planted := tenantBinding(w, reconcile.Grant{For: reconcile.ForUser, Subject: "zed", Namespace: "staging", Role: "view"}, "zed")
			for range 2 {
				if o, err := w.Apply(reconciletest.Parse(t, text)); err != nil || len(o.Ended(reconcile.Held)) != 1 {
					t.Errorf("%v, %q", err, reconciletest.Results(o))
				}
			}
			if s := w.Users["zed"]; s == nil || s.Current != 1 || s.Versions[1].Destroyed || w.Bindings[planted].UID != "" {
				t.Errorf("%+v, %+v", s, w.Bindings[planted])
			}
		})
	}
}

// TestForeignSecrets: what somebody else has stored at users/NAME stays, whatever the ledger says of the name.
func TestForeignSecrets(t *testing.T) {
	for name, tt := range map[string]struct {
		before func(w *reconciletest.World)
		user   string
		text   string
	}{
		"an issue that failed": {func(w *reconciletest.World) {
			w.Fail = reconciletest.Failing("issue zoe", reconciletest.ErrBoom)
			if _, err := w.Apply(reconciletest.Parse(t, reconciletest.Team+"  - {name: zoe}\n")); err != nil {
				t.Fatal(err)
			}
			w.Fail = nil
		}, "zoe", reconciletest.Team + "  - {name: zoe}\n"},
		"a forged record: removing": {func(w *reconciletest.World) {
			w.Write(w.Ledger, "zoe", reconciletest.KVVersion{Record: &reconcile.Record{User: "zoe", State: reconcile.Removing}})
		}, "zoe", reconciletest.Team + "  - {name: zoe}\n"},
		"a forged record: active": {func(w *reconciletest.World) {
			w.Write(w.Ledger, "zoe", reconciletest.KVVersion{Record: &reconcile.Record{User: "zoe", State: reconcile.Active}})
		}, "zoe", reconciletest.Team + "  - {name: zoe}\n"},
		"a forged record of nobody": {func(w *reconciletest.World) {
			// ParseRecord takes any self-signed certificate with this CN.
			w.Write(w.Ledger, "zoe", reconciletest.KVVersion{Record: &reconcile.Record{User: "zoe", State: reconcile.Active,
				Certificates: []reconcile.CertificateEntry{{Status: reconcile.Current, CredentialVersion: 1, NotAfter: w.Now.AddDate(9, 0, 0)}}}})
		}, "zoe", reconciletest.Team},
		"after a removal, versions begin at 1 again": {func(w *reconciletest.World) {
			w.MustApply(reconciletest.Parse(t, reconciletest.WithoutBob))
		}, "bob", reconciletest.WithoutBob},
	} {
		t.Run(name, func(t *testing.T) {
			w := reconciletest.NewWorld(t)
			w.MustApply(reconciletest.Parse(t, reconciletest.Team))
			tt.before(w)
			w.Write(w.Users, tt.user, reconciletest.KVVersion{}) // somebody else's
			o, err := w.Apply(reconciletest.Parse(t, tt.text))
			if s := w.Users[tt.user]; s == nil || s.Current != 1 || s.Versions[1].Destroyed {
				t.Errorf("%v %q: users/%s is %+v", err, reconciletest.Results(o), tt.user, s)
			}
		})
	}
}

// TestErasureCutOff: a removal overwrites a credential before it deletes it. After a run that was cut off in between, the next one
// deletes the rest.
func TestErasureCutOff(t *testing.T) {
	w := reconciletest.NewWorld(t)
	w.MustApply(reconciletest.Parse(t, reconciletest.Team))
	w.Fail = reconciletest.Failing("erase bob", reconciletest.ErrBoom)
	if _, err := w.Apply(reconciletest.Parse(t, reconciletest.WithoutBob)); err != nil {
		t.Fatal(err)
	}
	w.Fail = nil
	w.Write(w.Users, "bob", reconciletest.KVVersion{})
	w.MustApply(reconciletest.Parse(t, reconciletest.WithoutBob))
	if rec := w.Ledger["bob"].Versions[w.Ledger["bob"].Current].Record; w.Users["bob"] != nil || rec.State != reconcile.Removed || rec.Erased != 0 {
		t.Errorf("users/bob is %+v, ledger/bob %+v", w.Users["bob"], rec)
	}
}

// TestErasureMeetsASecret: somebody writes there in the moment before. That is theirs, in this run and in the next.
func TestErasureMeetsASecret(t *testing.T) {
	w := reconciletest.NewWorld(t)
	w.MustApply(reconciletest.Parse(t, reconciletest.Team))
	w.Fail = func(call string) error {
		if call == "erase bob" {
			w.Write(w.Users, "bob", reconciletest.KVVersion{})
		}
		return nil
	}
	for range 2 {
		if o, err := w.Apply(reconciletest.Parse(t, reconciletest.WithoutBob)); err != nil || o.Failed() != 1 {
			t.Errorf("%v, %q", err, reconciletest.Results(o))
		}
		w.Fail = nil
	}
	if s := w.Users["bob"]; s == nil || s.Current != 2 || s.Versions[2].Destroyed || !s.Versions[1].Destroyed {
		t.Errorf("users/bob is %+v", s)
	}
}

// TestErasureMeetsItself: the write is repeated since its answer got lost, and meets what it wrote itself. The next run deletes it.
func TestErasureMeetsItself(t *testing.T) {
	w := reconciletest.NewWorld(t)
	w.MustApply(reconciletest.Parse(t, reconciletest.Team))
	w.Fail = func(call string) error {
		if call != "erase bob" {
			return nil
		}
		w.Write(w.Users, "bob", reconciletest.KVVersion{})
		return errors.Join(reconcile.ErrPrecondition, reconcile.ErrRepeated)
	}
	if o, err := w.Apply(reconciletest.Parse(t, reconciletest.WithoutBob)); err != nil || o.Failed() != 1 {
		t.Errorf("%v, %q", err, reconciletest.Results(o))
	}
	w.Fail = nil
	if w.MustApply(reconciletest.Parse(t, reconciletest.WithoutBob)); w.Users["bob"] != nil {
		t.Errorf("users/bob is %+v", w.Users["bob"])
	}
}
