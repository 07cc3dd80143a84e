package e2e

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"

	"github.com/hashicorp/vault/api"
)

// userMachine is a user on a machine of their own. What certsync prints there and writes is theirs, keys and all; what it says
// on stderr is looked through for secrets like everything else.
type userMachine struct {
	*fixture
	home string
	env  []string // beside HOME and where Vault is
}

// person has a home of their own, and no token.
func (f *fixture) person(env ...string) *userMachine {
	f.Helper()
	return &userMachine{fixture: f, home: f.TempDir(), env: append([]string{"VAULT_TOKEN=", "KUBECONFIG=", "CERTSYNC_OWNER=" + f.owner, "CERTSYNC_FILE="}, env...)}
}

// reader is a person with a token of these policies, which is called after them.
func (f *fixture) reader(name string, policies ...string) *userMachine {
	f.Helper()
	made, err := f.vault.Auth().Token().CreateWithContext(f.Context(), &api.TokenCreateRequest{DisplayName: name, Policies: policies})
	if err != nil {
		f.Fatal(err)
	}
	return f.person("VAULT_TOKEN=" + f.secret("the token of "+name, made.Auth.ClientToken))
}

// certsync runs as the person, in their home.
func (p *userMachine) certsync(args ...string) result {
	p.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), commandTimeout)
	defer cancel()
	cmd := p.command(ctx, args...)
	cmd.Dir = p.home
	cmd.Env = append(append(cmd.Env, "HOME="+p.home, "TMPDIR="+p.home), p.env...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if cmd.ProcessState == nil {
		p.Fatal(err)
	}
	p.seen.Write(stderr.Bytes())
	return result{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
}

// must fails the test unless certsync exits with code.
func (p *userMachine) must(code int, args ...string) result {
	p.Helper()
	r := p.certsync(args...)
	if r.code != code {
		p.Fatalf("certsync %s: exit %d, want %d\n%s", strings.Join(args, " "), r.code, code, r.stderr)
	}
	return r
}

// file is the path of one in the person's home, with this text.
func (p *userMachine) file(name, text string) string {
	p.Helper()
	path := filepath.Join(p.home, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		p.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		p.Fatal(err)
	}
	return path
}

// text is what stands in a file.
func (f *fixture) text(path string) string {
	f.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	return string(text)
}
