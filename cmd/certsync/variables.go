package main

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/certsync/certsync/cmd/certsync/internal/render"
)

// envPrefix begins the variables that set flags.
const envPrefix = "CERTSYNC"

var flagName = regexp.MustCompile(`^--([a-z-]+)`)

// variableFor is the variable that sets the flag with which a complaint begins, if it is set: not everybody who reads
// the complaint knows what stands in a CronJob's environment.
func variableFor(complaint string) string {
	flag := flagName.FindStringSubmatch(complaint)
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

// warnOfVariables names variables that look like a flag's, and are none's. A flag with a typing error is refused; the
// variable of a guard would else be without effect in silence, and in a CronJob there are only variables. It is no error
// since the environment is not only certsync's.
func (p program) warnOfVariables(commands *kong.Application, environment []string) {
	known := map[string]bool{secretIDVariable: true, gatewayUsername: true, gatewayPassword: true}
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
		fmt.Fprintf(p.stderr, "certsync: %s is set in the environment, and is the variable of no flag: it does nothing\n", render.Clean(name))
	}
}
