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
	// After the first signal the run finishes its current steps. Then no handler is left, so a second signal ends the process.
	context.AfterFunc(ctx, stop)
	p := program{name: invocation.Name(os.Args[0]), stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr}
	os.Exit(p.Run(ctx, os.Args[1:]))
}
