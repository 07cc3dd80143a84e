package e2e

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// guide is a section of a document in examples. Its commands run in their order, with the owner in place of prod-eu and
// example.com.
type guide struct {
	*fixture
	section  string
	commands []string
	done     int
	exports  string   // of earlier commands
	dir      string   // where they run
	env      []string // beside the fixture's
	private  bool     // what they print may hold the user's key
}

var shellBlock = regexp.MustCompile("(?s)\n *```sh\n(.*?)\n *```\n")

// guide reads a document, or the section of it that has this heading. Pairs of texts are old ones and what stands in their place. The
// test fails if it ends before all commands have run.
func (f *fixture) guide(path, section string, pairs ...string) *guide {
	f.Helper()
	text := f.text(filepath.Join("..", "examples", path))
	if section != "" {
		_, rest, found := strings.Cut(text, "\n## "+section+"\n")
		if !found {
			f.Fatalf("%s has no section %q", path, section)
		}
		text, _, _ = strings.Cut("\n"+rest, "\n## ")
	}
	replace := strings.NewReplacer(append(pairs, "prod-eu", f.owner, "example.com", f.owner)...)
	g := &guide{fixture: f, section: path + " " + section, dir: f.dir}
	for _, m := range shellBlock.FindAllStringSubmatch(text, -1) {
		g.commands = append(g.commands, replace.Replace(m[1]))
	}
	if len(g.commands) == 0 {
		f.Fatalf("%s has no commands", g.section)
	}
	f.Cleanup(func() {
		if g.done != len(g.commands) {
			f.Errorf("%d of the %d blocks of commands of %s were run", g.done, len(g.commands), g.section)
		}
	})
	return g
}

// on has the commands run on a user's own machine.
func (g *guide) on(p *userMachine) *guide {
	g.dir, g.private = p.home, true
	g.env = append([]string{"HOME=" + p.home, "TMPDIR=" + p.home}, p.env...)
	return g
}

// next runs the next block of commands. The last of them exits with code.
func (g *guide) next(code int) result {
	g.Helper()
	if g.done == len(g.commands) {
		g.Fatalf("%s has %d blocks of commands only", g.section, g.done)
	}
	script := g.commands[g.done]
	g.done++
	first, last := g.TempDir(), g.TempDir()
	for link, path := range map[string]string{
		filepath.Join(first, "certsync"): certsync, filepath.Join(first, "kubectl"): g.servers.KubectlPath, filepath.Join(first, "vault"): testBinary(g),
		filepath.Join(last, "openssl"): testBinary(g), // for machines without it
	} {
		if err := os.Symlink(path, link); err != nil {
			g.Fatal(err)
		}
	}
	cmd := g.command(g.Context(), "-ec", g.exports+script)
	cmd.Path, cmd.Args[0], cmd.Dir = "/bin/sh", "sh", g.dir
	cmd.Env = append(append(cmd.Env, g.env...), "PATH="+first+":"+os.Getenv("PATH")+":"+last, "KUBECACHEDIR="+last)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	_ = cmd.Run() // the exit code says it
	if cmd.ProcessState == nil || cmd.ProcessState.ExitCode() != code {
		g.Fatalf("%s: %v, want exit %d\n%s%s", script, cmd.ProcessState, code, stdout.String(), stderr.String())
	}
	g.seen.Write(stderr.Bytes())
	if !g.private {
		g.seen.Write(stdout.Bytes())
	}
	_ = g.keepSecrets()
	for line := range strings.Lines(script) {
		if strings.HasPrefix(line, "export ") {
			g.exports += strings.TrimSuffix(line, "\n") + "\n"
		}
	}
	return result{stdout.String(), stderr.String(), code}
}

// shows runs the next block of commands, and looks for texts in what they print.
func (g *guide) shows(texts ...string) {
	g.Helper()
	r := g.next(0)
	for _, text := range texts {
		if !strings.Contains(r.stdout, text) {
			g.Errorf("%s: %q is not in: %s", g.section, text, r.stdout)
		}
	}
}

// writeNamed is write, for a cluster that is called like the owner.
func (f *fixture) writeNamed(text string) {
	f.Helper()
	f.write(fmt.Sprintf("cluster: {name: OWNER, server: %q, certificateAuthorityData: %s}\n%s",
		f.servers.KubeURL, base64.StdEncoding.EncodeToString(f.servers.CACert), text))
}
