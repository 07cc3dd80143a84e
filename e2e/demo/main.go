// Command demo shows certsync on real servers, which it starts on loopback. It gives access to the users of
// examples/users.yaml, and removes one of them. `make demo` runs it. With KEEP=1 the servers stay until Ctrl-C.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/certsync/certsync/e2e/harness"
	"github.com/certsync/certsync/inventory"
)

// example is the demo's inventory, in the repository.
const example = "examples/users.yaml"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the demo and the servers at once
	err := run(ctx)
	switch {
	case err == nil: // also after KEEP, which ends with Ctrl-C
	case ctx.Err() != nil:
		fmt.Fprintln(os.Stderr, "demo: interrupted")
		os.Exit(130)
	default:
		fmt.Fprintf(os.Stderr, "demo: %v\n", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) (err error) {
	root, err := harness.Root()
	if err != nil {
		return err
	}
	if err := os.Chdir(root); err != nil { // the commands use paths from there
		return err
	}
	inv, err := inventory.Load(example)
	if err != nil {
		return err
	}
	cast, err := castFrom(inv)
	if err != nil {
		return fmt.Errorf("choosing a user from %q: %w", example, err)
	}
	servers, certsync, err := start(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, servers.Stop()) }()
	t, err := newTerminal(servers, certsync)
	if err != nil {
		return err
	}
	if err := play(ctx, t, inv, cast); err != nil {
		return err
	}
	if keep := os.Getenv("KEEP"); keep == "" || keep == "0" {
		return nil
	}
	t.say("The servers keep running. To use them, run this in another terminal, in this folder:")
	for _, export := range t.exports() {
		fmt.Println("export " + export)
	}
	t.say("Press Ctrl-C to stop.")
	<-ctx.Done()
	return nil
}

func start(ctx context.Context) (servers *harness.Servers, certsync string, err error) {
	fmt.Println("# Building certsync, kubectl, etcd, kube-apiserver, kube-controller-manager and Vault.")
	binary, err := harness.Build(ctx, os.Stdout)
	if err != nil {
		return nil, "", err
	}
	if certsync, err = harness.BuildCertsync(ctx, os.Stdout, false); err != nil {
		return nil, "", err
	}
	began := time.Now()
	if servers, err = harness.Start(ctx, binary, harness.Options{}); err != nil {
		return nil, "", err
	}
	fmt.Printf("# A cluster and a Vault are up on loopback after %s.\n", time.Since(began).Round(100*time.Millisecond))
	return servers, certsync, nil
}

// play is the session that the demo shows. It ends at the first command with an unexpected result.
func play(ctx context.Context, t *terminal, inv *inventory.Inventory, cast cast) error {
	t.say("The cluster is new, so it needs the namespaces of the inventory.")
	for _, namespace := range namespaces(inv) {
		if err := t.run(ctx, "kubectl create namespace "+namespace, want{}); err != nil {
			return err
		}
	}
	t.say("%s lists the users of the cluster and their roles.", example)
	if err := t.certsync(ctx, example); err != nil {
		return err
	}
	t.say("%s fetches a kubeconfig from Vault, and needs nothing else.", cast.user)
	if err := t.fetch(ctx, inv.Owner, cast); err != nil {
		return err
	}
	kubectl := "kubectl --kubeconfig=" + cast.kubeconfig + " "
	if err := t.all(ctx, []command{
		{kubectl + "auth whoami", want{says: cast.user}},
		{kubectl + "get namespaces", want{says: cast.namespace}},
		{kubectl + "-n " + cast.namespace + " create configmap hello --from-literal=from=me", want{says: "created"}},
		{kubectl + "-n kube-system get secrets", want{code: 1, says: "Forbidden"}},
	}); err != nil {
		return err
	}
	t.say("%s leaves. $DEMO/users.yaml is the same file without these lines.", cast.user)
	if err := takeOut(example, filepath.Join(t.folder, "users.yaml"), cast.user); err != nil {
		return fmt.Errorf("taking %q out of a copy of %q: %w", cast.user, example, err)
	}
	if err := t.certsync(ctx, "$DEMO/users.yaml"); err != nil {
		return err
	}
	t.say("The same kubeconfig has no access now, although its certificate has not expired:")
	if err := t.run(ctx, kubectl+"get namespaces", want{code: 1, says: "Forbidden"}); err != nil {
		return err
	}
	t.say("Vault no longer has the credential:")
	return t.fetchNothing(ctx, inv.Owner, cast)
}
