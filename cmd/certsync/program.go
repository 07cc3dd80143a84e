package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"github.com/certsync/certsync/cmd/certsync/internal/completion"
	"github.com/certsync/certsync/cmd/certsync/internal/invocation"
	"github.com/certsync/certsync/cmd/certsync/internal/nextstep"
	"github.com/certsync/certsync/cmd/certsync/internal/terminal"
	"github.com/certsync/certsync/cmd/certsync/internal/variables"
	"github.com/certsync/certsync/inventory/strict"
	"github.com/certsync/certsync/reconcile"
)

// program is certsync without the process around it.
type program struct {
	name           string // what a person types to start certsync; "": certsync
	stdin          *os.File
	stdout, stderr *os.File
	// grace is how long steps may take to end after an interruption; 0 means reconcile.LastStep.
	grace time.Duration
	line  nextstep.CommandLine
	// cluster is the one of several clusters that stderr is about, or "".
	cluster string
}

// in is the program as it speaks about one of several clusters.
func (p program) in(cluster string) program {
	p.cluster = cluster
	return p
}

// speaker begins a message on stderr.
func (p program) speaker() string {
	if p.cluster == "" {
		return "certsync: "
	}
	return "certsync: cluster " + terminal.Clean(p.cluster) + ": "
}

// lastStep is how long steps may take to end after an interruption.
func (p program) lastStep() time.Duration { return cmp.Or(p.grace, reconcile.LastStep) }

type cli struct {
	Init        initCmd        `cmd:"" help:"Write a commented users.yaml to start from."`
	Validate    validateCmd    `cmd:"" help:"Check the inventory file. Needs no cluster and no Vault."`
	Plan        planCmd        `cmd:"" help:"Show what apply would change. Writes nothing."`
	Apply       applyCmd       `cmd:"" help:"Apply the inventory: issue certificates, store them in Vault, change bindings."`
	Status      statusCmd      `cmd:"" help:"Show each user's state, certificates and roles, and users who left."`
	Review      reviewCmd      `cmd:"" help:"Print an access review: which user can do what, through which binding, since when."`
	Revocations revocationsCmd `cmd:"" help:"List revoked certificates that have not expired, and print deny lists for the API server."`
	Kubeconfig  kubeconfigCmd  `cmd:"" help:"For users: print your kubeconfig from Vault, or merge it into your own."`
	Credential  credentialCmd  `cmd:"" help:"For users: print your credential for kubectl. This is the exec plugin."`
	Preflight   preflightCmd   `cmd:"" help:"Check everything that apply needs. Changes nothing."`
	Export      exportCmd      `cmd:"" help:"Print an inventory made from the cluster's bindings."`
	Manifests   manifestsCmd   `cmd:"" help:"Print the manifests of the CronJob that corrects drift, or its setup in Vault."`
	Schema      schemaCmd      `cmd:"" help:"Print the JSON Schema of the inventory or of a team file, for editors."`
	Completion  completionCmd  `cmd:"" help:"Print a completion script for your shell."`
	Version     versionCmd     `cmd:"" help:"Print the version."`
}

// Run carries out one command line and returns the exit code.
func (p program) Run(ctx context.Context, args []string) int {
	var help bytes.Buffer
	parser, err := newParser(&help, p.stderr)
	if err != nil {
		return p.fail(ctx, err)
	}
	parser.Model.Name = cmp.Or(p.name, parser.Model.Name)
	if len(args) > 0 && args[0] == completion.Command {
		return p.fail(ctx, writeAll(p.stdout, completion.Complete(parser.Model, args[1:])))
	}
	p.warnOfVariables(parser.Model, os.Environ())
	command, err := parser.Parse(byHabit(args))
	switch {
	case help.Len() > 0:
		return p.fail(ctx, writeAll(p.stdout, invocation.Rename(help.Bytes(), parser.Model.Name)))
	case err != nil:
		return p.misused(err)
	}
	if err := variables.CheckTilde(command); err != nil {
		p.complain(err)
		return exitUsage
	}
	p.line = nextstep.CommandLine{Commands: parser.Model, Program: strings.Fields(parser.Model.Name), Args: command.Args}
	command.BindTo(ctx, (*context.Context)(nil))
	return p.fail(ctx, command.Run(p))
}

// newParser returns kong's parser for certsync's command line.
func newParser(help, stderr io.Writer) (*kong.Kong, error) {
	return kong.New(&cli{}, kong.Name("certsync"), kong.Description(description),
		kong.DefaultEnvars(envPrefix), kong.Writers(help, stderr),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
		// The description says once how variables are named. Kong would repeat the name at every flag.
		kong.ValueFormatter(func(v *kong.Value) string { return v.Help }),
		// Kong exits after --help. Here Run prints the help, so Exit does nothing.
		kong.Exit(func(int) {}))
}

// misused prints why a command line is wrong, with a hint, and returns the exit code.
func (p program) misused(err error) int {
	// Kong calls the end of the command line EOL.
	text, missing := strings.CutSuffix(err.Error(), ` but got "EOL" (<EOL>)`)
	// Kong repeats the value of a variable, which may be a secret. The hint names only the variable.
	text, _, _ = strings.Cut(text, " (from envar ")
	if flag, _, ok := strings.Cut(text, ": expected "); ok && missing {
		text = flag + ": a value is missing"
	}
	if flag, _, ok := strings.Cut(text, `: missing value, expecting "`); ok {
		text = flag + ": a value is missing"
	}
	name := cmp.Or(p.name, "certsync")
	hint := fmt.Sprintf("run %s --help for the list of commands", name)
	if rest, ok := strings.CutPrefix(text, "unexpected argument "); ok {
		word, _, _ := strings.Cut(rest, ", did you mean ")
		hint = cmp.Or(invocation.Called(invocation.Instead[word], p.name), hint)
	}
	var parse *kong.ParseError
	if errors.As(err, &parse) && parse.Context != nil && parse.Context.Selected() != nil {
		command := parse.Context.Selected()
		text = strings.TrimPrefix(text, command.Name+": ")
		hint = cmp.Or(invocation.Called(insteadOf(text, command), p.name), fmt.Sprintf("run %s %s --help for the list of flags", name, command.Name))
	}
	if variable := variables.For(text); variable != "" {
		hint = variable + " is set in the environment: correct it, or " + hint
	}
	fmt.Fprintf(p.stderr, "certsync: %s\nhint: %s\n", terminal.Clean(text), hint)
	return exitUsage
}

// insteadOf returns a hint for what people type by habit after a command: a file without -f, or a flag of another program. It
// returns "" for anything else.
func insteadOf(text string, command *kong.Node) string {
	text, _, _ = strings.Cut(text, ", did you mean ")
	if flag, ok := strings.CutPrefix(text, "unknown flag "); ok {
		return invocation.InsteadOfFlag[flag]
	}
	file, ok := strings.CutPrefix(text, "unexpected argument ")
	takes := slices.ContainsFunc(command.Flags, func(f *kong.Flag) bool { return f.Short == 'f' })
	if ok && takes && (strings.HasSuffix(file, ".yaml") || strings.HasSuffix(file, ".yml")) {
		return fmt.Sprintf("name the inventory with -f: certsync %s -f FILE", command.Name)
	}
	return ""
}

// fail prints an error with its hint, and returns the exit code for it.
func (p program) fail(ctx context.Context, err error) int {
	var code exitStatus
	var refused reconcile.Refused
	var locked reconcile.Locked
	var unknown reconcile.UnknownName
	var problems strict.Problems
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &code):
		return int(code)
	case ctx.Err() != nil:
		fmt.Fprintln(p.stderr, p.speaker()+"interrupted")
		return exitInterrupted
	case errors.As(err, &refused):
		fmt.Fprintln(p.stderr, p.speaker()+"refused, nothing was written:")
		for _, v := range refused.Violations {
			fmt.Fprintf(p.stderr, "  - %s\n", terminal.Clean(v))
		}
		return exitRefused
	case errors.As(err, &locked):
		p.complain(err)
		return exitLocked
	case errors.As(err, &unknown):
		hint := "run certsync status for the list of users"
		if unknown.WithoutVault {
			hint = "without Vault, certsync knows users who left only from its bindings; run certsync export for the list of bound users"
		}
		p.complain(reconcile.WithHint(err, hint))
		return exitUsage
	case errors.As(err, &problems):
		for _, problem := range problems {
			fmt.Fprintln(p.stderr, terminal.Clean(problem.String()))
		}
		return exitError
	}
	p.complain(err)
	return exitError
}

// complain prints an error, and its hint on a line of its own.
func (p program) complain(err error) {
	text := fmt.Sprintf("%s%s\n", p.speaker(), terminal.Clean(err.Error()))
	if hint := reconcile.Hint(err); hint != "" {
		text += fmt.Sprintf("hint: %s\n", terminal.Clean(invocation.Called(hint, p.name)))
	}
	fmt.Fprint(p.stderr, text) // at once: several clusters may complain
}

// writeAll writes the output of a command. A full disk or a closed pipe is an error, because half a plan must not exit 0.
func writeAll(w io.Writer, text []byte) error {
	if _, err := w.Write(text); err != nil {
		return fmt.Errorf("writing the output: %w", err)
	}
	return nil
}
