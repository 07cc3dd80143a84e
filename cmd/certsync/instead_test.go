package main

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestInstead: commands of other programs get a hint of their own, which names commands and flags that certsync has.
func TestInstead(t *testing.T) {
	words := []string{
		"add", "audit", "create", "delete", "destroy", "diff", "get", "history", "import", "issue", "list", "login", "new", "remove",
		"renew", "revoke", "rollback", "run", "setup", "show", "sync", "uninstall", "up", "update", "users",
	}
	if len(words) != len(instead) {
		t.Errorf("%d words of %d are tried", len(words), len(instead))
	}
	all := commands(t)
	for _, word := range words {
		r := within(t, t.Context(), word)
		first, hint, _ := strings.Cut(r.stderr, "\nhint: ")
		if r.code != exitUsage || !strings.HasPrefix(first, "certsync: unexpected argument "+word) || hint != instead[word]+"\n" || hint == "\n" {
			t.Errorf("%s: exit %d, %q", word, r.code, r.stderr)
		}
		for _, m := range regexp.MustCompile(`certsync ([a-z]+)((?: --?[a-z-]+)*)`).FindAllStringSubmatch(hint, -1) {
			flags, ok := all[m[1]]
			for _, flag := range strings.Fields(m[2]) {
				ok = ok && slices.Contains(flags, strings.TrimPrefix(flag, "--"))
			}
			if !ok {
				t.Errorf("%s: there is no %q", word, m[0])
			}
		}
	}
}
