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

// source describes the source of a build, for the image and the archives.
type source struct {
	version  string
	revision string // empty outside git, unless REVISION is set
	time     time.Time
}

// tag matches the tags that registries accept. Another version could not be pushed, and could add arguments for the linker.
var tag = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$`)

// findSource reads VERSION, REVISION and SOURCE_DATE_EPOCH from the environment, and asks git for the rest.
func findSource(ctx context.Context, root string, getenv func(string) string) (source, error) {
	// The commit is shortened to a fixed length, the same in every clone: git's own length grows with the number of objects.
	// Files that git does not know are ignored. Changed files make another version, because no commit has them.
	version, err := orGit(ctx, root, getenv("VERSION"), "describe", "--tags", "--always", "--abbrev=12", "--dirty")
	if err != nil {
		return source{}, fmt.Errorf("finding the version (outside git, set VERSION and SOURCE_DATE_EPOCH): %w", err)
	}
	if !tag.MatchString(version) {
		return source{}, fmt.Errorf("version %q cannot be the tag of an image: use letters, digits, dots, dashes and underscores", version)
	}
	seconds, err := orGit(ctx, root, getenv("SOURCE_DATE_EPOCH"), "log", "-1", "--format=%ct")
	if err != nil {
		return source{}, fmt.Errorf("finding the time of the source (outside git, set SOURCE_DATE_EPOCH): %w", err)
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

// orGit returns the given value, or else the output of git.
func orGit(ctx context.Context, root, given string, args ...string) (string, error) {
	if given != "" {
		return given, nil
	}
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Dir = root
	// Source that was unpacked inside another repository is not a part of that repository.
	cmd.Env = append(os.Environ(), "GIT_CEILING_DIRECTORIES="+filepath.Dir(root))
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("git %s: %s: %w", args[0], strings.TrimSpace(stderr.String()), err)
	}
	return strings.TrimSpace(string(out)), nil
}
