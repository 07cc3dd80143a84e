package main

import (
	"fmt"
	"runtime/debug"
)

// version is set by the linker in releases.
var version = ""

// versionName is the release, or what the go command knows of the source.
func versionName() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}

func userAgent() string { return "certsync/" + versionName() }

type versionCmd struct{}

// Help is shown below the flags.
func (versionCmd) Help() string {
	return `The version is the release's, or what Go knows of the source.

  certsync version

Exit codes: 0 done; 1 an error; 80 usage.`
}

// Run prints the version.
func (versionCmd) Run(p program) error {
	return writeAll(p.stdout, fmt.Appendf(nil, "certsync %s\n", versionName()))
}
