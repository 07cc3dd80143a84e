package e2e

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"
)

// workflow is as much of GitHub's as the example uses.
type workflow struct {
	Name        string
	On          map[string]any `json:"true"` // which is what YAML makes of on
	Permissions map[string]string
	Env         map[string]string
	Jobs        map[string]githubJob
}

type githubJob struct {
	If, Needs, Environment string
	RunsOn                 string `json:"runs-on"`
	Minutes                int    `json:"timeout-minutes"`
	Concurrency            struct {
		Group  string
		Cancel bool `json:"cancel-in-progress"`
	}
	Permissions, Env, Outputs map[string]string
	Steps                     []githubStep
}

type githubStep struct {
	ID, Name, If, Uses, Run, Shell string
	With                           map[string]any
	Env                            map[string]string
}

// action is as much of a composite action as the example uses.
type action struct {
	Name, Description string
	Inputs            map[string]struct {
		Description, Default string
		Required             bool
	}
	Outputs map[string]struct{ Description, Value string }
	Runs    struct {
		Using string
		Steps []githubStep
	}
}

const (
	githubExample       = "github-actions/certsync.yaml"
	githubActionExample = "github-actions/action.yml"
	// localAction is where users put the action, in their own repository.
	localAction = "./.github/actions/certsync"
)

func (f *fixture) action(text string) (a action) {
	f.Helper()
	if err := yaml.UnmarshalStrict([]byte(text), &a); err != nil {
		f.Fatal(err)
	}
	return a
}

func (f *fixture) workflow(text string) (w workflow) {
	f.Helper()
	if err := yaml.UnmarshalStrict([]byte(text), &w); err != nil {
		f.Fatal(err)
	}
	return w
}

// github runs the workflow as GitHub does.
type github struct{ *runner }

func (g *github) run(e event) ciRun {
	g.Helper()
	text := g.example(githubExample)
	if e.edit != nil {
		text = e.edit(text)
	}
	w, run := g.workflow(text), ciRun{jobs: map[string]jobRun{}}
	event := map[string]string{
		"github.event_name": "pull_request", "github.repository": "acme/access", "github.token": g.forge.token, "github.event.pull_request.number": "7",
		"github.event.pull_request.head.repo.full_name": "acme/access", "github.sha": g.head(e.branch),
	}
	if e.fork {
		event["github.event.pull_request.head.repo.full_name"] = "mallory/access"
	}
	if e.push {
		event["github.event_name"] = "push"
	}
	if _, ok := w.On[event["github.event_name"]]; !ok {
		g.Fatalf("the workflow is not for a %s", event["github.event_name"])
	}
	for _, name := range []string{"validate", "plan", "apply"} { // each after what it needs
		job, context := w.Jobs[name], maps.Clone(event)
		if job.Needs != "" {
			needed, ran := run.jobs[job.Needs]
			if !ran || needed.code != 0 {
				continue
			}
			for output, value := range needed.outputs {
				context["needs."+job.Needs+".outputs."+output] = value
			}
		}
		if !condition(job.If, func(name string) string { return context[name] }) {
			continue
		}
		start := func() jobRun { return g.job(w, job, e, context) }
		if name == "apply" && job.Environment == g.owner { // which has reviewers
			run.approve = start
			continue
		}
		run.jobs[name] = start()
	}
	return run
}

var expression = regexp.MustCompile(`\$\{\{ ([a-z0-9_.]+) \}\}`)

func (g *github) job(w workflow, job githubJob, e event, context map[string]string) (run jobRun) {
	g.Helper()
	dir := g.checkOut(context["github.sha"])
	defer g.tidy(dir)
	file := func(name string) string { return filepath.Join(dir, name) }
	env := []string{
		"GITHUB_ACTIONS=true", "GITHUB_REPOSITORY=acme/access", "GITHUB_SHA=" + context["github.sha"], "RUNNER_TEMP=" + file("temp"),
		"GITHUB_OUTPUT=" + file("output"), "GITHUB_STEP_SUMMARY=" + file("summary"), "GITHUB_ENV=" + file("env"), "GITHUB_PATH=" + file("path"),
	}
	if job.Permissions["id-token"] == "write" && !e.fork {
		env = append(env, "ACTIONS_ID_TOKEN_REQUEST_URL="+g.forge.URL+"/token?api-version=2.0", "ACTIONS_ID_TOKEN_REQUEST_TOKEN="+g.forge.requestToken)
	}
	g.forge.work(g.claims(e, job.Environment))
	for _, some := range []map[string]string{w.Env, job.Env} {
		for name, value := range some {
			env = append(env, name+"="+fill(value, context))
		}
	}
	for _, step := range job.Steps { // the first one is the checkout, which is done
		if step.Uses == localAction {
			g.use(&run, dir, env, step, context)
		}
	}
	run.outputs = map[string]string{"summary": strings.Join(g.lines(file("summary")), "\n"), "review": strings.Join(g.lines(file("temp/review/review.html")), "\n")}
	for name, value := range job.Outputs {
		run.outputs[name] = fill(value, context)
	}
	return run
}

// fill replaces the expressions in a text.
func fill(text string, context map[string]string) string {
	return expression.ReplaceAllStringFunc(text, func(found string) string { return context[expression.FindStringSubmatch(found)[1]] })
}

// use runs the steps of the action, and adds its outputs to the context.
func (g *github) use(run *jobRun, dir string, env []string, uses githubStep, context map[string]string) {
	g.Helper()
	a, inner := g.action(g.example(githubActionExample)), maps.Clone(context)
	for name, input := range a.Inputs {
		inner["inputs."+name] = input.Default
		if given, ok := uses.With[name].(string); ok {
			inner["inputs."+name] = fill(given, context)
		}
	}
	for name := range uses.With {
		if _, ok := a.Inputs[name]; !ok {
			g.Fatalf("the action has no input %q", name)
		}
	}
	for _, step := range a.Runs.Steps {
		when, always := strings.CutPrefix(step.If, "always()")
		when = strings.TrimPrefix(when, " && ")
		if step.Uses != "" || run.code != 0 && !always || when != "" && !condition(when, func(name string) string { return inner[name] }) {
			continue // the artifact is read where it is
		}
		g.step(run, dir, env, step, inner)
	}
	for name, output := range a.Outputs {
		context["steps."+uses.ID+".outputs."+name] = fill(output.Value, inner)
	}
}

func (g *github) step(run *jobRun, dir string, env []string, step githubStep, context map[string]string) {
	g.Helper()
	file := func(name string) string { return filepath.Join(dir, name) }
	own := append(slices.Clone(env), g.lines(file("env"))...)
	for name, value := range step.Env {
		own = append(own, name+"="+fill(value, context))
	}
	own = append(own, "PATH="+strings.Join(append(g.lines(file("path")), g.bin, os.Getenv("PATH")), ":"))
	script := file("temp/script.sh")
	if err := os.WriteFile(script, []byte(step.Run), 0o600); err != nil {
		g.Fatal(err)
	}
	code, log := g.shell(dir, own, strings.Fields(strings.ReplaceAll(step.Shell, "{0}", script))...)
	run.log += log
	run.code = max(run.code, code)
	for _, line := range g.lines(file("output")) {
		name, value, _ := strings.Cut(line, "=")
		context["steps."+step.ID+".outputs."+name] = value
	}
}

// claims are those that GitHub makes JWTs with.
func (g *github) claims(e event, environment string) map[string]any {
	claims := map[string]any{
		"repository": "acme/access", "repository_id": "123456789", "actor": "alice",
		"event_name": "pull_request", "ref": "refs/pull/7/merge", "sub": "repo:acme/access:pull_request",
	}
	if e.push {
		claims["event_name"], claims["ref"], claims["sub"] = "push", "refs/heads/"+e.branch, "repo:acme/access:ref:refs/heads/"+e.branch
	}
	if environment != "" {
		claims["environment"], claims["sub"] = environment, "repo:acme/access:environment:"+environment
	}
	return claims
}

// lines are those of a file, if it is there.
func (r *runner) lines(path string) []string {
	r.Helper()
	text, err := os.ReadFile(path)
	if err != nil && !os.IsNotExist(err) {
		r.Fatal(err)
	}
	if len(text) == 0 {
		return nil
	}
	return strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
}
