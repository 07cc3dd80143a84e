package main

import (
	"bytes"
	"strings"
	"testing"
)

// TestEmptyNames: an unset variable in a script leaves an empty name. That is an error: a revocation of nobody, or the protection of
// nobody, must not look like a success.
func TestEmptyNames(t *testing.T) {
	for _, line := range []string{
		"plan --revoke=", "apply --yes --revoke=", "apply --revoke=a,,b", "plan --retry=,", "apply --protect=", "plan --adopt=", "status --user=",
		"review --audit-log=", "validate --same-as=", "validate --effective=",
	} {
		var help, stderr bytes.Buffer
		parser, err := newParser(&help, &stderr)
		if err != nil {
			t.Fatal(err)
		}
		_, err = parser.Parse(strings.Fields(line))
		if err == nil || !strings.Contains(err.Error(), "value is empty: set one, or leave the flag out") && !strings.Contains(line, "--adopt") {
			t.Errorf("%s: error %v", line, err)
		}
	}
}
