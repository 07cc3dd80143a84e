package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// fetch shows how the user gets the kubeconfig from Vault, and saves it. The key in it is not shown.
func (t *terminal) fetch(ctx context.Context, owner string, cast cast) error {
	line := kubeconfigCommand(owner, cast)
	fmt.Printf("\n$ %s > %s\n", line, cast.kubeconfig)
	file, err := os.OpenFile(t.expand(cast.kubeconfig), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer file.Close()
	cmd := t.command(ctx, line)
	cmd.Stdout, cmd.Stderr = file, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("running %q: %w", line, err)
	}
	return file.Close()
}

// fetchNothing shows that the credential is gone.
func (t *terminal) fetchNothing(ctx context.Context, owner string, cast cast) error {
	return t.run(ctx, kubeconfigCommand(owner, cast), want{code: 1, says: "there is no credential"})
}

func kubeconfigCommand(owner string, cast cast) string {
	return "certsync kubeconfig --owner " + owner + " --user " + cast.user
}

// command prepares a line of words and variables; it has no quotes, pipes and the like.
func (t *terminal) command(ctx context.Context, line string) *exec.Cmd {
	words := strings.Fields(t.expand(line))
	cmd := exec.CommandContext(ctx, t.programs[words[0]], words[1:]...)
	// The servers last, so that they win. HOME: kubectl's cache and kuberc are not to be the developer's.
	cmd.Env = append(os.Environ(), append(t.servers.Env(), "HOME="+t.servers.Dir)...)
	return cmd
}
