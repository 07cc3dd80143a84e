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
		"-buildvcs=false",           // whether it has files that git does not know
		"-mod=readonly",             // what go.sum says, or nothing
		"-gcflags=all=-dwarf=false", // which -w drops; the tests compile so too, and a package is compiled once for both
		"-ldflags=-s -w -buildid= -X main.version="+version,
		"./cmd/certsync")
	cmd.Dir = c.root
	cmd.Env = append(slices.Clone(c.env), "CGO_ENABLED=0", "GOOS="+platform.OS, "GOARCH="+platform.Architecture)
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("compiling certsync: %w\n%s", err, out)
	}
	return binary, nil
}

// Of the environment, what finds programs, caches and modules goes on to the compiler. All else could change the result:
// GOFLAGS, GOAMD64, GOEXPERIMENT, GOFIPS140 and whatever the next release of Go brings.
var (
	keptVariables = []string{"PATH", "HOME", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR", "NETRC",
		"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"}
	keptSettings = []string{"GOCACHE", "GOCACHEPROG", "GOMODCACHE", "GOPATH", "GOTMPDIR", "GOTOOLCHAIN", "GOPROXY", "GONOPROXY",
		"GOSUMDB", "GONOSUMDB", "GOPRIVATE", "GOINSECURE", "GOAUTH", "GOVCS"}
)

// compileEnv is the compiler's environment.
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

// keep filters the environment. The settings come from the go command because `go env -w` keeps some in a file, which
// GOENV=off then closes.
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
