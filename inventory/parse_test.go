package inventory

import (
	"os"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/certsync/certsync/inventory/userkey"
)

// header is what every inventory begins with: what follows it begins in line 4.
const header = "apiVersion: certsync.dev/v1\nkind: Inventory\nowner: prod-eu\n"

func date(year int, month time.Month, day int) time.Time {
	return time.Date(year, month, day, 0, 0, 0, 0, time.UTC)
}

func mustParse(t testing.TB, text string, files fstest.MapFS) *Inventory {
	t.Helper()
	inv, err := Parse("users.yaml", []byte(text), files)
	if err != nil {
		t.Fatal(err)
	}
	return inv
}

func TestParseFullExample(t *testing.T) {
	data, err := os.ReadFile("testdata/full.yaml")
	if err != nil {
		t.Fatal(err)
	}
	ca := certificate(t)
	want := &Inventory{
		Owner: "prod-eu",
		Cluster: Cluster{
			Name:                 "prod-eu",
			Server:               "https://k8s.example.com:6443",
			CertificateAuthority: ca,
			ProxyURL:             "socks5://proxy.example.com:1080",
			TLSServerName:        "kubernetes.default",
		},
		Defaults: Defaults{Expiration: 168 * time.Hour, RenewBefore: RenewBefore{Share: 33}, KeyAlgorithm: userkey.ECDSAP256},
		Groups: []Group{{
			Name:         "developers",
			ClusterRoles: []Grant{{ClusterRole: "view"}},
			Namespaces:   map[string][]Grant{"staging": {{ClusterRole: "edit"}}},
		}},
		Users: []User{{
			Name:         "alice@example.com",
			Groups:       []string{"developers"},
			ClusterRoles: []Grant{{ClusterRole: "node-reader"}, {ClusterRole: "admin", From: date(2027, 1, 1), Until: date(2027, 2, 1), Why: Why{"moves the database", "OPS-7"}}},
			Namespaces:   map[string][]Grant{"payments": {{ClusterRole: "admin"}}},
			Expiration:   24 * time.Hour,
			From:         time.Date(2026, 12, 1, 7, 0, 0, 0, time.UTC),
			Until:        date(2027, 7, 1),
			Protected:    true,
			Why:          Why{"Vertretung für Bob (Ostern)", "https://tickets.example.com/OPS-8"},
		}, {
			Name:       "bob",
			Previously: []string{"robert", "bob.smith@example.com"},
			Expiration: 168 * time.Hour,
			Until:      time.Date(2027, 6, 30, 16, 0, 0, 0, time.UTC),
		}},
	}
	got := mustParse(t, string(data), fstest.MapFS{"ca.crt": {Data: ca}})
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestParseAppliesTheBuiltInDefaults(t *testing.T) {
	want := &Inventory{
		Owner:    "prod-eu",
		Defaults: Defaults{Expiration: 168 * time.Hour, RenewBefore: RenewBefore{Share: 33}, KeyAlgorithm: userkey.ECDSAP256},
	}
	if diff := cmp.Diff(want, mustParse(t, header+"users: []\n", nil)); diff != "" {
		t.Error(diff)
	}
}

func TestParseAccepts(t *testing.T) {
	for sentence, text := range accepted {
		t.Run(sentence, func(t *testing.T) { mustParse(t, text, nil) })
	}
}

var accepted = map[string]string{
	"a byte order mark":                   "\ufeff" + header + "users: []",
	"lines that end as on Windows":        strings.ReplaceAll(header+"users: []\n", "\n", "\r\n"),
	"markers around the one document":     "---\n" + header + "users: []\n...\n",
	"JSON":                                `{"apiVersion": "certsync.dev/v1", "kind": "Inventory", "owner": "x", "users": [{"name": "a"}]}`,
	"quoted text that would be a boolean": header + "users: [{name: 'yes'}]",
	"tagged text that would be a number":  header + "users: [{name: !!str 123}]",
	"the longest name":                    header + "users: [{name: " + strings.Repeat("a", 64) + "}]",
	"an empty grant list":                 header + "users: [{name: a, clusterRoles: [], namespaces: {x: []}, groups: [], previously: []}]",
	"a role with a colon":                 header + "users: [{name: a, clusterRoles: ['system:node-reader']}]",
	"a role in two places":                header + "users: [{name: a, clusterRoles: [view], namespaces: {a: [view], b: [view]}}]",
	"users before their groups":           header + "users: [{name: a, groups: [g]}]\ngroups: [{name: g}]",
	"an old name that a group has":        header + "users: [{name: a, previously: [b]}]\ngroups: [{name: b}]",
	"a user and a group of one name":      header + "users: [{name: a}]\ngroups: [{name: a}]",
	"the shortest expiration":             header + "users: [{name: a, expiration: 10m}]",
	"the longest expiration":              header + "users: [{name: a, expiration: 2147483647s}]",
	"a renewal that just fits":            header + "defaults: {expiration: 10h, renewBefore: 9h}\nusers: []",
	"an end on the last day there is":     header + "users: [{name: a, until: 9999-12-30}]",
	"a server in IPv6 with a path":        header + "cluster: {server: 'https://[2001:db8::1]:6443/k8s/clusters/c-1'}\nusers: []",
	"a cluster's name as on EKS":          header + "cluster: {name: 'arn:aws:eks:eu-west-1:1234:cluster/prod'}\nusers: []",
	"a scheme in capitals":                header + "cluster: {server: 'HTTPS://k8s.example.com', proxyURL: 'Socks5://proxy:1080//'}\nusers: []",
	"an address with a zone":              header + "cluster: {tlsServerName: 'fe80::1%eth0', proxyURL: 'http://[fe80::1%25eth0]/%2F'}\nusers: []",
	"durations as Go takes them":          header + "defaults: {expiration: +1.5h30m.5h, renewBefore: 1500000\u00b5s}\nusers: [{name: a, expiration: 600000ms}]",
	"a share with zeros before it":        header + "defaults: {renewBefore: 0090%}\nusers: []",
	"the last day of 1999":                header + "users: [{name: a, until: 1999-12-31}]",
	"a time in a zone of its own":         header + "users: [{name: a, until: 1999-12-31T23:00:00.25-02:30}]",
	"access for one day":                  header + "users: [{name: a, from: 2027-01-31, until: 2027-01-31}]",
	"access for its last instant":         header + "users: [{name: a, from: 2027-01-31T23:59:59.999999999Z, until: 2027-01-31}]",
	"a beginning on the last day":         header + "users: [{name: a, from: 9999-12-31}]",
	"the longest reason":                  header + "users: [{name: a, reason: " + strings.Repeat("ä", 200) + "}]",
	"a reason of every printed kind":      header + "users: [{name: a, reason: '<b>|`x`** #1 @a 🙂 \"', ticket: '-'}]",
	"names of every legal kind":           header + "users: [{name: A.b_c+d-e@f.g}, {name: a._.b}, {name: 0__a}]",
}

func TestParseUntil(t *testing.T) {
	for sentence, c := range ends {
		t.Run(sentence, func(t *testing.T) {
			inv := mustParse(t, header+"users: [{name: a, until: "+c.written+"}]", nil)
			if diff := cmp.Diff(c.want, inv.Users[0].Until); diff != "" {
				t.Error(diff)
			}
		})
	}
}

var ends = map[string]struct {
	written string
	want    time.Time
}{
	"a day is included":                {"2027-06-30", date(2027, 7, 1)},
	"a quoted day":                     {"'2027-12-31'", date(2028, 1, 1)},
	"the day before a leap day":        {"2028-02-28", date(2028, 2, 29)},
	"a time is exact":                  {"2027-06-30T18:00:00Z", time.Date(2027, 6, 30, 18, 0, 0, 0, time.UTC)},
	"a time elsewhere comes in UTC":    {"2027-06-30T18:00:00+02:00", time.Date(2027, 6, 30, 16, 0, 0, 0, time.UTC)},
	"a part of a second is not lost":   {"'2027-06-30T18:00:00.5Z'", time.Date(2027, 6, 30, 18, 0, 0, 5e8, time.UTC)},
	"a day that is long gone is legal": {"2001-01-01", date(2001, 1, 2)},
}

// TestParseFrom: a day means its beginning in UTC, on users, on grants and in a team's file.
func TestParseFrom(t *testing.T) {
	midnight := date(2027, 1, 31)
	for written, want := range map[string]time.Time{
		"2027-01-31":                  midnight,
		"'2027-01-31'":                midnight,
		"2027-01-31T00:00:00Z":        midnight,
		"2027-01-30T23:59:59Z":        midnight.Add(-time.Second),
		"2027-01-31T00:00:00+02:00":   midnight.Add(-2 * time.Hour),
		"2027-01-30T19:30:00.5-05:00": midnight.Add(30*time.Minute + time.Second/2),
	} {
		team := fstest.MapFS{"teams/p.yaml": {Data: []byte("apiVersion: certsync.dev/v1\nkind: TeamInventory\nteam: p\nusers: [{name: b, from: " + written + ", until: 2027-02-01}]")}}
		inv := mustParse(t, header+"users: [{name: a, from: "+written+", clusterRoles: [{name: x, from: "+written+", until: 2027-02-01}]}]\nteams: [{name: p, file: teams/p.yaml, groups: []}]", team)
		for where, got := range map[string]time.Time{"a user": inv.Users[0].From, "a grant": inv.Users[0].ClusterRoles[0].From, "a member": inv.Users[1].From} {
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s of %s: %s", written, where, diff)
			}
		}
	}
}

// TestRevokedBefore: a day begins at its midnight, and of the default and a user's own the later counts.
func TestRevokedBefore(t *testing.T) {
	inv := mustParse(t, header+"defaults: {revokedBefore: 2026-11-28}\nusers: [{name: a}, {name: b, revokedBefore: 2026-11-28T10:00:00+02:00}, {name: c, revokedBefore: 2026-11-27}]", nil)
	midnight := time.Date(2026, 11, 28, 0, 0, 0, 0, time.UTC)
	for i, want := range []time.Time{midnight, midnight.Add(8 * time.Hour), midnight} {
		if got := inv.Users[i].RevokedBefore; !got.Equal(want) {
			t.Errorf("%s: %s, want %s", inv.Users[i].Name, got, want)
		}
	}
}
