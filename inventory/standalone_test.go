package inventory

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestStandalone: in a folder of their own, the files of a cluster are its effective inventory, with the same digest and the same
// users of teams. They name no other cluster, and nobody who has access only there.
func TestStandalone(t *testing.T) {
	dir := t.TempDir()
	write := func(dir, name, text string) {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	dana := csr(t, func(r *x509.CertificateRequest) { r.Subject = pkix.Name{CommonName: "dana"} })
	write(dir, "mine/dana.pem", dana)
	write(dir, "teams/shop.yaml", "apiVersion: certsync.dev/v1\nkind: TeamInventory\nteam: shop\nusers:\n  - {name: erin, groups: [devs], clusters: {region: us}}\n  - {name: fred, groups: [devs], expiration: 2h}\n")
	write(dir, "users.yaml", threeClusters+`  - {name: dana, request: mine/dana.pem, clusters: {env: prod}, until: 2027-06-30, reason: "on call: nights"}
teams:
  - {name: shop, file: teams/shop.yaml, groups: [devs], maxExpiration: 8h}
`)
	f, err := LoadFile(filepath.Join(dir, "users.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for name, wanted := range map[string]struct{ files, users string }{
		"dev":     {"teams/shop.yaml users.yaml", "alice bob fred:shop"},
		"prod-eu": {"requests/dana.csr teams/shop.yaml users.yaml", "alice dana fred:shop"},
		"prod-us": {"requests/dana.csr teams/shop.yaml users.yaml", "alice dana erin:shop fred:shop"},
	} {
		m, _ := f.Member(name)
		files, err := f.Standalone(m)
		if err != nil {
			t.Fatal(err)
		}
		alone := t.TempDir()
		for path, text := range files {
			write(alone, path, string(text))
		}
		got, err := Load(filepath.Join(alone, "users.yaml"))
		if err != nil {
			t.Fatalf("%s: %v\n%s", name, err, files["users.yaml"])
		}
		if diff := cmp.Diff(f.Effective(m), got); diff != "" || got.Digest() != f.Effective(m).Digest() {
			t.Errorf("%s: another inventory: %s", name, diff)
		}
		var users []string
		for _, u := range got.Users {
			users = append(users, strings.TrimSuffix(u.Name+":"+u.Team, ":"))
		}
		paths := strings.Join(slices.Sorted(maps.Keys(files)), " ")
		slices.Sort(users)
		if list := strings.Join(users, " "); paths != wanted.files || list != wanted.users {
			t.Errorf("%s: files %s, users %s", name, paths, list)
		}
		for _, other := range f.Members {
			if other.Name != name && regexp.MustCompile(`[^.]\b`+other.Name+`\b`).Match(files["users.yaml"]) {
				t.Errorf("%s names %s", name, other.Name)
			}
		}
	}
}
