package main

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/certsync/certsync/cmd/certsync/internal/pushgateway"
	"github.com/certsync/certsync/cmd/certsync/internal/terminal"
)

// envPrefix begins the variables that set flags.
const envPrefix = "CERTSYNC"

var flagName = regexp.MustCompile(`^--([a-z-]+)`)

// variableFor returns the variable of the flag at the beginning of an error, if that variable is set. The reader may not
// know the environment of a CronJob.
func variableFor(message string) string {
	flag := flagName.FindStringSubmatch(message)
	if flag == nil {
		return ""
	}
	name := envPrefix + "_" + strings.ToUpper(strings.ReplaceAll(flag[1], "-", "_"))
	if _, set := os.LookupEnv(name); !set {
		return ""
	}
	return name
}

// serviceLinks are the variables that Kubernetes gives the pods of a namespace with a Service called certsync.
var serviceLinks = regexp.MustCompile(`^CERTSYNC_(PORT|SERVICE_HOST|SERVICE_PORT)(_|$)`)

// warnOfVariables warns about CERTSYNC_ variables that match no flag. A misspelled variable could otherwise switch off a
// guard unnoticed. It is no error, because other programs may set such variables.
func (p program) warnOfVariables(commands *kong.Application, environment []string) {
	known := map[string]bool{secretIDVariable: true, pushgateway.UsernameVariable: true, pushgateway.PasswordVariable: true}
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
		if strings.HasPrefix(name, envPrefix+"_") && !known[name] && !serviceLinks.MatchString(name) {
			strays = append(strays, name)
		}
	}
	slices.Sort(strays)
	for _, name := range strays {
		fmt.Fprintf(p.stderr, "certsync: warning: %s is set in the environment, but it matches no flag and has no effect\n", terminal.Clean(name))
	}
}
