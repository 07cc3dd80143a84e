package e2e

import (
	"bytes"
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"sigs.k8s.io/yaml"
)

// company is an inventory of 300 users, but for those who are left out, with what others have beside.
func company(t *testing.T, without int, more string) string {
	t.Helper()
	var b strings.Builder
	b.WriteString("cluster: CLUSTER\ngroups:\n  - {name: developers-OWNER, clusterRoles: [view]}\n  - {name: operations-OWNER, namespaces: {work-OWNER: [admin]}}\nusers:\n")
	for n := without; n < 300; n++ {
		group := "developers"
		if n%10 == 0 {
			group = "operations"
		}
		fmt.Fprintf(&b, "  - {name: user-%03d@OWNER, groups: [%s-OWNER]}\n", n, group)
	}
	return b.String() + more
}

// TestReading: a plan of 20 changes among 300 users fits one screen, and their status fits its width. The inventory is one
// by the schema that the same binary prints.
func TestReading(t *testing.T) {
	t.Parallel()
	f := newFixture(t, shared)
	f.namespace("work")
	// In kube-system other tests' bindings come and go, which are noted.
	f.env = append(f.env, "CERTSYNC_LOCK_NAMESPACE="+f.namespace("lock"))
	f.write(company(t, 0, ""))
	f.bySchema()
	f.must(0, "apply", "--yes")
	var more strings.Builder
	for n := range 10 {
		fmt.Fprintf(&more, "  - {name: new-%02d@OWNER, groups: [developers-OWNER]}\n", n)
	}
	more.WriteString("  - {name: zoe@OWNER, clusterRoles: [cluster-admin]}\n  - {name: yan@OWNER, namespaces: {work-OWNER: [edit]}}\n")
	f.write(company(t, 8, more.String()))
	r := f.must(2, "plan", "--detailed-exitcode")
	lines := strings.Split(strings.TrimSuffix(r.stdout, "\n"), "\n")
	if len(lines) > 40 {
		t.Errorf("%d lines:\n%s", len(lines), r.stdout)
	}
	for _, want := range []string{"12 to issue", "8 to remove", "292 users unchanged", "as good as cluster-admin"} {
		if !strings.Contains(strings.Join(strings.Fields(r.stdout), " "), want) {
			t.Errorf("the plan does not say %q:\n%s", want, r.stdout)
		}
	}
	status := f.must(0, "status")
	for _, line := range append(lines, strings.Split(status.stdout, "\n")...) {
		if utf8.RuneCountInString(line) > 80 {
			t.Errorf("over 80 columns: %s", line)
		}
	}
	if n := strings.Count(status.stdout, "@"+f.owner); n != 312 {
		t.Errorf("%d users in the status", n)
	}
}

// bySchema checks the fixture's inventory by the schema that certsync prints, and that a mistake in it would be seen.
func (f *fixture) bySchema() {
	f.Helper()
	schema, err := jsonschema.UnmarshalJSON(strings.NewReader(f.must(0, "schema").stdout))
	if err != nil {
		f.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("inventory.json", schema); err != nil {
		f.Fatal(err)
	}
	compiled, err := compiler.Compile("inventory.json")
	if err != nil {
		f.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(f.dir, "users.yaml"))
	if err != nil {
		f.Fatal(err)
	}
	for mistake, wanted := range map[string]bool{"": true, "kind: Inventories": false} {
		asJSON, err := yaml.YAMLToJSON(bytes.Replace(text, []byte("kind: Inventory"), []byte(cmp.Or(mistake, "kind: Inventory")), 1))
		if err != nil {
			f.Fatal(err)
		}
		document, err := jsonschema.UnmarshalJSON(bytes.NewReader(asJSON))
		if err != nil {
			f.Fatal(err)
		}
		if err := compiled.Validate(document); (err == nil) != wanted {
			f.Errorf("with %q: %v", mistake, err)
		}
	}
}
