package inventory

import (
	"errors"
	"strings"
	"testing"

	"github.com/certsync/certsync/inventory/strict"
)

// TestProblemsHaveALimit: of any number of problems, the first 100 are reported, and how many more there are.
func TestProblemsHaveALimit(t *testing.T) {
	for count, last := range map[int]string{
		99:   "users.yaml:103:9: users[98].name: is empty",
		100:  "users.yaml:104:9: users[99].name: is empty",
		101:  "users.yaml:1:1: and 1 more",
		5000: "users.yaml:1:1: and 4900 more",
	} {
		_, err := Parse("users.yaml", []byte(header+"users:\n"+strings.Repeat("- name: ''\n", count)), nil)
		var problems strict.Problems
		if !errors.As(err, &problems) {
			t.Fatal(err)
		}
		if got := problems[len(problems)-1].String(); got != last || len(problems) != min(count, 101) {
			t.Errorf("%d problems, the last one is %s", len(problems), got)
		}
	}
}

// TestSuggestionsAreOfNames: a name that is as long as its file is not compared.
func TestSuggestionsAreOfNames(t *testing.T) {
	_, err := Parse("users.yaml", []byte(header+"groups: [{name: "+strings.Repeat("x", 66)+"}]\nusers: [{name: a, groups: ["+strings.Repeat("x", 64)+"]}]"), nil)
	if err == nil || strings.Contains(err.Error(), "did you mean") {
		t.Error(err)
	}
}
