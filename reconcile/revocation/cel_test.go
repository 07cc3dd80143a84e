package revocation

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/certsync/certsync/reconcile"
)

var end = time.Date(2027, 1, 2, 3, 4, 5, 0, time.UTC)

// listOf makes n entries, with names as long as a certificate takes.
func listOf(n int) []reconcile.RevokedCertificate {
	var all []reconcile.RevokedCertificate
	for i := range n {
		all = append(all, reconcile.RevokedCertificate{Username: fmt.Sprintf("%s#%04d", strings.Repeat("a", 59), i), SHA256: strings.Repeat("0f", 32), Until: end})
	}
	return all
}

// TestExpressionsFit: the API server takes 100,000 code points in an expression, and etcd 1.5 MiB in an object; a full list of the
// longest names stays below both.
func TestExpressionsFit(t *testing.T) {
	total := 0
	all := listOf(MaxEntries)
	denials := Denials(all)
	for _, e := range slices.Concat(denials, Matches(all)) {
		if n := utf8.RuneCountInString(e); n > 100_000 {
			t.Errorf("an expression has %d code points", n)
		}
	}
	for _, e := range denials {
		total += len(e)
	}
	if total > 1<<20 {
		t.Errorf("%d bytes in all", total)
	}
}

// TestParseDenials: what Denials writes is read again as it was, at each size of the last expression.
func TestParseDenials(t *testing.T) {
	for _, n := range []int{0, 1, maxListed - 1, maxListed, maxListed + 1, MaxEntries} {
		want := listOf(n)
		got, exact := ParseDenials(Denials(want))
		if !exact || !slices.Equal(got, want) {
			t.Errorf("%d entries: exact %t, %d read", n, exact, len(got))
		}
	}
}

// TestParseOthers: what others put into the policy is read as far as it has entries, and is not exact.
func TestParseOthers(t *testing.T) {
	one := listOf(1)
	for sentence, validations := range map[string][]string{
		"a validation more":        append(Denials(one), "true"),
		"another expression":       {strings.Replace(Denials(one)[0], "!(", "!(true || ", 1)},
		"entries in another order": {strings.Replace(Denials(listOf(2))[0], "#0000", "#0009", 1)},
		"one that is no entry":     {strings.Replace(Denials(one)[0], "{", "{'x y': 1, ", 1)},
	} {
		got, exact := ParseDenials(validations)
		if exact || len(got) == 0 {
			t.Errorf("%s: exact %t, %v", sentence, exact, got)
		}
	}
	if got, _ := ParseDenials(Denials(append(listOf(MaxEntries), listOf(MaxEntries)...))); len(got) != MaxEntries {
		t.Errorf("%d entries read", len(got))
	}
}

// TestNoRecordCrowdsOutOthers: whoever fills one user's ledger record keeps nobody else's certificate out of the list.
func TestNoRecordCrowdsOutOthers(t *testing.T) {
	var all []Certificate
	for i := range 3 * MaxEntries {
		all = append(all, Certificate{User: "mallory", Username: "mallory", SHA256: fmt.Sprintf("%064x", i), NotAfter: end.Add(time.Duration(i) * time.Second)})
	}
	for i := range 100 {
		all = append(all, Certificate{User: fmt.Sprint("user", i), Username: fmt.Sprint("user", i), SHA256: fmt.Sprintf("%064x", i), NotAfter: end})
	}
	entries, left := Entries(all)
	if len(entries) != MaxEntries || left != len(all)-MaxEntries {
		t.Fatalf("%d entries, %d left", len(entries), left)
	}
	others := slices.DeleteFunc(entries, func(e reconcile.RevokedCertificate) bool { return e.Username == "mallory" })
	if len(others) != 100 {
		t.Errorf("%d of 100 others", len(others))
	}
}

// TestRequestedIsInNoList: a certificate of which nobody knows whether it exists has no fingerprint.
func TestRequestedIsInNoList(t *testing.T) {
	entries, left := Entries([]Certificate{{User: "a", Username: "a", NotAfter: end}, {User: "b", Username: "b", SHA256: strings.Repeat("1", 64), NotAfter: end}})
	if diff := cmp.Diff([]reconcile.RevokedCertificate{{Username: "b", SHA256: strings.Repeat("1", 64), Until: end}}, entries); diff != "" || left != 0 {
		t.Error(diff, left)
	}
}
