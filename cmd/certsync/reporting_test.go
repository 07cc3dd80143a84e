package main

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes/scheme"

	"github.com/certsync/certsync/cmd/certsync/internal/fixture"
	"github.com/certsync/certsync/cmd/certsync/internal/terminal"
	"github.com/certsync/certsync/e2e/fake"
)

// applyFailing runs apply in a folder where the cluster grants no certificate.
func applyFailing(t *testing.T, dir string, cluster http.HandlerFunc, args ...string) result {
	t.Helper()
	address, ca := newClusterThat(t, cluster)
	copyFolder(t, "testdata/apply-failing", dir, map[string]string{"$CLUSTER": address, "$CA": ca, "$VAULT": newVault(t)})
	return run(t, process(t, dir, linesOf(t, dir, "env"), append([]string{"apply"}, args...)))
}

// TestReportFile: there is a report of every run that began, whole and for nobody else to read, and nothing beside it.
func TestReportFile(t *testing.T) {
	tests := map[string]struct {
		args []string
		code int
		want string // in the report
	}{
		"steps failed":    {args: []string{"--yes"}, code: exitError, want: `"result":"failed"`},
		"as events":       {args: []string{"--yes", "-o", "json"}, code: exitError, want: `"result":"failed"`},
		"refused":         {code: exitRefused, want: `"refusals":["there is no terminal to ask for consent; set --yes, or --expect sha256:`},
		"no inventory":    {args: []string{"--yes", "-f", "missing.yaml"}, code: exitError, want: `"hint":"set -f to your inventory file"`},
		"no such cluster": {args: []string{"--yes", "--context=nowhere"}, code: exitError, want: `"owner":"prod-eu","run":`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, out := t.TempDir(), t.TempDir()
			path := filepath.Join(out, "report.json")
			if err := os.WriteFile(path, []byte(`{"formatVersion":"1","run":"an earlier one"}`), 0o644); err != nil {
				t.Fatal(err)
			}
			r := applyFailing(t, dir, answerAsCluster, append(tt.args, "--report="+path)...)
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			var report struct{ ExitCode int }
			if err := json.Unmarshal(text, &report); err != nil || report.ExitCode != tt.code || r.code != tt.code || !strings.Contains(string(text), tt.want) {
				t.Errorf("exit %d, %v: %s\n%s", r.code, err, text, r.stderr)
			}
			info, err := os.Stat(path)
			if err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("%v, %v", info.Mode(), err)
			}
			if files, _ := os.ReadDir(out); len(files) != 1 {
				t.Errorf("left behind: %v", files)
			}
		})
	}
}

// TestReportCannotBe: a report that cannot be written is found out before anything is asked of the cluster.
func TestReportCannotBe(t *testing.T) {
	dir := t.TempDir()
	link := filepath.Join(dir, "link")
	if err := os.Symlink(os.DevNull, link); err != nil {
		t.Fatal(err)
	}
	other := filepath.Join(dir, "users.yaml")
	if err := os.WriteFile(other, []byte("apiVersion: certsync.dev/v1\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		path string
		code int
		want string
	}{
		"no such folder":       {filepath.Join(dir, "missing", "report.json"), exitError, "certsync: preparing the report: "},
		"a folder that is one": {dir, exitError, "is not a regular file"},
		"a device":             {os.DevNull, exitError, "is not a regular file"},
		"a link":               {link, exitError, "is not a regular file"},
		"somebody's file":      {other, exitError, "exists and is not a certsync report"},
		"standard output":      {"-", exitUsage, "use -o json for standard output"},
		"no name":              {"", exitUsage, "expected a file name"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			r := applyFailing(t, t.TempDir(), func(_ http.ResponseWriter, r *http.Request) { t.Errorf("asked: %s", r.URL) },
				"--yes", "--report="+tt.path)
			if r.code != tt.code || !strings.Contains(r.stderr, tt.want) || !strings.Contains(r.stderr, "hint: ") {
				t.Errorf("exit %d: %s", r.code, r.stderr)
			}
		})
	}
}

// TestReportIsLost: a run that has done all fails when its report cannot be written at the end.
func TestReportIsLost(t *testing.T) {
	l := newLab(t, 1)
	folder := t.TempDir()
	w := newFaultWorld(l.signer)
	w.OnWrite(func(string, *fake.World) { _ = os.RemoveAll(folder) })
	g := fake.NewGateway("", "")
	defer g.Close()
	r := l.apply(w, command{file: l.inventory(t, company), workers: 1, args: []string{"--report", filepath.Join(folder, "report.json"), "--pushgateway", g.URL}})
	if r.exit != exitError || !strings.Contains(r.output, "certsync: writing the report: ") {
		t.Errorf("exit %d: %s", r.exit, r.output)
	}
	if pushed := g.Text("certsync/owner/" + faultOwner); !strings.Contains(pushed, "certsync_exit_code 1\n") || strings.Contains(pushed, "certsync_last_success") {
		t.Errorf("pushed: %s", pushed)
	}
}

// TestNobodyListens: what cannot be told is said, and the run ends as it would have.
func TestNobodyListens(t *testing.T) {
	l := newLab(t, 1)
	w := newFaultWorld(l.signer)
	w.Set(fake.Settings{Denied: []string{"create events"}})
	guarded := fake.NewGateway("somebody", "else")
	defer guarded.Close()
	r := l.apply(w, command{file: l.inventory(t, company), workers: 1, args: []string{"--pushgateway", guarded.URL}})
	for _, want := range []string{"certsync: writing Event Applied about Lease kube-system/certsync-prod-eu: ", "certsync: pushing metrics: unexpected status code 401"} {
		if !strings.Contains(r.output, want) {
			t.Errorf("%q is not in: %s", want, r.output)
		}
	}
	if r.exit != exitOK {
		t.Errorf("exit %d: %s", r.exit, r.output)
	}
}

// TestEventsAreClean: what others have written cannot move the cursor of who reads an Event.
func TestEventsAreClean(t *testing.T) {
	var mu sync.Mutex
	var told []corev1.Event
	lease := `{"kind":"Lease","apiVersion":"coordination.k8s.io/v1","metadata":{"name":"certsync-prod-eu","namespace":"kube-system","uid":"uid-of-the-lease","resourceVersion":"1"}}`
	refusal, err := json.Marshal(map[string]any{"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "Forbidden", "code": 403, "message": fixture.Hostile})
	if err != nil {
		t.Fatal(err)
	}
	r := applyFailing(t, t.TempDir(), func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method == http.MethodGet && strings.HasPrefix(r.URL.Path, leasesPath+"/"):
			answer(w, http.StatusOK, lease)
		case r.Method == http.MethodPost && r.URL.Path == csrPath:
			answer(w, http.StatusForbidden, string(refusal))
		case r.Method == http.MethodPost && r.URL.Path == "/api/v1/namespaces/kube-system/events":
			body, _ := io.ReadAll(r.Body)
			var e corev1.Event
			if _, _, err := scheme.Codecs.UniversalDeserializer().Decode(body, nil, &e); err != nil {
				t.Error(err)
			}
			mu.Lock()
			told = append(told, e)
			mu.Unlock()
			answer(w, http.StatusCreated, `{"kind":"Event","apiVersion":"v1"}`)
		default:
			answerAsCluster(w, r)
		}
	}, "--yes")
	if r.code != exitError || len(told) == 0 {
		t.Fatalf("exit %d, %d events: %s", r.code, len(told), r.stderr)
	}
	shown := false
	for _, e := range told {
		shown = shown || strings.Contains(e.Message, terminal.Clean(fixture.Hostile))
		if e.Message != terminal.Clean(e.Message) {
			t.Errorf("%s: %q", e.Reason, e.Message)
		}
	}
	if !shown {
		t.Errorf("the cause is in none of: %v", told)
	}
}

// TestReportOfAnInterruption: a run that was interrupted is reported on as well.
func TestReportOfAnInterruption(t *testing.T) {
	cluster, ca := newCluster(t)
	dir := t.TempDir()
	copyFolder(t, "testdata/plan", dir, map[string]string{"$CLUSTER": cluster, "$CA": ca})
	t.Setenv("KUBECONFIG", filepath.Join(dir, "kubeconfig"))
	t.Setenv("VAULT_ADDR", newVault(t))
	t.Setenv("VAULT_TOKEN", "token")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r := within(t, ctx, "apply", "--yes", "-f", filepath.Join(dir, "users.yaml"), "--report", filepath.Join(dir, "report.json"))
	text, err := os.ReadFile(filepath.Join(dir, "report.json"))
	if err != nil || r.code != exitInterrupted || !strings.Contains(string(text), `"exitCode":130,"error":"interrupted",`) {
		t.Errorf("exit %d, %v: %s\n%s", r.code, err, text, r.stderr)
	}
}
