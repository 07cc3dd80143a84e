package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// source is what the image and the archives say of where they came from.
type source struct {
	version  string
	revision string // empty outside of git, unless REVISION says it
	time     time.Time
}

// tag is what a registry takes for one. A version that is none could not be pushed under its own name, and could be
// more than one argument to the linker.
var tag = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$`)

// findSource asks git, and the environment first: VERSION, REVISION and SOURCE_DATE_EPOCH.
func findSource(ctx context.Context, root string, getenv func(string) string) (source, error) {
	// Abbreviated to what every clone agrees on: git's own choice grows with the number of objects. Files that git
	// does not know are not looked at; changed ones make a version of their own, since no commit has them.
	version, err := orGit(ctx, root, getenv("VERSION"), "describe", "--tags", "--always", "--abbrev=12", "--dirty")
	if err != nil {
		return source{}, fmt.Errorf("finding the version (outside of git, set VERSION and SOURCE_DATE_EPOCH): %w", err)
	}
	if !tag.MatchString(version) {
		return source{}, fmt.Errorf("version %q cannot be the tag of an image: want letters, digits, dots, dashes and underscores", version)
	}
	seconds, err := orGit(ctx, root, getenv("SOURCE_DATE_EPOCH"), "log", "-1", "--format=%ct")
	if err != nil {
		return source{}, fmt.Errorf("finding the time of the source (outside of git, set SOURCE_DATE_EPOCH): %w", err)
	}
	epoch, err := strconv.ParseInt(seconds, 10, 64)
	if err != nil {
		return source{}, fmt.Errorf("SOURCE_DATE_EPOCH is not a number of seconds: %w", err)
	}
	revision, err := orGit(ctx, root, getenv("REVISION"), "describe", "--always", "--exclude=*", "--abbrev=40", "--dirty")
	if err != nil {
		revision = "" // a release's source without its history
	}
	return source{version: version, revision: revision, time: time.Unix(epoch, 0).UTC()}, nil
}

// orGit is what is given, or else what git prints.
func orGit(ctx context.Context, root, given string, args ...string) (string, error) {
	if given != "" {
		return given, nil
	}
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Dir = root
	// Source that was unpacked inside of somebody else's repository is not a part of that.
	cmd.Env = append(os.Environ(), "GIT_CEILING_DIRECTORIES="+filepath.Dir(root))
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("git %s: %s: %w", args[0], strings.TrimSpace(stderr.String()), err)
	}
	return strings.TrimSpace(string(out)), nil
}
