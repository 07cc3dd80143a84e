package main

import (
	"path/filepath"
	"regexp"
	"strings"
)

// pluginFile is the name under which kubectl finds certsync as its plugin.
const pluginFile = "kubectl-certsync"

// calledAs returns the words that started this process, as a person types them. Its argument is the process's own name.
func calledAs(process string) string {
	if strings.TrimSuffix(filepath.Base(process), ".exe") == pluginFile {
		return "kubectl certsync"
	}
	return ""
}

// example is a command in a help text.
var example = regexp.MustCompile(`(?m)^( {4,})certsync `)

// named returns a help text whose examples start certsync as this process was started.
func (p program) named(help []byte) []byte {
	if p.name == "" {
		return help
	}
	return example.ReplaceAll(help, []byte("${1}"+p.name+" "))
}
