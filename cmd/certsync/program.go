package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/reconcile"
)

// What a run ends with. 80 is kong's own.
const (
	exitOK          = 0
	exitError       = 1
	exitChanges     = 2
	exitRefused     = 3
	exitUsage       = 80
	exitInterrupted = 130
)

// program is certsync without the process around it.
type program struct {
	stdin          *os.File
	stdout, stderr *os.File
}

type cli struct {
	Validate validateCmd `cmd:"" help:"Check the inventory, without asking cluster or Vault."`
	Plan     planCmd     `cmd:"" help:"Show what differs between the inventory and the cluster. Writes nothing."`
	Apply    applyCmd    `cmd:"" help:"Make it so: issue certificates, store them in Vault, write and delete bindings."`
	Version  versionCmd  `cmd:"" help:"Print the version."`
}

const description = `certsync gives people access to a Kubernetes cluster by client certificates, from a users.yaml in git.

Every flag can also be set in the environment: --vault-mount is CERTSYNC_VAULT_MOUNT. Vault is found as the vault CLI finds it (VAULT_ADDR, VAULT_TOKEN, VAULT_NAMESPACE, VAULT_CACERT, ~/.vault-token).`

// status is an exit code that is no error to be printed.
type status int

func (s status) Error() string { return fmt.Sprintf("exit status %d", int(s)) }

// Run carries out one command line and returns the exit code.
func (p program) Run(ctx context.Context, args []string) (code int) {
	parser, err := kong.New(&cli{}, kong.Name("certsync"), kong.Description(description),
		kong.DefaultEnvars("CERTSYNC"), kong.Writers(p.stdout, p.stderr),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
		// kong ends the process after --help; here the caller does.
		kong.Exit(func(code int) { panic(status(code)) }))
	if err != nil {
		return p.fail(ctx, err)
	}
	defer func() {
		if s, ok := recover().(status); ok {
			code = int(s)
		}
	}()
	command, err := parser.Parse(args)
	if err != nil {
		fmt.Fprintf(p.stderr, "certsync: %s\nhint: certsync %s--help lists the flags\n", clean(err.Error()), commandOf(err))
		return exitUsage
	}
	command.BindTo(ctx, (*context.Context)(nil))
	return p.fail(ctx, command.Run(p))
}

// commandOf names the command of a command line that did not parse, as far as it is known.
func commandOf(err error) string {
	var parse *kong.ParseError
	if errors.As(err, &parse) && parse.Context != nil {
		if node := parse.Context.Selected(); node != nil {
			return node.Name + " "
		}
	}
	return ""
}

// fail prints an error with its hint, and returns the exit code for it.
func (p program) fail(ctx context.Context, err error) int {
	var code status
	var refused reconcile.Refused
	var problems inventory.Problems
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &code):
		return int(code)
	case ctx.Err() != nil:
		fmt.Fprintln(p.stderr, "certsync: interrupted; nothing was left half done that the next run does not finish")
		return exitInterrupted
	case errors.As(err, &refused):
		fmt.Fprintln(p.stderr, "certsync: refused, nothing was written:")
		for _, v := range refused.Violations {
			fmt.Fprintf(p.stderr, "  - %s\n", clean(v))
		}
		return exitRefused
	case errors.As(err, &problems):
		for _, problem := range problems {
			fmt.Fprintln(p.stderr, clean(problem.String()))
		}
		return exitError
	}
	fmt.Fprintf(p.stderr, "certsync: %s\n", clean(err.Error()))
	if hint := reconcile.Hint(err); hint != "" {
		fmt.Fprintf(p.stderr, "hint: %s\n", clean(hint))
	}
	return exitError
}

// clean makes text from elsewhere (names in the cluster, messages of servers) safe for a terminal: control characters
// are shown, not obeyed.
func clean(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '\n' || r == '\t':
			b.WriteRune(' ')
		case !printable(r):
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// writeAll writes the product to stdout. A full disk or a closed pipe is an error: a plan cut off must not exit 0.
func writeAll(w io.Writer, text []byte) error {
	if _, err := w.Write(text); err != nil {
		return fmt.Errorf("writing the output: %w", err)
	}
	return nil
}
