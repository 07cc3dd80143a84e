package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/certsync/certsync/e2e/harness"
)

// container is the image's files for this machine, and how to run them, as a container runtime would: in a root file
// system of their own, as the image's user, with nothing of the test's environment. Unlike one, it shares the network and
// the processes with the test.
type container struct {
	testing.TB
	root   string
	config harness.ImageConfig
}

// newContainer unpacks the image into a folder that only the image's files are in.
func newContainer(t testing.TB) *container {
	t.Helper()
	l := image(t)
	manifest, config, err := l.Image(runtime.GOARCH)
	if err != nil {
		t.Fatal(err)
	}
	files, err := l.Files(manifest, config)
	if err != nil {
		t.Fatal(err)
	}
	c := &container{TB: t, root: t.TempDir(), config: config}
	for _, file := range files {
		if !file.Mode.IsRegular() {
			t.Fatalf("the image's %s is no file: %s", file.Name, file.Mode)
		}
		c.put(file.Name, file.Mode.Perm(), file.Content)
	}
	return c
}

// put writes a file into the container, as a mounted volume would, in place of the one that is there. Nobody in the
// container can write it.
func (c *container) put(name string, mode os.FileMode, content []byte) {
	c.Helper()
	target := filepath.Join(c.root, filepath.FromSlash(path.Clean("/"+name)))
	if err := c.mkdir(filepath.Dir(target)); err != nil {
		c.Fatal(err)
	}
	// A rename, as the kubelet does: who reads a token while it changes gets all of the old one or of the new one.
	temporary := target + ".new"
	if err := os.WriteFile(temporary, content, 0o600); err != nil {
		c.Fatal(err)
	}
	if err := os.Chmod(temporary, mode); err != nil { // whatever the umask
		c.Fatal(err)
	}
	if err := os.Rename(temporary, target); err != nil {
		c.Fatal(err)
	}
}

// mkdir makes a folder of the container and those above it, for everybody to look into.
func (c *container) mkdir(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for ; ; dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil || dir == c.root {
			return err
		}
	}
}

// command runs the image's entry point with arguments. Of the environment there is what a runtime sets, what the image
// says, and env, which wins.
func (c *container) command(ctx context.Context, env []string, args ...string) *exec.Cmd {
	c.Helper()
	uid, gid := c.user()
	line := slices.Concat(c.config.Config.Entrypoint, args)
	cmd := exec.CommandContext(ctx, line[0], line[1:]...)
	cmd.Dir = c.config.Config.WorkingDir
	cmd.Env = slices.Concat([]string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/"}, c.config.Config.Env, env)
	cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: c.root, Credential: &syscall.Credential{Uid: uid, Gid: gid}}
	if os.Getuid() != 0 {
		// In a user namespace of its own, whoever runs the tests is the image's user.
		cmd.SysProcAttr.Cloneflags = syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: int(uid), HostID: os.Getuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: int(gid), HostID: os.Getgid(), Size: 1}}
		cmd.SysProcAttr.Credential.NoSetGroups = true
	}
	return cmd
}

// user is the image's, which must be numbers: there is no /etc/passwd to look a name up in.
func (c *container) user() (uid, gid uint32) {
	c.Helper()
	user, group, _ := strings.Cut(c.config.Config.User, ":")
	numbers := [2]uint32{}
	for i, text := range []string{user, group} {
		n, err := strconv.ParseUint(text, 10, 32)
		if err != nil {
			c.Fatal(fmt.Errorf("reading the image's user %q: %w", c.config.Config.User, err))
		}
		numbers[i] = uint32(n)
	}
	return numbers[0], numbers[1]
}

// runInContainer runs the image's certsync like certsync does the other one: what it prints is looked through for
// secrets. env is all that it learns of the servers.
func (f *fixture) runInContainer(c *container, env []string, args ...string) result {
	f.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), commandTimeout)
	defer cancel()
	return f.wait(c.command(ctx, env, args...))
}
