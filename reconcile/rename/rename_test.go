package rename

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/certsync/certsync/reconcile"
)

func group(name, role string) reconcile.Grant {
	return reconcile.Grant{For: reconcile.ForGroup, Subject: name, Role: role}
}

// TestNotes: a suggestion needs the same access and alike names, and no second candidate.
func TestNotes(t *testing.T) {
	devs, ops := group("devs", "view"), group("ops", "edit")
	type grants = map[reconcile.Grant][]string
	for name, tt := range map[string]struct {
		had, wanted grants
		want        []string // OLD>NEW
	}{
		"one letter":                       {grants{devs: {"dave@example.com"}}, grants{devs: {"davey@example.com"}}, []string{"dave@example.com>davey@example.com"}},
		"two letters":                      {grants{devs: {"alice"}}, grants{devs: {"alicia"}}, []string{"alice>alicia"}},
		"letter case":                      {grants{devs: {"Alice"}}, grants{devs: {"alice"}}, []string{"Alice>alice"}},
		"another domain":                   {grants{devs: {"bob@old.example"}}, grants{devs: {"bob@new.example"}}, []string{"bob@old.example>bob@new.example"}},
		"another last name":                {grants{devs: {"jane.miller@example.com"}}, grants{devs: {"jane.smith@example.com"}}, []string{"jane.miller@example.com>jane.smith@example.com"}},
		"another last name, not alone":     {grants{devs: {"jane.miller@example.com", "joe@example.com"}}, grants{devs: {"jane.smith@example.com"}}, nil},
		"another last name, another role":  {grants{devs: {"jane.miller@example.com"}, ops: {"joe@example.com"}}, grants{devs: {"jane.smith@example.com"}}, []string{"jane.miller@example.com>jane.smith@example.com"}},
		"short names":                      {grants{devs: {"bob"}}, grants{devs: {"rob"}}, nil},
		"a successor in the job":           {grants{devs: {"mallory@example.com"}}, grants{devs: {"trent@example.com"}}, nil},
		"other access":                     {grants{devs: {"dave"}}, grants{ops: {"davey"}}, nil},
		"more access":                      {grants{devs: {"dave"}}, grants{devs: {"davey"}, ops: {"davey"}}, nil},
		"no access":                        {grants{}, grants{}, nil},
		"two candidates":                   {grants{devs: {"dave12"}}, grants{devs: {"dave13", "dave14"}}, nil},
		"two leavers":                      {grants{devs: {"dave12", "dave14"}}, grants{devs: {"dave13"}}, nil},
		"alike in letters, not in domain":  {grants{devs: {"alice@a.example"}}, grants{devs: {"alicia@b.example"}}, nil},
		"roles of their own":               {grants{{For: reconcile.ForUser, Subject: "alice", Role: "view"}: {"alice"}}, grants{{For: reconcile.ForUser, Subject: "alicia", Role: "view"}: {"alicia"}}, []string{"alice>alicia"}},
		"a role for the user or the group": {grants{{For: reconcile.ForUser, Subject: "alice", Role: "view"}: {"alice"}}, grants{devs: {"alicia"}}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			users := func(all grants) (names []string) {
				for _, list := range all {
					names = append(names, list...)
				}
				return reconcile.SortedSet(names)
			}
			gone, come := users(tt.had), users(tt.wanted)
			if name == "no access" {
				gone, come = []string{"alice"}, []string{"alicia"}
			}
			var want []reconcile.Note
			for _, pair := range tt.want {
				old, now, _ := strings.Cut(pair, ">")
				want = append(want, reconcile.Note{Kind: reconcile.PossibleRename, User: now, Message: fmt.Sprintf("did you mean a rename? set previously: [%q] on %s", old, now)})
			}
			if diff := cmp.Diff(want, Notes(gone, come, tt.had, tt.wanted)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestNotesAreBounded: a change of many names gets a few suggestions, and one of very many gets none.
func TestNotesAreBounded(t *testing.T) {
	for users, want := range map[int]int{19: 19, 60: maxNotes, 300: 0} {
		devs := group("devs", "view")
		var gone, come []string
		for i := range users {
			gone = append(gone, fmt.Sprintf("user%03d@old.example", i))
			come = append(come, fmt.Sprintf("user%03d@new.example", i))
		}
		notes := Notes(gone, come, map[reconcile.Grant][]string{devs: gone}, map[reconcile.Grant][]string{devs: come})
		if len(notes) != want || !slices.IsSortedFunc(notes, func(a, b reconcile.Note) int { return strings.Compare(a.User, b.User) }) {
			t.Errorf("%d users: %d notes, not %d", users, len(notes), want)
		}
	}
}
