package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
	"unsafe"
)

// newTTY makes a pseudo-terminal, and returns both its ends: what the person sees and types, and what programs do.
func newTTY(t *testing.T) (person, program *os.File) {
	t.Helper()
	person, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { person.Close() })
	control := func(request uintptr, value *uint32) {
		if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, person.Fd(), request, uintptr(unsafe.Pointer(value))); errno != 0 {
			t.Fatal(errno)
		}
	}
	var locked, number uint32
	control(syscall.TIOCSPTLCK, &locked)
	control(syscall.TIOCGPTN, &number)
	program, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { program.Close() })
	return person, program
}

// session is certsync on a terminal of its own, which it also gets Ctrl-C from.
type session struct {
	t      *testing.T
	person *os.File
	ended  chan result

	mu    sync.Mutex
	seen  strings.Builder
	typed int // how much the terminal had shown when something was typed last
}

// begin starts certsync in the world of a golden folder.
func begin(t *testing.T, folder string, env []string, args ...string) *session {
	t.Helper()
	cluster, ca := newCluster(t)
	dir := t.TempDir()
	copyFolder(t, filepath.Join("testdata", folder), dir, map[string]string{"$CLUSTER": cluster, "$CA": ca, "$VAULT": newVault(t)})
	return onTTY(t, process(t, dir, append(linesOf(t, dir, "env"), env...), args))
}

// ttyTime is how long a program may take to react, on a busy machine.
const ttyTime = 2 * time.Minute

// onTTY starts a command on a terminal of its own.
func onTTY(t *testing.T, cmd *exec.Cmd) *session {
	t.Helper()
	person, tty := newTTY(t)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = tty, tty, tty
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	s := &session{t: t, person: person, ended: make(chan result, 1)}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	tty.Close()
	go func() {
		_, _ = io.Copy(s, person) // ends with EIO, when nobody holds the other end
		_ = cmd.Wait()
		s.ended <- result{stdout: s.text(), code: cmd.ProcessState.ExitCode()}
	}()
	return s
}

// Write collects what certsync prints.
func (s *session) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seen.Write(p)
}

func (s *session) text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seen.String()
}

// answer waits for the question, and types.
func (s *session) answer(keys string) result {
	s.t.Helper()
	s.typeAt("is accepted: ", keys)
	return s.end()
}

// typeAt waits until the last thing on the terminal is a prompt, and types. Until the terminal shows what was typed before, the prompt
// for that is still the last thing: it does not count again.
func (s *session) typeAt(prompt, keys string) {
	s.t.Helper()
	for deadline := time.Now().Add(ttyTime); len(s.text()) == s.typed || !strings.HasSuffix(s.text(), prompt); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			s.t.Fatalf("there is no %q: %q", prompt, s.text())
		}
	}
	s.typed = len(s.text())
	if _, err := s.person.WriteString(keys); err != nil {
		s.t.Fatal(err)
	}
}

func (s *session) end() result {
	s.t.Helper()
	select {
	case r := <-s.ended:
		return r
	case <-time.After(ttyTime):
		s.t.Fatalf("certsync does not end: %q", s.text())
		return result{}
	}
}

const recorded = "recorded the inventory; there was nothing else to do."

// TestConsent: on a terminal apply shows the plan and asks, and nothing but "yes" lets it go on.
func TestConsent(t *testing.T) {
	tests := map[string]struct {
		keys string
		code int
		want string
	}{
		"yes":                       {"yes\n", exitOK, recorded},
		"yes, after a blank":        {" yes \n", exitOK, recorded},
		"y":                         {"y\n", exitRefused, `the answer was not "yes"`},
		"YES":                       {"YES\n", exitRefused, `the answer was not "yes"`},
		"yes and more":              {"yes, but\n", exitRefused, `the answer was not "yes"`},
		"no":                        {"no\n", exitRefused, `the answer was not "yes"`},
		"nothing":                   {"\n", exitRefused, `the answer was not "yes"`},
		"the end of the input":      {"\x04", exitRefused, `the answer was not "yes"`},
		"yes without an end":        {"yes\x04\x04", exitOK, recorded},
		"Ctrl-C":                    {"\x03", exitInterrupted, "certsync: interrupted"},
		"Ctrl-C behind half a word": {"ye\x03", exitInterrupted, "certsync: interrupted"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := begin(t, "apply-no-users-allowed", nil, "apply", "--allow-empty").answer(tt.keys)
			question := "\r\nApply this plan? Only \"yes\" is accepted: "
			before, after, asked := strings.Cut(r.stdout, question)
			if !asked || !strings.Contains(before, "Digest: sha256:") {
				t.Errorf("it does not show the plan and ask: %q", r.stdout)
			}
			if r.code != tt.code || !strings.Contains(after, tt.want) {
				t.Errorf("exit %d, want %d and %q: %q", r.code, tt.code, tt.want, after)
			}
			if line, _, _ := strings.Cut(after, "\r\n"); strings.Contains(line, "certsync:") {
				t.Errorf("the message stands behind the question: %q", after)
			}
		})
	}
}

// TestNoQuestion: who has consented on the command line is not asked.
func TestNoQuestion(t *testing.T) {
	r := begin(t, "apply-no-users-allowed", nil, "apply", "--allow-empty", "--yes").end()
	if r.code != exitOK || strings.Contains(r.stdout, "Apply this plan?") {
		t.Errorf("exit %d: %q", r.code, r.stdout)
	}
}

// TestColour: a terminal gets colour, unless somebody wants none or it knows none.
func TestColour(t *testing.T) {
	tests := map[string]struct {
		env  string
		want bool
	}{
		"a terminal":        {"TERM=xterm", true},
		"NO_COLOR":          {"NO_COLOR=1", false},
		"an empty NO_COLOR": {"NO_COLOR=", true},
		"a dumb terminal":   {"TERM=dumb", false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := begin(t, "plan", []string{tt.env}, "plan").end()
			if r.code != exitOK || strings.Contains(r.stdout, "\x1b[1mPlan for") != tt.want || strings.Contains(r.stdout, "\x1b") != tt.want {
				t.Errorf("exit %d: %q", r.code, r.stdout)
			}
		})
	}
}

// TestBar: on a terminal one bar shows how far a run is, what fails stands above it, and nothing of it stays.
func TestBar(t *testing.T) {
	r := begin(t, "apply-failing", []string{"NO_COLOR=1"}, "apply").answer("yes\n")
	for _, want := range []string{
		"\r\x1b[Kissue alice@example.com: failed: issuing a certificate",
		"\r\x1b[K[##############################] 2/2, 2 not done, 0s left\r\x1b[K\r\nApplied to prod-eu: 0 steps done, 2 not done.\r\n",
	} {
		if !strings.Contains(r.stdout, want) {
			t.Errorf("%q is not in %q", want, r.stdout)
		}
	}
	if r.code != exitError || strings.Contains(r.stdout, "[2/2]") {
		t.Errorf("exit %d: %q", r.code, r.stdout)
	}
}

// TestFullDisk: what could not be written to the end is no success.
func TestFullDisk(t *testing.T) {
	cluster, ca := newCluster(t)
	places := map[string]string{"$CLUSTER": cluster, "$CA": ca, "$VAULT": newVault(t)}
	tests := map[string]struct {
		folder string
		args   []string
		also   string // in stderr
	}{
		"version":            {"version", []string{"version"}, ""},
		"help":               {"help", []string{"--help"}, ""},
		"help of a command":  {"help", []string{"apply", "--help"}, ""},
		"validate":           {"validate", []string{"validate"}, ""},
		"plan":               {"plan", []string{"plan"}, ""},
		"plan as JSON":       {"plan", []string{"plan", "-o", "json"}, ""},
		"apply":              {"apply-no-users-allowed", []string{"apply", "--yes", "--allow-empty"}, ""},
		"apply, the summary": {"apply-no-users-allowed", []string{"apply", "--yes", "--allow-empty", "-o", "json"}, "run certsync plan to see what is left"},
		"apply, the events":  {"apply-failing-json", []string{"apply", "--yes", "-o", "json"}, "[2/2]"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer full.Close()
			dir := t.TempDir()
			copyFolder(t, filepath.Join("testdata", tt.folder), dir, places)
			cmd := process(t, dir, linesOf(t, dir, "env"), tt.args)
			cmd.Stdout = full
			r := run(t, cmd)
			if r.code != exitError || !strings.Contains(r.stderr, "writing the output: ") || !strings.Contains(r.stderr, "no space left") || !strings.Contains(r.stderr, tt.also) {
				t.Errorf("exit %d: %s", r.code, r.stderr)
			}
		})
	}
}

// TestCompletionOnTTY presses Tab where somebody sits: bash completes commands, flags, values and, with quotes as they must
// be, the names of files.
func TestCompletionOnTTY(t *testing.T) {
	dir := t.TempDir()
	copyFolder(t, "testdata/validate", dir, nil)
	if err := os.Rename(filepath.Join(dir, "users.yaml"), filepath.Join(dir, "my users.yaml")); err != nil {
		t.Fatal(err)
	}
	cmd := bashCommand(t, dir, "-i")
	cmd.Env = append(cmd.Env, "TERM=dumb", "HISTFILE=", "INPUTRC=/dev/null", "PS1=$ ")
	s := onTTY(t, cmd)
	s.typeAt("$ ", "eval \"$(certsync completion bash)\"; PS1='ready> '\n")
	for _, line := range []string{"val\t-f my\t", "validate --fi\tmy\t", "validate --file=my\t"} {
		s.typeAt("\nready> ", "certsync "+line+"\n")
	}
	s.typeAt("\nready> ", "exit\n")
	r := s.end()
	if got := strings.Count(r.stdout, "my users.yaml: owner prod-eu"); got != 3 {
		t.Errorf("%d of 3 lines were completed: %q", got, r.stdout)
	}
}
