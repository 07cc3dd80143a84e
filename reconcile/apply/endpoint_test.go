package apply_test

import (
	"strings"
	"testing"
	"time"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/apply"
	"github.com/certsync/certsync/reconcile/reconciletest"
)

// TestPlanRefusesAnEndpointThatNoInventoryHolds: an endpoint of certsync's own connection that users cannot have is refused
// before any user gets it.
func TestPlanRefusesAnEndpointThatNoInventoryHolds(t *testing.T) {
	w := reconciletest.NewWorld(t)
	w.Endpoint.Name = "prod;reboot\x1b[2J"
	_, err := apply.MakePlan(t.Context(), reconciletest.Parse(t, "users: [{name: bob}]"), w, w, reconcile.Rules{}, func() time.Time { return w.Now })
	if err == nil || !strings.HasPrefix(err.Error(), `users' kubeconfigs cannot use a value of certsync's own connection: cluster.name: "prod;reboot\x1b[2J" is no`) || reconcile.Hint(err) != "set that field in the inventory" {
		t.Errorf("error is %v, hint %q", err, reconcile.Hint(err))
	}
	if _, err := apply.MakePlan(t.Context(), reconciletest.Parse(t, "cluster: {name: prod}\nusers: [{name: bob}]"), w, w, reconcile.Rules{}, func() time.Time { return w.Now }); err != nil {
		t.Errorf("with a name in the inventory: %v", err)
	}
}

// TestPlanWantsAWayToTheCluster: what a pod's connection does not tell, the inventory has to.
func TestPlanWantsAWayToTheCluster(t *testing.T) {
	tests := map[string]struct{ own, cluster, err, hint string }{
		"no name": {"https://a", "", "users' kubeconfigs need a name for the cluster, which certsync's own connection does not have",
			"set cluster.name in the inventory"},
		"in a pod, with a name": {"", "{name: prod}", "users' kubeconfigs need the API server's address as users reach it, which certsync's own connection does not have",
			"set cluster.server in the inventory"},
		"in a pod, with nothing": {"", "", "users' kubeconfigs need a name for the cluster and the API server's address as users reach it, which certsync's own connection does not have",
			"set cluster.name and cluster.server in the inventory"},
		"in a pod, with both": {"", "{name: prod, server: https://k8s.example.com}", "", ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := reconciletest.NewWorld(t)
			w.Endpoint.Name, w.Endpoint.Server = "", tt.own
			text := "users: [{name: bob}]"
			if tt.cluster != "" {
				text = "cluster: " + tt.cluster + "\n" + text
			}
			_, err := apply.MakePlan(t.Context(), reconciletest.Parse(t, text), w, w, reconcile.Rules{}, func() time.Time { return w.Now })
			if tt.err == "" && err == nil {
				return
			}
			if err == nil || !strings.HasPrefix(err.Error(), tt.err) || tt.err == "" || reconcile.Hint(err) != tt.hint {
				t.Errorf("error is %v, hint %q", err, reconcile.Hint(err))
			}
		})
	}
}
