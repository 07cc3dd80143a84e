package harness

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// process is one run of one server.
type process struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended
}

// StartProcess starts a process that was stopped or killed, on the same port and data, and waits until
// it can be used. Vault is unsealed again.
func (s *Servers) StartProcess(ctx context.Context, name string) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	if err := s.launch(name); err != nil {
		return err
	}
	return s.waitReady(ctx, name)
}

// PID is the process id of the named process, 0 if it is not running.
func (s *Servers) PID(name string) int {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if p := s.processes[name]; p != nil {
		return p.cmd.Process.Pid
	}
	return 0
}

// StopProcess ends a process as its operator would, by SIGTERM, and waits for its end.
func (s *Servers) StopProcess(name string) error {
	return s.end(name, syscall.SIGTERM)
}

// KillProcess ends a process by SIGKILL, and waits for its end.
func (s *Servers) KillProcess(name string) error {
	return s.end(name, syscall.SIGKILL)
}

func (s *Servers) end(name string, signal syscall.Signal) error {
	s.mutex.Lock()
	p := s.processes[name]
	delete(s.processes, name)
	s.mutex.Unlock()
	if p == nil {
		return fmt.Errorf("stopping %s: it is not running", name)
	}
	_ = p.cmd.Process.Signal(signal)
	select {
	case <-p.done:
		return nil
	case <-time.After(30 * time.Second):
		_ = p.cmd.Process.Kill()
		<-p.done
		return fmt.Errorf("stopping %s: still there 30 s after %v, killed", name, signal)
	}
}

func (s *Servers) launch(name string) error {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	switch {
	case s.child == nil:
		return fmt.Errorf("starting %s: the servers were stopped", name)
	case s.processes[name] != nil:
		return fmt.Errorf("starting %s: it is running", name)
	}
	log, err := os.OpenFile(s.LogFile(name), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close() // the process has its own copy
	cmd := &exec.Cmd{
		Path:       s.binary,
		Args:       append([]string{name}, s.arguments(name)...),
		Dir:        s.Dir,
		Env:        append(s.environment(), "CERTSYNC_SERVERS_PARENT_FD=3"),
		Stdout:     log,
		Stderr:     log,
		ExtraFiles: []*os.File{s.child},
		// Out of the terminal's process group, or Ctrl-C would reach the servers before whoever
		// uses them has cleaned up.
		SysProcAttr: &syscall.SysProcAttr{Setpgid: true},
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("starting %s: %w", name, err)
	}
	p := &process{cmd: cmd, done: make(chan struct{})}
	s.processes[name] = p
	go func() {
		_ = cmd.Wait()
		close(p.done)
	}()
	return nil
}

// environment keeps the developer's own cluster, Vault and ~/.kube out of the servers and of kubectl.
func (s *Servers) environment() []string {
	return []string{"PATH=" + os.Getenv("PATH"), "HOME=" + s.Dir, "TMPDIR=" + s.Dir, "GOGC=" + os.Getenv("GOGC")}
}

func (s *Servers) arguments(name string) []string {
	switch name {
	case Etcd:
		return s.etcdArgs()
	case APIServer:
		return append(s.apiServerArgs(), s.options.APIServerArgs...)
	case ControllerManager:
		return append(s.controllerManagerArgs(), s.options.ControllerManagerArgs...)
	default:
		return s.vaultArgs()
	}
}

func (s *Servers) waitReady(ctx context.Context, name string) error {
	switch name {
	case Etcd:
		return s.poll(ctx, name, s.checkEtcd)
	case APIServer:
		return s.poll(ctx, name, s.checkAPIServer)
	case Vault:
		return s.poll(ctx, name, s.checkVault)
	}
	if s.options.WithoutSigner {
		return nil
	}
	return s.WaitSigner(ctx)
}

// poll repeats check until it succeeds, one of the processes ends, or ctx does.
func (s *Servers) poll(ctx context.Context, name string, check func(context.Context) error) error {
	if s.PID(name) == 0 {
		return fmt.Errorf("waiting for %s: it is not running", name)
	}
	for {
		err := check(ctx)
		// Also after a success: who answers may be another process, which took the port before.
		if ended := s.ended(); ended != nil {
			return fmt.Errorf("waiting for %s: %w", name, ended)
		}
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for %s: %w: %w\n%s", name, ctx.Err(), err, s.logTail(name))
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// ended explains the end of a process that nobody stopped.
func (s *Servers) ended() error {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	for name, p := range s.processes {
		select {
		case <-p.done:
		default:
			continue
		}
		tail := s.logTail(name)
		err := fmt.Errorf("%s ended: %v\n%s", name, p.cmd.ProcessState, tail)
		if strings.Contains(tail, "address already in use") {
			err = fmt.Errorf("%w: %w", errPortTaken, err)
		}
		return err
	}
	return nil
}

// logTail is the end of a process' log, below the name of the file.
func (s *Servers) logTail(name string) string {
	content, err := os.ReadFile(s.LogFile(name))
	if err != nil {
		return err.Error()
	}
	lines := bytes.Split(bytes.TrimSpace(content), []byte("\n"))
	if more := len(lines) - 30; more > 0 {
		lines = lines[more:]
	}
	return fmt.Sprintf("the end of %s:\n  %s", s.LogFile(name), bytes.Join(lines, []byte("\n  ")))
}
