package main

import (
	"fmt"
	"io"
	"os"
	"strconv"
)

// parentFD names the variable that holds the number of an inherited pipe's read end.
const parentFD = "CERTSYNC_SERVERS_PARENT_FD"

// exitWithParent ends this process as soon as the other end of the parent's pipe closes. The kernel
// closes it however the parent ends, by kill -9 or by a panic too, where no cleanup of its own runs.
// Without the variable it does nothing, so that the programs can be run by hand.
func exitWithParent() error {
	value := os.Getenv(parentFD)
	if value == "" {
		return nil
	}
	fd, err := strconv.ParseUint(value, 10, 16)
	if err != nil {
		return fmt.Errorf("reading %s=%q: %w", parentFD, value, err)
	}
	pipe := os.NewFile(uintptr(fd), "parent")
	if _, err := pipe.Stat(); err != nil {
		return fmt.Errorf("opening the pipe of %s=%q: %w", parentFD, value, err)
	}
	go func() {
		_, _ = io.Copy(io.Discard, pipe)
		fmt.Fprintln(os.Stderr, "the parent process is gone")
		os.Exit(3)
	}()
	return nil
}
