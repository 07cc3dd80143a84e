//go:build unix

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	yaml "sigs.k8s.io/yaml/goyaml.v3"

	"github.com/certsync/certsync/inventory"
)

// fleetExample is the example of one inventory for several clusters.
func fleetExample(t *testing.T) *inventory.File {
	t.Helper()
	file, err := inventory.LoadFile(filepath.Join(examples, "fleet/users.yaml"))
	if err != nil || len(file.Members) != 9 {
		t.Fatal(err)
	}
	return file
}

// TestFleetPipelines: the pipelines of the example name every cluster and every owner of the inventory, and no other. They use no
// stored secret, and no action that may change.
func TestFleetPipelines(t *testing.T) {
	var names, owners []string
	for _, m := range fleetExample(t).Members {
		names, owners = append(names, m.Name), append(owners, m.Owner)
	}
	for path, want := range map[string][]string{
		"github-actions/certsync.yaml": {"CERTSYNC_OWNER: " + strings.Join(owners, ","), "cluster: [" + strings.Join(names, ", ") + "]", "fail-fast: false"},
		"github-actions/cluster.yaml":  {"environment: ${{ inputs.cluster }}", "CERTSYNC_CLUSTER: ${{ inputs.cluster }}"},
		"github-actions/setup.sh":      {"clusters=\"" + strings.Join(names, " ") + "\""},
		"gitlab-ci/.gitlab-ci.yml":     {"CERTSYNC_OWNER: " + strings.Join(owners, ","), "CLUSTER: [" + strings.Join(names, ", ") + "]", "environment: $CLUSTER"},
	} {
		path = filepath.Join(examples, "fleet", path)
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range want {
			if strings.Count(string(text), line+"\n")+strings.Count(string(text), line+" #") != 1 {
				t.Errorf("%s does not have exactly one %s", path, line)
			}
		}
		if strings.Contains(string(text), "secrets.") {
			t.Errorf("%s uses a stored secret", path)
		}
		for _, m := range regexp.MustCompile(`uses: (\S+)`).FindAllStringSubmatch(string(text), -1) {
			if !strings.HasPrefix(m[1], "./") && !regexp.MustCompile(`@[0-9a-f]{40}$`).MatchString(m[1]) {
				t.Errorf("%s: %s may change", path, m[1])
			}
		}
		if filepath.Ext(path) == ".sh" {
			if out, err := exec.Command("sh", "-n", path).CombinedOutput(); err != nil {
				t.Errorf("%v: %s", err, out)
			}
			continue
		}
		if err := yaml.Unmarshal(text, new(map[string]any)); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// setUpFleet returns what the example's setup.sh calls, and what it writes. The servers answer found to each question.
func setUpFleet(t *testing.T, found string) string {
	t.Helper()
	bin := t.TempDir()
	tool := "#!/bin/sh\ncase \"$*\" in *' get '* | 'auth list '*) echo '" + found + "'; exit ;; esac\necho \"$(basename \"$0\") $*\"\ncase \"$*\" in *-) cat ;; esac\n"
	for _, name := range []string{"vault", "kubectl"} {
		if err := os.WriteFile(filepath.Join(bin, name), []byte(tool), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("sh", filepath.Join(examples, "fleet/github-actions/setup.sh"))
	cmd.Env = []string{"PATH=" + bin + ":" + os.Getenv("PATH")}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return string(out)
}

// TestFleetSetup: the script gives the role of plan the policies of all clusters, and each role of apply those of its own.
func TestFleetSetup(t *testing.T) {
	out := setUpFleet(t, "")
	var apply, plan, want, all []string
	for _, m := range regexp.MustCompile(`"token_policies": \[(.*)\]`).FindAllStringSubmatch(out, -1) {
		apply = append(apply, m[1])
	}
	plan, apply = strings.Split(apply[len(apply)-1], ", "), apply[:len(apply)-1]
	for _, m := range fleetExample(t).Members {
		want = append(want, `"certsync-`+m.Owner+`", "certsync-`+m.Owner+`.ci-apply"`)
		all = append(all, `"certsync-`+m.Owner+`-plan"`, `"certsync-`+m.Owner+`.ci-plan"`)
		if n := strings.Count(out, "kubectl --context "+m.Name+" create "); n != 4 {
			t.Errorf("%s has %d bindings", m.Name, n)
		}
	}
	if diff := cmp.Diff(want, apply); diff != "" {
		t.Errorf("roles of apply: %s", diff)
	}
	if diff := cmp.Diff(all, plan); diff != "" {
		t.Errorf("role of plan: %s", diff)
	}
	if !strings.Contains(out, "vault auth enable ") {
		t.Error("the login is not enabled")
	}
	// A later run, for one more cluster.
	if again := setUpFleet(t, `{"github/": {}}`); strings.Contains(again, " create ") || strings.Contains(again, " enable ") || strings.Count(again, "token_policies") != strings.Count(out, "token_policies") {
		t.Errorf("the second run makes what exists: %s", again)
	}
}

// TestFleetJobs: manifests prints both halves of each cluster's job.
func TestFleetJobs(t *testing.T) {
	file := filepath.Join(examples, "fleet/users.yaml")
	for _, m := range fleetExample(t).Members {
		for _, args := range [][]string{
			{"--vault"}, {"--vault-addr=https://vault.example.com", "--vault-ca=" + filepath.Join(inCluster, "vault-ca.crt"), "--image=certsync"},
		} {
			r := within(t, t.Context(), append([]string{"manifests", "-f", file, "--cluster", m.Name}, args...)...)
			if r.code != 0 || strings.Contains(r.stdout, "bob@example.com") != (m.Labels["env"] != "prod") {
				t.Errorf("%s: exit %d, %s", m.Name, r.code, r.stderr)
			}
		}
	}
}
