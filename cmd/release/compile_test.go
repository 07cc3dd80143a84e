package main

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestKeep: what could change the binary does not reach the compiler, and what it needs to find anything does.
func TestKeep(t *testing.T) {
	environ := []string{"PATH=/bin", "HOME=/home/a", "GOFLAGS=-tags=a", "GOAMD64=v3", "GOARM64=v9.0", "GOEXPERIMENT=nogreenteagc", "GOFIPS140=latest",
		"CGO_ENABLED=1", "GOOS=windows", "GOENV=/home/a/go.env", "GOWORK=/home/a/go.work", "GODEBUG=a=1", "GOROOT=/home/a/go", "https_proxy=http://proxy", "TZ=UTC"}
	settings := map[string]string{"GOCACHE": "/home/a/cache", "GOPROXY": "https://proxy.example.com,direct", "GOPRIVATE": "", "GOTOOLCHAIN": "auto"}
	want := []string{"GOENV=off", "GOWORK=off", "PATH=/bin", "HOME=/home/a", "https_proxy=http://proxy",
		"GOCACHE=/home/a/cache", "GOTOOLCHAIN=auto", "GOPROXY=https://proxy.example.com,direct"}
	if diff := cmp.Diff(want, keep(environ, settings)); diff != "" {
		t.Error(diff)
	}
}
