package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/hashicorp/vault/api"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// whoami is whom the API server takes the user of a kubeconfig's context for.
func (f *fixture) whoami(kubeconfig, context string) string {
	f.Helper()
	who, err := f.tryKubectl(kubeconfig, "--context="+context, "auth", "whoami", "-o", "jsonpath={.status.userInfo.username} {.status.userInfo.groups}")
	if err != nil {
		f.Fatal(err)
	}
	return who
}

// TestKubeconfig: with the rights that manifests prints for a user, and no others, they get what stands in Vault, and kubectl
// works with it.
func TestKubeconfig(t *testing.T) {
	t.Parallel()
	f := newFixture(t, shared)
	o := f.owner
	f.write("cluster: CLUSTER\nusers: [{name: alice@OWNER, clusterRoles: [view]}, {name: eve@OWNER}]")
	f.must(0, "apply", "--yes")
	f.enableAuth("kubernetes")
	f.deployVault("access")
	alice := f.reader("alice", "certsync-"+o+"-users.alice@"+o)
	r := alice.must(0, "kubeconfig", "--user=alice@"+o)
	if diff := cmp.Diff(f.kv("users/alice@" + o)["kubeconfig"], r.stdout); diff != "" || r.stderr != "" {
		t.Errorf("%s%s", diff, r.stderr)
	}
	f.allowed(alice.file("mine", r.stdout), "get", "pods", "--all-namespaces")

	entry := alice.must(0, "kubeconfig", "--user=alice@"+o, "--exec").stdout
	config, err := clientcmd.Load([]byte(entry))
	if err != nil {
		t.Fatal(err)
	}
	user := config.AuthInfos["alice@"+o+"@e2e"]
	want := &clientcmdapi.ExecConfig{
		APIVersion: "client.authentication.k8s.io/v1", Command: f.binary,
		Args: []string{"credential", "--owner=" + o, "--user=alice@" + o, "--vault-mount=secret", "--vault-prefix=certsync", "--vault-auth=token", "--vault-auth-mount=", "--vault-role=",
			"--vault-token-file=", "--vault-role-id=", "--vault-secret-id-file=", "--client-key="},
		Env:             []clientcmdapi.ExecEnvVar{{Name: "VAULT_ADDR", Value: f.servers.VaultAddr}, {Name: "VAULT_CACERT", Value: f.servers.VaultCACert}, {Name: "CERTSYNC_VAULT_SECRET_ID"}},
		InteractiveMode: clientcmdapi.NeverExecInteractiveMode, InstallHint: user.Exec.InstallHint,
	}
	if diff := cmp.Diff(want, user.Exec, cmpopts.IgnoreUnexported(*want)); diff != "" || len(user.ClientCertificateData) > 0 {
		t.Error(diff)
	}
	if found := f.secrets.find(entry); found != "" || want.InstallHint == "" {
		t.Errorf("the entry holds %s: %s", found, entry)
	}

	// Part of what apply stores is taken away here, for a key that never left its user.
	data := f.kv("users/eve@" + o)
	key, _ := data["tls.key"].(string)
	data["tls.key"] = ""
	var without []string
	for line := range strings.Lines(data["kubeconfig"].(string)) {
		if !strings.Contains(line, "client-key-data") {
			without = append(without, line)
		}
	}
	data["kubeconfig"] = strings.Join(without, "")
	f.vaultPut("secret/data/certsync/"+o+"/users/eve@"+o, map[string]any{"data": data})
	eve := f.reader("eve", "certsync-"+o+"-users.eve@"+o)
	if r := eve.must(1, "kubeconfig", "--user=eve@"+o); !strings.Contains(r.stderr, "--client-key FILE") || r.stdout != "" {
		t.Errorf("without the key: %s%s", r.stdout, r.stderr)
	}
	whole := eve.must(0, "kubeconfig", "--user=eve@"+o, "--client-key="+eve.file("my.key", key)).stdout
	if who := f.whoami(eve.file("mine", whole), "e2e"); !strings.HasPrefix(who, "eve@"+o+" ") {
		t.Errorf("eve is %s", who)
	}
}

// TestKubeconfigMerge: merged into a kubeconfig that leads elsewhere, kubectl has both; again, nothing changes; after a
// rotation, the new certificate takes the old one's place.
func TestKubeconfigMerge(t *testing.T) {
	t.Parallel()
	f := newFixture(t, shared)
	o := f.owner
	f.write("cluster: CLUSTER\nusers: [{name: alice@OWNER}]")
	f.must(0, "apply", "--yes")
	alice := f.reader("alice", f.policy("alice", `path "secret/data/certsync/OWNER/users/alice@OWNER" { capabilities = ["read"] }`))
	theirs, err := f.servers.UserKubeconfig("dan@"+o, nil)
	if err != nil {
		t.Fatal(err)
	}
	old := "# my own\n" + strings.ReplaceAll(f.text(theirs), ": e2e\n", ": mine\n")
	file := alice.file(".kube/config", old)
	if err := os.Chmod(file, 0o644); err != nil {
		t.Fatal(err)
	}
	r := alice.must(0, "kubeconfig", "--user=alice@"+o, "--merge")
	if r.stderr != "" || !strings.Contains(r.stdout, "Merged context e2e into "+file+".\n") || !strings.Contains(r.stdout, "kubectl config use-context e2e\n") {
		t.Errorf("%s%s", r.stdout, r.stderr)
	}
	f.seen.WriteString(r.stdout) // this is no key
	merged := f.text(file)
	if info, err := os.Stat(file); err != nil || info.Mode() != 0o600 || f.text(file+".certsync.bak") != old || !strings.HasPrefix(merged, "# my own\n") {
		t.Errorf("%v %v\n%s", info.Mode(), err, merged)
	}
	for context, want := range map[string]string{"e2e": "alice@" + o + ` ["system:authenticated"]`, "mine": "dan@" + o + ` ["system:authenticated"]`} {
		if who := f.whoami(file, context); who != want {
			t.Errorf("in %s it is %s, not %s", context, who, want)
		}
	}
	if current := strings.TrimSpace(must(f.tryKubectl(file, "config", "current-context"))); current != "mine" {
		t.Errorf("the current context is %q", current)
	}
	if r := alice.must(0, "kubeconfig", "--user=alice@"+o, "--merge"); !strings.HasPrefix(r.stdout, "Context e2e in "+file+" is up to date.\n") || f.text(file) != merged {
		t.Errorf("again: %s", r.stdout)
	}

	f.write("cluster: CLUSTER\ngroups: [{name: devs-OWNER}]\nusers: [{name: alice@OWNER, groups: [devs-OWNER]}]")
	f.must(0, "apply", "--yes")
	alice.must(0, "kubeconfig", "--user=alice@"+o, "--merge")
	if who := f.whoami(file, "e2e"); who != "alice@"+o+` ["devs-`+o+`","system:authenticated"]` {
		t.Errorf("after the rotation it is %s", who)
	}
	if f.text(file+".certsync.bak") != merged {
		t.Error("the backup is not what stood there last")
	}
	alice.must(0, "kubeconfig", "--user=alice@"+o, "--merge", "--exec")
	if text := f.text(file); strings.Count(text, "client-key-data") != 1 || !strings.Contains(text, "- --user=alice@"+o+"\n") {
		t.Error("the key is there beside the plugin")
	}
	// Another cluster under the same name is somebody's, and stays.
	other := alice.file("other", strings.Replace(strings.ReplaceAll(f.text(theirs), string(f.servers.KubeURL), "https://other.example.com"),
		"certificate-authority-data", "certificate-authority", 1))
	r = alice.must(3, "kubeconfig", "--user=alice@"+o, "--merge", "--kubeconfig="+other)
	if !strings.Contains(r.stderr, "refused, nothing was written:\n  - cluster \"e2e\" in "+other+" is another one, at https://other.example.com") {
		t.Errorf("%s", r.stderr)
	}
	left, err := filepath.Glob(filepath.Join(alice.home, "*", "*"))
	if diff := cmp.Diff([]string{file, file + ".certsync.bak"}, left); diff != "" || err != nil {
		t.Errorf("files are left: %s", diff)
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// TestKubeconfigWithoutRights: the message says whose token it is, how this Vault lets people in, and what else may be wrong.
func TestKubeconfigWithoutRights(t *testing.T) {
	t.Parallel()
	f := newFixture(t, shared)
	o := f.owner
	f.write("users: [{name: alice@OWNER}]")
	f.must(0, "apply", "--yes")
	mount := "corp-" + o
	if err := f.vault.Sys().EnableAuthWithOptionsWithContext(t.Context(), mount, &api.EnableAuthOptions{
		Type: "userpass", Config: api.AuthConfigInput{ListingVisibility: "unauth"},
	}); err != nil {
		t.Fatal(err)
	}
	ended := f.reader("ended", "default")
	token := strings.TrimPrefix(ended.env[len(ended.env)-1], "VAULT_TOKEN=")
	if err := f.vault.Auth().Token().RevokeTreeWithContext(t.Context(), token); err != nil {
		t.Fatal(err)
	}
	path := "secret/certsync/" + o + "/users/alice@" + o
	login := "log in to Vault as alice@" + o + ": vault login -method=userpass -path=corp-"
	for sentence, tt := range map[string]struct {
		who *userMachine
		err string
		say []string
	}{
		"somebody else's token": {f.reader("bob", "default"), "reading " + path + ": Vault answered 403 Forbidden: permission denied",
			[]string{`this token belongs to "token-bob" (policies: default): ` + login, "or check --owner and --user"}},
		"their own token, without the policy": {f.reader("alice@"+o, "default"), "reading " + path + ": Vault answered 403 Forbidden: permission denied",
			[]string{`this token belongs to "token-alice-` + o + `" (policies: default)`}},
		"no token":               {f.person(), "logging in to Vault at " + f.servers.VaultAddr + ": there is no token", []string{login}},
		"a token that has ended": {ended, "reading " + path + ": Vault answered 403 Forbidden: permission denied, invalid token", []string{"the token is unknown, expired or revoked: " + login}},
	} {
		r := tt.who.must(1, "kubeconfig", "--user=alice@"+o)
		said, hint, _ := strings.Cut(r.stderr, "\nhint: ")
		if said != "certsync: "+tt.err || r.stdout != "" {
			t.Errorf("%s: %s%s", sentence, r.stdout, r.stderr)
		}
		for _, part := range append(tt.say, "corp-"+o) {
			if !strings.Contains(hint, part) {
				t.Errorf("%s: %q is not in: %s", sentence, part, hint)
			}
		}
	}
	root := f.person("VAULT_TOKEN=" + f.servers.VaultToken)
	if r := root.must(1, "kubeconfig", "--user=carol@"+o); !strings.Contains(r.stderr, "there is no credential\nhint: it was not issued yet, or was removed") {
		t.Errorf("nobody's credential: %s", r.stderr)
	}
}
