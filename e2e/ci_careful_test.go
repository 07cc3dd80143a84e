package e2e

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func ciFile(t testing.TB, path string) string {
	t.Helper()
	text, err := os.ReadFile("../examples/" + path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestWorkflowIsCareful: what GitHub gives to which job, and what of an event gets into a shell.
func TestWorkflowIsCareful(t *testing.T) {
	text := ciFile(t, githubExample)
	w := (&fixture{TB: t}).workflow(text)
	if _, pulls := w.On["pull_request"]; len(w.On) != 2 || !pulls {
		// pull_request_target gives a fork's pull request the repository's secrets.
		t.Errorf("it runs on %v", w.On)
	}
	if diff := cmp.Diff(map[string]any{"branches": []any{"main"}}, w.On["push"]); diff != "" {
		t.Errorf("pushes: %s", diff)
	}
	want := map[string]map[string]string{
		"validate": {"contents": "read"},
		"plan":     {"contents": "read", "id-token": "write", "pull-requests": "write"},
		"apply":    {"contents": "read", "id-token": "write"},
	}
	got := map[string]map[string]string{}
	for name, job := range w.Jobs {
		got[name] = job.Permissions
		if job.Minutes == 0 {
			t.Errorf("%s may run for ever", name)
		}
		for _, step := range job.Steps {
			careful(t, name, step)
		}
		if uses := job.Steps[len(job.Steps)-1].Uses; len(job.Steps) != 2 || uses != localAction {
			t.Errorf("%s does not end with the action: %s", name, uses)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" || w.Permissions == nil || len(w.Permissions) > 0 {
		t.Errorf("permissions by default %v, and of jobs: %s", w.Permissions, diff)
	}
	if apply := w.Jobs["apply"]; apply.Environment == "" || apply.Concurrency.Group == "" || apply.Concurrency.Cancel || apply.Needs != "plan" {
		t.Errorf("apply: %+v", apply)
	}
	if strings.Contains(text, "secrets.") {
		t.Error("it uses a stored secret")
	}
}

// TestActionIsCareful: the action's scripts get all inputs in variables, and the kubeconfig is fetched twice by the same script.
func TestActionIsCareful(t *testing.T) {
	text := ciFile(t, githubActionExample)
	a := (&fixture{TB: t}).action(text)
	var fetches []string
	for _, step := range a.Runs.Steps {
		careful(t, "action.yml", step)
		if (step.Run == "") != (step.Shell == "") || step.Run == "" && step.Uses == "" {
			t.Errorf("%s: %+v", step.Name, step)
		}
		if strings.Contains(step.Run, "certsync kubeconfig") {
			script, _, _ := strings.Cut(step.Run, `echo "CERTSYNC_`)
			fetches = append(fetches, script)
		}
	}
	if len(fetches) != 2 || fetches[0] != fetches[1] || strings.Contains(text, "secrets.") || a.Runs.Using != "composite" {
		t.Errorf("%s action, fetches: %q", a.Runs.Using, fetches)
	}
	if last := a.Runs.Steps[len(a.Runs.Steps)-1]; last.If != "always()" || !strings.Contains(last.Run, "rm -f") {
		t.Errorf("the credentials stay: %+v", last)
	}
}

var (
	pinned = regexp.MustCompile(`^[a-z-]+/[a-z-]+@[0-9a-f]{40}$`)
	// What of an event may stand in a variable: nothing that its author writes.
	harmless = regexp.MustCompile(`\$\{\{ (github\.token|github\.repository|github\.event\.pull_request\.number|needs\.plan\.outputs\.digest|inputs\.[a-z0-9]+) \}\}`)
)

func careful(t *testing.T, job string, step githubStep) {
	t.Helper()
	checkout := strings.HasPrefix(step.Uses, "actions/checkout@")
	if step.Uses != "" && step.Uses != localAction && (!pinned.MatchString(step.Uses) || checkout && step.With["persist-credentials"] != false) {
		t.Errorf("%s: %s may change, or leave its token", job, step.Uses)
	}
	if strings.Contains(step.Run, "${{") {
		t.Errorf("%s: GitHub writes into the script of %q", job, step.Name)
	}
	for name, value := range step.Env {
		if strings.Contains(harmless.ReplaceAllString(value, ""), "${{") {
			t.Errorf("%s: %s is %s", job, name, value)
		}
	}
}

// TestPipelineIsCareful: what GitLab gives to which job.
func TestPipelineIsCareful(t *testing.T) {
	p := (&fixture{TB: t}).pipeline(ciFile(t, gitlabExample))
	if len(p.Validate.IDTokens) > 0 || len(p.Plan.IDTokens) != 1 || len(p.Apply.IDTokens) != 1 {
		t.Error("not exactly plan and apply get a JWT")
	}
	if strings.Contains(script(p.Validate.Script)+script(p.Default.Before), "TOKEN") {
		t.Error("validate uses a token")
	}
	if p.Apply.Environment == "" || p.Apply.Resource == "" || len(p.Apply.Rules) != 1 || p.Apply.Rules[0].When != "manual" || p.Default.Timeout == "" {
		t.Errorf("apply: %+v", p.Apply)
	}
	if diff := cmp.Diff([]string{"plan"}, p.Apply.Needs); diff != "" {
		t.Error(diff)
	}
}

// TestConditions: what the jobs' conditions are read with tells true from false.
func TestConditions(t *testing.T) {
	for text, want := range map[string]bool{
		"a == 'x'": true, "a == 'y'": false, "a != 'x'": false, "none == ''": true, "none != ''": false, "a == b": true,
		`a == "x" && b == "y"`: false, "a == 'y' || b == 'x'": true, "a == 'x' && none != '' || b == 'y'": false,
	} {
		value := func(name string) string { return map[string]string{"a": "x", "b": "x"}[name] }
		if got := condition(text, value); got != want {
			t.Errorf("%s is %t", text, got)
		}
	}
}
