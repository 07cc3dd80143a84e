//go:build unix

package main

import (
	"io/fs"
	"os"
	"syscall"
)

// ours reports what belongs to the user who runs certsync.
func ours(info fs.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(stat.Uid) == os.Geteuid()
}

// secluded reports what nobody else has any right to.
func secluded(info fs.FileInfo) bool { return info.Mode()&othersBits == 0 }
