package main

import (
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/certsync/certsync/cmd/certsync/internal/nextstep"
	"github.com/certsync/certsync/cmd/certsync/internal/render"
)

// TestNextSteps: each command that succeeds leads to the next one, with the flags that it has too. kong accepts all of them.
func TestNextSteps(t *testing.T) {
	changes := nextstep.Result{Applicable: true}
	tests := map[string]struct {
		line   string
		result nextstep.Result
		want   []string
	}{
		"init":                {"init --owner prod-eu --user alice -f a.yaml --vault-mount kv", nextstep.Result{}, []string{"certsync validate -f a.yaml", "certsync preflight -f a.yaml --vault-mount kv"}},
		"validate":            {"validate", nextstep.Result{}, []string{"certsync preflight"}},
		"validate a file":     {"validate --file=a.yaml", nextstep.Result{}, []string{"certsync preflight --file=a.yaml"}},
		"validate, short":     {"validate -fa.yaml", nextstep.Result{}, []string{"certsync preflight -fa.yaml"}},
		"preflight":           {"preflight --issue --kubeconfig k --context c --accept-shared-ca", nextstep.Result{}, []string{"certsync plan --kubeconfig k --context c --accept-shared-ca"}},
		"preflight, clusters": {"preflight --cluster env=prod --cluster dev --clusters-at-once 2", nextstep.Result{}, []string{"certsync plan --cluster env=prod --cluster dev --clusters-at-once 2"}},
		"preflight of a CA":   {"preflight --issuer ca --ca-cert c --ca-key k -f a.yaml", nextstep.Result{}, []string{"certsync plan -f a.yaml", "certsync apply --issuer ca --ca-cert c --ca-key k -f a.yaml"}},
		"short ones together": {"apply -yfa.yaml", nextstep.Result{First: true, Owner: "prod-eu"}, []string{"certsync manifests --vault -fa.yaml", "certsync manifests --help"}},
		"short ones, a blank": {"apply -yf a.yaml", nextstep.Result{First: true, Owner: "prod-eu"}, []string{"certsync manifests --vault -f a.yaml", "certsync manifests --help"}},
		"plan":                {"plan --max-removals 10% --revoke alice --revoke bob --detailed-exitcode", changes, []string{"certsync apply --max-removals '10%' --revoke alice --revoke bob"}},
		"plan, to quote":      {"plan -f $users.yaml -o text", changes, []string{"certsync apply -f '$users.yaml'"}},
		"plan, not to paste":  {"plan -f my\u00a0users.yaml -o text", changes, nil},
		"plan of nothing":     {"plan", nextstep.Result{}, nil},
		"apply":               {"apply --yes", nextstep.Result{Owner: "prod-eu", User: "alice"}, nil},
		"apply for a program": {"apply", nextstep.Result{First: true, Owner: "prod-eu"}, []string{"certsync manifests --vault", "certsync manifests --help"}},
		"the first apply": {"apply --yes -f a.yaml --kubeconfig k --vault-mount=kv --vault-auth jwt --vault-role r --vault-token-file t --namespace n", nextstep.Result{First: true, Owner: "prod-eu", User: "alice@example.com"}, []string{
			"certsync manifests --vault -f a.yaml --vault-mount=kv --namespace n",
			"certsync kubeconfig --owner prod-eu --user alice@example.com --merge --vault-mount=kv",
			"certsync manifests --help",
		}},
		"status": {"status", changes, nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			parser, err := newParser(io.Discard, io.Discard)
			if err != nil {
				t.Fatal(err)
			}
			line := nextstep.CommandLine{Commands: parser.Model, Program: []string{"certsync"}, Args: strings.Split(tt.line, " ")}
			if _, err := parser.Parse(line.Args); err != nil {
				t.Fatal(err)
			}
			steps := nextstep.After(line, tt.result)
			var got []string
			for _, text := range strings.Split(string(render.NextSteps(steps)), "\n") {
				if command, _, why := strings.Cut(text, "  # "); why {
					got = append(got, strings.TrimSpace(command))
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
			for _, step := range steps {
				if slices.Contains(step.Words, "--help") {
					if r := within(t, t.Context(), step.Words[1:]...); r.code != exitOK {
						t.Errorf("%q: %s", step.Words, r.stderr)
					}
				} else if _, err := parser.Parse(step.Words[1:]); err != nil {
					t.Errorf("%q: %v", step.Words, err)
				}
			}
		})
	}
}

// TestNoNextStepForPrograms: what programs read is not followed by a next step. The golden files show stderr without a
// terminal.
func TestNoNextStepForPrograms(t *testing.T) {
	r := within(t, t.Context(), "validate", "-f", "testdata/plan/users.yaml")
	if r.code != exitOK || r.stderr != "" {
		t.Errorf("exit %d, %q", r.code, r.stderr)
	}
}
