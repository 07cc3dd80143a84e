package e2e

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/certsync/certsync/e2e/harness"
)

// plugged is a user whose kubectl gets its credential by certsync credential, from a Vault that can be taken away from them
// alone.
type plugged struct {
	*fixture
	user       string
	token      string         // of Vault, which may read their own credential and nothing else
	kubeconfig string         // with the plugin, and without a credential
	caches     string         // what they have for ~/.cache
	vault      *harness.Proxy // their way to Vault
}

func (f *fixture) plug(user string) *plugged {
	f.Helper()
	p := &plugged{fixture: f, user: user, caches: f.TempDir()}
	p.token = f.token(`path "secret/data/certsync/OWNER/users/` + user + `" { capabilities = ["read"] }`)
	var err error
	if p.vault, err = f.servers.StartProxy(); err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = p.vault.Stop() })
	p.kubeconfig = f.userKubeconfig(user)
	config, err := clientcmd.LoadFromFile(p.kubeconfig)
	if err != nil {
		f.Fatal(err)
	}
	exec := f.guidePlugin(user)
	for _, variable := range p.environment() {
		name, value, _ := strings.Cut(variable, "=")
		exec.Env = append(exec.Env, clientcmdapi.ExecEnvVar{Name: name, Value: value})
	}
	for _, entry := range config.AuthInfos {
		*entry = clientcmdapi.AuthInfo{Exec: exec}
	}
	if err := clientcmd.WriteToFile(*config, p.kubeconfig); err != nil {
		f.Fatal(err)
	}
	return p
}

// guidePlugin is the entry in the guide for users.
func (f *fixture) guidePlugin(user string) *clientcmdapi.ExecConfig {
	f.Helper()
	_, text, found := strings.Cut(f.text("../examples/users/plugin.md"), "```yaml\n")
	text, _, _ = strings.Cut(text, "```\n")
	if !found {
		f.Fatal("the guide shows no plugin")
	}
	text = strings.NewReplacer("prod-eu", f.owner, "alice@example.com", user, "command: certsync", "command: "+f.binary).Replace(text)
	config, err := clientcmd.Load([]byte(text))
	if err != nil || len(config.AuthInfos) != 1 {
		f.Fatalf("%v: the guide's entry is %s", err, text)
	}
	for _, entry := range config.AuthInfos {
		return entry.Exec
	}
	return nil
}

func (p *plugged) environment() []string {
	return []string{
		"VAULT_ADDR=" + p.vault.VaultAddr, "VAULT_CACERT=" + p.servers.VaultCACert, "VAULT_TOKEN=" + p.token,
		"XDG_CACHE_HOME=" + p.caches, "GORACE=atexit_sleep_ms=0",
	}
}

// get is kubectl with the plugin. What it says is looked through for secrets.
func (p *plugged) get(args ...string) (stdout, stderr string, err error) {
	stdout, stderr, err = p.run(args...)
	p.noneIn(stdout + stderr)
	return stdout, stderr, err
}

func (p *plugged) run(args ...string) (stdout, stderr string, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), commandTimeout)
	defer cancel()
	return p.servers.Kubectl(ctx, p.kubeconfig, args...)
}

// noneIn looks for secrets in what kubectl said. The test alone may call it, which is who adds secrets as well.
func (p *plugged) noneIn(said string) {
	p.Helper()
	if whose := p.secrets.find(said); whose != "" {
		p.Errorf("kubectl showed a secret: %s", whose)
	}
}

// kept is the file in the cache, or "".
func (p *plugged) kept() string {
	p.Helper()
	files, err := filepath.Glob(filepath.Join(p.caches, "certsync", "*.json"))
	if err != nil || len(files) > 1 {
		p.Fatalf("in the cache: %q, %v", files, err)
	}
	return strings.Join(files, "")
}

// cached is what the file in the cache says.
func (p *plugged) cached() map[string]any {
	p.Helper()
	text, err := os.ReadFile(p.kept())
	var record map[string]any
	if err == nil {
		err = json.Unmarshal(text, &record)
	}
	if err != nil {
		p.Fatal(err)
	}
	return record
}

// age makes the file in the cache six minutes old, so that the next plugin asks Vault.
func (p *plugged) age() {
	p.Helper()
	record := p.cached()
	record["fetchedAt"] = time.Now().Add(-6 * time.Minute)
	delete(record, "failedAt")
	text, err := json.Marshal(record)
	temporary := filepath.Join(p.TempDir(), "aged")
	if err == nil {
		err = os.WriteFile(temporary, text, 0o600)
	}
	if err == nil {
		err = os.Rename(temporary, p.kept()) // plugins may be reading it
	}
	if err != nil {
		p.Fatal(err)
	}
}

// lines is what a running command prints.
type lines struct {
	*plugged
	next chan string
}

// follow starts a kubectl that goes on until the test ends.
func (p *plugged) follow(args ...string) lines {
	p.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	cmd := p.servers.KubectlCommand(ctx, p.kubeconfig, args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdout, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		p.Fatal(err)
	}
	l := lines{p, make(chan string)}
	p.Cleanup(func() {
		cancel()
		for range l.next { // nobody reads any more
		}
		_ = cmd.Wait()
		if text := stderr.String(); text != "" {
			p.Errorf("kubectl %q: %s", args, text)
		}
	})
	go func() {
		defer close(l.next)
		for scanner := bufio.NewScanner(stdout); scanner.Scan(); {
			l.next <- scanner.Text()
		}
	}()
	return l
}

// sees reads on until a line comes.
func (l lines) sees(want string) {
	l.Helper()
	var seen []string
	for timeout := time.After(time.Minute); ; {
		select {
		case line, open := <-l.next:
			if line == want {
				return
			}
			if seen = append(seen, line); !open {
				l.Fatalf("it ended, and %q was not in %q", want, seen)
			}
		case <-timeout:
			l.Fatalf("waited a minute for %q in %q", want, seen)
		}
	}
}

// loop is kubectl, run again and again.
type loop struct {
	*plugged
	ran   chan said
	stop  chan struct{}
	ended chan struct{}
}

type said struct{ stdout, stderr string }

// keepGetting runs kubectl until the test ends. Each must succeed.
func (p *plugged) keepGetting(args ...string) *loop {
	l := &loop{p, make(chan said, 10000), make(chan struct{}), make(chan struct{})}
	go func() {
		defer close(l.ended)
		for {
			select {
			case <-l.stop:
				return
			default:
			}
			stdout, stderr, err := p.run(args...)
			if err != nil {
				p.Errorf("kubectl in the loop: %v", err)
			}
			l.ran <- said{stdout, stderr}
		}
	}()
	p.Cleanup(func() { close(l.stop); <-l.ended; l.drain() })
	return l
}

// drain takes what the loop has said so far.
func (l *loop) drain() {
	l.Helper()
	for len(l.ran) > 0 {
		s := <-l.ran
		l.noneIn(s.stdout + s.stderr)
	}
}

// more waits until n kubectl have begun and ended from now on, and returns what they said.
func (l *loop) more(n int) (stderr []string) {
	l.Helper()
	l.drain()
	timeout := time.After(2 * time.Minute)
	for range n + 1 {
		select {
		case s := <-l.ran:
			l.noneIn(s.stdout + s.stderr)
			stderr = append(stderr, s.stderr)
		case <-timeout:
			l.Fatalf("the loop did not go on: %q", stderr)
		}
	}
	return stderr[1:] // the first may have begun before
}

// stored is the certificate of the user that is in Vault now.
func (p *plugged) stored() any { p.Helper(); return p.kv("users/" + p.user)["tls.crt"] }

// says reports whether one of the texts has this in it.
func says(texts []string, want string) bool {
	return slices.ContainsFunc(texts, func(text string) bool { return strings.Contains(text, want) })
}

// makes has the user make a ConfigMap.
func (p *plugged) makes(namespace, name string) string {
	p.Helper()
	if _, _, err := p.get("create", "configmap", name, "-n", namespace); err != nil {
		p.Error(err)
	}
	return fmt.Sprintf("configmap/%s", name)
}
