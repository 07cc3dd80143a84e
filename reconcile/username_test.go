package reconcile_test

import (
	"strings"
	"testing"

	"github.com/certsync/certsync/reconcile"
)

func TestUsernames(t *testing.T) {
	for username, want := range map[string]struct {
		user  string
		epoch int64
	}{
		"alice":                        {"alice", 1},
		"alice@example.com#2":          {"alice@example.com", 2},
		"a#9223372036854775807":        {"a", 9223372036854775807},
		"a#9223372036854775808":        {"a#9223372036854775808", 1},
		"a#1":                          {"a#1", 1},
		"a#02":                         {"a#02", 1},
		"a#+2":                         {"a#+2", 1},
		"a#":                           {"a#", 1},
		"a#2#3":                        {"a#2#3", 1},
		"#2":                           {"", 2},
		"system:serviceaccount:a:b":    {"system:serviceaccount:a:b", 1},
		strings.Repeat("a", 64):        {strings.Repeat("a", 64), 1},
		strings.Repeat("a", 62) + "#2": {strings.Repeat("a", 62), 2},
	} {
		user, epoch := reconcile.Person(username)
		if user != want.user || epoch != want.epoch {
			t.Errorf("%q is %q in epoch %d", username, user, epoch)
		}
		if again := reconcile.Username(user, epoch); again != username {
			t.Errorf("%q in epoch %d is %q", user, epoch, again)
		}
	}
	if reconcile.TooLong(strings.Repeat("a", 62)+"#2") || !reconcile.TooLong(strings.Repeat("a", 63)+"#2") {
		t.Error("the longest username is not 64 bytes")
	}
}
