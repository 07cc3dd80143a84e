package e2e

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/review"
)

// company is an inventory of 12 teams of 25, with one namespace a team. Of each team, the first is its admin.
func (f *fixture) company(without string) string {
	var b strings.Builder
	b.WriteString("groups:\n")
	for i := range 12 {
		fmt.Fprintf(&b, "  - {name: team%02d-%s, clusterRoles: [view], namespaces: {team%02d-%s: [edit]}}\n", i, f.owner, i, f.owner)
	}
	b.WriteString("users:\n")
	for i := range 300 {
		name := fmt.Sprintf("person%03d@%s", i, f.owner)
		if name == without {
			continue
		}
		own := ""
		if i%25 == 0 {
			own = fmt.Sprintf(", namespaces: {team%02d-%s: [admin]}", i/25, f.owner)
		}
		if i == 1 {
			own = ", clusterRoles: [cluster-admin]"
		}
		fmt.Fprintf(&b, "  - {name: %s, groups: [team%02d-%s]%s}\n", name, i/25, f.owner, own)
	}
	return b.String()
}

// review runs certsync review.
func (f *fixture) review(args ...string) review.Review {
	f.Helper()
	r, err := review.Parse([]byte(f.must(0, append([]string{"review", "-o", "json"}, args...)...).stdout))
	if err != nil {
		f.Fatal(err)
	}
	return r
}

func (f *fixture) personOf(r review.Review, name string) review.Person {
	f.Helper()
	i := slices.IndexFunc(r.People, func(p review.Person) bool { return p.Name == name })
	if i < 0 {
		f.Fatalf("%s is not in the review", name)
	}
	return r.People[i]
}

// TestReview: an auditor with the review alone can tell who is as good as cluster-admin and why, who left and what remains, what
// nobody used, and what nobody approved. 300 people in 12 teams, on real servers.
func TestReview(t *testing.T) {
	t.Parallel()
	f := newFixture(t, shared)
	o := f.owner
	for i := range 12 {
		f.namespace(fmt.Sprintf("team%02d", i))
	}
	f.write(f.company(""))
	f.env = append(f.env, "CI_COMMIT_SHA=1111111111111111111111111111111111111111")
	from := f.size(f.servers.KubeAuditLog)
	f.must(0, "apply", "--yes")
	earlier := filepath.Join(f.dir, "earlier.json")
	if err := os.WriteFile(earlier, []byte(f.must(0, "review", "-o", "json").stdout), 0o600); err != nil {
		t.Fatal(err)
	}

	// The team's admin gives a leaver access by a binding of their own, and somebody binds cluster-admin by hand.
	leaver, admin, root := "person003@"+o, "person000@"+o, "person001@"+o
	team := "team00-" + o
	stolen, theirs := f.userKubeconfig(leaver), f.fingerprint(leaver)
	f.allowed(stolen, "get", "pods", "-n", team)
	if _, err := f.tryKubectl(f.userKubeconfig(admin), "-n", team, "create", "rolebinding", "by-hand-"+o, "--clusterrole=edit", "--user="+leaver); err != nil {
		t.Fatal(err)
	}
	f.env[len(f.env)-1] = "CI_COMMIT_SHA=2222222222222222222222222222222222222222"
	f.write(f.company(leaver))
	f.must(0, "apply", "--yes")
	f.kubectl("create", "clusterrolebinding", "root-"+o, "--clusterrole=cluster-admin", "--user=root@"+o)
	t.Cleanup(func() { f.kubectl("delete", "clusterrolebinding", "root-"+o) })
	f.allowed(stolen, "create", "configmap", "still-here", "-n", team)
	f.kubeRequests(from) // waits until the log has all requests

	r := f.review("--since", earlier, "--audit-log", f.servers.KubeAuditLog)
	if !r.Population.Agrees() || !r.Applied {
		t.Errorf("applied: %t; %+v", r.Applied, r.Population)
	}
	// Who is as good as cluster-admin, and why?
	var powerful []string
	for _, p := range r.People {
		if len(p.Power) > 0 {
			powerful = append(powerful, p.Name+": "+p.Power[0])
		}
	}
	if diff := cmp.Diff([]string{root + ": may do everything"}, powerful); diff != "" {
		t.Error(diff)
	}
	if i := slices.IndexFunc(r.Others, func(other review.Other) bool { return other.Name == "root@"+o }); i < 0 || len(r.Others[i].Power) == 0 {
		t.Error("the user with cluster-admin by hand is not in the review")
	}
	// Who left, by which run and commit, and what can they still do?
	gone := f.personOf(r, leaver)
	if gone.Left == nil || gone.Left.Reason != reconcile.NotInInventory || !strings.HasPrefix(gone.Left.Revision, "2222") || gone.Left.Run == "" {
		t.Errorf("%+v", gone.Left)
	}
	if residual := gone.Residual(); len(residual) != 1 || residual[0].Binding != "RoleBinding "+team+"/by-hand-"+o {
		t.Errorf("%+v", residual)
	}
	if diff := cmp.Diff([]string{leaver}, r.Changes.Left); diff != "" {
		t.Error(diff)
	}
	// Who used what? The stolen certificate was used after it was revoked, and the admin made one binding.
	if i := slices.IndexFunc(r.Use.Unexpected, func(u review.CertificateUse) bool { return u.SHA256 == theirs }); i < 0 || r.Use.Unexpected[i].Standing != review.IsRevoked || r.Use.Unexpected[i].Requests < 2 {
		t.Errorf("the certificate that was used after its revocation is not told: %+v", r.Use.Unexpected)
	}
	for _, a := range f.personOf(r, admin).Access {
		if (a.UnusedSince != nil) == (a.Role == "admin") {
			t.Errorf("%s: %+v", admin, a)
		}
	}
	for _, a := range f.personOf(r, root).Access {
		if a.UnusedSince == nil {
			t.Errorf("%s used nothing: %+v", root, a)
		}
	}
	// Did anything change that nobody approved?
	var unapproved []string
	for _, c := range r.Changes.Gained {
		if c.By == review.NotCertsync && strings.Contains(c.Name, o) {
			unapproved = append(unapproved, c.Kind+" "+c.Name+" "+c.Access.Role)
		}
	}
	if diff := cmp.Diff([]string{"User root@" + o + " cluster-admin", "Person " + leaver + " edit"}, unapproved); diff != "" {
		t.Error(diff)
	}
	for _, c := range r.Changes.Lost {
		if c.Name == leaver && (c.By != review.ByCertsync || !strings.HasPrefix(c.Revision, "2222")) {
			t.Errorf("%+v", c)
		}
	}
	f.reviewForms(r, leaver)
}

// reviewForms: the page and the table say the same as the data, and nothing else than the time differs from one review to the next.
func (f *fixture) reviewForms(r review.Review, leaver string) {
	f.Helper()
	page := f.must(0, "review").stdout
	for _, want := range []string{"Access review of " + f.owner, "by-hand-" + f.owner, "root@" + f.owner, leaver, "222222222222"} {
		if !strings.Contains(page, want) {
			f.Errorf("the page lacks %s", want)
		}
	}
	rows, err := csv.NewReader(strings.NewReader(f.must(0, "review", "-o", "csv").stdout)).ReadAll()
	if err != nil || len(rows) < 600 {
		f.Errorf("%d rows, %v", len(rows), err)
	}
	if dir := os.Getenv("CERTSYNC_PAGES"); dir != "" {
		if err := os.WriteFile(filepath.Join(dir, "auditor.html"), []byte(page), 0o600); err != nil {
			f.Fatal(err)
		}
	}
	if again := f.review(); again.At.Equal(r.At) || time.Since(again.At) > commandTimeout {
		f.Errorf("observed at %s", again.At)
	}
	if r := f.certsync("review", "--since", filepath.Join(f.dir, "users.yaml")); r.code != 1 || !strings.Contains(r.stderr, "hint: set --since to the output of certsync review -o json") {
		f.Errorf("exit %d: %s", r.code, r.stderr)
	}
	if _, err := json.Marshal(r); err != nil {
		f.Fatal(err)
	}
}
