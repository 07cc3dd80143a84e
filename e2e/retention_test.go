package e2e

import (
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/api"
)

// requests are the names of the CertificateSigningRequests that this fixture has made.
func (f *fixture) requests() string {
	f.Helper()
	return f.kubectl("get", "csr", "-o", `jsonpath={.items[?(@.spec.username=="certsync-`+f.owner+`")].metadata.name}`)
}

// kvMount mounts a KV store of version 2 for this fixture alone.
func (f *fixture) kvMount() string {
	f.Helper()
	mount := "kv-" + f.owner
	if err := f.vault.Sys().MountWithContext(f.Context(), mount, &api.MountInput{Type: "kv", Options: map[string]string{"version": "2"}}); err != nil {
		f.Fatal(err)
	}
	deadline := time.Now().Add(time.Minute)
	for { // it upgrades for a moment
		_, err := f.vault.Logical().ReadWithContext(f.Context(), mount+"/config")
		if err == nil {
			return mount
		}
		if time.Now().After(deadline) {
			f.Fatal(err)
		}
	}
}

// keepForEver does what certsync's hint says for a key: vault kv metadata patch -delete-version-after=0s.
func (f *fixture) keepForEver(path string) {
	f.Helper()
	if _, err := f.vault.Logical().JSONMergePatch(f.Context(), path, map[string]any{"delete_version_after": "0s"}); err != nil {
		f.Fatal(err)
	}
}

// TestMountThatDeletesByTime: where a mount deletes what is written to it after two hours, preflight says so, and apply issues nothing.
// Once the mount keeps it, the next apply works without a flag.
func TestMountThatDeletesByTime(t *testing.T) {
	t.Parallel()
	f := newFixture(t, shared)
	f.write("cluster: CLUSTER\nusers: [{name: alice@OWNER, clusterRoles: [view]}]")
	mount := f.kvMount()
	f.env = append(f.env, "CERTSYNC_VAULT_MOUNT="+mount)
	f.vaultPut(mount+"/config", map[string]any{"delete_version_after": "2h"})

	if c := f.preflight(1)["Vault contents"]; c.Result != "failed" || !strings.Contains(c.Detail, "the mount has delete_version_after=2h") ||
		!strings.Contains(c.Hint, "vault write "+mount+"/config delete_version_after=0s") {
		t.Errorf("preflight says %+v", c)
	}
	for range 3 {
		r := f.must(1, "apply", "--yes")
		if !strings.Contains(r.stderr, "the server deletes what certsync writes there after a time, at 20") || !strings.Contains(r.stderr, "hint: run `vault write") {
			t.Error(r.stderr)
		}
	}
	if names := f.requests(); names != "" {
		t.Errorf("requested: %s", names)
	}
	if left, err := f.vault.Logical().ListWithContext(t.Context(), mount+"/metadata/certsync/"+f.owner); err != nil || len(left.Data["keys"].([]any)) != 1 {
		t.Errorf("in Vault: %v, %v", left, err)
	}
	f.vaultPut(mount+"/config", map[string]any{"delete_version_after": "0s"})
	if c := f.preflight(0)["Vault contents"]; c.Result != "ok" {
		t.Errorf("preflight says %+v", c)
	}
	f.must(0, "apply", "--yes")
	f.must(0, "plan", "--detailed-exitcode")
}

// TestKeysThatDeleteByTime: a key's own delete_version_after holds that user alone, before a certificate is requested; on the state
// it ends the run.
func TestKeysThatDeleteByTime(t *testing.T) {
	t.Parallel()
	f := newFixture(t, shared)
	o := f.owner
	f.write("cluster: CLUSTER\nusers: [{name: alice@OWNER, clusterRoles: [view]}, {name: bob@OWNER, clusterRoles: [view]}]")
	at := func(entry string) string { return "secret/metadata/certsync/" + o + "/" + entry }
	const limit = "1h"
	f.vaultPut(at("state"), map[string]any{"delete_version_after": limit})
	f.vaultPut(at("users/alice@"+o), map[string]any{"delete_version_after": limit})

	// The state's metadata stands there without a version: nobody begins as if there had never been one.
	if r := f.must(1, "apply", "--yes"); !strings.Contains(r.stderr, "its metadata exists, but no version") || !strings.Contains(r.stderr, "--new-ledger") {
		t.Error(r.stderr)
	}
	if r := f.must(1, "apply", "--yes", "--new-ledger"); !strings.Contains(r.stderr, "the server deletes what certsync writes there after a time") {
		t.Error(r.stderr)
	}
	f.keepForEver(at("state"))
	r := f.must(1, "apply", "--yes")
	if want := "Vault deletes what certsync writes to users/alice@" + o + " after 1h"; !strings.Contains(r.stdout, want) {
		t.Errorf("%q is not in: %s", want, r.stdout)
	}
	if n := len(strings.Fields(f.requests())); n != 1 {
		t.Errorf("%d requests, want that of bob alone", n)
	}
	f.keepForEver(at("users/alice@" + o))
	f.must(0, "apply", "--yes")
	f.must(0, "plan", "--detailed-exitcode")
	if n := len(strings.Fields(f.requests())); n != 2 {
		t.Errorf("%d requests", n)
	}
}

// TestLostState: a state of which the version is deleted is not taken for the first time, though nothing in the cluster tells.
func TestLostState(t *testing.T) {
	t.Parallel()
	f := newFixture(t, shared)
	f.write("cluster: CLUSTER\nusers: [{name: alice@OWNER}]")
	f.must(0, "apply", "--yes")
	f.vaultDelete("data/certsync/OWNER/state")
	f.kubectl("delete", "lease", "-n", "kube-system", "certsync-"+f.owner)
	for _, args := range [][]string{{"plan"}, {"apply", "--yes"}, {"status"}} {
		if r := f.must(1, args...); !strings.Contains(r.stderr, "state: version ") || !strings.Contains(r.stderr, " was deleted at 20") || !strings.Contains(r.stderr, "--new-ledger") {
			t.Errorf("%q: %s", args, r.stderr)
		}
	}
	if _, err := f.vault.Logical().WriteWithContext(t.Context(), "secret/undelete/certsync/"+f.owner+"/state", map[string]any{"versions": []int{1, 2}}); err != nil {
		t.Fatal(err)
	}
	f.must(0, "status")
}

// TestDeletedCredential: a user whose credential Vault has deleted learns that it was there.
func TestDeletedCredential(t *testing.T) {
	t.Parallel()
	f := newFixture(t, shared)
	f.write("cluster: CLUSTER\nusers: [{name: alice@OWNER}]")
	f.must(0, "apply", "--yes")
	f.vaultDelete("data/certsync/OWNER/users/alice@OWNER")
	root := f.person("VAULT_TOKEN=" + f.servers.VaultToken)
	if r := root.must(1, "kubeconfig", "--user=alice@"+f.owner); !strings.Contains(r.stderr, "there is no credential: version 1 was deleted at 20") {
		t.Error(r.stderr)
	}
}
