package usage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/certsync/certsync/reconcile"
)

func read(t *testing.T, users map[string][]string, texts ...string) *Log {
	t.Helper()
	var sources []Source
	for i, text := range texts {
		sources = append(sources, source(fmt.Sprint("part ", i), []byte(text)))
	}
	l, err := Read(t.Context(), users, sources...)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func linesOf(events ...made) string {
	var b strings.Builder
	for _, e := range events {
		b.WriteString(e.line())
	}
	return b.String()
}

// ofAlice is a use from the usual address.
func ofAlice(first, last time.Duration, requests, denied int) Use {
	return Use{First: epoch.Add(first), Last: epoch.Add(last), Requests: requests, Denied: denied, Source: "10.0.0.1"}
}

func cert(name string, u Use) Certificate { return Certificate{certOf(name), "alice", u} }

func clusterwide(name string, u Use) BindingUse {
	return BindingUse{Binding{Kind: reconcile.ClusterRoleBinding, Name: name, Role: reconcile.RoleRef{Kind: "ClusterRole", Name: "view"}}, u}
}

// TestCounts: what events say of alice.
func TestCounts(t *testing.T) {
	allowed := made{user: "alice", cert: "1", code: 200, decision: "allow", reason: allowedBy("x")}
	with := func(m made, change func(*made)) made { change(&m); return m }
	once := ofAlice(0, 0, 1, 0)
	for sentence, tt := range map[string]struct {
		events []made
		want   User
	}{
		"a user without an event has no use": {nil, User{}},
		"another user's requests are not hers": {[]made{with(allowed, func(m *made) { m.user = "Alice" })},
			User{}},
		"a request counts for the user, the certificate and the binding": {[]made{allowed},
			User{Use: once, Certificates: []Certificate{cert("1", once)}, Bindings: []BindingUse{clusterwide("x", once)}}},
		"the stages of one request are one request": {
			[]made{
				with(allowed, func(m *made) { m.stage, m.decision, m.reason = "RequestReceived", "", "" }),
				with(allowed, func(m *made) { m.stage = "ResponseStarted" }), allowed,
			},
			User{Use: once, Certificates: []Certificate{cert("1", once)}, Bindings: []BindingUse{clusterwide("x", once)}}},
		"a panic ends a request": {[]made{with(allowed, func(m *made) { m.stage, m.code = "Panic", 500 })},
			User{Use: once, Certificates: []Certificate{cert("1", once)}, Bindings: []BindingUse{clusterwide("x", once)}}},
		"a watch that has not ended is a use and no request": {[]made{with(allowed, func(m *made) { m.stage = "ResponseStarted" })},
			User{Use: ofAlice(0, 0, 0, 0), Certificates: []Certificate{cert("1", ofAlice(0, 0, 0, 0))}, Bindings: []BindingUse{clusterwide("x", ofAlice(0, 0, 0, 0))}}},
		"what no role allows is denied": {[]made{with(allowed, func(m *made) { m.code, m.decision, m.reason = 403, "forbid", "" })},
			User{Use: ofAlice(0, 0, 1, 1), Certificates: []Certificate{cert("1", ofAlice(0, 0, 1, 1))}}},
		"what admission denies is denied, and a use of the role": {[]made{with(allowed, func(m *made) { m.code = 403 })},
			User{Use: ofAlice(0, 0, 1, 1), Certificates: []Certificate{cert("1", ofAlice(0, 0, 1, 1))}, Bindings: []BindingUse{clusterwide("x", ofAlice(0, 0, 1, 1))}}},
		"a token's request has no certificate": {[]made{with(allowed, func(m *made) { m.cert = "" })},
			User{Use: once, WithoutCertificate: once, Bindings: []BindingUse{clusterwide("x", once)}}},
		"a user who acts as somebody else uses no binding": {[]made{with(allowed, func(m *made) { m.impersonate = "bob" })},
			User{Use: once, Impersonations: 1, Certificates: []Certificate{cert("1", once)}}},
		"when others act as her, it is no use": {[]made{{user: "bob", cert: "2", impersonate: "alice", code: 200, decision: "allow", reason: allowedBy("x")}},
			User{}},
		"a group of administrators needs no binding": {[]made{with(allowed, func(m *made) { m.reason = "" })},
			User{Use: once, Certificates: []Certificate{cert("1", once)}, AllowedOtherwise: once}},
		"first and last are when requests arrived, and the address is the last one's": {
			[]made{
				with(allowed, func(m *made) { m.at = time.Hour }),
				with(allowed, func(m *made) { m.at, m.source = 2*time.Hour, "10.0.0.2" }), allowed,
			},
			User{
				Use:          Use{First: epoch, Last: epoch.Add(2 * time.Hour), Requests: 3, Source: "10.0.0.2"},
				Certificates: []Certificate{cert("1", Use{First: epoch, Last: epoch.Add(2 * time.Hour), Requests: 3, Source: "10.0.0.2"})},
				Bindings:     []BindingUse{clusterwide("x", Use{First: epoch, Last: epoch.Add(2 * time.Hour), Requests: 3, Source: "10.0.0.2"})},
			}},
		"each certificate and binding counts for itself": {
			[]made{
				allowed, with(allowed, func(m *made) { m.at, m.cert, m.reason = time.Minute, "2", allowedBy("y") }),
				with(allowed, func(m *made) {
					m.at, m.cert, m.reason = time.Hour, "2", `RBAC: allowed by RoleBinding "x/payments" of Role "r" to Group "g"`
				}),
			},
			User{
				Use:          ofAlice(0, time.Hour, 3, 0),
				Certificates: []Certificate{cert("1", once), cert("2", ofAlice(time.Minute, time.Hour, 2, 0))},
				Bindings: []BindingUse{
					clusterwide("x", once), clusterwide("y", ofAlice(time.Minute, time.Minute, 1, 0)),
					{Binding{reconcile.RoleBinding, "payments", "x", reconcile.RoleRef{Kind: "Role", Name: "r"}}, ofAlice(time.Hour, time.Hour, 1, 0)},
				},
			}},
	} {
		t.Run(sentence, func(t *testing.T) {
			users := map[string][]string{"alice": {certOf("1")}}
			tt.want.Certificates, tt.want.Bindings = reconcile.OrEmpty(tt.want.Certificates), reconcile.OrEmpty(tt.want.Bindings)
			slices.SortFunc(tt.want.Certificates, func(a, b Certificate) int { return strings.Compare(a.SHA256, b.SHA256) })
			got := read(t, users, linesOf(tt.events...)).Users
			if diff := cmp.Diff(map[string]User{"alice": tt.want}, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestOthers: certificates of names that nobody asked about are listed, but not those of Kubernetes itself.
func TestOthers(t *testing.T) {
	l := read(t, map[string][]string{"alice": nil}, linesOf(
		made{user: "mallory", cert: "m", code: 200}, made{user: strings.Repeat("m", 1000), cert: "m", at: time.Minute, code: 403},
		made{user: "system:node:a", cert: "n", code: 200}, made{user: "bob", code: 200},
	))
	want := &Log{
		From: epoch.Add(20 * time.Millisecond), To: epoch.Add(time.Minute + 20*time.Millisecond), Events: 4, Requests: 4,
		Users: map[string]User{"alice": {Certificates: []Certificate{}, Bindings: []BindingUse{}}},
		Others: []Certificate{
			{certOf("m"), "mallory", ofAlice(0, 0, 1, 0)},
			{certOf("m"), strings.Repeat("m", 300) + "…", ofAlice(time.Minute, time.Minute, 1, 1)},
		},
	}
	if diff := cmp.Diff(want, l); diff != "" {
		t.Error(diff)
	}
}

// crowd is more of everything than a Log holds.
func crowd() (events []string) {
	for i := range 3000 {
		at := time.Duration(i%1000) * time.Second
		events = append(events,
			made{user: "alice", cert: fmt.Sprint("a", i%100), at: at, code: 200, decision: "allow", reason: allowedBy(fmt.Sprint("b", i%1300)), source: fmt.Sprint("10.0.0.", i%7)}.line(),
			made{user: fmt.Sprint("m", i), cert: fmt.Sprint("m", i), at: at, code: 200 + 203*(i%2)}.line(),
			made{user: "bob", at: at, code: 200, decision: "allow"}.line(),
			made{user: "bob", cert: "b", at: at, code: 200, decision: "allow", impersonate: "alice"}.line(), "{}\n")
	}
	return events
}

// TestOrder: a Log is the same in whatever order and in however many parts it is read.
func TestOrder(t *testing.T) {
	events, users := crowd(), map[string][]string{"alice": {certOf("a1"), certOf("a2")}, "bob": nil}
	want := read(t, users, strings.Join(events, ""))
	random := rand.New(rand.NewPCG(1, 2))
	for range 5 {
		random.Shuffle(len(events), func(i, j int) { events[i], events[j] = events[j], events[i] })
		cut := random.IntN(len(events))
		if diff := cmp.Diff(want, read(t, users, strings.Join(events[:cut], ""), "", strings.Join(events[cut:], ""))); diff != "" {
			t.Fatal(diff)
		}
	}
}

// TestBounds: what is above a limit is added up, and nothing is lost.
func TestBounds(t *testing.T) {
	l := read(t, map[string][]string{"alice": {certOf("a1"), certOf("a2")}, "bob": nil}, strings.Join(crowd(), ""))
	alice := l.Users["alice"]
	sum := func(rest Use, uses ...Use) (n int) {
		for _, u := range append(uses, rest) {
			n += u.Requests
		}
		return n
	}
	var bindings, certificates, others []Use
	for _, b := range alice.Bindings {
		bindings = append(bindings, b.Use)
	}
	for _, c := range alice.Certificates {
		certificates = append(certificates, c.Use)
	}
	for _, c := range l.Others {
		others = append(others, c.Use)
	}
	got := []int{len(bindings), sum(alice.BindingsRest, bindings...), len(certificates), sum(alice.CertificatesRest, certificates...), len(others), sum(l.OthersRest, others...)}
	if diff := cmp.Diff([]int{maxBindings, 3000, maxCertificates + 2, 3000, maxOthers, 3000}, got); diff != "" {
		t.Error(diff)
	}
	for _, known := range []string{"a1", "a2"} {
		if !slices.ContainsFunc(alice.Certificates, func(c Certificate) bool { return c.SHA256 == certOf(known) && c.Requests == 30 }) {
			t.Errorf("the known certificate %s is left out", known)
		}
	}
}

// TestMemory: however many names, certificates and bindings a log has, a tally holds few of them.
func TestMemory(t *testing.T) {
	tally := newTally(users{"alice": nil}, 1)
	for i := range 50_000 {
		e := event{received: epoch, at: epoch, username: fmt.Appendf(nil, "m%d", i), certified: true, decision: []byte("allow")}
		copy(e.certificate[:], fmt.Appendf(nil, "%032d", 50_000-i)) // each is smaller than those before
		tally.count(0, &e)
		e.username = []byte("alice")
		e.reason = fmt.Appendf(nil, "%q", allowedBy(fmt.Sprintf("b%06d", 50_000-i)))
		tally.count(0, &e)
		alice := tally.persons["alice"]
		if len(tally.persons) > 1 || len(tally.others.kept) > 2*maxOthers || len(alice.unknown.kept) > 2*maxCertificates || len(alice.bindings.kept) > 2*maxBindings || len(alice.certificates) > 0 {
			t.Fatalf("after %d: %d persons, %d others, %d certificates, %d bindings", i, len(tally.persons), len(tally.others.kept), len(alice.unknown.kept), len(alice.bindings.kept))
		}
	}
}

// TestInterrupted: Read ends when it is told to, even if its source hangs.
func TestInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	r, w := io.Pipe()
	t.Cleanup(func() { _ = w.Close() })
	go func() {
		_, _ = w.Write([]byte(strings.Repeat("x\n", 100)))
		cancel(nil)
	}()
	if _, err := Read(ctx, nil, Files([]string{"-"}, r)...); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// TestWrongFingerprint: a caller's mistake is an error, and not a certificate that nobody used.
func TestWrongFingerprint(t *testing.T) {
	for _, digits := range []string{"", "0f", strings.Repeat("0g", 32), "X509SHA256=" + certOf("1")} {
		if _, err := Read(t.Context(), map[string][]string{"alice": {digits}}); err == nil {
			t.Errorf("%q is taken for a fingerprint", digits)
		}
	}
}

// TestRealEvents: what kube-apiserver's own code wrote is understood: every binding, the watch, the panic, the denied request
// and the one on behalf of somebody else.
func TestRealEvents(t *testing.T) {
	const alice, sha256 = "alice@example.com#2", "5feceb66ffc86f38d952786c6d696c79c2dbc239dd4e91b46729d73a27fb57e9"
	text, err := os.ReadFile("testdata/audit.log")
	if err != nil {
		t.Fatal(err)
	}
	l := read(t, map[string][]string{alice: nil}, string(text))
	u := l.Users[alice]
	if l.Events != 13 || l.Requests != 6 || l.Invalid != 0 || u.Requests != 6 || u.Denied != 1 || u.Impersonations != 1 || u.Source != "192.0.2.1" || u.AllowedOtherwise != (Use{}) {
		t.Errorf("%+v", l)
	}
	if len(u.Certificates) != 1 || u.Certificates[0] != (Certificate{sha256, alice, u.Use}) {
		t.Errorf("certificates: %+v", u.Certificates)
	}
	allowed := map[Binding]int{}
	for _, b := range u.Bindings {
		allowed[b.Binding] = b.Requests
	}
	want := map[Binding]int{
		{reconcile.ClusterRoleBinding, "", "certsync:prod:user:alice@example.com:view", reconcile.RoleRef{Kind: "ClusterRole", Name: "view"}}: 3,
		{reconcile.RoleBinding, "payments", "certsync:prod:group:devs:r", reconcile.RoleRef{Kind: "Role", Name: "r"}}:                         1,
	}
	if diff := cmp.Diff(want, allowed); diff != "" {
		t.Error(diff)
	}
}
