//go:build unix

package kubeconfig

import (
	"encoding/base64"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/kube/apitest"
)

// sharing is a kubeconfig whose cluster prod is used by the context of alice and by other contexts.
type sharing struct {
	t          *testing.T
	chain, key []byte
}

// stored returns the kubeconfig that Vault has for alice.
func (s sharing) stored(e reconcile.Endpoint) string {
	s.t.Helper()
	e.Name = "prod"
	c, err := Writer{}.Kubeconfig(e, "alice", s.chain, reconcile.NewSecret(s.key))
	if err != nil {
		s.t.Fatal(err)
	}
	return string(c.Reveal())
}

// with adds contexts, each as NAME CLUSTER USER, to a kubeconfig of stored's.
func with(text string, contexts ...string) string {
	for _, c := range contexts {
		f := strings.Fields(c)
		text = strings.Replace(text, "contexts:\n", "contexts:\n- name: "+f[0]+"\n  context: {cluster: "+f[1]+", user: "+f[2]+"}\n", 1)
	}
	return strings.Replace(text, "users:\n", "users:\n- name: admin\n  user: {token: s3cret}\n", 1)
}

// merge merges stored into the files of KUBECONFIG, or into file.
func (s sharing) merge(file string, kubeconfigs []string, files map[string]string, stored string) (Merged, error) {
	s.t.Helper()
	s.t.Chdir(s.t.TempDir())
	for name, text := range files {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			s.t.Fatal(err)
		}
	}
	s.t.Setenv("KUBECONFIG", strings.Join(kubeconfigs, string(os.PathListSeparator)))
	done, err := Merge(s.t.Context(), file, "", reconcile.NewSecret([]byte(stored)))
	for name, text := range files {
		if now := textOf(s.t, name); err != nil && now != text {
			s.t.Errorf("%s was written: %s", name, now)
		}
	}
	return done, err
}

// TestMergeSharedCluster: no merge changes the server or the trust of an entry that another context uses. kubectl would send
// that context's token there. An entry that differs only in spelling stays as it is.
func TestMergeSharedCluster(t *testing.T) {
	s := sharing{t: t}
	s.chain, s.key = apitest.NewUser("alice")
	other, _ := apitest.NewUser("other CA")
	const server, proxy = "https://k8s.example.com:6443", "http://proxy.example.com:3128"
	old := reconcile.Endpoint{Server: server, CA: apitest.CA}
	admin := with(s.stored(old), "admin prod admin")
	inFile := func(name string) string {
		return strings.Replace(admin, "certificate-authority-data: "+base64.StdEncoding.EncodeToString(apitest.CA), "certificate-authority: "+name, 1)
	}
	for sentence, tt := range map[string]struct {
		has  string
		ours reconcile.Endpoint
		want []string // parts of the refusal; none: it is merged
	}{
		"the same":             {admin, old, nil},
		"another CA and proxy": {admin, reconcile.Endpoint{Server: server, CA: other, ProxyURL: proxy}, []string{`cluster "prod" in config is another one, at https://k8s.example.com:6443 without a proxy and with another CA`, "merge into another file with --kubeconfig FILE"}},
		"another CA": {admin, reconcile.Endpoint{Server: server, CA: other}, []string{
			`cluster "prod" in config is also used by context "admin" and would change: another certificate authority`,
			"merge into another file with --kubeconfig FILE", "kubectl config delete-context admin"}},
		"another server": {admin, reconcile.Endpoint{Server: "https://other.example.com", CA: apitest.CA}, []string{
			`server: "https://k8s.example.com:6443" becomes "https://other.example.com"`}},
		"another path of the server": {strings.Replace(admin, server, server+"/k8s/C-1", 1), reconcile.Endpoint{Server: server + "/k8s/c-1", CA: apitest.CA}, []string{
			`server: "https://k8s.example.com:6443/k8s/C-1" becomes "https://k8s.example.com:6443/k8s/c-1"`}},
		"a server without the password": {strings.Replace(admin, "https://k8s", "https://u:s3cret@k8s", 1), old, []string{
			`server: "https://u:xxxxx@k8s.example.com:6443" becomes "https://k8s.example.com:6443"`}},
		"a proxy":        {admin, reconcile.Endpoint{Server: server, CA: apitest.CA, ProxyURL: proxy}, []string{`proxy-url: "" becomes "http://proxy.example.com:3128"`}},
		"no proxy":       {with(s.stored(reconcile.Endpoint{Server: server, CA: apitest.CA, ProxyURL: "http://u:s3cret@p"}), "admin prod admin"), old, []string{`proxy-url: "http://u:xxxxx@p" becomes ""`}},
		"a TLS name":     {admin, reconcile.Endpoint{Server: server, CA: apitest.CA, TLSServerName: "other"}, []string{`tls-server-name: "" becomes "other"`}},
		"no CA":          {admin, reconcile.Endpoint{Server: server}, []string{"another certificate authority"}},
		"a CA that none": {with(s.stored(reconcile.Endpoint{Server: server}), "admin prod admin"), reconcile.Endpoint{Server: server, CA: []byte("none")}, []string{"another certificate authority"}},
		"one more CA":    {admin, reconcile.Endpoint{Server: server, CA: slices.Concat(apitest.CA, other)}, []string{"another certificate authority"}},
		"no check so far": {strings.Replace(admin, "server: ", "insecure-skip-tls-verify: true\n    server: ", 1), old, []string{
			`insecure-skip-tls-verify: "true" becomes "false"`}},
		"by two others": {with(s.stored(old), "admin prod admin", "b prod bob"), reconcile.Endpoint{Server: server, CA: other}, []string{
			`is also used by contexts "admin" and "b"`, "delete-context admin and kubectl config delete-context b"}},
		"by a second context of alice's": {with(s.stored(old), "payments prod alice@prod"), reconcile.Endpoint{Server: server, CA: other}, []string{
			`is also used by context "payments"`, "kubectl config delete-cluster prod, and merge again"}},
		"an other name for a shell": {with(s.stored(old), "'x;reboot' prod admin"), reconcile.Endpoint{Server: server, CA: other}, []string{
			"kubectl config delete-context 'x;reboot'"}},
		"one that is not there": {strings.Replace(admin, "  name: prod\n", "  name: prod-old\n", 1), old, []string{
			`context "admin" uses cluster "prod", which does not exist: it would get the cluster from Vault`, "kubectl config delete-context admin"}},
		"one that is not there, for a second context of alice's": {
			strings.Replace(with(s.stored(old), "payments prod alice@prod"), "  name: prod\n", "  name: prod-old\n", 1), old, nil},

		"in other words: the server":     {strings.Replace(admin, server, "HTTPS://K8S.example.com:6443/", 1), old, nil},
		"in other words: the port":       {strings.Replace(admin, server, "https://k8s.example.com", 1), reconcile.Endpoint{Server: "https://k8s.example.com:443", CA: apitest.CA}, nil},
		"in other words: the proxy":      {with(s.stored(reconcile.Endpoint{Server: server, CA: apitest.CA, ProxyURL: proxy + "/"}), "admin prod admin"), reconcile.Endpoint{Server: server, CA: apitest.CA, ProxyURL: proxy}, nil},
		"in other words: the TLS name":   {admin, reconcile.Endpoint{Server: server, CA: apitest.CA, TLSServerName: "k8s.example.com"}, nil},
		"in other words: a file":         {inFile("ca.crt"), old, nil},
		"in other words: a bundle":       {with(s.stored(reconcile.Endpoint{Server: server, CA: slices.Concat([]byte("# mine\n"), apitest.CA, apitest.CA)}), "admin prod admin"), old, nil},
		"a file that is not there":       {inFile("none.crt"), old, []string{"another certificate authority"}},
		"a file that is a device":        {inFile("/dev/stdin"), old, []string{"another certificate authority"}},
		"the same without compression":   {strings.Replace(admin, "server: ", "disable-compression: true\n    server: ", 1), old, nil},
		"a field that kubectl never saw": {strings.Replace(admin, "server: ", "x: y\n    server: ", 1), old, nil},
	} {
		t.Run(sentence, func(t *testing.T) {
			s.t = t
			done, err := s.merge("", []string{"config"}, map[string]string{"config": tt.has, "ca.crt": string(apitest.CA)}, s.stored(tt.ours))
			if tt.want == nil {
				entry, _, _ := strings.Cut(tt.has, "contexts:\n")
				if err != nil || !strings.HasPrefix(textOf(t, "config"), entry) && !strings.Contains(sentence, "not there") || len(done.Elsewhere) > 0 {
					t.Errorf("error %v, and %+v: %s", err, done, textOf(t, "config"))
				}
				return
			}
			refusedWith(t, err, tt.want...)
		})
	}
}

// refusedWith checks that there is one refusal, which has all parts and no secret.
func refusedWith(t *testing.T, err error, parts ...string) {
	t.Helper()
	var refused reconcile.Refused
	if !errors.As(err, &refused) || len(refused.Violations) != 1 {
		t.Fatalf("%v", err)
	}
	for _, part := range append(parts, "--kubeconfig FILE") {
		if !strings.Contains(refused.Violations[0], part) || strings.Contains(refused.Violations[0], "s3cret") {
			t.Errorf("%s\nhas no %s", refused.Violations[0], part)
		}
	}
}

// TestMergeAcrossFiles: the contexts in all files of KUBECONFIG count, also those that kubectl does not use because of an
// earlier file. They also count if a flag names one of these files.
func TestMergeAcrossFiles(t *testing.T) {
	s := sharing{t: t}
	s.chain, s.key = apitest.NewUser("alice")
	other, _ := apitest.NewUser("other CA")
	old := reconcile.Endpoint{Server: "https://k8s.example.com", CA: apitest.CA}
	stored := s.stored(reconcile.Endpoint{Server: old.Server, CA: other})
	const empty = "apiVersion: v1\nkind: Config\n"
	const admin = empty + "contexts:\n- name: admin\n  context: {cluster: prod, user: admin}\n"
	const hidden = empty + "contexts:\n- name: prod\n  context: {cluster: prod, user: admin}\n"
	for sentence, tt := range map[string]struct {
		file  string
		list  []string
		files map[string]string
		want  string
	}{
		"in another file":                     {"", []string{"a", "b"}, map[string]string{"a": s.stored(old), "b": admin}, `is also used by context "admin"`},
		"hidden by ours":                      {"", []string{"a", "b"}, map[string]string{"a": s.stored(old), "b": hidden}, `is also used by context "prod"`},
		"the cluster in another file":         {"", []string{"a", "b"}, map[string]string{"a": admin, "b": s.stored(old)}, `cluster "prod" in b is also used by context "admin"`},
		"a file among them":                   {"a", []string{"a", "b"}, map[string]string{"a": empty, "b": with(s.stored(old), "admin prod admin")}, `cluster "prod" in b is also used by context "admin"`},
		"a file among them, in other words":   {"././a", []string{"a", "b"}, map[string]string{"a": empty, "b": with(s.stored(old), "admin prod admin")}, `is also used by context "admin"`},
		"a file among them that is not there": {"a", []string{"a", "b"}, map[string]string{"b": with(s.stored(old), "admin prod admin")}, `is also used by context "admin"`},
		"a file that is not among them":       {"c", []string{"a", "b"}, map[string]string{"a": s.stored(old), "b": admin}, ""},
	} {
		t.Run(sentence, func(t *testing.T) {
			s.t = t
			_, err := s.merge(tt.file, tt.list, tt.files, stored)
			if tt.want != "" {
				refusedWith(t, err, tt.want)
			} else if err != nil {
				t.Error(err)
			}
		})
	}
}

// TestMergeOwnCluster: an entry that only the context of alice uses follows the cluster. The result lists the changes.
func TestMergeOwnCluster(t *testing.T) {
	s := sharing{t: t}
	s.chain, s.key = apitest.NewUser("alice")
	other, _ := apitest.NewUser("other CA")
	old := reconcile.Endpoint{Server: "https://k8s.example.com", CA: apitest.CA}
	for sentence, tt := range map[string]struct {
		ours reconcile.Endpoint
		want []string
	}{
		"the same":       {old, nil},
		"another CA":     {reconcile.Endpoint{Server: old.Server, CA: other}, []string{"another certificate authority"}},
		"another server": {reconcile.Endpoint{Server: "https://b", CA: apitest.CA}, []string{`server: "https://k8s.example.com" becomes "https://b"`}},
		"a proxy and a TLS name": {reconcile.Endpoint{Server: old.Server, CA: apitest.CA, ProxyURL: "http://p", TLSServerName: "k"},
			[]string{`proxy-url: "" becomes "http://p"`, `tls-server-name: "" becomes "k"`}},
	} {
		t.Run(sentence, func(t *testing.T) {
			s.t = t
			stored := s.stored(tt.ours)
			done, err := s.merge("", []string{"config"}, map[string]string{"config": with(s.stored(old), "admin other admin")}, stored)
			if diff := cmp.Diff(tt.want, done.Elsewhere); diff != "" || err != nil {
				t.Errorf("error %v\n%s", err, diff)
			}
			again, err := Merge(t.Context(), "", "", reconcile.NewSecret([]byte(stored)))
			if err != nil || again.Changed || again.Elsewhere != nil {
				t.Errorf("again: error %v, %+v", err, again)
			}
		})
	}
}

// TestMergeSharedUser: a new certificate is for all contexts of its user on this cluster. For one on another cluster, nothing
// changes how it logs in.
func TestMergeSharedUser(t *testing.T) {
	s := sharing{t: t}
	s.chain, s.key = apitest.NewUser("alice")
	e := reconcile.Endpoint{Server: "https://k8s.example.com", CA: apitest.CA}
	has := s.stored(e)
	for sentence, tt := range map[string]struct {
		context string
		renewed bool
		want    []string
	}{
		"a second context on this cluster": {"payments prod alice@prod", true, nil},
		"on another cluster": {"lab lab alice@prod", true, []string{
			`user "alice@prod" in config is also used by context "lab" on another cluster and would log in with another credential`, "kubectl config delete-context lab"}},
		"on another cluster, with nothing new": {"lab lab alice@prod", false, nil},
		"another user's":                       {"lab lab admin", true, nil},
	} {
		t.Run(sentence, func(t *testing.T) {
			s := s
			s.t = t
			if tt.renewed {
				s.chain, s.key = apitest.NewUser("alice")
			}
			_, err := s.merge("", []string{"config"}, map[string]string{"config": with(has, tt.context)}, s.stored(e))
			if tt.want != nil {
				refusedWith(t, err, tt.want...)
			} else if err != nil {
				t.Error(err)
			}
		})
	}
}
