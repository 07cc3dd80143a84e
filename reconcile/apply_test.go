package reconcile

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/certsync/certsync/inventory"
)

// TestRefusals: apply writes nothing, for a reason that it says.
func TestRefusals(t *testing.T) {
	tests := map[string]struct {
		inventory string
		world     func(*world)
		consent   func(*world, *inventory.Inventory) func(Plan) error
		want      string
	}{
		"no users": {
			inventory: "users: []",
			want:      "refused: the inventory has no users: everybody would lose access (--allow-empty)",
		},
		"another cluster than the last run's": {
			inventory: team,
			world:     func(w *world) { w.state, w.stateVersion = &State{ClusterUID: "cluster-0"}, 1 },
			want:      "refused: owner test belongs to another cluster (its kube-system has UID cluster-0, this one's cluster-1): every credential would be replaced (--move-to-this-cluster)",
		},
		"nobody is asked": {
			inventory: team,
			consent:   func(*world, *inventory.Inventory) func(Plan) error { return nil },
			want:      "refused: nobody was asked for consent",
		},
		"a permission is missing": {
			inventory: team,
			world: func(w *world) {
				w.lacks = []Permission{{Verb: "approve", Group: "certificates.k8s.io", Resource: "signers", Name: "kubernetes.io/kube-apiserver-client"}}
			},
			want: `"certsync" may not: approve signers.certificates.k8s.io "kubernetes.io/kube-apiserver-client"`,
		},
		"a capability is missing": {
			inventory: team,
			world:     func(w *world) { w.storeLacks = []string{`"create" on secret/data/x`} },
			want:      `certsync's Vault token lacks "create" on secret/data/x`,
		},
		"no consent": {
			inventory: team,
			consent:   func(*world, *inventory.Inventory) func(Plan) error { return func(Plan) error { return errBoom } },
			want:      "boom",
		},
		"the world changed after consent": {
			inventory: team,
			consent: func(w *world, _ *inventory.Inventory) func(Plan) error {
				return func(Plan) error { _, err := w.put(w.users, "bob", kvVersion{}, 0); return err }
			},
			want: "refused: the cluster or Vault changed since the plan was shown; plan again",
		},
		"another run began": {
			inventory: team,
			world: func(w *world) {
				w.fail = func(call string) error {
					if call == "write state" {
						return ErrPrecondition
					}
					return nil
				}
			},
			want: "refused: another run has begun meanwhile; wait for it, then plan again",
		},
		"the cluster cannot be read": {
			inventory: team,
			world:     func(w *world) { w.fail = func(string) error { return errBoom } },
			want:      "boom",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			inv := parse(t, tt.inventory)
			if tt.inventory == "users: []" {
				w.mustApply(parse(t, team))
			}
			if tt.world != nil {
				tt.world(w)
			}
			consent := func(Plan) error { return nil }
			if tt.consent != nil {
				consent = tt.consent(w, inv)
			}
			_, err := w.applyWith(inv, 1, consent)
			if err == nil || err.Error() != tt.want {
				t.Errorf("error %v, want %s", err, tt.want)
			}
			if got := slices.DeleteFunc(w.writes(), func(c string) bool { return c == "write state" }); len(got) > 0 {
				t.Errorf("wrote %q", got)
			}
		})
	}
}

// TestObserveIsAllOrNothing: each half's error is the whole's, and names the half that failed first.
func TestObserveIsAllOrNothing(t *testing.T) {
	for _, half := range []string{"observe cluster", "observe store"} {
		w := newWorld(t)
		w.fail = func(call string) error {
			if call == half {
				return errors.New(half + " failed")
			}
			return nil
		}
		if _, err := Observe(t.Context(), "test", w, w, time.Now); err == nil || err.Error() != half+" failed" {
			t.Errorf("%s: %v", half, err)
		}
	}
}

// TestSlowVaultIsNoSkew: the API server's clock is compared with the time at which the API server answered.
func TestSlowVaultIsNoSkew(t *testing.T) {
	w := newWorld(t)
	times := []time.Time{w.now, w.now.Add(10 * time.Minute)} // the cluster's answer, then Vault's
	o, err := Observe(t.Context(), "test", w, w, func() time.Time { now := times[0]; times = times[1:]; return now })
	if err != nil || !o.Clock.Equal(o.At) || !o.At.Equal(w.now.Add(10*time.Minute)) {
		t.Errorf("at %s, the API server's clock %s, %v", o.At, o.Clock, err)
	}
}
