// Package prompt reads the answers of a person on a terminal.
package prompt

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/certsync/certsync/cmd/certsync/internal/terminal"
)

// ReadLine returns a line that a person types, with its newline unless the input ends before. A read from a terminal cannot
// be cancelled. After an interruption it goes on until the process ends.
func ReadLine(ctx context.Context, in *os.File) (string, error) {
	typed := make(chan string, 1)
	go func() {
		line, _ := bufio.NewReader(in).ReadString('\n')
		typed <- line
	}()
	select {
	case <-ctx.Done():
		return "", context.Cause(ctx)
	case line := <-typed:
		return line, nil
	}
}

// Terminal is where a person reads questions and types answers.
type Terminal struct {
	In  *os.File
	Out io.Writer
}

// Ask asks until an answer has no fault, and returns that answer. An empty line stands for the default.
func (t Terminal) Ask(ctx context.Context, question, byDefault string, fault func(string) string) (string, error) {
	if byDefault != "" {
		question += " [" + terminal.Clean(byDefault) + "]"
	}
	for {
		fmt.Fprintf(t.Out, "%s: ", question)
		line, err := ReadLine(ctx, t.In)
		if !strings.HasSuffix(line, "\n") {
			fmt.Fprintln(t.Out) // the cursor is still behind the question
			if err == nil {
				err = errors.New("the input ended before the last answer")
			}
			return "", err
		}
		answer := strings.TrimSpace(line)
		if answer == "" {
			answer = byDefault
		}
		why := fault(answer)
		if why == "" {
			return answer, nil
		}
		fmt.Fprintln(t.Out, terminal.Clean(why))
	}
}
