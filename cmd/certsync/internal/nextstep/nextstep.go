// Package nextstep decides which commands certsync names after a command that succeeded.
//
// Begin at After, which has a case for each command. A suggested command gets the flags of the one before it, if it has them too. carried
// and once are the exceptions. Package render makes text of the commands, and cmd/certsync says when it is shown (nextstep.go, init.go).
package nextstep

import (
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/certsync/certsync/cmd/certsync/internal/render"
)

// CommandLine is a command line that kong accepted.
type CommandLine struct {
	Commands *kong.Application
	Program  []string // the words that start certsync: certsync, or kubectl certsync
	Args     []string // with the command first
}

// Result is the end of a command that succeeded.
type Result struct {
	Applicable bool   // of plan: apply would write something, and nothing refuses it
	First      bool   // of apply: the owner had no state before
	Owner      string // of the inventory, after a first apply
	User       string // a user who got a certificate, or ""
}

// After returns the commands that follow the command on the line.
func After(line CommandLine, r Result) []render.NextStep {
	if len(line.Args) == 0 {
		return nil
	}
	switch line.Args[0] {
	case "init":
		return []render.NextStep{
			line.step("check the file after each change", "validate"),
			line.step("check the cluster, Vault and your rights", "preflight"),
		}
	case "validate":
		return []render.NextStep{line.step("check the cluster, Vault and your rights", "preflight")}
	case "preflight":
		steps := []render.NextStep{line.step("show what apply would change", "plan")}
		if slices.ContainsFunc(line.given(), func(f givenFlag) bool { return line.carries("apply", f.name) && !line.carries("plan", f.name) }) {
			steps = append(steps, line.step("apply it as you have checked it", "apply"))
		}
		return steps
	case "plan":
		if r.Applicable {
			return []render.NextStep{line.step("show the plan again, ask, and apply it", "apply")}
		}
	case "apply":
		if r.First {
			return line.afterFirstApply(r)
		}
	}
	return nil
}

func (l CommandLine) afterFirstApply(r Result) []render.NextStep {
	steps := []render.NextStep{l.step("print the Vault policies for users and for the CronJob", "manifests", "--vault")}
	if r.User != "" {
		steps = append(steps, l.step("not for you: "+r.User+" fetches the kubeconfig", "kubeconfig", "--owner", r.Owner, "--user", r.User, "--merge"))
	}
	return append(steps, render.NextStep{
		Words: append(slices.Clone(l.Program), "manifests", "--help"), Why: "run apply in the cluster, on a schedule",
	})
}

// step returns a command with the flags of this command line that it also has.
func (l CommandLine) step(why string, command ...string) render.NextStep {
	words := append(slices.Clone(l.Program), command...)
	for _, flag := range l.given() {
		if l.carries(command[0], flag.name) {
			words = append(words, flag.words...)
		}
	}
	return render.NextStep{Words: words, Why: why}
}

// The flags that kubeconfig and manifests share with apply. Flags of the same name can differ in meaning there: the login
// to Vault is the user's, and the kubeconfig is the one to merge into.
var carried = map[string][]string{
	"kubeconfig": {"vault-mount", "vault-prefix"},
	"manifests":  {"file", "namespace", "lock-namespace", "vault-mount", "vault-prefix"},
}

// once are the flags that answer a question of one run.
var once = []string{"detailed-exitcode", "expect", "issue", "output", "yes"}

func (l CommandLine) carries(command, flag string) bool {
	if only, limited := carried[command]; limited {
		return slices.Contains(only, flag)
	}
	return !slices.Contains(once, flag) && find(flagsOf(l.Commands, command), func(f *kong.Flag) bool { return f.Name == flag }) != nil
}

// givenFlag is a flag as the user typed it.
type givenFlag struct {
	name  string
	words []string
}

// given returns the flags on the command line, in their order.
func (l CommandLine) given() (all []givenFlag) {
	flags := flagsOf(l.Commands, l.Args[0])
	args := slices.Clone(l.Args)
	for i := 1; i < len(args) && args[i] != "--"; i++ {
		word := args[i]
		if !strings.HasPrefix(word, "-") {
			continue
		}
		name, _, assigned := strings.Cut(word, "=")
		flag := find(flags, func(f *kong.Flag) bool { return "--"+f.Name == name })
		if flag == nil && len(word) > 1 {
			flag = find(flags, func(f *kong.Flag) bool { return f.Short != 0 && string(f.Short) == word[1:2] })
			if assigned = len(word) > 2; assigned && flag != nil && flag.IsBool() { // -yf FILE is -y -f FILE
				args[i] = "-" + word[2:]
				word = word[:2]
				i--
			}
		}
		if flag == nil {
			continue
		}
		g := givenFlag{flag.Name, []string{word}}
		if !assigned && !flag.IsBool() && i+1 < len(args) {
			i++
			g.words = append(g.words, args[i])
		}
		all = append(all, g)
	}
	return all
}

func flagsOf(commands *kong.Application, command string) []*kong.Flag {
	for _, node := range commands.Children {
		if node.Name == command {
			return node.Flags
		}
	}
	return nil
}

func find(flags []*kong.Flag, is func(*kong.Flag) bool) *kong.Flag {
	if i := slices.IndexFunc(flags, is); i >= 0 {
		return flags[i]
	}
	return nil
}
