package reconcile

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestLockPermissions(t *testing.T) {
	var got []string
	for _, p := range LockPermissions("prod-eu", "kube-system") {
		got = append(got, p.String())
	}
	want := []string{
		`get leases.coordination.k8s.io "certsync-prod-eu" in namespace "kube-system"`,
		`create leases.coordination.k8s.io in namespace "kube-system"`,
		`update leases.coordination.k8s.io "certsync-prod-eu" in namespace "kube-system"`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
