package e2e

import (
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/certsync/certsync/e2e/harness"
)

// deployed is a fixture whose certsync runs as the service accounts of what `certsync manifests` prints, through a proxy.
type deployed struct {
	*fixture
	proxy     *harness.Proxy
	namespace string // of the job
	admins    *kubernetes.Clientset
}

const (
	applyAccount = "certsync"
	planAccount  = "certsync-plan"
)

func newDeployed(t *testing.T) *deployed {
	t.Helper()
	d := &deployed{fixture: newFixture(t, shared)}
	d.admins = d.client()
	var err error
	if d.proxy, err = shared.StartProxy(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { check(t, d.proxy.Stop()) })
	d.fixture.namespace("staging")
	d.fixture.namespace("payments")
	if err := os.MkdirAll(filepath.Join(d.dir, "pki"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(d.dir, "pki", "ca.crt"), shared.CACert, 0o600); err != nil {
		t.Fatal(err)
	}
	d.inventory(firstInventory)
	d.namespace = d.deploy()
	d.limited()
	d.admitted()
	return d
}

// admitted checks that the API server lets the job's pods into their namespace, and none that could break out.
func (d *deployed) admitted() {
	d.Helper()
	job, err := d.admins.BatchV1().CronJobs(d.namespace).Get(d.Context(), "certsync-"+d.owner, metav1.GetOptions{})
	d.ok(err)
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "job"}, Spec: job.Spec.JobTemplate.Spec.Template.Spec}
	pods, only := d.admins.CoreV1().Pods(d.namespace), metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}}
	_, err = pods.Create(d.Context(), pod, only)
	d.ok(err)
	pod.Spec.Containers[0].SecurityContext = nil // which leaves it the capabilities that a runtime gives
	if _, err := pods.Create(d.Context(), pod, only); err == nil || !strings.Contains(err.Error(), "violates PodSecurity") {
		d.Errorf("a pod without restrictions: %v", err)
	}
}

// inventory is write for a cluster that the inventory describes with a file of its own.
func (d *deployed) inventory(text string) {
	d.Helper()
	d.write("cluster: {name: e2e, server: \"" + d.servers.KubeURL + "\", certificateAuthority: pki/ca.crt}\n" + text)
}

// changed is a change of the inventory as people make it: they deploy it, and apply it as the account.
func (d *deployed) changed(text string) {
	d.Helper()
	d.inventory(text)
	d.env = nil
	d.deployKubernetes(d.namespace)
	d.as(applyAccount)
}

// as has certsync run as an account of the deployment.
func (d *deployed) as(account string) {
	d.Helper()
	d.become(d.namespace, account, d.proxy.KubeURL)
}

// username is what the API server calls an account.
func (d *deployed) username(account string) string {
	return "system:serviceaccount:" + d.namespace + ":" + account
}

// once answers the first request that is one of these with a status, in the API server's place.
func (d *deployed) once(status int, is ...func(c harness.Call) bool) {
	var mutex sync.Mutex
	left := slices.Clone(is)
	d.proxy.Intercept(func(c harness.Call) harness.Fault {
		mutex.Lock()
		defer mutex.Unlock()
		i := slices.IndexFunc(left, func(is func(harness.Call) bool) bool { return is(c) })
		if c.Server != harness.APIServer || i < 0 {
			return harness.Fault{}
		}
		left = slices.Delete(left, i, i+1)
		return harness.Fault{Status: status}
	})
}

func patching(resource string) func(harness.Call) bool {
	return func(c harness.Call) bool {
		return c.Method == http.MethodPatch && strings.Contains(c.Path, "/"+resource+"/")
	}
}

func approving(c harness.Call) bool { return strings.HasSuffix(c.Path, "/approval") }

// What people make of the inventory in TestManifests: there is every kind of step in it.
const (
	firstInventory = `
groups:
  - {name: devs-OWNER, clusterRoles: [view], namespaces: {staging-OWNER: [edit]}}
users:
  - {name: alice@OWNER, groups: [devs-OWNER]}
  - {name: bob@OWNER, groups: [devs-OWNER]}
  - {name: carol@OWNER, clusterRoles: [edit], namespaces: {payments-OWNER: [admin]}}
  - {name: zoe@OWNER, groups: [devs-OWNER]}
`
	secondInventory = `
groups:
  - {name: devs-OWNER, clusterRoles: [view], namespaces: {staging-OWNER: [edit]}}
users:
  - {name: bob@OWNER}
  - {name: carol@OWNER, clusterRoles: [view], namespaces: {payments-OWNER: [edit]}}
  - {name: dan@OWNER, groups: [devs-OWNER]}
  - {name: zoe@OWNER, groups: [devs-OWNER]}
`
	thirdInventory = `
groups:
  - {name: devs-OWNER, clusterRoles: [view], namespaces: {staging-OWNER: [edit]}}
users:
  - {name: bob@OWNER, groups: [devs-OWNER], namespaces: {staging-OWNER: [view]}}
  - {name: dan@OWNER, groups: [devs-OWNER], clusterRoles: [admin]}
  - {name: erin@OWNER, groups: [devs-OWNER], clusterRoles: [edit]}
  - {name: zoe@OWNER, groups: [devs-OWNER]}
`
)

// TestManifests applies exactly what certsync manifests prints, and then runs everything as its service accounts. They can
// do all of that and nothing else, and without any one of their rights something of it fails.
func TestManifests(t *testing.T) {
	t.Parallel()
	d := newDeployed(t)
	kube, vault := d.size(shared.KubeAuditLog), d.size(shared.VaultAuditLog)
	d.story()
	d.nothingUnused(kube, vault)
	d.nothingElse()
	d.changed(thirdInventory)
	d.nothingSpare()
	d.noTokens("kubernetes-" + d.owner)
}

// leftLongAgo writes the record of somebody who left before the ledger's retention.
func (d *deployed) leftLongAgo(user string) {
	d.Helper()
	d.vaultWrite("data/certsync/OWNER/ledger/"+user, map[string]any{"data": map[string]any{
		"formatVersion": "1", "user": user, "state": "removed", "since": "2025-01-01T00:00:00Z", "certificates": []any{},
	}})
}

// story is the life of an owner: first issue, role changes, members who come and go, removal, purge, drift; with what
// happens now and then on a busy cluster.
func (d *deployed) story() {
	d.Helper()
	d.as(applyAccount)
	d.once(http.StatusConflict, approving) // somebody changed the request's labels: it is read again
	d.must(0, "apply", "--yes")
	d.proxy.Intercept(nil)

	d.leftLongAgo("gone@" + d.owner)
	d.changed(secondInventory)
	d.once(http.StatusForbidden, approving) // a request comes to nothing, and is deleted
	if r := d.must(1, "apply", "--yes", "--max-removals=100%"); !strings.Contains(r.stdout, "1 not done") {
		d.Errorf("nothing failed: %s", r.stdout)
	}
	d.proxy.Intercept(nil)
	d.must(0, "apply", "--yes")
	for _, user := range []string{"alice@", "gone@"} {
		if d.kv("users/"+user+d.owner) != nil {
			d.Errorf("%s has a credential", user)
		}
	}
	if d.kv("ledger/gone@"+d.owner) != nil {
		d.Error("the old record was not purged")
	}
	d.allowed(d.userKubeconfig("dan@"+d.owner), "create", "configmap", "x", "-n", "staging-"+d.owner)

	d.intrude()
	d.once(http.StatusConflict, patching("clusterrolebindings"), patching("rolebindings")) // somebody labelled them: they are read again
	d.must(0, "apply", "--yes", "--drift", "--hold")                                       // as the job does
	d.proxy.Intercept(nil)
	d.as(planAccount)
	if p := d.plan(); p.Changes {
		d.Errorf("plan finds something to do: %q", p.steps())
	}
	d.must(0, "status")
	d.as(applyAccount)
	d.must(0, "preflight", "--issue")
}

// intrude puts somebody into a binding of each kind.
func (d *deployed) intrude() {
	d.Helper()
	eve := `[{"op":"add","path":"/subjects/-","value":{"kind":"User","apiGroup":"rbac.authorization.k8s.io","name":"eve"}}]`
	d.subjects(eve)
	d.kubectl("patch", "rolebinding", "-n", "staging-"+d.owner, "certsync:"+d.owner+":group:devs-"+d.owner+":edit", "--type=json", "-p", eve)
}

// limited waits until the API server enforces the admission policies, which takes it a moment.
func (d *deployed) limited() {
	d.Helper()
	for _, m := range d.misdeeds() {
		if m.policy != "" {
			d.eventually("the API server to refuse "+m.name, func() bool {
				err := m.do()
				if err == nil {
					d.ok(m.undo())
				}
				return m.refused(err)
			})
		}
	}
}

// ok ends the test for an error that the test itself is not about.
func (d *deployed) ok(err error) {
	d.Helper()
	if err != nil {
		d.Fatal(err)
	}
}

// eventually waits for a condition that the servers bring about soon.
func (d *deployed) eventually(what string, is func() bool) {
	d.Helper()
	const within = time.Minute
	for deadline := time.Now().Add(within); !is(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			d.Fatalf("waited %s for %s", within, what)
		}
	}
}
