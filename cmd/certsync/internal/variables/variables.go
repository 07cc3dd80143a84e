// Package variables finds the environment variables that set flags.
//
// Kong itself reads them, with the Prefix. For names the variable behind an error about a flag. Strays lists variables that match no
// flag, for a warning. CheckTilde refuses a path with a ~ that no shell has expanded (tilde.go).
package variables

import (
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// Prefix begins the variables that set flags.
const Prefix = "CERTSYNC"

var flagName = regexp.MustCompile(`^--([a-z-]+)`)

// For returns the variable of the flag at the beginning of an error, if that variable is set. The reader may not
// know the environment of a CronJob.
func For(message string) string {
	flag := flagName.FindStringSubmatch(message)
	if flag == nil {
		return ""
	}
	name := Prefix + "_" + strings.ToUpper(strings.ReplaceAll(flag[1], "-", "_"))
	if _, set := os.LookupEnv(name); !set {
		return ""
	}
	return name
}

// serviceLinks are the variables that Kubernetes gives the pods of a namespace with a Service called certsync.
var serviceLinks = regexp.MustCompile(`^CERTSYNC_(PORT|SERVICE_HOST|SERVICE_PORT)(_|$)`)

// Strays returns the CERTSYNC_ variables of an environment that match no flag, sorted. others are those that certsync reads without a
// flag.
func Strays(commands *kong.Application, environment []string, others ...string) []string {
	known := map[string]bool{}
	for _, name := range others {
		known[name] = true
	}
	_ = kong.Visit(commands, func(node kong.Visitable, next kong.Next) error {
		if flag, ok := node.(*kong.Flag); ok {
			for _, name := range flag.Envs {
				known[name] = true
			}
		}
		return next(nil)
	})
	var strays []string
	for _, variable := range environment {
		name, _, _ := strings.Cut(variable, "=")
		if strings.HasPrefix(name, Prefix+"_") && !known[name] && !serviceLinks.MatchString(name) {
			strays = append(strays, name)
		}
	}
	slices.Sort(strays)
	return strays
}
