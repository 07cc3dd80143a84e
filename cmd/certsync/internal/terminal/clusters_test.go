package terminal

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestInCommon: items stand once for the clusters that have them, first what most have. An item that one cluster has twice is not the
// same as one that another has once.
func TestInCommon(t *testing.T) {
	for sentence, c := range map[string]struct {
		lists [][]string
		want  string
	}{
		"nothing":              {nil, "[]"},
		"clusters without any": {[][]string{nil, nil}, "[]"},
		"all the same":         {[][]string{{"a", "b"}, {"a", "b"}}, "[{[0 1] [a b]}]"},
		"nothing is the same":  {[][]string{{"a"}, {"b"}}, "[{[0] [a]} {[1] [b]}]"},
		"some of it":           {[][]string{{"own", "a"}, {"a", "c"}, {"c", "a"}}, "[{[0 1 2] [a]} {[1 2] [c]} {[0] [own]}]"},
		"one has it twice":     {[][]string{{"a", "a"}, {"a"}}, "[{[0 1] [a]} {[0] [a]}]"},
		"one has nothing":      {[][]string{{"a"}, nil, {"a"}}, "[{[0 2] [a]}]"},
	} {
		t.Run(sentence, func(t *testing.T) {
			if diff := cmp.Diff(c.want, fmt.Sprint(InCommon(c.lists, func(s string) string { return s }))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestOwnerless: the owner goes out of names of objects and of paths, and out of nothing else.
func TestOwnerless(t *testing.T) {
	text := Ownerless("dev")
	for in, want := range map[string]string{
		"ClusterRoleBinding certsync:dev:user:dev:dev": "ClusterRoleBinding certsync:<owner>:user:dev:dev",
		"secret/data/certsync/dev/users/dev":           "secret/data/certsync/<owner>/users/<owner>",
		"folder certsync/dev: no":                      "folder certsync/<owner>: no",
		"/dev-2/ and /devs":                            "/dev-2/ and /devs",
		"certsync-dev-revoked":                         "certsync-<owner>-revoked",
		"namespace dev, developers, my.dev":            "namespace dev, developers, my.dev",
	} {
		if got := text(in); got != want {
			t.Errorf("%q becomes %q, not %q", in, got, want)
		}
	}
}
