package kube

import (
	"context"
	"encoding/pem"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	apiruntime "k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/access"
	"github.com/certsync/certsync/reconcile/kube/apitest"
)

// hostileCluster and hostileCA name, for a child process of these tests, the cluster to observe.
const (
	hostileCluster = "TEST_HOSTILE_CLUSTER"
	hostileCA      = "TEST_HOSTILE_CA"
)

func TestMain(m *testing.M) {
	server := os.Getenv(hostileCluster)
	if server == "" {
		os.Exit(m.Run())
	}
	config := &rest.Config{Host: server, QPS: -1, TLSClientConfig: rest.TLSClientConfig{CAFile: os.Getenv(hostileCA)}}
	config.ContentType = apiruntime.ContentTypeProtobuf
	config.AcceptContentTypes = apiruntime.ContentTypeProtobuf + "," + apiruntime.ContentTypeJSON
	c, err := newCluster(config, server, kubeconfigEntry{name: "test"}, "kube-system")
	if err != nil {
		panic(err)
	}
	view, err := c.ObserveCluster(context.Background(), "prod-eu")
	others := access.Others("prod-eu", view.Bindings)
	subjects := 0
	for _, b := range view.Bindings {
		subjects += len(b.Subjects)
	}
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	runtime.KeepAlive(others)
	// All memory that Go had of the system, which it does not give back: the most that it had at once.
	fmt.Printf("%d %d bindings with %d subjects, %d roles, partly %v, %v\n", memory.Sys, len(view.Bindings), subjects, len(view.Rules), view.Partly, err)
	os.Exit(0)
}

// hostilePages serves lists of n objects, as many in a page as are asked for.
func hostilePages(t *testing.T, n int, page func(from, to int, more string) apiruntime.Object) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		from, _ := strconv.Atoi(r.URL.Query().Get("continue"))
		limit, _ := strconv.Atoi(r.URL.Query().Get("limit"))
		to, more := min(from+limit, n), ""
		if to < n {
			more = strconv.Itoa(to)
		}
		apitest.ReplyProtobuf(w, apitest.Protobuf(t, page(from, to, more)))
	}
}

// observeHostile observes a cluster in a process of its own, and returns the memory in bytes and what was read.
func observeHostile(t *testing.T, s *apitest.Server) (sys int, read string) {
	t.Helper()
	ca := filepath.Join(t.TempDir(), "ca.crt")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute) // it takes seconds, on a machine that has nothing else to do
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Env = append(os.Environ(), "GOGC=", hostileCluster+"="+s.URL, hostileCA+"="+ca) // as much memory as users need
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v, %s", err, out)
	}
	memory, read, _ := strings.Cut(strings.TrimSpace(string(out)), " ")
	if sys, err = strconv.Atoi(memory); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	t.Logf("%d MiB, %s, %s", sys>>20, cmd.ProcessState.UserTime(), read)
	return sys, read
}

// hostileMemory is what an observation may take: three quarters of the job's limit.
const hostileMemory = 384 << 20

// TestHostileNamespaces: an admin of a namespace makes 40 objects as large as etcd takes. A run reads all others, and the owner's own
// bindings in full, and takes little more memory.
func TestHostileNamespaces(t *testing.T) {
	const large = 40
	meta := func(i int) metav1.ObjectMeta {
		m := metav1.ObjectMeta{Namespace: "tenant", Name: fmt.Sprintf("a%d", i), UID: "u"}
		switch i {
		case large:
			m.Name = "certsync:prod-eu:group:devs:view"
		case large + 1:
			m.Name = "small"
		case large + 2:
			m.Namespace = "other"
		}
		return m
	}
	var subjects []rbacv1.Subject
	for n := range 40_000 {
		subjects = append(subjects, rbacv1.Subject{Kind: "User", APIGroup: reconcile.RBACGroup, Name: strconv.FormatInt(int64(n), 36)})
	}
	verbs := slices.Repeat([]string{"a"}, 400_000)
	bindings := func(from, to int, more string) apiruntime.Object {
		l := &rbacv1.RoleBindingList{ListMeta: metav1.ListMeta{ResourceVersion: "1", Continue: more}}
		for i := from; i < to; i++ {
			b := rbacv1.RoleBinding{ObjectMeta: meta(i), Subjects: subjects}
			if i > large {
				b.Subjects = subjects[:2]
			}
			l.Items = append(l.Items, b)
		}
		return l
	}
	roles := func(from, to int, more string) apiruntime.Object {
		l := &rbacv1.RoleList{ListMeta: metav1.ListMeta{ResourceVersion: "1", Continue: more}}
		for i := from; i < to; i++ {
			r := rbacv1.Role{ObjectMeta: meta(i), Rules: []rbacv1.PolicyRule{{Verbs: verbs}}}
			if i > large {
				r.Rules[0].Verbs = verbs[:2]
			}
			l.Items = append(l.Items, r)
		}
		return l
	}
	for name, test := range map[string]struct {
		path string
		page func(from, to int, more string) apiruntime.Object
		want string
	}{
		"subjects": {"rolebindings", bindings, "3 bindings with 40004 subjects, 3 roles, partly map[tenant:true], <nil>"},
		"verbs":    {"roles", roles, "0 bindings with 0 subjects, 5 roles, partly map[tenant:true], <nil>"},
	} {
		t.Run(name, func(t *testing.T) {
			s := observable(t)
			s.Routes["GET "+rbacPath+"/"+test.path] = hostilePages(t, large+3, test.page)
			s.Begin()
			if sys, read := observeHostile(t, s); sys > hostileMemory || read != test.want {
				t.Errorf("it took %d MiB, and read %s", sys>>20, read)
			}
		})
	}
}
