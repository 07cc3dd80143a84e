//go:build unix

package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
	"github.com/google/go-cmp/cmp"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/kubernetes/scheme"

	"github.com/certsync/certsync/cmd/certsync/internal/fixture"
	"github.com/certsync/certsync/cmd/certsync/internal/fleet"
	"github.com/certsync/certsync/inventory"
)

const inCluster = "../../examples/in-cluster"

// TestManifestExamples: the examples are what manifests prints, which is the same every time. -update writes them.
func TestManifestExamples(t *testing.T) {
	for name, args := range map[string][]string{
		"certsync.yaml": {"--vault-addr=https://vault.example.com:8200", "--vault-ca=" + filepath.Join(inCluster, "vault-ca.crt"), "--image=registry.example.com/certsync:v1.0.0"},
		"vault.sh":      {"--vault", "--vault-users-accessor=auth_oidc_1a2b3c4d"},
	} {
		args = append([]string{"manifests", "-f", filepath.Join(inCluster, "users.yaml")}, args...)
		first := within(t, t.Context(), args...)
		if first.code != 0 {
			t.Fatal(first.stderr)
		}
		if again := within(t, t.Context(), args...); again.stdout != first.stdout {
			t.Errorf("%s is another the second time", name)
		}
		fixture.Golden(t, filepath.Join(inCluster, name), first.stdout)
	}
}

// documents decodes each document of a file as the API server's type, in which every field has to be known.
func documents(t *testing.T, text string) []runtime.Object {
	t.Helper()
	decoder := serializer.NewCodecFactory(scheme.Scheme, serializer.EnableStrict).UniversalDeserializer()
	var all []runtime.Object
	for _, document := range strings.Split(text, "\n---\n")[1:] {
		object, _, err := decoder.Decode([]byte(document), nil, nil)
		if err != nil {
			t.Fatalf("%v: %s", err, document)
		}
		all = append(all, object)
	}
	return all
}

// TestManifestsAreKubernetes: each document is an object of Kubernetes', without a field that it does not know and without
// what only the API server sets.
func TestManifestsAreKubernetes(t *testing.T) {
	text, err := os.ReadFile("testdata/manifests/stdout")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(string(text), "# The service account certsync") {
		t.Error("the warning does not come first")
	}
	for _, noise := range []string{"creationTimestamp", "\nstatus:", "null", "{}"} {
		if strings.Contains(string(text), noise) {
			t.Errorf("%s is in it", noise)
		}
	}
	objects := documents(t, string(text))
	if _, ok := objects[0].(*corev1.Namespace); !ok || len(objects) < 15 {
		t.Errorf("%d objects, of which the first is a %T", len(objects), objects[0])
	}
}

// TestJobFindsItsInventory: the files of the ConfigMap, where the job mounts them, are the inventory that the job is told
// to read, with the same digest as here.
func TestJobFindsItsInventory(t *testing.T) {
	for golden, tt := range map[string]struct {
		cluster string
		files   int
	}{"manifests": {"", 2}, "manifests-teams": {"", 4}, "manifests-cluster": {"prod-eu", 2}} {
		t.Run(golden, func(t *testing.T) {
			file, err := inventory.LoadFile(filepath.Join("testdata", golden, "users.yaml"))
			if err != nil {
				t.Fatal(err)
			}
			target, err := fleet.OneFlag{Cluster: tt.cluster}.Target(file)
			if err != nil {
				t.Fatal(err)
			}
			jobFindsItsInventory(t, filepath.Join("testdata", golden), target.Inventory, tt.files)
		})
	}
}

func jobFindsItsInventory(t *testing.T, golden string, want *inventory.Inventory, wanted int) {
	text, err := os.ReadFile(filepath.Join(golden, "stdout"))
	if err != nil {
		t.Fatal(err)
	}
	var files *corev1.ConfigMap
	var job *batchv1.CronJob
	for _, o := range documents(t, string(text)) {
		switch o := o.(type) {
		case *corev1.ConfigMap:
			files = o
		case *batchv1.CronJob:
			job = o
		}
	}
	pod, root, found := job.Spec.JobTemplate.Spec.Template.Spec, t.TempDir(), 0
	for i, volume := range pod.Volumes {
		for _, source := range volume.Projected.Sources {
			if source.ConfigMap == nil || source.ConfigMap.Name != files.Name {
				continue
			}
			for _, item := range source.ConfigMap.Items {
				found++
				path := filepath.Join(root, pod.Containers[0].VolumeMounts[i].MountPath, item.Path)
				if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, []byte(files.Data[item.Key]), 0o600); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	env := map[string]string{}
	for _, e := range pod.Containers[0].Env {
		env[e.Name] = e.Value
	}
	got, err := inventory.Load(filepath.Join(root, env["CERTSYNC_FILE"]))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" || got.Digest() != want.Digest() {
		t.Errorf("the job reads another inventory: %s", diff)
	}
	if found != wanted+1 { // and Vault's CA
		t.Errorf("%d files", found)
	}
	if _, err := os.Stat(filepath.Join(root, env["VAULT_CACERT"])); err != nil {
		t.Error(err)
	}
}

// TestJobIsUnderstood: the job's command line and every variable that it gets are apply's.
func TestJobIsUnderstood(t *testing.T) {
	text, err := os.ReadFile("testdata/manifests/stdout")
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range documents(t, string(text)) {
		job, ok := o.(*batchv1.CronJob)
		if !ok {
			continue
		}
		container := job.Spec.JobTemplate.Spec.Template.Spec.Containers[0]
		var c cli
		parser, err := kong.New(&c, kong.DefaultEnvars(envPrefix))
		if err != nil {
			t.Fatal(err)
		}
		known := map[string]bool{}
		for _, f := range parser.Model.Children {
			for _, flag := range f.Flags {
				for _, variable := range flag.Envs {
					known[variable] = known[variable] || f.Name == "apply"
				}
			}
		}
		for _, e := range container.Env {
			if strings.HasPrefix(e.Name, envPrefix) && !known[e.Name] {
				t.Errorf("apply has no flag for %s", e.Name)
			}
			t.Setenv(e.Name, e.Value)
		}
		if _, err := parser.Parse(container.Args); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"apply", "--yes", "--drift", "--hold"}, container.Args); diff != "" || c.Apply.File != "/etc/certsync/inventory/users.yaml" {
			t.Errorf("%q, %s", c.Apply.File, diff)
		}
		return
	}
	t.Error("there is no CronJob")
}

// TestVaultScriptIsShell: sh takes the script, and the warning comes first in it.
func TestVaultScriptIsShell(t *testing.T) {
	for _, name := range []string{"manifests-vault", "manifests-vault-accessor"} {
		path := filepath.Join("testdata", name, "stdout")
		if out, err := exec.Command("sh", "-n", path).CombinedOutput(); err != nil {
			t.Errorf("%s: %v: %s", name, err, out)
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(string(text), "#!/bin/sh\n# The service account certsync") {
			t.Errorf("%s: the warning does not come first", name)
		}
	}
}

// TestVaultScriptWithoutKubernetesAuth: in a Vault without that auth method, the script ends at the first role, with all policies
// written. Users do not depend on the CronJob.
func TestVaultScriptWithoutKubernetesAuth(t *testing.T) {
	bin := t.TempDir()
	const vault = "#!/bin/sh\ncat > /dev/null\necho \"$1 $2 $3\"\ncase $2 in auth/*) exit 2 ;; esac\n"
	if err := os.WriteFile(filepath.Join(bin, "vault"), []byte(vault), 0o700); err != nil {
		t.Fatal(err)
	}
	const policies = "policy write certsync-prod-eu|policy write certsync-prod-eu-plan"
	for name, want := range map[string]string{
		"manifests-vault": "policy write certsync-prod-eu-users.alice@example.com|policy write certsync-prod-eu-users.cy+x@example.com|" + policies +
			"|write auth/kubernetes/role/certsync-prod-eu -",
		"manifests-vault-accessor": "policy write certsync-prod-eu-users|" + policies + "|write auth/k8s/role/certsync-prod-eu -",
	} {
		cmd := exec.Command("sh", filepath.Join("testdata", name, "stdout"))
		cmd.Env = []string{"PATH=" + bin + ":" + os.Getenv("PATH")}
		out, err := cmd.Output()
		if exit := (*exec.ExitError)(nil); !errors.As(err, &exit) || exit.ExitCode() != 2 {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(strings.Split(want, "|"), strings.Split(strings.TrimSpace(string(out)), "\n")); diff != "" {
			t.Errorf("%s: calls of vault (-want +got): %s", name, diff)
		}
	}
}

// TestManifestsOfManyUsers: a ConfigMap that kubectl apply cannot copy into an annotation is said on stderr, and printed all the same.
func TestManifestsOfManyUsers(t *testing.T) {
	for users, warns := range map[int]bool{10: false, 6000: true} {
		var b strings.Builder
		b.WriteString("apiVersion: certsync.dev/v1\nkind: Inventory\nowner: prod-eu\n" +
			"cluster: {name: prod-eu, server: 'https://k8s.example.com', certificateAuthority: ca.crt}\nusers:\n")
		for n := range users {
			fmt.Fprintf(&b, "  - {name: user-%d@example.com, clusterRoles: [view]}\n", n)
		}
		dir := t.TempDir()
		ca, err := os.ReadFile(filepath.Join(inCluster, "vault-ca.crt"))
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(dir, "users.yaml")
		if err := errors.Join(os.WriteFile(file, []byte(b.String()), 0o600), os.WriteFile(filepath.Join(dir, "ca.crt"), ca, 0o600)); err != nil {
			t.Fatal(err)
		}
		r := within(t, t.Context(), "manifests", "-f", file, "--vault-addr=http://vault", "--image=certsync")
		said := strings.Contains(r.stderr, "certsync: warning: a ConfigMap has ") && strings.Contains(r.stderr, "hint: apply it with `kubectl apply --server-side")
		if r.code != 0 || said != warns || !strings.Contains(r.stdout, fmt.Sprintf("user-%d@example.com", users-1)) {
			t.Errorf("%d users: exit %d, %s", users, r.code, r.stderr)
		}
	}
}
