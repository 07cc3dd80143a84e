package reconcile_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/certsync/certsync/reconcile"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// stateOf is the state of an owner with so many names.
func stateOf(names int) reconcile.State {
	s := reconcile.State{FormatVersion: reconcile.StateVersion, ClusterUID: "uid", Generation: 7, StartedAt: noon, Epochs: 3, LostEpochs: 2, LostUntil: noon,
		Endpoint: reconcile.Endpoint{Name: "prod", Server: "https://k8s.example.com:6443", CA: []byte("CA"), ProxyURL: "https://proxy", TLSServerName: "k8s"},
		Names:    map[string]reconcile.Name{}}
	r := rand.New(rand.NewPCG(1, 2))
	granted := map[reconcile.Grant][]string{}
	for i := range names {
		name := fmt.Sprintf("%c%x.%x@example.com", 'a'+i%26, r.Uint32(), i)
		s.Names[name] = reconcile.Name{Since: noon.Add(time.Duration(r.IntN(1e6)) * time.Second), Until: noon.Add(time.Duration(r.IntN(1e7)) * time.Second), Left: i%7 == 0}
		for range 3 {
			g := reconcile.Grant{For: reconcile.ForGroup, Subject: fmt.Sprintf("group-%d", r.IntN(100)), Namespace: fmt.Sprintf("team-%d", r.IntN(50)), Role: "edit"}
			granted[g] = append(granted[g], name)
		}
		own := reconcile.Grant{For: reconcile.ForUser, Subject: name, Role: "view"}
		granted[own] = append(granted[own], name)
	}
	s.Grants = reconcile.NewGrants(granted)
	return s
}

// TestStateReadsAsItWasWritten, with all that an owner of a company has.
func TestStateReadsAsItWasWritten(t *testing.T) {
	for _, names := range []int{0, 1, 300, reconcile.MaxNames} {
		want := stateOf(names)
		text, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		got, err := reconcile.ParseState(text)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(&want, got); diff != "" {
			t.Errorf("%d names: %s", names, diff)
		}
		if why := want.TooLarge(); why != "" {
			t.Errorf("%d names, in %d bytes: %s", names, len(text), why)
		}
	}
}

// TestStateTimes: what is read can be written again, whatever offsets and years somebody wrote.
func TestStateTimes(t *testing.T) {
	s := stateOf(0)
	text, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	for offset, want := range map[string]time.Time{"+00:00": noon, "+23:59": noon.Add(-24*time.Hour + time.Minute), "-24:00": noon.Add(24 * time.Hour)} {
		got, err := reconcile.ParseState([]byte(strings.ReplaceAll(string(text), "12:00:00Z", "12:00:00"+offset)))
		if err != nil {
			t.Fatalf("%s: %v", offset, err)
		}
		if !got.StartedAt.Equal(want) {
			t.Errorf("%s: %s, not %s", offset, got.StartedAt, want)
		}
		if _, err := json.Marshal(got); err != nil {
			t.Errorf("%s: %v", offset, err)
		}
	}
	for _, at := range []string{"9999-12-31T23:00:00-02:00", "0000-01-01T00:00:00+01:00"} {
		if _, err := reconcile.ParseState([]byte(strings.ReplaceAll(string(text), noon.Format(time.RFC3339), at))); err == nil {
			t.Errorf("%s was read", at)
		}
	}
}

// TestStateLimits: one name more than there is room for, and one byte more, are too much.
func TestStateLimits(t *testing.T) {
	s := stateOf(reconcile.MaxNames)
	s.Names["one.more"] = reconcile.Name{}
	if why := s.TooLarge(); !strings.Contains(why, "10001 names") {
		t.Errorf("%q", why)
	}
	s = stateOf(1)
	text, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	s.StartedBy += strings.Repeat("x", reconcile.MaxStateSize-len(text))
	if why := s.TooLarge(); why != "" {
		t.Errorf("at the limit: %s", why)
	}
	s.StartedBy += "x"
	if why := s.TooLarge(); !strings.Contains(why, "524289 bytes") {
		t.Errorf("%q", why)
	}
}

// TestGrants: what certsync may have made, by user and group.
func TestGrants(t *testing.T) {
	view := reconcile.Grant{For: reconcile.ForGroup, Subject: "devs", Role: "view"}
	edit := reconcile.Grant{For: reconcile.ForGroup, Subject: "devs", Namespace: "staging", Role: "edit"}
	own := reconcile.Grant{For: reconcile.ForUser, Subject: "alice", Role: "admin"}
	granted := map[reconcile.Grant][]string{view: {"alice", "bob"}, edit: {"alice", "bob"}, own: {"alice"}}
	g := reconcile.NewGrants(granted)
	if diff := cmp.Diff(granted, g.All()); diff != "" {
		t.Error(diff)
	}
	part := view
	part.Part = 3
	elsewhere := edit
	elsewhere.Namespace = "payments"
	for _, tt := range []struct {
		grant reconcile.Grant
		user  string
		want  bool
	}{{view, "bob", true}, {part, "bob", true}, {view, "eve", false}, {own, "alice", true}, {own, "bob", false}, {elsewhere, "bob", false}} {
		if got := g.Has(tt.grant, tt.user); got != tt.want {
			t.Errorf("%+v of %s: %t", tt.grant, tt.user, got)
		}
	}
	if !g.Explains(part) || g.Explains(elsewhere) || !g.Explains(own) {
		t.Error("whether a binding is explained")
	}
}
