package main

import (
	"io"
	"regexp"
	"strings"
	"testing"

	"github.com/certsync/certsync/cmd/certsync/internal/invocation"
)

// TestInsteadOfFlag: what people type after a command by habit gets a hint of its own.
func TestInsteadOfFlag(t *testing.T) {
	for line, want := range map[string]string{
		"apply --dry-run":                  invocation.InsteadOfFlag["--dry-run"],
		"apply --dry-run=client":           invocation.InsteadOfFlag["--dry-run"],
		"plan --vault-addr https://a:8200": invocation.InsteadOfFlag["--vault-addr"],
		"kubeconfig --vault-token hvs.a":   invocation.InsteadOfFlag["--vault-token"],
		"plan users.yaml":                  "name the inventory with -f: certsync plan -f FILE",
		"validate clusters/prod-eu.yml":    "name the inventory with -f: certsync validate -f FILE",
		"validate -file users.yaml":        "name the inventory with -f: certsync validate -f FILE",
		"apply alice@example.com":          "run certsync apply --help for the list of flags",
		"kubeconfig users.yaml":            "run certsync kubeconfig --help for the list of flags",
		"apply --vault-ad=https://a:8200":  "run certsync apply --help for the list of flags",
	} {
		r := within(t, t.Context(), strings.Fields(line)...)
		if _, hint, _ := strings.Cut(r.stderr, "\nhint: "); r.code != exitUsage || hint != want+"\n" || want == "" {
			t.Errorf("%s: exit %d, %q", line, r.code, r.stderr)
		}
	}
}

// TestInstead: commands of other programs get a hint of their own, which names commands and flags that certsync has.
func TestInstead(t *testing.T) {
	words := []string{
		"add", "audit", "create", "delete", "destroy", "diff", "get", "history", "import", "issue", "list", "login", "new", "remove",
		"renew", "revoke", "rollback", "run", "setup", "show", "sync", "uninstall", "up", "update", "users",
	}
	if len(words) != len(invocation.Instead) {
		t.Errorf("%d words of %d are tried", len(words), len(invocation.Instead))
	}
	for _, word := range words {
		r := within(t, t.Context(), word)
		first, hint, _ := strings.Cut(r.stderr, "\nhint: ")
		if r.code != exitUsage || !strings.HasPrefix(first, "certsync: unexpected argument "+word) || hint != invocation.Instead[word]+"\n" || hint == "\n" {
			t.Errorf("%s: exit %d, %q", word, r.code, r.stderr)
		}
		for _, m := range regexp.MustCompile(`certsync ([a-z]+(?: --?[a-z-]+(?: [A-Z]+)?)*)`).FindAllStringSubmatch(hint, -1) {
			parser, err := newParser(io.Discard, io.Discard)
			if err != nil {
				t.Fatal(err)
			}
			args := strings.Fields(strings.NewReplacer("OWNER", "prod-eu", "NAME", "alice").Replace(m[1]))
			if _, err := parser.Parse(args); err != nil && args[0] != "manifests" && args[0] != "status" { // which need more than a hint has room for
				t.Errorf("%s: %q: %v", word, args, err)
			}
		}
	}
}
