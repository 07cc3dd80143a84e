package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/report"
)

// reportFile is the value of --report; "" for none.
type reportFile string

// UnmarshalText refuses "-" and an empty name. For standard output there is -o json.
func (r *reportFile) UnmarshalText(text []byte) error {
	if len(text) == 0 || string(text) == "-" {
		return errors.New("the name of a file is wanted; for standard output there is -o json")
	}
	*r = reportFile(text)
	return nil
}

const reportHint = "name a file in a folder that certsync can write to (--report)"

// check reports before the run whether its report can be written.
func (r reportFile) check() error {
	if r == "" {
		return nil
	}
	file, err := r.begin()
	if err == nil {
		err = errors.Join(file.Close(), os.Remove(file.Name()))
	}
	if err != nil {
		return reconcile.WithHint(fmt.Errorf("preparing the report: %w", err), reportHint)
	}
	return nil
}

// begin makes the temporary file that takes the report's name when it is complete. It is in the same folder, and nobody else
// can read it. An existing file of that name must be an earlier report. Anything else, such as the inventory or a link, is a
// mistake of the user.
func (r reportFile) begin() (*os.File, error) {
	info, err := os.Lstat(string(r))
	switch {
	case err == nil && !info.Mode().IsRegular():
		return nil, fmt.Errorf("%q is not a regular file", string(r))
	case err == nil && info.Size() > 0 && !isReport(string(r)):
		return nil, fmt.Errorf("%q is no report of certsync's", string(r))
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return nil, err
	}
	return os.CreateTemp(filepath.Dir(string(r)), "."+filepath.Base(string(r))+".*")
}

// reportStart is the beginning of every report.
const reportStart = `{"formatVersion":`

func isReport(name string) bool {
	file, err := inventory.OpenRegular(name)
	if err != nil {
		return false
	}
	defer file.Close()
	start := make([]byte, len(reportStart))
	_, err = io.ReadFull(file, start)
	return err == nil && string(start) == reportStart
}

// write replaces the report by the one of this run, as a whole or not at all.
func (r reportFile) write(account report.Account) error {
	if r == "" {
		return nil
	}
	err := r.replace(func(w io.Writer) error { return json.NewEncoder(w).Encode(account) })
	if err != nil {
		return reconcile.WithHint(fmt.Errorf("writing the report: %w", err),
			"the run is over all the same, and its report is lost; "+reportHint)
	}
	return nil
}

// replace leaves under the report's name all that fill writes, or the old file.
func (r reportFile) replace(fill func(io.Writer) error) error {
	file, err := r.begin()
	if err != nil {
		return err
	}
	if err = fill(file); err == nil {
		err = file.Sync() // a full disk may say so only now
	}
	if err = errors.Join(err, file.Close()); err == nil {
		err = os.Rename(file.Name(), string(r))
	}
	if err != nil {
		_ = os.Remove(file.Name())
	}
	return err
}
