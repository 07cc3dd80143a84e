package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// compiler compiles certsync.
type compiler struct {
	goCommand string
	root      string // of the source
	env       []string
	dir       string // for the binaries
}

// compile returns the path of the binary.
func (c compiler) compile(ctx context.Context, version string, platform v1.Platform) (string, error) {
	binary := filepath.Join(c.dir, "certsync-"+platform.OS+"-"+platform.Architecture)
	cmd := exec.CommandContext(ctx, c.goCommand, "build", "-o", binary,
		"-trimpath",                 // the path of the clone
		"-buildvcs=false",           // the state of the clone
		"-mod=readonly",             // only modules from go.sum
		"-gcflags=all=-dwarf=false", // -w drops it anyway; the tests use this flag too, so each package compiles once
		"-ldflags=-s -w -buildid= -X main.version="+version,
		"./cmd/certsync")
	cmd.Dir = c.root
	cmd.Env = append(slices.Clone(c.env), "CGO_ENABLED=0", "GOOS="+platform.OS, "GOARCH="+platform.Architecture)
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("compiling certsync: %w\n%s", err, out)
	}
	return binary, nil
}

// The compiler gets only the variables that locate programs, caches and modules. Others could change the result: GOFLAGS,
// GOAMD64, GOEXPERIMENT, GOFIPS140, and new variables of later Go releases.
var (
	keptVariables = []string{"PATH", "HOME", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR", "NETRC",
		"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"}
	keptSettings = []string{"GOCACHE", "GOCACHEPROG", "GOMODCACHE", "GOPATH", "GOTMPDIR", "GOTOOLCHAIN", "GOPROXY", "GONOPROXY",
		"GOSUMDB", "GONOSUMDB", "GOPRIVATE", "GOINSECURE", "GOAUTH", "GOVCS"}
)

// compileEnv returns the environment of the compiler.
func compileEnv(ctx context.Context, goCommand, root string, environ []string) ([]string, error) {
	cmd := exec.CommandContext(ctx, goCommand, append([]string{"env", "-json"}, keptSettings...)...)
	cmd.Dir = root
	cmd.Env = environ
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("asking %q for its settings: %w", goCommand, err)
	}
	var settings map[string]string
	if err := json.Unmarshal(out, &settings); err != nil {
		return nil, fmt.Errorf("asking %q for its settings: %w", goCommand, err)
	}
	return keep(environ, settings), nil
}

// keep filters the environment. The settings come from the go command, because `go env -w` stores some in a file. GOENV=off
// then disables that file.
func keep(environ []string, settings map[string]string) []string {
	env := []string{"GOENV=off", "GOWORK=off"}
	for _, variable := range environ {
		if name, _, _ := strings.Cut(variable, "="); slices.Contains(keptVariables, name) {
			env = append(env, variable)
		}
	}
	for _, name := range keptSettings {
		if value := settings[name]; value != "" {
			env = append(env, name+"="+value)
		}
	}
	return env
}
