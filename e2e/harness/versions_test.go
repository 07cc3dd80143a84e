package harness_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/certsync/certsync/e2e/harness"
)

func versions(t *testing.T) []string {
	t.Helper()
	all, err := harness.KubernetesVersions(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestChosenKubernetes(t *testing.T) {
	all := versions(t)
	if len(all) < 3 {
		t.Errorf("versions %q, want three at least", all)
	}
	for _, version := range all {
		t.Setenv("CERTSYNC_K8S", version)
		if got, err := harness.Kubernetes(t.Context()); got != version || err != nil {
			t.Errorf("%q, error %v, want %s", got, err, version)
		}
	}
	t.Setenv("CERTSYNC_K8S", "")
	if got, err := harness.Kubernetes(t.Context()); got != all[0] || err != nil {
		t.Errorf("%q, error %v without a choice, want %s", got, err, all[0])
	}
	t.Setenv("CERTSYNC_K8S", "1.2.3")
	slices.Sort(all)
	want := `choosing a Kubernetes by CERTSYNC_K8S: "1.2.3" is none of ` + strings.Join(all, ", ") + ` (e2e/servers/README.md says how to add one)`
	if _, err := harness.Kubernetes(t.Context()); err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
	if _, err := harness.Build(t.Context(), os.Stderr); err == nil || err.Error() != want {
		t.Errorf("error %v of Build, want %s", err, want)
	}
}

// TestREADMEs: what the READMEs say about versions is about those that there are, each once, and the table says of each
// what was run, when, at which commit, and how it went.
func TestREADMEs(t *testing.T) {
	all := versions(t)
	slices.Sort(all)
	for _, test := range []struct{ path, after, row string }{
		{"README.md", "\n## Versions\n", `(?m)^\| (1\.\d+\.\d+) \| [^|]{10,} \| \d{4}-\d\d-\d\d, [0-9a-f]{7,} \| [^|]{4,} \|$`},
		{"e2e/servers/README.md", "", `Kubernetes v(1\.\d+\.\d+)`},
	} {
		text, err := os.ReadFile(filepath.Join("..", "..", test.path))
		if err != nil {
			t.Fatal(err)
		}
		_, section, _ := strings.Cut(string(text), test.after)
		var named []string
		for _, row := range regexp.MustCompile(test.row).FindAllStringSubmatch(section, -1) {
			named = append(named, row[1])
		}
		slices.Sort(named)
		if diff := cmp.Diff(all, named); diff != "" {
			t.Errorf("%s: %s", test.path, diff)
		}
	}
}

// modfile is what `go mod edit -json` prints, as far as it is compared.
type modfile struct {
	Module  struct{ Path string }
	Go      string
	Require []struct {
		Path, Version string
		Indirect      bool
	}
	Replace []struct {
		Old, New struct{ Path, Version string }
	}
}

// TestModfiles: the servers of each version differ in Kubernetes and in what that needs, and in nothing else.
func TestModfiles(t *testing.T) {
	all := versions(t)
	want := readModfile(t, "go.mod").besides(t, all[0])
	for _, version := range all[1:] {
		got := readModfile(t, filepath.Join("versions", version+".mod")).besides(t, version)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", version, diff)
		}
	}
}

func readModfile(t *testing.T, name string) modfile {
	t.Helper()
	out, err := exec.Command("go", "mod", "edit", "-json", filepath.Join("..", "servers", name)).Output()
	if err != nil {
		t.Fatal(err)
	}
	var m modfile
	if err := json.Unmarshal(out, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

// besides checks that all of Kubernetes is of one version, and returns what the file says of the rest.
func (m modfile) besides(t *testing.T, version string) []string {
	t.Helper()
	staging := "v0" + strings.TrimPrefix(version, "1")
	rest := []string{m.Module.Path, "go " + m.Go}
	replaced := 0
	for _, r := range m.Replace {
		if !strings.HasPrefix(r.Old.Path, "k8s.io/") {
			rest = append(rest, r.Old.Path+" "+r.Old.Version+" => "+r.New.Path+" "+r.New.Version)
			continue
		}
		replaced++
		if r.Old.Version != "" || r.New.Path != r.Old.Path || r.New.Version != staging {
			t.Errorf("%s: %s is replaced by %s %s, want %s", version, r.Old.Path, r.New.Path, r.New.Version, staging)
		}
	}
	for _, r := range m.Require {
		switch {
		case r.Indirect:
		case r.Path == "k8s.io/kubernetes" && r.Version == "v"+version:
		case strings.HasPrefix(r.Path, "k8s.io/") && r.Version == staging:
		default:
			rest = append(rest, r.Path+" "+r.Version)
		}
	}
	if replaced < 30 {
		t.Errorf("%s: %d replaces of Kubernetes' modules; its own go.mod has more", version, replaced)
	}
	return rest
}
