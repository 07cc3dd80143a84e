package e2e

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// ciExample is one of the two, with what differs between them.
type ciExample struct {
	*runner
	mount  string // of Vault's auth method
	run    func(e event) ciRun
	claims func(e event, environment string) map[string]any
	indent string // of a job's settings
	rerun  string // what apply says to do when the world has changed
}

func TestGitHubActions(t *testing.T) {
	t.Parallel()
	f := newFixture(t, shared)
	r := f.newRunner(f.newForge("github-actions[bot]"))
	g := &github{r}
	ciExample{runner: r, mount: "github", run: g.run, claims: g.claims, indent: "    ", rerun: "re-run all jobs"}.test("github-actions/setup.sh", map[string]map[string]any{
		"a branch":                       {"ref": "refs/heads/feature"},
		"a pull request":                 {"event_name": "pull_request", "ref": "refs/pull/7/merge"},
		"a pull request's target":        {"event_name": "pull_request_target"},
		"main, which nobody approved":    {"environment": nil},
		"another environment":            {"environment": "staging"},
		"a fork":                         {"repository": "mallory/access", "repository_id": "987654321"},
		"another repository of the name": {"repository_id": "987654321"},
		"a JWT for somebody else":        {"aud": "https://vault.example.org"},
	})
}

func TestGitLabCI(t *testing.T) {
	t.Parallel()
	f := newFixture(t, shared)
	r := f.newRunner(f.newForge("project_123456_bot"))
	g := &gitlab{r}
	ciExample{runner: r, mount: "gitlab", run: g.run, claims: g.claims, indent: "  ", rerun: "retry job plan"}.test("gitlab-ci/setup.sh", map[string]map[string]any{
		"a branch":                       {"ref": "feature", "ref_path": "refs/heads/feature"},
		"a merge request":                {"pipeline_source": "merge_request_event", "ref_path": "refs/merge-requests/7/head"},
		"a branch called main of a fork": {"ref_path": "refs/merge-requests/7/head"},
		"a schedule":                     {"pipeline_source": "schedule"},
		"main, unprotected":              {"ref_protected": "false"},
		"another job of main":            {"environment": nil},
		"a fork":                         {"project_id": "654321", "project_path": "mallory/access"},
		"a JWT for somebody else":        {"aud": "https://vault.example.org"},
	})
}

// ciTeam is an inventory in which these people are developers.
func ciTeam(more string, people ...string) string {
	text := "cluster: CLUSTER\ngroups: [{name: devs-OWNER, clusterRoles: [view]}]\nusers:\n  - {name: ci-plan@OWNER}\n  - {name: ci-apply@OWNER}\n"
	for _, name := range people {
		text += "  - {name: " + name + "@OWNER, groups: [devs-OWNER]}\n"
	}
	return text + more
}

// ciKeys gives everybody a new certificate, also whoever applies.
const ciKeys = "defaults: {keyAlgorithm: ECDSA-P384}\n"

// test goes from an administrator's first apply to merges, and through what must not happen on the way. denied are claims
// with which nobody may apply.
func (c ciExample) test(setup string, denied map[string]map[string]any) {
	c.Helper()
	c.commit("main", ciTeam("", "alice"))
	c.deploy()
	c.setUp(setup)
	c.must(0, "apply", "--yes")

	c.forks()
	c.pullRequests()
	c.hostile(denied)
	c.merge()
	c.changedWorld()
	c.lateApproval()
	c.noTokens(c.mount)
}

// ran checks which jobs an event has run, and how they ended.
func (c ciExample) ran(e event, want map[string]int) ciRun {
	c.Helper()
	run, got := c.run(e), map[string]int{}
	for name, job := range run.jobs {
		got[name] = job.code
	}
	if diff := cmp.Diff(want, got); diff != "" {
		c.Fatalf("%+v: jobs (-want +got): %s\n%v", e, diff, run.jobs)
	}
	return run
}

// approve lets apply begin.
func (c ciExample) approve(run ciRun) jobRun {
	c.Helper()
	if run.approve == nil {
		c.Fatalf("there is nothing to approve: %v", run.jobs)
	}
	return run.approve()
}

// forks: their requests are validated, and get nothing.
func (c ciExample) forks() {
	c.Helper()
	c.commit("fork", ciTeam("", "alice", "bob"))
	run := c.ran(event{branch: "fork", fork: true}, map[string]int{"validate": 0})
	if log := run.jobs["validate"].log; !strings.Contains(log, "owner "+c.owner+", 4 users") {
		c.Errorf("validate: %s", log)
	}
	c.commit("fork", ciTeam("  - {name: bob@OWNER, groups: [devs]}\n", "alice"))
	run = c.ran(event{branch: "fork", fork: true}, map[string]int{"validate": 1})
	if log := run.jobs["validate"].log; !strings.Contains(log, `users[3].groups[0]: group "devs" is not declared`) {
		c.Errorf("validate: %s", log)
	}
	if c.forge.issued > 0 || len(c.forge.ours()) > 0 {
		c.Errorf("a fork got %d JWTs and %d comments", c.forge.issued, len(c.forge.ours()))
	}
}

// pullRequests: each gets one comment, which is kept up to date, and nothing is done.
func (c ciExample) pullRequests() {
	c.Helper()
	c.commit("change", ciTeam("", "alice", "eve"))
	c.ran(event{branch: "change"}, map[string]int{"validate": 0, "plan": 0})
	c.commit("change", ciTeam(ciKeys, "alice", "bob"))
	run := c.ran(event{branch: "change"}, map[string]int{"validate": 0, "plan": 0})
	if run.approve != nil {
		c.Error("a pull request can be applied")
	}
	comments := c.forge.ours()
	if len(comments) != 1 || !strings.HasPrefix(comments[0], c.marker()+"\n") {
		c.Fatalf("comments: %q", comments)
	}
	for text, want := range map[string]bool{"bob@" + c.owner: true, c.plan().Digest: true, "eve@" + c.owner: false} {
		if strings.Contains(comments[0], text) != want {
			c.Errorf("it is not %t that the comment says %q: %s", want, text, comments[0])
		}
	}
	if c.kv("users/bob@"+c.owner) != nil {
		c.Error("a pull request was applied")
	}
}

// hostile: what a branch makes of the CI's file, and JWTs of all but main, do not get the right to apply.
func (c ciExample) hostile(denied map[string]map[string]any) {
	c.Helper()
	run := c.ran(event{branch: "change", edit: func(file string) string {
		return strings.NewReplacer("ROLE: certsync-"+c.owner+"-plan", "ROLE: certsync-"+c.owner,
			"USER: ci-plan@"+c.owner, "USER: ci-apply@"+c.owner+"\n"+c.indent+"environment: "+c.owner).Replace(file)
	}}, map[string]int{"validate": 0, "plan": 1})
	if log := run.jobs["plan"].log; !strings.Contains(log, "does not match any associated bound claim") {
		c.Errorf("another reason than the role's: %s", log)
	}
	c.forge.work(c.claims(event{push: true, branch: "main"}, c.owner))
	denied = maps.Clone(denied)
	denied["main, approved"] = nil
	for whose, claims := range denied {
		path, jwt := "auth/"+c.mount+"/login", c.forge.jwt(c.servers.VaultAddr, claims)
		login, err := c.vault.Logical().WriteWithContext(c.Context(), path, map[string]any{"role": "certsync-" + c.owner, "jwt": jwt})
		if (err == nil) != (claims == nil) {
			c.Errorf("%s: logging in to apply: %v", whose, err)
		}
		if err != nil {
			continue
		}
		if diff := cmp.Diff([]string{"certsync-" + c.owner, "certsync-" + c.owner + ".ci-apply"}, sorted(login.Auth.Policies)); diff != "" {
			c.Errorf("apply's policies: %s", diff)
		}
		if err := c.vault.Auth().Token().RevokeAccessor(login.Auth.Accessor); err != nil {
			c.Error(err)
		}
	}
}

// merge: main shows its plan, and does nothing before somebody approves; then it does that.
func (c ciExample) merge() {
	c.Helper()
	c.commit("main", ciTeam(ciKeys, "alice", "bob"))
	run := c.ran(event{push: true, branch: "main"}, map[string]int{"plan": 0})
	if digest := c.plan().Digest; !strings.Contains(run.jobs["plan"].outputs["summary"], digest) {
		c.Errorf("who approves does not see %s: %s", digest, run.jobs["plan"].outputs["summary"])
	}
	if c.kv("users/bob@"+c.owner) != nil {
		c.Error("applied without approval")
	}
	before := c.kv("users/ci-apply@" + c.owner)["tls.crt"]
	kube := c.size(c.servers.KubeAuditLog)
	apply := c.approve(run)
	if apply.code != 0 {
		c.Fatalf("apply: exit %d\n%s", apply.code, apply.log)
	}
	if !strings.Contains(apply.outputs["review"], "Access review of "+c.owner) || !strings.Contains(apply.outputs["review"], "bob@"+c.owner) {
		c.Errorf("the access review is not kept: %.200s", apply.outputs["review"])
	}
	if c.kv("users/bob@"+c.owner) == nil || c.plan().Changes {
		c.Errorf("after apply: %q", c.plan().steps())
	}
	if c.kv("users/ci-apply@" + c.owner)["tls.crt"] == before {
		c.Error("who applies has the old certificate")
	}
	if len(c.kubeRequestsOf("ci-apply@"+c.owner, kube)) == 0 {
		c.Error("it was somebody else who applied")
	}
}

// changedWorld: what was approved is applied to the world that it was approved for, or not at all.
func (c ciExample) changedWorld() {
	c.Helper()
	c.commit("main", ciTeam(ciKeys, "alice", "bob", "carol"))
	main := event{push: true, branch: "main"}
	run := c.ran(main, map[string]int{"plan": 0})
	c.kubectl("delete", "clusterrolebinding", c.view())
	kube, vault := c.size(c.servers.KubeAuditLog), c.size(c.servers.VaultAuditLog)
	apply := c.approve(run)
	if apply.code != 3 || !strings.Contains(apply.log, c.rerun) {
		c.Errorf("apply: exit %d\n%s", apply.code, apply.log)
	}
	for _, r := range c.kubeRequestsOf("ci-apply@"+c.owner, kube) {
		if !slices.Contains([]string{"get", "list", "watch"}, r.Verb) && !r.isReview() && !r.tells() {
			c.Errorf("sent %s %s", r.Verb, r.RequestURI)
		}
	}
	asked := 0
	for _, r := range c.vaultRequestsOf(c.mount, vault) {
		if op := r.Request.Operation; op == "read" || op == "list" {
			asked++
		} else if strings.Contains(r.Request.Path, "/certsync/") {
			c.Errorf("sent %s %s", op, r.Request.Path)
		}
	}
	if asked == 0 {
		c.Error("apply has asked nothing of Vault")
	}
	if again := c.approve(c.ran(main, map[string]int{"plan": 0})); again.code != 0 || c.plan().Changes {
		c.Errorf("the second time: exit %d\n%s", again.code, again.log)
	}
}

// lateApproval: once main has moved on, nothing gives back what it has taken since, although that plan would still fit.
func (c ciExample) lateApproval() {
	c.Helper()
	main := event{push: true, branch: "main"}
	c.commit("main", ciTeam(ciKeys, "alice", "bob", "carol", "dan"))
	late := c.ran(main, map[string]int{"plan": 0})
	c.commit("main", ciTeam(ciKeys, "alice", "bob", "carol"))
	newest := c.ran(main, map[string]int{"plan": 0})
	if newest.approve != nil { // GitLab cannot know before
		if apply := newest.approve(); apply.code != 0 || !strings.Contains(apply.log, "nothing to do") {
			c.Errorf("apply where there is nothing to do: exit %d\n%s", apply.code, apply.log)
		}
	}
	if apply := c.approve(late); apply.code != 1 || !strings.Contains(apply.log, "main has newer commits") {
		c.Errorf("apply of an old commit: exit %d\n%s", apply.code, apply.log)
	}
	if c.kv("users/dan@"+c.owner) != nil {
		c.Error("an old commit was applied")
	}
}
