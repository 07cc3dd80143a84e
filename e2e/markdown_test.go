package e2e

import (
	"regexp"
	"strings"
	"testing"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	tables "github.com/yuin/goldmark/extension/ast"
	"github.com/yuin/goldmark/text"
)

// TestMarkdown: a plan as a comment says first what the real cluster makes of it (a Group that is bound already, a role
// that is as good as cluster-admin by its rules, who goes), and its digest is the one that apply takes.
func TestMarkdown(t *testing.T) {
	t.Parallel()
	f := newFixture(t, shared)
	f.namespace("staging")
	f.write("groups: [{name: devs-OWNER, namespaces: {staging-OWNER: [edit]}}]\nusers:\n  - {name: alice@OWNER}\n  - {name: bob@OWNER, groups: [devs-OWNER]}\n")
	f.must(0, "apply", "--yes")
	f.kubectl("create", "clusterrolebinding", "old-"+f.owner, "--clusterrole=view", "--group=ops-"+f.owner)
	f.apply(`{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: signing-OWNER}, rules: [` +
		`{apiGroups: [certificates.k8s.io], resources: [signers], resourceNames: [kubernetes.io/kube-apiserver-client], verbs: [approve]}]}`)
	f.write("groups: [{name: devs-OWNER, namespaces: {staging-OWNER: [edit]}}, {name: ops-OWNER, clusterRoles: [signing-OWNER, view]}]\nusers:\n" +
		"  - {name: alice@OWNER, clusterRoles: [cluster-admin]}\n  - {name: carol@OWNER, groups: [ops-OWNER]}\n")

	r := f.must(2, "plan", "-o", "markdown", "--detailed-exitcode")
	source := []byte(r.stdout)
	doc := goldmark.New(goldmark.WithExtensions(extension.GFM)).Parser().Parse(text.NewReader(source))
	kinds := map[ast.NodeKind]int{}
	if err := ast.Walk(doc, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if entering {
			kinds[n.Kind()]++
		}
		return ast.WalkContinue, nil
	}); err != nil {
		t.Fatal(err)
	}
	for _, kind := range []ast.NodeKind{ast.KindLink, ast.KindAutoLink, ast.KindImage, ast.KindRawHTML} {
		if kinds[kind] > 0 {
			t.Errorf("%d of %s: %s", kinds[kind], kind, r.stdout)
		}
	}
	// alice, bob, carol and the groups: devs, ops with one role that is like the rest and one that is not.
	if kinds[tables.KindTable] != 1 || kinds[tables.KindTableRow] != 6 || kinds[ast.KindFencedCodeBlock] != 1 {
		t.Errorf("%v: %s", kinds, r.stdout)
	}
	for _, want := range []string{
		"<!-- certsync plan: OWNER -->\n**certsync plan for `OWNER`**: 1 to issue, ",
		"- **Existing access**: `ops-OWNER`: `ClusterRoleBinding old-OWNER` gives Group `\"ops-OWNER\"` ClusterRole `\"view\"` cluster-wide",
		"- **As good as cluster-admin**: `alice@OWNER`: bind `cluster-admin` cluster-wide (may do everything)",
		"- **As good as cluster-admin**: group `ops-OWNER`, for 1 member: bind `signing-OWNER` cluster-wide (may have a certificate issued for any name)",
		"- **Removed**: `bob@OWNER`",
		"| `carol@OWNER` | issue certificate for 168h in `ops-OWNER` | new-user |",
	} {
		if want = strings.ReplaceAll(want, "OWNER", f.owner); !strings.Contains(r.stdout, want) {
			t.Errorf("does not say %q: %s", want, r.stdout)
		}
	}
	if strings.Contains(r.stdout, "cluster-admin**: group `ops-"+f.owner+"`, for 1 member: bind `view`") {
		t.Error("view is not as good as cluster-admin")
	}
	expect := regexp.MustCompile(`certsync apply --expect (sha256:[0-9a-f]{64})\n`).FindStringSubmatch(r.stdout)
	if expect == nil {
		t.Fatal(r.stdout)
	}
	f.must(0, "apply", "--expect", expect[1])
	if again := f.must(0, "plan", "-o", "markdown"); strings.Contains(again.stdout, "--expect") || !strings.Contains(again.stdout, "nothing to do; 2 users unchanged") {
		t.Error(again.stdout)
	}
}
