package main

import (
	"fmt"
	"runtime/debug"
)

// version is set by the linker in releases.
var version = ""

// versionName is the release, or the version that the go command recorded for the source.
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
	return `Prints the version of this program. A build that is not a release shows the version that Go recorded for the source.

  certsync version

` + exitLine(anError(), exitOK, exitError, exitUsage)
}

// Run prints the version.
func (versionCmd) Run(p program) error {
	return writeAll(p.stdout, fmt.Appendf(nil, "certsync %s\n", versionName()))
}
