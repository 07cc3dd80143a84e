package e2e

import (
	"strings"
	"testing"
)

// TestKeyAlgorithms: every algorithm that an inventory may name gives a certificate that logs in and a key in the form that
// kubeadm writes, and a change from one to the other is seen.
func TestKeyAlgorithms(t *testing.T) {
	t.Parallel()
	f := newFixture(t, shared)
	for _, algorithm := range []string{"ECDSA-P256", "ECDSA-P384", "RSA-2048", "RSA-3072", "RSA-4096"} {
		f.write("defaults: {keyAlgorithm: " + algorithm + "}\nusers: [{name: alice@OWNER}]")
		if steps := f.plan().steps(); algorithm != "ECDSA-P256" && strings.Join(steps, ",") != "reissue alice@"+f.owner+" key-algorithm-changed" {
			t.Errorf("%s: %q", algorithm, steps)
		}
		f.must(0, "apply", "--yes")
		who, err := f.tryKubectl(f.userKubeconfig("alice@"+f.owner), "auth", "whoami", "-o", "jsonpath={.status.userInfo.username}")
		if err != nil || who != "alice@"+f.owner {
			t.Errorf("%s: %q, %v", algorithm, who, err)
		}
		form, _, _ := strings.Cut(algorithm, "-")
		form = map[string]string{"ECDSA": "EC", "RSA": "RSA"}[form]
		if key, _ := f.kv("users/alice@" + f.owner)["tls.key"].(string); !strings.HasPrefix(key, "-----BEGIN "+form+" PRIVATE KEY-----\n") {
			t.Errorf("%s: tls.key is not of the type %s PRIVATE KEY", algorithm, form)
		}
		ledger := f.kv("ledger/alice@" + f.owner)["certificates"].([]any)
		if current := ledger[len(ledger)-1].(map[string]any); current["keyAlgorithm"] != algorithm || current["status"] != "current" {
			t.Errorf("%s: the ledger says %v, %v", algorithm, current["keyAlgorithm"], current["status"])
		}
	}
	// Five keys were made, and the four that were replaced can be read by nobody.
	meta, err := f.vault.KVv2("secret").GetMetadata(t.Context(), "certsync/"+f.owner+"/users/alice@"+f.owner)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range meta.Versions {
		if v.Destroyed == (v.Version == meta.CurrentVersion) {
			t.Errorf("version %d of %d: destroyed %v", v.Version, meta.CurrentVersion, v.Destroyed)
		}
	}
}

// TestSharedReads: reads and watches serve all users; only writes are a user's own.
func TestSharedReads(t *testing.T) {
	t.Parallel()
	f := newFixture(t, shared)
	f.write(crowd(30))
	kube, vault := f.size(shared.KubeAuditLog), f.size(shared.VaultAuditLog)
	f.must(0, "apply", "--yes")
	f.writesAtMost(kube, vault, 30)
	reads, watches := 0, 0
	for _, r := range f.kubeRequests(kube) {
		switch r.Verb {
		case "get", "list":
			if !r.goesOn() {
				reads++
			}
		case "watch":
			watches++
		}
	}
	if reads > 22 || watches < 1 || watches > 10 {
		t.Errorf("%d reads and %d watches for 30 users", reads, watches)
	}
}
