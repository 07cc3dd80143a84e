// Package reportfile writes the report of a run to the file of --report, and never over a file that is no report.
package reportfile

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/certsync/certsync/inventory/files"
	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/report"
)

// File is the value of --report, or "".
type File string

// UnmarshalText returns an error for "-" and an empty name. -o json writes to standard output.
func (f *File) UnmarshalText(text []byte) error {
	if len(text) == 0 || string(text) == "-" {
		return errors.New("expected a file name; use -o json for standard output")
	}
	*f = File(text)
	return nil
}

const hint = "set --report to a file in a folder that certsync can write to"

// Check returns an error, before the run, if its report cannot be written.
func (f File) Check() error {
	if f == "" {
		return nil
	}
	err := f.refuse()
	if err == nil {
		err = files.CheckReplace(string(f))
	}
	if err != nil {
		return reconcile.WithHint(fmt.Errorf("preparing the report: %w", err), hint)
	}
	return nil
}

// refuse returns an error if the file exists and is not the report of an earlier run. A device, a link or another file,
// such as the inventory, is a mistake.
func (f File) refuse() error {
	info, err := os.Lstat(string(f))
	switch {
	case err == nil && !info.Mode().IsRegular():
		return fmt.Errorf("%q is not a regular file", string(f))
	case err == nil && info.Size() > 0 && !isReport(string(f)):
		return fmt.Errorf("%q exists and is not a certsync report", string(f))
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return err
	}
	return nil
}

// beginning is the beginning of every report.
const beginning = `{"formatVersion":`

func isReport(name string) bool {
	file, err := files.Open(name)
	if err != nil {
		return false
	}
	defer file.Close()
	start := make([]byte, len(beginning))
	_, err = io.ReadFull(file, start)
	return err == nil && string(start) == beginning
}

// Write replaces the report with the one of this run, completely or not at all.
func (f File) Write(account report.Account) error { return f.write(account) }

// WriteAll is Write for a run in several clusters, which ended with this exit code.
func (f File) WriteAll(exitCode int, accounts []report.Account) error {
	return f.write(struct {
		FormatVersion string           `json:"formatVersion"`
		ExitCode      int              `json:"exitCode"`
		Clusters      []report.Account `json:"clusters"`
	}{reconcile.FormatVersion, exitCode, accounts})
}

func (f File) write(document any) error {
	if f == "" {
		return nil
	}
	err := f.replace(func(w io.Writer) error { return json.NewEncoder(w).Encode(document) })
	if err != nil {
		return reconcile.WithHint(fmt.Errorf("writing the report: %w", err),
			"the run itself is over, but its report is lost; "+hint)
	}
	return nil
}

// replace replaces the report with the text that fill writes, also after an interruption.
func (f File) replace(fill func(io.Writer) error) error {
	if err := f.refuse(); err != nil {
		return err
	}
	return files.Replace(context.Background(), string(f), fill)
}
