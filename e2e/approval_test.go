package e2e

import (
	"bufio"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

var approveCommand = regexp.MustCompile(`^(kubectl patch csr (\S+) .*\S) +# (\S+)$`)

// asked is an apply that waits for people, with what it printed for them, by user.
type asked struct {
	commands, names map[string]string
	end             func() (stdout string, code int)
}

// ask begins an apply in which people approve, and returns once it has asked for so many.
func (f *fixture) ask(users int, args ...string) asked {
	f.Helper()
	ctx, cancel := context.WithTimeout(f.Context(), commandTimeout)
	f.Cleanup(cancel)
	run := f.command(ctx, append([]string{"apply", "--yes", "--approval=manual"}, args...)...)
	stderr, err := run.StderrPipe()
	if err != nil {
		f.Fatal(err)
	}
	var stdout strings.Builder
	run.Stdout = &stdout
	if err := run.Start(); err != nil {
		f.Fatal(err)
	}
	a := asked{commands: map[string]string{}, names: map[string]string{}}
	for scanner := bufio.NewScanner(stderr); len(a.commands) < users && scanner.Scan(); {
		if m := approveCommand.FindStringSubmatch(scanner.Text()); m != nil {
			a.commands[m[3]], a.names[m[3]] = m[0], m[2]
		}
	}
	rest := make(chan struct{})
	go func() { _, _ = io.Copy(io.Discard, stderr); close(rest) }()
	a.end = func() (string, int) {
		<-rest
		_ = run.Wait()
		f.seen.WriteString(stdout.String())
		return stdout.String(), run.ProcessState.ExitCode()
	}
	if len(a.commands) < users {
		out, code := a.end()
		f.Fatalf("apply asked for %d people, want %d; exit %d\n%s", len(a.commands), users, code, out)
	}
	return a
}

// paste runs a whole line in a shell, as somebody with that kubeconfig does.
func (f *fixture) paste(kubeconfig, line string) (output string, err error) {
	f.Helper()
	bin := f.TempDir()
	if err := os.Symlink(f.servers.KubectlPath, filepath.Join(bin, "kubectl")); err != nil {
		f.Fatal(err)
	}
	cmd := exec.CommandContext(f.Context(), "/bin/sh", "-c", line)
	cmd.Env = []string{"PATH=" + bin + ":" + os.Getenv("PATH"), "HOME=" + f.dir, "KUBECONFIG=" + kubeconfig}
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// TestPeopleApprove: certsync prints the commands, approves nothing itself, goes on with those whom people approved, holds
// whom nobody did, and does not ask again for whom somebody denied.
func TestPeopleApprove(t *testing.T) {
	t.Parallel()
	f := newFixture(t, shared)
	o := f.owner
	f.write("users:\n  - {name: alice@OWNER, clusterRoles: [view]}\n  - {name: bob@OWNER, clusterRoles: [view]}\n  - {name: carol@OWNER, clusterRoles: [view]}\n")
	asked := f.ask(3, "--approval-timeout=15s")
	if out, err := f.paste(f.kubeconfig, asked.commands["alice@"+o]); err != nil {
		t.Fatal(out, err)
	}
	f.kubectl("certificate", "deny", asked.names["bob@"+o])
	stdout, code := asked.end()
	if code != 1 {
		t.Errorf("exit %d\n%s", code, stdout)
	}
	for _, want := range []string{"issue bob@" + o + ": failed", "was denied at", "issue carol@" + o + ": held", "nobody approved"} {
		if !strings.Contains(stdout, want) {
			t.Errorf("%q is not in: %s", want, stdout)
		}
	}
	f.allowed(f.userKubeconfig("alice@"+o), "get", "pods", "-A")
	if left, err := f.tryKubectl(f.kubeconfig, "get", "csr", asked.names["carol@"+o]); err == nil {
		t.Errorf("the request that nobody approved is left: %s", left)
	}
	if state, _ := f.record("bob@" + o); state != "denied" || f.kv("users/bob@"+o) != nil || f.kv("users/carol@"+o) != nil {
		t.Errorf("bob's record: %s", state)
	}
	f.must(0, "apply", "--yes")
	if p := f.plan(); p.Changes || !p.note("request-denied", "bob@"+o) {
		t.Errorf("plan: %q, %v", p.steps(), p.Notes)
	}
	f.must(0, "apply", "--yes", "--retry=bob@"+o)
	f.allowed(f.userKubeconfig("bob@"+o), "get", "pods", "-A")
}

// approver makes somebody who may do what examples/in-cluster says that approvers need, and nothing else.
func (f *fixture) approver() (kubeconfig string) {
	f.Helper()
	name := "approver-" + f.owner
	f.apply(`{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: approver-OWNER}, rules: [` +
		`{apiGroups: [certificates.k8s.io], resources: [certificatesigningrequests/approval], verbs: [get, patch]},` +
		`{apiGroups: [certificates.k8s.io], resources: [signers], resourceNames: [kubernetes.io/kube-apiserver-client], verbs: [approve]}]}`)
	f.kubectl("create", "clusterrolebinding", name, "--clusterrole="+name, "--user="+name)
	path, err := f.servers.UserKubeconfig(name, nil)
	if err != nil {
		f.Fatal(err)
	}
	return path
}

// TestApprovalOfAnotherRequest: whoever may create requests waits until the one that people were asked for is gone, or
// replaces it while they look, and creates one of that name for a cluster-admin. The printed command does not approve it.
func TestApprovalOfAnotherRequest(t *testing.T) {
	t.Parallel()
	f := newFixture(t, shared)
	o := f.owner
	approver, planter := f.approver(), newPlanter(f)
	f.kubectl("create", "clusterrole", "planter-"+o, "--verb=create,list", "--resource=certificatesigningrequests.certificates.k8s.io")
	f.kubectl("create", "clusterrolebinding", "planter-"+o, "--clusterrole=planter-"+o, "--user=planter-"+o)
	refused := func(command, name string) {
		t.Helper()
		planter.plant(f.Context(), metav1.ObjectMeta{Name: name}, "eve", "kubeadm:cluster-admins")
		if out, err := f.paste(approver, command); err == nil || !strings.Contains(out, "field is immutable") {
			t.Errorf("%s: %v\n%s", command, err, out)
		}
		planter.noneApproved()
	}
	f.write("users: [{name: alice@OWNER, clusterRoles: [view]}]")
	late := f.ask(1, "--approval-timeout=2s")
	if out, code := late.end(); code != 1 || !strings.Contains(out, "nobody approved") {
		t.Fatalf("exit %d\n%s", code, out)
	}
	refused(late.commands["alice@"+o], late.names["alice@"+o])

	f.write("users: [{name: alice@OWNER, clusterRoles: [view]}, {name: bob@OWNER}, {name: carol@OWNER}]")
	now := f.ask(3, "--approval-timeout=3m")
	f.kubectl("delete", "csr", now.names["bob@"+o])
	refused(now.commands["bob@"+o], now.names["bob@"+o])
	f.kubectl("certificate", "deny", now.names["carol@"+o])
	if out, err := f.paste(approver, now.commands["carol@"+o]); err == nil || !strings.Contains(out, `may not remove a condition of type "Denied"`) {
		t.Errorf("approving what was denied: %v\n%s", err, out)
	}
	if out, err := f.paste(approver, now.commands["alice@"+o]); err != nil {
		t.Errorf("approving the genuine request: %v\n%s", err, out)
	}
	out, code := now.end()
	for _, want := range []string{"issue bob@" + o + ": failed", "was deleted while certsync waited for it", "issue carol@" + o + ": failed", "was denied at"} {
		if code != 1 || !strings.Contains(out, want) {
			t.Errorf("exit %d, %q is not in: %s", code, want, out)
		}
	}
	f.allowed(f.userKubeconfig("alice@"+o), "get", "pods", "-A")
}
