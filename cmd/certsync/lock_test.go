package main

import (
	"bytes"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/kube"
)

func TestLockTimeout(t *testing.T) {
	for name, tc := range map[string]struct {
		args []string
		want time.Duration
		err  string
	}{
		"none given":          {nil, 0, ""},
		"five minutes":        {[]string{"--lock-timeout=5m"}, 5 * time.Minute, ""},
		"a number":            {[]string{"--lock-timeout=5"}, 0, "--lock-timeout: expected a duration, for example 90s or 5m"},
		"less than no time":   {[]string{"--lock-timeout=-5m"}, 0, "--lock-timeout: expected a duration, for example 90s or 5m"},
		"an empty variable's": {[]string{"--lock-timeout="}, 0, "--lock-timeout: expected a duration, for example 90s or 5m"},
	} {
		t.Run(name, func(t *testing.T) {
			var flags lockFlags
			parser, err := kong.New(&flags)
			if err != nil {
				t.Fatal(err)
			}
			_, err = parser.Parse(tc.args)
			if (err == nil) != (tc.err == "") || err != nil && err.Error() != tc.err || time.Duration(flags.LockTimeout) != tc.want {
				t.Errorf("%s, error %v", time.Duration(flags.LockTimeout), err)
			}
		})
	}
}

// TestLockNamesItsHolder: who meets the lock reads there whose it is, and which run's.
func TestLockNamesItsHolder(t *testing.T) {
	created := make(chan string, 1)
	address, ca := newClusterThat(t, func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		if r.Method == http.MethodPost {
			created <- string(body)
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		answerAsCluster(w, r)
	})
	dir := t.TempDir()
	copyFolder(t, "testdata/plan", dir, map[string]string{"$CLUSTER": address, "$CA": ca})
	cluster, err := kube.Connect(kube.Options{Kubeconfig: filepath.Join(dir, "kubeconfig")})
	if err != nil {
		t.Fatal(err)
	}
	lock, err := lockFlags{}.locker(cluster, "test", reconcile.Identity{Name: "bot"}, "0123456789abcdef", nil).Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := lock.Release(t.Context()); err != nil {
		t.Error(err)
	}
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	if want := "bot on " + host + ", run 0123456789abcdef"; !strings.Contains(<-created, want) {
		t.Errorf("the Lease does not name %q", want)
	}
}
