package e2e

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestDrift changes one thing on the real servers behind certsync's back. Plan sees it with its reason, and apply mends
// it or holds it.
func TestDrift(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		drift func(f *fixture)
		want  []string // OWNER stands for the owner
		note  string
	}{
		"a deleted binding": {
			drift: func(f *fixture) { f.kubectl("delete", "clusterrolebinding", f.view()) },
			want:  []string{"bind devs-OWNER missing"},
		},
		"an extra User": {
			drift: func(f *fixture) {
				f.subjects(`[{"op":"add","path":"/subjects/-","value":{"kind":"User","apiGroup":"rbac.authorization.k8s.io","name":"eve"}}]`)
			},
			want: []string{"update devs-OWNER drifted"},
		},
		"an extra Group": {
			drift: func(f *fixture) {
				f.subjects(`[{"op":"add","path":"/subjects/-","value":{"kind":"Group","apiGroup":"rbac.authorization.k8s.io","name":"eves"}}]`)
			},
			want: []string{"update devs-OWNER drifted"},
		},
		"an extra ServiceAccount": {
			drift: func(f *fixture) {
				f.subjects(`[{"op":"add","path":"/subjects/-","value":{"kind":"ServiceAccount","namespace":"default","name":"eve"}}]`)
			},
			want: []string{"update devs-OWNER drifted"},
		},
		"emptied subjects": {
			drift: func(f *fixture) { f.subjects(`[{"op":"remove","path":"/subjects"}]`) },
			want:  []string{"update devs-OWNER drifted"},
		},
		"a stripped label": {
			drift: func(f *fixture) { f.kubectl("label", "clusterrolebinding", f.view(), "certsync.dev/owner-") },
			want:  []string{"update devs-OWNER labels-missing"},
		},
		"another roleRef under our name": {
			drift: func(f *fixture) {
				f.kubectl("delete", "clusterrolebinding", f.view())
				f.apply(`{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRoleBinding, metadata: {name: "certsync:OWNER:group:devs-OWNER:view", ` +
					`labels: {app.kubernetes.io/managed-by: certsync, certsync.dev/owner: OWNER}}, ` +
					`roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin}, ` +
					`subjects: [{kind: User, apiGroup: rbac.authorization.k8s.io, name: alice@OWNER}]}`)
			},
			want: []string{"unbind devs-OWNER drifted", "bind devs-OWNER drifted"},
		},
		"a deleted secret": {
			drift: func(f *fixture) { f.vaultDelete("metadata/certsync/OWNER/users/bob@OWNER") },
			want:  []string{"reissue bob@OWNER credential-missing"},
		},
		"a soft-deleted version": {
			drift: func(f *fixture) { f.vaultDelete("data/certsync/OWNER/users/bob@OWNER") },
			want:  []string{"reissue bob@OWNER credential-missing"},
		},
		"a destroyed version": {
			drift: func(f *fixture) {
				f.vaultWrite("destroy/certsync/OWNER/users/bob@OWNER", map[string]any{"versions": []int{1}})
			},
			want: []string{"reissue bob@OWNER credential-missing"},
		},
		"a version written by someone else": {
			drift: func(f *fixture) {
				f.vaultWrite("data/certsync/OWNER/users/bob@OWNER", map[string]any{"data": map[string]any{"kubeconfig": "mine"}})
			},
			want: []string{"reissue bob@OWNER foreign-credential held"},
		},
		"a deleted ledger record": {
			drift: func(f *fixture) { f.vaultDelete("metadata/certsync/OWNER/ledger/bob@OWNER") },
			want:  []string{"reissue bob@OWNER ledger-missing"},
			note:  "unknown-certificate",
		},
		"a soft-deleted ledger record": {
			drift: func(f *fixture) { f.vaultDelete("data/certsync/OWNER/ledger/bob@OWNER") },
			want:  []string{"reissue bob@OWNER ledger-missing"},
			note:  "unknown-certificate",
		},
		"an unreadable ledger record": {
			drift: func(f *fixture) {
				f.vaultWrite("data/certsync/OWNER/ledger/bob@OWNER", map[string]any{"data": map[string]any{"state": 7}})
			},
			want: []string{"reissue bob@OWNER ledger-unreadable held"},
		},
		"the ledger record of somebody else": {
			drift: func(f *fixture) {
				f.vaultWrite("data/certsync/OWNER/ledger/bob@OWNER", map[string]any{"data": f.kv("ledger/alice@" + f.owner)})
			},
			want: []string{"reissue bob@OWNER ledger-unreadable held"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := settled(t)
			tt.drift(f)
			p := f.plan()
			for i := range tt.want {
				tt.want[i] = strings.ReplaceAll(tt.want[i], "OWNER", f.owner)
			}
			if diff := cmp.Diff(tt.want, p.steps()); diff != "" {
				t.Fatal(diff)
			}
			if tt.note != "" && !p.note(tt.note, "bob@"+f.owner) {
				t.Errorf("no note %q in %+v", tt.note, p.Notes)
			}
			if strings.HasSuffix(tt.want[0], "held") {
				kube, vault := f.size(shared.KubeAuditLog), f.size(shared.VaultAuditLog)
				if r := f.must(1, "apply", "--yes"); !strings.Contains(r.stdout, ": held: ") {
					t.Error(r.stdout)
				}
				f.noWrites(kube, vault) // there is nobody else to serve
				if diff := cmp.Diff(tt.want, f.plan().steps()); diff != "" {
					t.Errorf("after apply: %s", diff)
				}
				return
			}
			f.must(0, "apply", "--yes")
			if left := f.plan(); left.Changes {
				t.Errorf("after apply: %q", left.steps())
			}
			bob := f.userKubeconfig("bob@" + f.owner)
			f.allowed(bob, "get", "pods", "-n", "staging-"+f.owner)
			f.forbidden(bob, "get", "secrets", "-n", "payments-"+f.owner)
		})
	}
}

// noWrites checks that nothing was written since, to Kubernetes or to this owner's part of Vault, but for Events that say
// so.
func (f *fixture) noWrites(kube, vault int64) {
	f.Helper()
	for _, r := range f.kubeRequests(kube) {
		if r.Verb != "get" && r.Verb != "list" && r.Verb != "watch" && !r.isReview() && !r.tells() {
			f.Errorf("sent %s %s", r.Verb, r.RequestURI)
		}
	}
	for _, r := range f.vaultRequests(vault) {
		if r.Request.Operation != "read" && r.Request.Operation != "list" {
			f.Errorf("sent %s %s", r.Request.Operation, r.Request.Path)
		}
	}
}

// view is the name of the binding that the drift is about.
func (f *fixture) view() string { return "certsync:" + f.owner + ":group:devs-" + f.owner + ":view" }

func (f *fixture) subjects(patch string) {
	f.Helper()
	f.kubectl("patch", "clusterrolebinding", f.view(), "--type=json", "-p", patch)
}

func (f *fixture) vaultDelete(path string) {
	f.Helper()
	if _, err := f.vault.Logical().Delete("secret/" + strings.ReplaceAll(path, "OWNER", f.owner)); err != nil {
		f.Fatal(err)
	}
}

func (f *fixture) vaultWrite(path string, body map[string]any) {
	f.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		f.Fatal(err)
	}
	if _, err := f.vault.Logical().WriteBytesWithContext(context.Background(), "secret/"+strings.ReplaceAll(path, "OWNER", f.owner), text); err != nil {
		f.Fatal(err)
	}
}
