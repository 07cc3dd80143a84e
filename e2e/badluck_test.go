package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/api"
)

// TestBadLuck: what is wrong is named, with the next step; the exit code is the design's; nothing is written.
func TestBadLuck(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		world func(f *fixture)
		args  []string
		code  int
		want  []string // in stderr
	}{
		"an unreachable cluster": {
			world: func(f *fixture) { f.otherCluster("https://"+closedPort, "") },
			code:  1, want: []string{"https://127.0.0.1:", "connection refused", "hint: "},
		},
		"a cluster that does not know us": {
			world: func(f *fixture) { f.otherCluster(shared.KubeURL, "not-a-token") },
			code:  1, want: []string{"does not accept", "hint: "},
		},
		"a cluster where we may nothing": {
			world: func(f *fixture) {
				path, err := shared.UserKubeconfig("nobody-"+f.owner, nil)
				if err != nil {
					f.Fatal(err)
				}
				f.kubeconfig = path
			},
			code: 1, want: []string{"nobody-", "cannot", "hint: "},
		},
		"a kubeconfig without the context": {
			args: []string{"--context", "prod"},
			code: 1, want: []string{`"prod"`, "hint: "},
		},
		"a kubeconfig that is not there": {
			args: []string{"--kubeconfig", "nowhere"},
			code: 1, want: []string{"nowhere"},
		},
		"an unreachable Vault": {
			world: func(f *fixture) { f.env = append(f.env, "VAULT_ADDR=https://"+closedPort, "VAULT_MAX_RETRIES=0") },
			code:  1, want: []string{"https://127.0.0.1:", "connection refused", "VAULT_ADDR"},
		},
		"a Vault behind another CA": {
			world: func(f *fixture) {
				f.env = append(f.env, "VAULT_CACERT=")
				f.env = append(f.env, "SSL_CERT_FILE=/dev/null")
			},
			code: 1, want: []string{"VAULT_CACERT"},
		},
		"no token": {
			world: func(f *fixture) { f.env = append(f.env, "VAULT_TOKEN=") },
			code:  1, want: []string{"vault login"},
		},
		"a token that Vault does not know": {
			world: func(f *fixture) { f.env = append(f.env, "VAULT_TOKEN=hvs.wrong") },
			code:  1, want: []string{"token", "hint: "},
		},
		"an expired token": {
			world: func(f *fixture) { f.env = append(f.env, "VAULT_TOKEN="+f.expiredToken()) },
			code:  1, want: []string{"token", "hint: "},
		},
		"a missing mount": {
			args: []string{"--vault-mount", "nowhere"},
			code: 1, want: []string{"nowhere", "hint: "},
		},
		"a KV v1 mount": {
			world: func(f *fixture) {
				if err := f.vault.Sys().Mount("v1-"+f.owner, &api.MountInput{Type: "kv", Options: map[string]string{"version": "1"}}); err != nil {
					f.Fatal(err)
				}
				f.env = append(f.env, "CERTSYNC_VAULT_MOUNT=v1-"+f.owner)
			},
			code: 1, want: []string{"version 1", "hint: "},
		},
		"a binding at one of our names, before the first run": {
			world: func(f *fixture) {
				f.kubectl("create", "clusterrolebinding", "certsync:"+f.owner+":user:alice@"+f.owner+":view", "--clusterrole=view", "--user=eve")
			},
			code: 3, want: []string{"1 ClusterRoleBindings of owner OWNER", "Vault has no state", "--new-ledger"},
		},
		"an inventory without users": {
			world: func(f *fixture) { f.must(0, "apply", "--yes"); f.write("users: []") },
			code:  3, want: []string{"--allow-empty"},
		},
		"a key in the inventory's CA file": {
			world: func(f *fixture) {
				key := "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n"
				if err := os.WriteFile(filepath.Join(f.dir, "ca.crt"), []byte(key), 0o600); err != nil {
					f.Fatal(err)
				}
				f.write("cluster: {certificateAuthority: ca.crt}\nusers: [{name: alice@OWNER}]")
			},
			code: 1, want: []string{"users.yaml:4:", "cluster.certificateAuthority"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, shared)
			f.write("users: [{name: alice@OWNER, clusterRoles: [view]}]")
			admin := f.kubeconfig
			if tt.world != nil {
				tt.world(f)
			}
			kube, vault := f.size(shared.KubeAuditLog), f.size(shared.VaultAuditLog)
			began := time.Now()
			r := f.must(tt.code, append([]string{"apply", "--yes"}, tt.args...)...)
			for _, want := range tt.want {
				if want = strings.ReplaceAll(want, "OWNER", f.owner); !strings.Contains(r.stderr, want) {
					t.Errorf("%q is not in: %s", want, r.stderr)
				}
			}
			if waited := time.Since(began); waited > time.Minute {
				t.Errorf("it took %s to say so", waited)
			}
			f.kubeconfig = admin
			f.noWrites(kube, vault)
		})
	}
}

// TestConflictOfANewUser: a secret that is not certsync's, in the place of a new user, holds what is to be written there. The
// result says why. The secret stays as it is. A binding with a name of certsync's is corrected. The other user is served.
func TestConflictOfANewUser(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		plant func(f *fixture)
		held  string // on stdout; "": nothing is
		left  func(f *fixture) bool
	}{
		"a secret": {
			plant: func(f *fixture) {
				f.vaultWrite("data/certsync/OWNER/users/alice@OWNER", map[string]any{"data": map[string]any{"x": "y"}})
			},
			held: "issue alice@OWNER: held: users/alice@OWNER holds version 1 of a secret that the ledger does not know",
			left: func(f *fixture) bool { return f.kv("users/alice@" + f.owner)["x"] == "y" },
		},
		"a binding": {
			plant: func(f *fixture) {
				f.kubectl("create", "clusterrolebinding", "certsync:"+f.owner+":user:alice@"+f.owner+":view", "--clusterrole=view", "--user=eve")
			},
			left: func(f *fixture) bool {
				return f.kubectl("get", "clusterrolebinding", "certsync:"+f.owner+":user:alice@"+f.owner+":view", "-o", "jsonpath={.subjects[*].name}") == "alice@"+f.owner
			},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, shared)
			f.write("users: [{name: bob@OWNER}]")
			f.must(0, "apply", "--yes") // before the first run, a guard refuses such a binding: there is no state
			tt.plant(f)
			f.write("users: [{name: alice@OWNER, clusterRoles: [view]}, {name: bob@OWNER, clusterRoles: [view]}]")
			code := 1
			if tt.held == "" {
				code = 0
			}
			if r := f.must(code, "apply", "--yes"); !strings.Contains(r.stdout, strings.ReplaceAll(tt.held, "OWNER", f.owner)) {
				t.Error(r.stdout)
			}
			f.allowed(f.userKubeconfig("bob@"+f.owner), "get", "pods", "-A")
			if !tt.left(f) {
				t.Error("the object is not what it should be")
			}
		})
	}
}

// closedPort is an address on loopback where nobody listens: no program is given a port this low.
const closedPort = "127.0.0.1:1"

// otherCluster replaces the fixture's kubeconfig.
func (f *fixture) otherCluster(server, token string) {
	f.Helper()
	config := map[string]any{
		"apiVersion": "v1", "kind": "Config", "current-context": "x",
		"clusters": []any{map[string]any{"name": "x", "cluster": map[string]any{"server": server, "certificate-authority-data": shared.CACert}}},
		"users":    []any{map[string]any{"name": "x", "user": map[string]any{"token": token}}},
		"contexts": []any{map[string]any{"name": "x", "context": map[string]any{"cluster": "x", "user": "x"}}},
	}
	text, err := json.Marshal(config)
	if err != nil {
		f.Fatal(err)
	}
	f.kubeconfig = filepath.Join(f.dir, "other.kubeconfig")
	if err := os.WriteFile(f.kubeconfig, text, 0o600); err != nil {
		f.Fatal(err)
	}
}

// expiredToken makes a token that lives a second, and waits until it is dead.
func (f *fixture) expiredToken() string {
	f.Helper()
	secret, err := f.vault.Auth().Token().Create(&api.TokenCreateRequest{Policies: []string{"root"}, TTL: "1s", ExplicitMaxTTL: "1s"})
	if err != nil {
		f.Fatal(err)
	}
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		if _, err := f.vault.Auth().Token().Lookup(secret.Auth.ClientToken); err != nil {
			return secret.Auth.ClientToken
		}
	}
	f.Fatal("the token does not expire")
	return ""
}

// TestOnlyApproveIsMissing: of all that apply needs, the one right that is missing is named, by verb and resource.
func TestOnlyApproveIsMissing(t *testing.T) {
	t.Parallel()
	f := newFixture(t, shared)
	f.write("users: [{name: alice@OWNER}]")
	f.apply(`{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: no-approve-OWNER}, rules: [` +
		`{apiGroups: [certificates.k8s.io], resources: [certificatesigningrequests], verbs: ["*"]},` +
		`{apiGroups: [certificates.k8s.io], resources: [certificatesigningrequests/approval], verbs: [update]},` +
		`{apiGroups: [rbac.authorization.k8s.io], resources: ["*"], verbs: ["*"]},` +
		`{apiGroups: [coordination.k8s.io], resources: [leases], verbs: [get, create, update]},` +
		`{apiGroups: [""], resources: [namespaces, configmaps], verbs: [get, list]}]}`)
	f.kubectl("create", "clusterrolebinding", "no-approve-"+f.owner, "--clusterrole=no-approve-"+f.owner, "--user=no-approve-"+f.owner)
	kubeconfig, err := shared.UserKubeconfig("no-approve-"+f.owner, nil)
	if err != nil {
		t.Fatal(err)
	}
	f.env = append(f.env, "KUBECONFIG="+kubeconfig)
	r := f.must(1, "apply", "--yes")
	want := fmt.Sprintf("%q may not: approve signers.certificates.k8s.io \"kubernetes.io/kube-apiserver-client\"\n", "no-approve-"+f.owner)
	if !strings.Contains(r.stderr, want) || f.kv("state") != nil {
		t.Errorf("%s; state %v", r.stderr, f.kv("state"))
	}
}
