package harness

import (
	"os"
	"path/filepath"
	"syscall"
	"time"
)

const (
	dirPattern = "certsync-e2e-*"
	lockName   = "lock"
)

// lockedTempDir makes a folder and a locked file in it. The kernel drops the lock with the process,
// which is how sweep tells a folder in use from one that was left behind.
func lockedTempDir() (string, *os.File, error) {
	dir, err := os.MkdirTemp("", dirPattern)
	if err != nil {
		return "", nil, err
	}
	lock, err := os.Create(filepath.Join(dir, lockName))
	if err != nil {
		return dir, nil, err
	}
	return dir, lock, syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
}

// sweep removes the folders of processes that were killed before they could do so: with etcd's
// preallocated log, each would keep over 60 MB.
func sweep() {
	locks, _ := filepath.Glob(filepath.Join(os.TempDir(), dirPattern, lockName))
	for _, path := range locks {
		// A young lock file may belong to a Start that is just about to lock it.
		info, err := os.Stat(path)
		if err != nil || time.Since(info.ModTime()) < time.Minute {
			continue
		}
		lock, err := os.Open(path)
		if err != nil {
			continue
		}
		if syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil {
			_ = os.RemoveAll(filepath.Dir(path))
		}
		_ = lock.Close()
	}
}
