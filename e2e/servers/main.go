// Servers is etcd, kube-apiserver, kube-controller-manager and Vault in one binary. It is what the name
// that it is called by says, so that one link step makes them all.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// programs runs each program to its end. Each calls os.Exit by itself or returns its error.
var programs = map[string]func() error{
	"etcd":                    runEtcd,
	"kube-apiserver":          runAPIServer,
	"kube-controller-manager": runControllerManager,
	"vault":                   runVault,
}

func main() {
	name := filepath.Base(os.Args[0])
	run, ok := programs[name]
	if !ok {
		fmt.Fprintf(os.Stderr, "%s: call this binary by one of the names %s\n", name, names())
		os.Exit(2)
	}
	if err := exitWithParent(); err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
		os.Exit(2)
	}
	if err := run(); err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
		os.Exit(1)
	}
}

func names() string {
	var all []string
	for name := range programs {
		all = append(all, name)
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}
