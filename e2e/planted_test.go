package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"maps"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/vault/api"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// intruder may write to one path in Vault, bob's, and to bindings, and to nothing else.
type intruder struct {
	*fixture
	vault      *api.Client
	kubeconfig string
}

// newIntruder lets an intruder into bob's entry in one folder of the owner's.
func newIntruder(f *fixture, folder string) *intruder {
	f.Helper()
	in := &intruder{fixture: f}
	var err error
	if in.vault, err = f.vault.Clone(); err != nil {
		f.Fatal(err)
	}
	in.vault.SetToken(f.token(strings.ReplaceAll(`
path "secret/data/certsync/OWNER/FOLDER/bob@OWNER" { capabilities = ["create", "read", "update", "delete"] }
path "secret/destroy/certsync/OWNER/FOLDER/bob@OWNER" { capabilities = ["update"] }
path "secret/metadata/certsync/OWNER/FOLDER/bob@OWNER" { capabilities = ["read", "delete"] }
`, "FOLDER", folder)))
	name := "intruder-" + f.owner
	f.apply(`{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: intruder-OWNER}, rules: [` +
		`{apiGroups: [rbac.authorization.k8s.io], resources: [clusterrolebindings, rolebindings], verbs: [get, list, create, update, patch]},` +
		`{apiGroups: [rbac.authorization.k8s.io], resources: [clusterroles], verbs: [bind], resourceNames: [view, edit]}]}`)
	f.kubectl("create", "clusterrolebinding", name, "--clusterrole="+name, "--user="+name)
	if in.kubeconfig, err = f.servers.UserKubeconfig(name, nil); err != nil {
		f.Fatal(err)
	}
	return in
}

// put writes a version of bob's entry.
func (in *intruder) put(folder string, data map[string]any) {
	in.Helper()
	if _, err := in.vault.KVv2("secret").Put(in.Context(), "certsync/"+in.owner+"/"+folder+"/bob@"+in.owner, data); err != nil {
		in.Fatal(err)
	}
}

// forge writes bob's own record as the intruder would have it.
func (in *intruder) forge(as func(record map[string]any)) {
	in.Helper()
	record := in.kv("ledger/bob@" + in.owner)
	as(record)
	in.put("ledger", record)
}

// kubectl runs it as the intruder.
func (in *intruder) run(args ...string) {
	in.Helper()
	if _, err := in.tryKubectl(in.kubeconfig, args...); err != nil {
		in.Fatal(err)
	}
}

// TestPlanted: whatever somebody plants in one user's place, in Vault or in the cluster, that user waits for people, or
// is issued anew; nothing of it is taken for certsync's, and nothing of it is overwritten or deleted.
// Everybody else is served: carol leaves, and dan comes.
func TestPlanted(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		folder string // where the intruder may write
		plant  func(in *intruder)
		code   int
		left   []string // steps in the plan after it
	}{
		"something in place of a credential": {
			"users", func(in *intruder) { in.put("users", map[string]any{"x": "y"}) },
			1, []string{"reissue bob@OWNER foreign-credential held"},
		},
		"a kubeconfig of the intruder's": {
			"users", func(in *intruder) {
				in.put("users", map[string]any{"kubeconfig": "clusters: [{cluster: {server: https://intruder.example.com}}]", "tls.key": "", "tls.crt": "", "ca.crt": ""})
			},
			1, []string{"reissue bob@OWNER foreign-credential held"},
		},
		"a credential that is deleted": {
			"users", func(in *intruder) {
				if err := in.vault.KVv2("secret").DeleteMetadata(in.Context(), "certsync/"+in.owner+"/users/bob@"+in.owner); err != nil {
					in.Fatal(err)
				}
			},
			0, nil,
		},
		"something in place of a record": {
			"ledger", func(in *intruder) { in.put("ledger", map[string]any{"x": "y"}) },
			1, []string{"reissue bob@OWNER ledger-unreadable held"},
		},
		"somebody else's record": {
			"ledger", func(in *intruder) { in.put("ledger", in.kv("ledger/alice@"+in.owner)) },
			1, []string{"reissue bob@OWNER ledger-unreadable held"},
		},
		"somebody else's certificates in a record": {
			"ledger", func(in *intruder) {
				in.forge(func(record map[string]any) {
					record["certificates"] = in.kv("ledger/alice@" + in.owner)["certificates"]
				})
			},
			1, []string{"reissue bob@OWNER ledger-unreadable held"},
		},
		"a record of a later format": {
			"ledger", func(in *intruder) { in.forge(func(record map[string]any) { record["formatVersion"] = "3" }) },
			1, []string{"reissue bob@OWNER ledger-unreadable held"},
		},
		"a record that says removed": {
			"ledger", func(in *intruder) { in.forge(func(record map[string]any) { record["state"] = "removed" }) },
			1, []string{"issue bob@OWNER new-user held"},
		},
		"a record that says that a newer credential is certsync's": {
			"ledger", func(in *intruder) {
				in.forge(func(record map[string]any) {
					record["certificates"].([]any)[0].(map[string]any)["credentialVersion"] = json.Number("7")
				})
			},
			0, nil,
		},
		"a record with the intruder's own certificate for bob": {
			"ledger", func(in *intruder) {
				in.forge(func(record map[string]any) {
					entry := maps.Clone(record["certificates"].([]any)[0].(map[string]any))
					entry["certificate"] = selfSigned(in.fixture, pkix.Name{CommonName: "bob@" + in.owner, Organization: []string{"system:masters"}})
					record["certificates"] = []any{entry}
				})
			},
			0, nil,
		},
		"certsync's labels on a binding of the intruder's": {
			"ledger", func(in *intruder) {
				in.run("create", "clusterrolebinding", "planted-"+in.owner, "--clusterrole=view", "--user=eve")
				in.run("label", "clusterrolebinding", "planted-"+in.owner, "app.kubernetes.io/managed-by=certsync", "certsync.dev/owner="+in.owner)
			},
			0, nil,
		},
		"a binding of certsync's without its labels": {
			"ledger", func(in *intruder) {
				in.run("label", "clusterrolebinding", "certsync:"+in.owner+":user:bob@"+in.owner+":view", "certsync.dev/owner-")
			},
			0, nil,
		},
		"a binding at the name of one that comes": {
			"ledger", func(in *intruder) {
				in.run("create", "clusterrolebinding", "certsync:"+in.owner+":user:bob@"+in.owner+":edit", "--clusterrole=edit", "--user=eve")
			},
			0, nil,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, shared)
			const bob = "  - {name: bob@OWNER, clusterRoles: [view]}\n"
			f.write("users:\n" + bob + "  - {name: alice@OWNER}\n  - {name: carol@OWNER, clusterRoles: [view]}\n")
			f.must(0, "apply", "--yes")
			carol := f.userKubeconfig("carol@" + f.owner)
			in := newIntruder(f, tt.folder)
			tt.plant(in)
			after := bob
			if strings.Contains(name, "that comes") {
				after = strings.Replace(bob, "[view]", "[view, edit]", 1)
			}
			f.write("users:\n" + after + "  - {name: alice@OWNER}\n  - {name: dan@OWNER, clusterRoles: [view]}\n")
			planted := in.planted(tt.folder)

			r := f.must(tt.code, "apply", "--yes", "--max-removals=1")
			f.forbidden(carol, "get", "pods", "-A")
			if f.kv("users/carol@"+f.owner) != nil {
				t.Error("the leaver's credential is still there")
			}
			f.allowed(f.userKubeconfig("dan@"+f.owner), "get", "pods", "-A")
			for i := range tt.left {
				tt.left[i] = strings.ReplaceAll(tt.left[i], "OWNER", f.owner)
			}
			if diff := cmp.Diff(append([]string{}, tt.left...), f.plan().steps()); diff != "" {
				t.Errorf("left: %s\n%s%s", diff, r.stdout, r.stderr)
			}
			if tt.code == 0 { // bob has a credential, whatever was planted
				f.accounted()
				f.allowed(f.userKubeconfig("bob@"+f.owner), "get", "pods", "-A")
				for _, b := range f.bindings() {
					if strings.Contains(b, "/certsync:") && strings.Contains(b, "User eve") {
						t.Errorf("eve is in %s", b)
					}
				}
				return
			}
			if diff := cmp.Diff(planted, in.planted(tt.folder)); diff != "" {
				t.Errorf("what was planted is not what it was:\n%s", diff)
			}
			if !strings.Contains(r.stdout, "held") {
				t.Errorf("the run does not say what it held: %s", r.stdout)
			}
		})
	}
}

// TestPlantedForALeaver: whatever stands in the place of somebody who leaves, their access ends.
func TestPlantedForALeaver(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		folder string
		code   int
		left   bool // the credential waits for people
	}{
		"in place of the credential": {"users", 1, true},
		"in place of the record":     {"ledger", 1, true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, shared)
			f.write("users:\n  - {name: bob@OWNER, clusterRoles: [view]}\n  - {name: alice@OWNER}\n")
			f.must(0, "apply", "--yes")
			bob := f.userKubeconfig("bob@" + f.owner)
			newIntruder(f, tt.folder).put(tt.folder, map[string]any{"x": "y"})
			f.write("users: [{name: alice@OWNER}]")
			f.must(tt.code, "apply", "--yes")
			f.forbidden(bob, "get", "pods", "-A")
			if left := f.kv("users/bob@"+f.owner) != nil; left != tt.left {
				t.Errorf("the credential is left: %v", left)
			}
		})
	}
}

// planted shows all that the intruder can have written to.
func (in *intruder) planted(folder string) map[string]any {
	in.Helper()
	out := map[string]any{}
	meta, err := in.onlooker.KVv2("secret").GetMetadata(in.Context(), "certsync/"+in.owner+"/"+folder+"/bob@"+in.owner)
	if err == nil {
		out["version"] = meta.CurrentVersion
	}
	list, err := in.client().RbacV1().ClusterRoleBindings().List(in.Context(), metav1.ListOptions{})
	if err != nil {
		in.Fatal(err)
	}
	for _, b := range list.Items {
		if strings.Contains(b.Name, "bob@"+in.owner) || strings.Contains(b.Name, "planted-"+in.owner) {
			out[b.Name] = b.ResourceVersion
		}
	}
	return out
}

// selfSigned is a certificate that nobody trusts, as PEM.
func selfSigned(f *fixture, subject pkix.Name) string {
	f.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		f.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: subject, NotBefore: time.Now().Add(-time.Minute), NotAfter: time.Now().Add(time.Hour * 168)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		f.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}
