// Package invocation knows the names under which certsync is started.
package invocation

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

// The names of the binary: its own, and the one under which kubectl finds it as a plugin.
const (
	program       = "certsync"
	kubectlPlugin = "kubectl-certsync"
)

// Name returns the words that a person types to start a process with this name: certsync or kubectl certsync.
func Name(process string) string {
	if strings.TrimSuffix(strings.ToLower(filepath.Base(process)), ".exe") == kubectlPlugin {
		return "kubectl certsync"
	}
	return program
}

// example is a command in a help text.
var example = regexp.MustCompile(`(?m)^( {4,})certsync `)

// Rename returns a help text whose examples start certsync by a name.
func Rename(help []byte, name string) []byte {
	return example.ReplaceAll(help, []byte("${1}"+name+" "))
}

// call is a command of certsync in a sentence.
var call = regexp.MustCompile(`\bcertsync ((?:init|validate|plan|apply|status|review|revocations|kubeconfig|credential|preflight|export|manifests|schema|completion|version)\b)`)

// Called returns a hint whose commands start certsync by a name. An empty name is certsync.
func Called(hint, name string) string {
	if name == "" || name == program {
		return hint
	}
	return call.ReplaceAllString(hint, name+" $1")
}

// Command returns the program that kubectl will run, given the value of --exec-command. A path becomes absolute, and a plain name stays.
// Without a value it is the name of this program if $PATH leads to it, so that an upgrade may move it, and otherwise its path.
func Command(given string) (string, error) {
	switch {
	case given == "":
		return self()
	case filepath.Base(given) == given:
		return given, nil
	}
	path, err := filepath.Abs(given)
	if err != nil {
		return "", fmt.Errorf("finding the program of --exec-command: %w", err)
	}
	return path, nil
}

func self() (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("finding certsync's own file: %w", err)
	}
	for _, name := range []string{program, kubectlPlugin} {
		found, err := exec.LookPath(name)
		if err != nil {
			continue
		}
		there, errThere := os.Stat(found)
		here, errHere := os.Stat(self)
		if errThere == nil && errHere == nil && os.SameFile(there, here) {
			return name, nil
		}
	}
	return self, nil
}
