package e2e

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// maxLaps bounds how often a loop changes something.
const maxLaps = 20000

// loop changes something again and again until the test stops it, and returns once it has begun.
func (f *fixture) loop(change func(ctx context.Context, lap int) error) (stop func()) {
	f.Helper()
	ctx, cancel := context.WithCancel(f.Context())
	var laps atomic.Int64
	begun, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		for lap := range maxLaps {
			if err := change(ctx, lap); err != nil {
				ended <- err
				return
			}
			if laps.Add(1) == 3 {
				close(begun)
			}
		}
		ended <- fmt.Errorf("after %d laps certsync was not done", maxLaps)
	}()
	select {
	case <-begun:
	case err := <-ended:
		f.Fatal(err)
	}
	return func() {
		f.Helper()
		before := laps.Load()
		cancel()
		if err := <-ended; err != nil && ctx.Err() == nil || before < 10 {
			f.Errorf("the loop ended after %d laps: %v", before, err)
		}
	}
}

// floods lets a tenant who is admin of a namespace create and delete RoleBindings there, under names and with labels of
// this owner's. Each lap makes another one before it deletes the last, so that no two plans are the same.
func (f *fixture) floods(namespace string) (stop func()) {
	f.Helper()
	tenant := "tenant-" + f.owner
	f.kubectl("create", "rolebinding", tenant, "-n", namespace, "--clusterrole=admin", "--user="+tenant)
	kubeconfig, err := f.servers.UserKubeconfig(tenant, nil)
	if err != nil {
		f.Fatal(err)
	}
	bindings := f.clientOf(kubeconfig).RbacV1().RoleBindings(namespace)
	last := ""
	return f.loop(func(ctx context.Context, lap int) error {
		b := &rbacv1.RoleBinding{
			ObjectMeta: metav1.ObjectMeta{
				Name:   fmt.Sprintf("certsync:%s:group:x:view#%d", f.owner, lap+2),
				Labels: map[string]string{"app.kubernetes.io/managed-by": "certsync", "certsync.dev/owner": f.owner},
			},
			RoleRef:  rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "view"},
			Subjects: []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "User", Name: tenant}},
		}
		if _, err := bindings.Create(ctx, b, metav1.CreateOptions{}); err != nil {
			return fmt.Errorf("creating %s: %w", b.Name, err)
		}
		if last != "" {
			if err := bindings.Delete(ctx, last, metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
				return fmt.Errorf("deleting %s: %w", last, err)
			}
		}
		last = b.Name
		return nil
	})
}

// applies runs apply while somebody changes objects in a loop. Only steps on those objects may fail.
func (f *fixture) applies(args ...string) result {
	f.Helper()
	r := f.certsync(append([]string{"apply"}, args...)...)
	if r.code != 0 && r.code != 1 {
		f.Fatalf("certsync apply %s: exit %d\n%s%s", strings.Join(args, " "), r.code, r.stdout, r.stderr)
	}
	return r
}

// TestTenantInALoop: a tenant who creates and deletes bindings all the time stops neither a removal nor the correction
// of drift. Both are done in the first run.
func TestTenantInALoop(t *testing.T) {
	t.Parallel()
	f := newFixture(t, shared)
	namespace := f.namespace("loop")
	users := "users:\n  - {name: alice@OWNER, clusterRoles: [view]}\n"
	f.write(users + "  - {name: carol@OWNER, clusterRoles: [view], namespaces: {" + namespace + ": [admin]}}\n")
	f.must(0, "apply", "--yes")
	carol := f.userKubeconfig("carol@" + f.owner)
	stop := f.floods(namespace)

	f.write(users + "  - {name: dan@OWNER, clusterRoles: [view]}\n")
	f.applies("--yes", "--max-removals=1")
	f.forbidden(carol, "get", "pods", "-A")
	f.forbidden(carol, "get", "pods", "-n", namespace)
	if f.kv("users/carol@"+f.owner) != nil {
		t.Error("the leaver's credential is still there")
	}
	f.allowed(f.userKubeconfig("dan@"+f.owner), "get", "pods", "-A")

	f.kubectl("delete", "clusterrolebinding", "certsync:"+f.owner+":user:alice@"+f.owner+":view")
	f.applies("--yes", "--drift", "--hold")
	f.allowed(f.userKubeconfig("alice@"+f.owner), "get", "pods", "-A")

	stop()
	f.must(0, "apply", "--yes")
	if left := f.plan(); left.Changes {
		t.Errorf("left: %q", left.steps())
	}
}

// TestVaultPathInALoop: whoever may write one user's path in Vault, and does so all the time, holds up that user alone.
func TestVaultPathInALoop(t *testing.T) {
	t.Parallel()
	for _, folder := range []string{"users", "ledger"} {
		t.Run(folder, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, shared)
			users := "users:\n  - {name: alice@OWNER, clusterRoles: [view]}\n"
			const bob = "  - {name: bob@OWNER, clusterRoles: [view]}\n"
			f.write(users + bob + "  - {name: carol@OWNER, clusterRoles: [view]}\n")
			f.must(0, "apply", "--yes")
			carol, his := f.userKubeconfig("carol@"+f.owner), f.userKubeconfig("bob@"+f.owner)
			in := newIntruder(f, folder)
			stop := f.loop(func(ctx context.Context, lap int) error {
				_, err := in.vault.KVv2("secret").Put(ctx, "certsync/"+f.owner+"/"+folder+"/bob@"+f.owner, map[string]any{"lap": lap})
				return err
			})

			// A plan that somebody has reviewed stays the same plan.
			f.write(users + bob + "  - {name: dan@OWNER, clusterRoles: [view]}\n")
			f.must(1, "apply", "--max-removals=1", "--expect", f.planWith("--max-removals=1").Digest)
			f.forbidden(carol, "get", "pods", "-A")
			f.allowed(f.userKubeconfig("dan@"+f.owner), "get", "pods", "-A")
			f.allowed(his, "get", "pods", "-A") // what he has, he keeps

			// The one who writes there leaves: the bindings go, whatever stands in Vault.
			f.write(users + "  - {name: dan@OWNER, clusterRoles: [view]}\n")
			f.must(1, "apply", "--yes", "--max-removals=1")
			f.forbidden(his, "get", "pods", "-A")
			stop()
		})
	}
}
