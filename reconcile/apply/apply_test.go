package apply_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/reconciletest"
)

// TestRefusals: apply writes nothing, for a reason that it says.
func TestRefusals(t *testing.T) {
	tests := map[string]struct {
		inventory string
		world     func(*reconciletest.World)
		consent   func(*reconciletest.World, *inventory.Inventory) func(reconcile.Plan) error
		want      string
	}{
		"no users": {
			inventory: "users: []",
			want:      "refused: the inventory has no users: everybody would lose access (--allow-empty)",
		},
		"another cluster than the last run's": {
			inventory: reconciletest.Team,
			world:     func(w *reconciletest.World) { w.State, w.StateVersion = &reconcile.State{ClusterUID: "cluster-0"}, 1 },
			want:      "refused: owner test belongs to another cluster (its kube-system has UID cluster-0, this one's cluster-1): every credential would be replaced (--move-to-this-cluster)",
		},
		"nobody is asked": {
			inventory: reconciletest.Team,
			consent:   func(*reconciletest.World, *inventory.Inventory) func(reconcile.Plan) error { return nil },
			want:      "refused: nobody has agreed to the plan",
		},
		"a permission is missing": {
			inventory: reconciletest.Team,
			world: func(w *reconciletest.World) {
				w.Denies = []reconcile.Permission{{Verb: "approve", Group: "certificates.k8s.io", Resource: "signers", Name: "kubernetes.io/kube-apiserver-client"}}
			},
			want: `"certsync" may not: approve signers.certificates.k8s.io "kubernetes.io/kube-apiserver-client"`,
		},
		"a capability is missing": {
			inventory: reconciletest.Team,
			world:     func(w *reconciletest.World) { w.StoreLacks = []string{`"create" on secret/data/x`} },
			want:      `certsync's Vault token lacks "create" on secret/data/x`,
		},
		"no consent": {
			inventory: reconciletest.Team,
			consent: func(*reconciletest.World, *inventory.Inventory) func(reconcile.Plan) error {
				return func(reconcile.Plan) error { return reconciletest.ErrBoom }
			},
			want: "boom",
		},
		"the world changed after consent": {
			inventory: reconciletest.Team,
			consent: func(w *reconciletest.World, _ *inventory.Inventory) func(reconcile.Plan) error {
				return func(reconcile.Plan) error { _, err := w.Put(w.Users, "bob", reconciletest.KVVersion{}, 0); return err }
			},
			want: "refused: the cluster or Vault changed since the plan was shown; plan again",
		},
		"another run began": {
			inventory: reconciletest.Team,
			world: func(w *reconciletest.World) {
				w.Fail = func(call string) error {
					if call == "write state" {
						return reconcile.ErrPrecondition
					}
					return nil
				}
			},
			want: "refused: another run has begun; wait until it ends, then plan again",
		},
		"the cluster cannot be read": {
			inventory: reconciletest.Team,
			world:     func(w *reconciletest.World) { w.Fail = func(string) error { return reconciletest.ErrBoom } },
			want:      "boom",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := reconciletest.NewWorld(t)
			inv := reconciletest.Parse(t, tt.inventory)
			if tt.inventory == "users: []" {
				w.MustApply(reconciletest.Parse(t, reconciletest.Team))
			}
			if tt.world != nil {
				tt.world(w)
			}
			consent := func(reconcile.Plan) error { return nil }
			if tt.consent != nil {
				consent = tt.consent(w, inv)
			}
			_, err := w.ApplyWith(inv, 1, consent)
			if err == nil || err.Error() != tt.want {
				t.Errorf("error %v, want %s", err, tt.want)
			}
			if got := slices.DeleteFunc(w.Writes(), func(c string) bool { return c == "write state" }); len(got) > 0 {
				t.Errorf("wrote %q", got)
			}
		})
	}
}

// TestObserveIsAllOrNothing: each half's error is the whole's, and names the half that failed first.
func TestObserveIsAllOrNothing(t *testing.T) {
	for _, half := range []string{"observe cluster", "observe store"} {
		w := reconciletest.NewWorld(t)
		w.Fail = func(call string) error {
			if call == half {
				return errors.New(half + " failed")
			}
			return nil
		}
		if _, err := reconcile.Observe(t.Context(), "test", w, w, time.Now); err == nil || err.Error() != half+" failed" {
			t.Errorf("%s: %v", half, err)
		}
	}
}

// TestSlowVaultIsNoSkew: the API server's clock is compared with the time at which the API server answered.
func TestSlowVaultIsNoSkew(t *testing.T) {
	w := reconciletest.NewWorld(t)
	times := []time.Time{w.Now, w.Now.Add(10 * time.Minute)} // the cluster's answer, then Vault's
	o, err := reconcile.Observe(t.Context(), "test", w, w, func() time.Time { now := times[0]; times = times[1:]; return now })
	if err != nil || !o.Clock.Equal(o.At) || !o.At.Equal(w.Now.Add(10*time.Minute)) {
		t.Errorf("at %s, the API server's clock %s, %v", o.At, o.Clock, err)
	}
}
