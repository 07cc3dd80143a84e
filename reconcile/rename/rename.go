// Package rename finds users whom an inventory may have renamed without `previously`. Such a rename ends the access of the old
// name at once, and counts as a removal.
package rename

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/certsync/certsync/reconcile"
)

const (
	// maxNotes bounds the notes of a plan.
	maxNotes = 20
	// maxPairs bounds the pairs of names that are compared. A plan that replaces hundreds of users gets no suggestion.
	maxPairs = 1 << 16
	// minPart is the length from which two names can have a part in common, such as a first name.
	minPart = 3
)

// Notes suggests `previously` for users who are new and look like a user who goes: both have the same access, and the names are
// alike. Each name is in one note at most. A name that is like two others is in none.
func Notes(gone, come []string, had, wanted map[reconcile.Grant][]string) []reconcile.Note {
	if pairs := len(gone) * len(come); pairs == 0 || pairs > maxPairs {
		return nil
	}
	loses, gets := accessOf(gone, had), accessOf(come, wanted)
	alone := func(names []string, all map[string]string, access string) bool {
		n := 0
		for _, name := range names {
			if all[name] == access {
				n++
			}
		}
		return n == 1
	}
	matches := map[string][]string{} // by either name
	for _, old := range gone {
		for _, now := range come {
			access := loses[old]
			if access == "" || access != gets[now] {
				continue
			}
			if alike(old, now) || related(old, now) && alone(gone, loses, access) && alone(come, gets, access) {
				matches[old], matches[now] = append(matches[old], now), append(matches[now], old)
			}
		}
	}
	var notes []reconcile.Note
	for _, now := range slices.Sorted(slices.Values(come)) {
		if old := matches[now]; len(old) == 1 && len(matches[old[0]]) == 1 && len(notes) < maxNotes {
			notes = append(notes, reconcile.Note{Kind: reconcile.PossibleRename, User: now,
				Message: fmt.Sprintf("did you mean a rename? set previously: [%q] on %s", reconcile.Shown(old[0]), now)})
		}
	}
	return notes
}

// accessOf is what users have by grants, as a text to compare. It is "" for a user without any.
func accessOf(users []string, grants map[reconcile.Grant][]string) map[string]string {
	lists := map[string][]string{}
	for _, user := range users {
		lists[user] = nil
	}
	for g, subjects := range grants {
		if g.For == reconcile.ForUser {
			g.Subject = "" // the same for every user
		}
		for _, user := range subjects {
			if _, compared := lists[user]; !compared {
				continue
			}
			lists[user] = append(lists[user], fmt.Sprintf("%q", []string{string(g.For), g.Subject, g.Namespace, string(g.RoleKind), g.Role}))
		}
	}
	all := map[string]string{}
	for _, user := range users {
		slices.Sort(lists[user])
		all[user] = strings.Join(slices.Compact(lists[user]), " ")
	}
	return all
}

// alike reports whether two names differ in few letters, or in the domain alone. Short names differ in nothing else.
func alike(a, b string) bool {
	a, b = strings.ToLower(a), strings.ToLower(b)
	a, aDomain, _ := strings.Cut(a, "@")
	b, bDomain, _ := strings.Cut(b, "@")
	if a == b {
		return len(a) >= minPart
	}
	longest := max(utf8.RuneCountInString(a), utf8.RuneCountInString(b))
	return aDomain == bDomain && distance(a, b) <= min(longest/3, 2) && longest > minPart
}

// related reports whether two names have the domain and a part of the name in common, such as jane.miller and jane.smith.
func related(a, b string) bool {
	a, aDomain, _ := strings.Cut(strings.ToLower(a), "@")
	b, bDomain, _ := strings.Cut(strings.ToLower(b), "@")
	parts := func(s string) []string {
		return strings.FieldsFunc(s, func(r rune) bool { return strings.ContainsRune("._+-", r) })
	}
	return aDomain == bDomain && slices.ContainsFunc(parts(a), func(p string) bool { return len(p) >= minPart && slices.Contains(parts(b), p) })
}

// distance is the number of letters to add, remove or replace that makes one name of the other.
func distance(a, b string) int {
	from, to := []rune(a), []rune(b)
	row := make([]int, len(to)+1)
	for j := range row {
		row[j] = j
	}
	for i, r := range from {
		diagonal := row[0]
		row[0] = i + 1
		for j, s := range to {
			replaced := diagonal
			if r != s {
				replaced++
			}
			diagonal = row[j+1]
			row[j+1] = min(replaced, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(to)]
}
