package e2e

import (
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"sigs.k8s.io/yaml"
)

// pipeline is as much of GitLab's as the example uses.
type pipeline struct {
	Workflow  struct{ Rules []gitlabRule }
	Variables map[string]string
	Default   struct {
		Image, Timeout string
		Before         []any `json:"before_script"`
		After          []any `json:"after_script"`
	}
	Login                 []any `json:".login"`
	Validate, Plan, Apply gitlabJob
}

type gitlabJob struct {
	Rules       []gitlabRule
	Needs       []string
	Environment string
	Resource    string                          `json:"resource_group"`
	IDTokens    map[string]struct{ Aud string } `json:"id_tokens"`
	Variables   map[string]string
	Script      []any
	Artifacts   struct {
		Paths    []string
		ExposeAs string `json:"expose_as"`
		When     string
		Access   string
		Expire   string `json:"expire_in"`
	}
}

type gitlabRule struct{ If, When string }

const gitlabExample = "gitlab-ci/.gitlab-ci.yml"

func (f *fixture) pipeline(text string) (p pipeline) {
	f.Helper()
	if err := yaml.UnmarshalStrict([]byte(text), &p); err != nil {
		f.Fatal(err)
	}
	return p
}

// gitlab runs the pipeline as GitLab does.
type gitlab struct{ *runner }

func (g *gitlab) run(e event) ciRun {
	g.Helper()
	text := g.example(gitlabExample)
	if e.edit != nil {
		text = e.edit(text)
	}
	p, run := g.pipeline(text), ciRun{jobs: map[string]jobRun{}}
	variables := map[string]string{"CI_PROJECT_ID": "123456", "CI_API_V4_URL": g.forge.URL + "/api/v4", "CI_COMMIT_SHA": g.head(e.branch)}
	switch {
	case e.push:
		maps.Copy(variables, map[string]string{"CI_PIPELINE_SOURCE": "push", "CI_COMMIT_BRANCH": e.branch, "COMMENT_TOKEN": g.forge.token})
	case e.fork: // it runs there
		maps.Copy(variables, map[string]string{"CI_PIPELINE_SOURCE": "merge_request_event", "CI_MERGE_REQUEST_IID": "7", "CI_PROJECT_ID": "654321",
			"CI_MERGE_REQUEST_PROJECT_ID": "123456", "CI_MERGE_REQUEST_SOURCE_PROJECT_ID": "654321"})
	default:
		maps.Copy(variables, map[string]string{"CI_PIPELINE_SOURCE": "merge_request_event", "CI_MERGE_REQUEST_IID": "7", "COMMENT_TOKEN": g.forge.token,
			"CI_MERGE_REQUEST_PROJECT_ID": "123456", "CI_MERGE_REQUEST_SOURCE_PROJECT_ID": "123456"})
	}
	value := func(name string) string { return variables[strings.TrimPrefix(name, "$")] }
	applies := func(rules []gitlabRule) (rule gitlabRule, ok bool) {
		for _, rule := range rules {
			if condition(rule.If, value) {
				return rule, true
			}
		}
		return gitlabRule{}, false
	}
	if _, ok := applies(p.Workflow.Rules); !ok {
		g.Fatalf("there is no pipeline for %+v", e)
	}
	artifacts := map[string][]byte{}
	for _, named := range []struct {
		name string
		job  gitlabJob
	}{{"validate", p.Validate}, {"plan", p.Plan}, {"apply", p.Apply}} { // each after what it needs
		rule, ok := applies(named.job.Rules)
		if !ok {
			continue
		}
		if rule.When == "manual" {
			run.approve = func() jobRun { return g.job(p, named.job, e, variables, artifacts, manual) }
			continue
		}
		run.jobs[named.name] = g.job(p, named.job, e, variables, artifacts, nil)
	}
	return run
}

// manual are variables of the person who starts a job. They would have it run another program, and log in elsewhere.
var manual = map[string]string{
	"RELEASE": "https://127.0.0.1:1/certsync.tar.gz", "SHA256": strings.Repeat("1", 64), "VAULT_ADDR": "https://127.0.0.1:1",
}

func (g *gitlab) job(p pipeline, job gitlabJob, e event, predefined map[string]string, artifacts map[string][]byte, manual map[string]string) jobRun {
	g.Helper()
	dir := g.checkOut(predefined["CI_COMMIT_SHA"])
	defer g.tidy(dir)
	predefined = maps.Clone(predefined)
	predefined["CI_JOB_ID"] = strconv.Itoa(g.runs)
	var env []string
	for name, value := range predefined {
		env = append(env, name+"="+value)
	}
	for _, some := range []map[string]string{p.Variables, job.Variables, manual} { // the last wins
		for name, value := range some {
			env = append(env, name+"="+os.Expand(value, func(name string) string { return predefined[name] }))
		}
	}
	g.forge.work(g.claims(e, job.Environment))
	for name, token := range job.IDTokens {
		env = append(env, name+"="+g.forge.jwt(token.Aud, nil))
	}
	if len(job.Needs) > 0 {
		for path, content := range artifacts {
			if err := os.WriteFile(filepath.Join(dir, "work", path), content, 0o600); err != nil {
				g.Fatal(err)
			}
		}
	}
	// One shell for these two, as GitLab's runner has it, and another one at the end.
	code, log := g.shell(dir, env, "bash", "-c", "set -eo pipefail\n"+script(p.Default.Before)+script(job.Script))
	_, after := g.shell(dir, env, "bash", "-c", "set -eo pipefail\n"+script(p.Default.After))
	for _, path := range job.Artifacts.Paths {
		content, err := os.ReadFile(filepath.Join(dir, "work", path))
		if err != nil && code == 0 && path == "plan.txt" { // without anything to apply there is no review
			g.Fatal(err)
		}
		artifacts[path] = content
	}
	return jobRun{code: code, log: log + after, outputs: map[string]string{"summary": string(artifacts["plan.txt"]), "review": string(artifacts["review.html"])}}
}

// script is the lines of one, in which there may be lists of lines.
func script(lines []any) (text string) {
	for _, line := range lines {
		switch line := line.(type) {
		case []any:
			text += script(line)
		case string:
			text += line + "\n"
		}
	}
	return text
}

// claims are those that GitLab makes JWTs with.
func (g *gitlab) claims(e event, environment string) map[string]any {
	claims := map[string]any{
		"project_id": "123456", "project_path": "acme/access", "user_login": "alice",
		"pipeline_source": "merge_request_event", "ref": e.branch, "ref_type": "branch", "ref_path": "refs/merge-requests/7/head", "ref_protected": "false",
		"sub": "project_path:acme/access:ref_type:branch:ref:" + e.branch,
	}
	if e.push {
		claims["pipeline_source"], claims["ref_path"], claims["ref_protected"] = "push", "refs/heads/"+e.branch, "true"
	}
	if e.fork {
		claims["project_id"], claims["project_path"] = "654321", "mallory/access"
	}
	if environment != "" {
		claims["environment"] = environment
	}
	return claims
}
