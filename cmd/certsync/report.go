package main

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

// reportFile is the value of --report, or "".
type reportFile string

// UnmarshalText returns an error for "-" and an empty name. -o json writes to standard output.
func (r *reportFile) UnmarshalText(text []byte) error {
	if len(text) == 0 || string(text) == "-" {
		return errors.New("expected a file name; use -o json for standard output")
	}
	*r = reportFile(text)
	return nil
}

const reportHint = "set --report to a file in a folder that certsync can write to"

// check returns an error, before the run, if its report cannot be written.
func (r reportFile) check() error {
	if r == "" {
		return nil
	}
	err := r.refuse()
	if err == nil {
		err = files.CheckReplace(string(r))
	}
	if err != nil {
		return reconcile.WithHint(fmt.Errorf("preparing the report: %w", err), reportHint)
	}
	return nil
}

// refuse returns an error if the file exists and is not the report of an earlier run. A device, a link or another file,
// such as the inventory, is a mistake.
func (r reportFile) refuse() error {
	info, err := os.Lstat(string(r))
	switch {
	case err == nil && !info.Mode().IsRegular():
		return fmt.Errorf("%q is not a regular file", string(r))
	case err == nil && info.Size() > 0 && !isReport(string(r)):
		return fmt.Errorf("%q exists and is not a certsync report", string(r))
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return err
	}
	return nil
}

// reportStart is the beginning of every report.
const reportStart = `{"formatVersion":`

func isReport(name string) bool {
	file, err := files.Open(name)
	if err != nil {
		return false
	}
	defer file.Close()
	start := make([]byte, len(reportStart))
	_, err = io.ReadFull(file, start)
	return err == nil && string(start) == reportStart
}

// write replaces the report with the one of this run, completely or not at all.
func (r reportFile) write(account report.Account) error {
	if r == "" {
		return nil
	}
	err := r.replace(func(w io.Writer) error { return json.NewEncoder(w).Encode(account) })
	if err != nil {
		return reconcile.WithHint(fmt.Errorf("writing the report: %w", err),
			"the run itself is over, but its report is lost; "+reportHint)
	}
	return nil
}

// replace replaces the report with the text that fill writes, also after an interruption.
func (r reportFile) replace(fill func(io.Writer) error) error {
	if err := r.refuse(); err != nil {
		return err
	}
	return files.Replace(context.Background(), string(r), fill)
}
