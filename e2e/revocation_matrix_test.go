package e2e

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/certsync/certsync/e2e/harness"
)

// The matrix: by what a certificate has access, and what its holder does.
var (
	sources    = []string{"own", "user", "group", "everybody"}
	operations = []string{"read", "write", "exec", "impersonation", "discovery"}
)

// matrixWorld has a ClusterRole for each source, and who gets it by whom. The certificate of each source may act as a victim of its
// own, who has the same in the same namespace.
const matrixWorld = `{apiVersion: v1, kind: List, items: [
{apiVersion: v1, kind: Namespace, metadata: {name: SOURCE}},
{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: work}, rules: [
 {verbs: [get, list, watch, create], apiGroups: [""], resources: [configmaps]}, {verbs: [create, get], apiGroups: [""], resources: [pods/exec]}]},
{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: act-SOURCE}, rules: [
 {verbs: [impersonate], apiGroups: [""], resources: [users], resourceNames: [victim-SOURCE]}]},
{apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding, metadata: {name: victim, namespace: SOURCE},
 roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: work}, subjects: [{kind: User, apiGroup: rbac.authorization.k8s.io, name: victim-SOURCE}]}]}`

const matrixBindings = `{apiVersion: v1, kind: List, items: [
{apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding, metadata: {name: others, namespace: SOURCE},
 roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: work}, subjects: [SUBJECT]},
{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRoleBinding, metadata: {name: others-SOURCE},
 roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: act-SOURCE}, subjects: [SUBJECT]}]}`

const baseAuthorizers = `apiVersion: apiserver.config.k8s.io/v1
kind: AuthorizationConfiguration
authorizers:
`

const ownAuthorizers = `- {type: Node, name: node}
- {type: RBAC, name: rbac}
`

// holder is who has a revoked certificate.
type holder struct {
	source string
	client *kubernetes.Clientset
	victim *kubernetes.Clientset // the holder, acting as the victim
}

func (f *fixture) holder(source string) holder {
	f.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", f.userKubeconfig(source))
	if err != nil {
		f.Fatal(err)
	}
	config.QPS = -1
	h := holder{source: source}
	if h.client, err = kubernetes.NewForConfig(config); err != nil {
		f.Fatal(err)
	}
	config.Impersonate.UserName = "victim-" + source
	if h.victim, err = kubernetes.NewForConfig(config); err != nil {
		f.Fatal(err)
	}
	return h
}

// denied tries an operation, and reports whether the API server refuses it.
func (h holder) denied(ctx context.Context, operation string) bool {
	var err error
	switch operation {
	case "read":
		_, err = h.client.CoreV1().ConfigMaps(h.source).List(ctx, metav1.ListOptions{Limit: 1})
	case "write":
		_, err = h.client.CoreV1().ConfigMaps(h.source).Create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{GenerateName: "by-holder-"}}, metav1.CreateOptions{})
	case "exec":
		err = h.client.CoreV1().RESTClient().Post().Resource("pods").Namespace(h.source).Name("none").SubResource("exec").Param("command", "sh").Do(ctx).Error()
	case "impersonation":
		_, err = h.victim.CoreV1().ConfigMaps(h.source).List(ctx, metav1.ListOptions{Limit: 1})
	case "discovery":
		err = h.client.Discovery().RESTClient().Get().AbsPath("/apis").Do(ctx).Error()
	}
	return apierrors.IsForbidden(err) || apierrors.IsInternalError(err) && strings.Contains(err.Error(), "connection refused")
}

// denials runs step, and returns after how long each operation of each holder is denied, from its beginning. What is not denied
// within that time after the step is not in the map.
func denials(t *testing.T, holders []holder, within time.Duration, step func()) map[string]time.Duration {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var mutex sync.Mutex
	var running sync.WaitGroup
	after := map[string]time.Duration{}
	began := time.Now()
	for _, h := range holders {
		for _, operation := range operations {
			running.Go(func() {
				for ctx.Err() == nil {
					if h.denied(ctx, operation) && ctx.Err() == nil {
						mutex.Lock()
						defer mutex.Unlock()
						after[h.source+" "+operation] = time.Since(began)
						return
					}
					time.Sleep(200 * time.Millisecond)
				}
			})
		}
	}
	step()
	time.Sleep(within)
	cancel()
	running.Wait()
	return after
}

// TestRevocationMatrix measures what each tier of revocation denies, and after how long: the matrix in examples/revocation. It loads what certsync revocations prints
// into a real API server, again while it runs, and breaks it.
func TestRevocationMatrix(t *testing.T) {
	t.Parallel()
	soak := os.Getenv("CERTSYNC_SOAK") != ""
	within := 5 * time.Second
	if soak {
		within = 20 * time.Second
	}
	config := filepath.Join(t.TempDir(), "authorization.yaml")
	configure(t, config, "")
	f := newFixture(t, ownServers(t, harness.Options{AuthorizationConfig: config, APIServerArgs: []string{"--min-request-timeout=90"}}))
	inventory := "groups: [{name: legacy}]\nusers:\n  - {name: own, namespaces: {own: [work]}, clusterRoles: [act-own]}\n  - {name: user}\n  - {name: group, groups: [legacy]}\n  - {name: everybody}\n  - {name: bystander, namespaces: {own: [work]}}\n"
	for source, subject := range map[string]string{"own": "", "user": "{kind: User, apiGroup: rbac.authorization.k8s.io, name: user}",
		"group": "{kind: Group, apiGroup: rbac.authorization.k8s.io, name: legacy}", "everybody": "{kind: Group, apiGroup: rbac.authorization.k8s.io, name: \"system:authenticated\"}"} {
		f.apply(strings.ReplaceAll(matrixWorld, "SOURCE", source))
		if subject != "" {
			f.apply(strings.NewReplacer("SOURCE", source, "SUBJECT", subject).Replace(matrixBindings))
		}
	}
	f.write("cluster: CLUSTER\n" + inventory)
	f.must(0, "apply", "--yes")
	bystander, holders, watches := f.holder("bystander"), []holder{}, map[string]watch.Interface{}
	bystander.source = "own"
	for _, source := range sources {
		h := f.holder(source)
		holders = append(holders, h)
		for _, operation := range operations {
			if h.denied(t.Context(), operation) {
				t.Errorf("%s: %s is denied before anything was revoked", source, operation)
			}
		}
		for name, seconds := range map[string]*int64{"": nil, " for a day": new(int64(86400))} {
			w, err := h.client.CoreV1().ConfigMaps(source).Watch(t.Context(), metav1.ListOptions{TimeoutSeconds: seconds})
			if err != nil {
				t.Fatal(err)
			}
			defer w.Stop()
			watches[source+name] = w
		}
	}
	tiers := []struct {
		name   string
		step   func()
		denied []string // operations, of all; of own all but discovery is denied from the first tier on
	}{
		{"epoch", func() {
			f.must(0, "apply", "--yes", "--revoke", "own", "--revoke", "user", "--revoke", "group", "--revoke", "everybody")
		}, nil},
		{"admission", func() { f.apply(f.must(0, "revocations", "-o", "admission-policy").stdout) }, []string{"write", "exec"}},
		{"authorization", func() { configure(t, config, f.must(0, "revocations", "-o", "authorization-config").stdout) }, operations},
	}
	for _, tier := range tiers {
		after := denials(t, holders, within, tier.step)
		for _, source := range sources {
			for _, operation := range operations {
				took, denied := after[source+" "+operation]
				want := slices.Contains(tier.denied, operation) || source == "own" && operation != "discovery"
				if denied != want {
					t.Errorf("%s: %s by %s: denied %t, want %t", tier.name, operation, source, denied, want)
				}
				t.Logf("%-13s %-13s %-9s denied %-5t after %.1f s", tier.name, operation, source, denied, took.Seconds())
			}
			t.Logf("%-13s %-13s %-9s open: %t", tier.name, "watch", source, f.delivers(watches[source], source))
			if !f.delivers(watches[source+" for a day"], source) {
				t.Errorf("%s: the watch of %s that was asked for a day has ended", tier.name, source)
			}
		}
		for _, operation := range []string{"read", "write", "discovery"} {
			if bystander.denied(t.Context(), operation) {
				t.Errorf("%s: %s of somebody else is denied", tier.name, operation)
			}
		}
	}
	if soak {
		f.minRequestTimeout(watches)
	}
	// A broken configuration leaves the last one in force.
	if err := os.WriteFile(config, []byte("apiVersion: nonsense\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	time.Sleep(within)
	for _, h := range holders {
		if !h.denied(t.Context(), "discovery") {
			t.Errorf("%s: with a broken configuration its certificate is let in again", h.source)
		}
	}
	if bystander.denied(t.Context(), "read") {
		t.Error("a broken configuration denies others")
	}
	// Without the items everything is as before.
	configure(t, config, "")
	f.soon(f.userKubeconfig("bystander"), func(_ string, err error) bool { return err == nil && !holders[1].denied(t.Context(), "discovery") }, "get", "configmaps", "-n", "own")
}

// configure writes an AuthorizationConfiguration in which items come first. Nothing listens at port 1.
func configure(t *testing.T, path, items string) {
	t.Helper()
	kubeconfig := filepath.Join(filepath.Dir(path), "denied.kubeconfig")
	denied, err := os.ReadFile("../examples/revocation/denied.kubeconfig")
	if err != nil {
		t.Fatal(err)
	}
	items = strings.ReplaceAll(items, "/etc/kubernetes/certsync/denied.kubeconfig", kubeconfig)
	for name, text := range map[string]string{kubeconfig: string(denied), path + ".new": baseAuthorizers + items + ownAuthorizers} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

// delivers reports whether a watch still tells of new objects in a namespace.
func (f *fixture) delivers(w watch.Interface, namespace string) bool {
	f.Helper()
	made, err := f.client().CoreV1().ConfigMaps(namespace).Create(f.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{GenerateName: "news-"}}, metav1.CreateOptions{})
	if err != nil {
		f.Fatal(err)
	}
	end := time.After(10 * time.Second)
	for {
		select {
		case event, open := <-w.ResultChan():
			if !open {
				return false
			}
			if m, ok := event.Object.(*corev1.ConfigMap); ok && m.Name == made.Name {
				return true
			}
		case <-end:
			f.Errorf("the watch in %s is open and tells nothing", namespace)
			return true
		}
	}
}

// minRequestTimeout checks that --min-request-timeout ends the watches that were asked for no time in particular, within twice that
// time, and none that was asked for a day.
func (f *fixture) minRequestTimeout(watches map[string]watch.Interface) {
	f.Helper()
	time.Sleep(2*90*time.Second - time.Minute) // they are a minute old, and more
	for _, source := range sources {
		if f.delivers(watches[source], source) {
			f.Errorf("the watch of %s outlives twice --min-request-timeout", source)
		}
		if !f.delivers(watches[source+" for a day"], source) {
			f.Errorf("--min-request-timeout ends the watch of %s that was asked for a day", source)
		}
	}
}
