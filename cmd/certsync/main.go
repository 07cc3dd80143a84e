// Command certsync gives people access to a Kubernetes cluster by client certificates, from a users.yaml in git.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/certsync/certsync/cmd/certsync/internal/invocation"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// The first signal lets the run end in good order. After that there is no handler, so the second ends it at once.
	context.AfterFunc(ctx, stop)
	p := program{name: invocation.Name(os.Args[0]), stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr}
	os.Exit(p.Run(ctx, os.Args[1:]))
}
