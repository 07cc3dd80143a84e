package e2e

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	batchv1 "k8s.io/api/batch/v1"
	certificatesv1 "k8s.io/api/certificates/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// unattended is how long the job of TestCronJob is left to itself: longer than the minute after which a certificate of ten is
// renewed.
func unattended() time.Duration { return time.Duration(repeats(75, 10*60)) * time.Second }

// TestCronJob leaves the job that `certsync manifests` prints to itself: the image's binary with the job's own command
// line, environment and files, as the job's service account, again and again, while somebody spoils what it keeps.
func TestCronJob(t *testing.T) {
	t.Parallel()
	f := newFixture(t, shared)
	renewed := punctual(f.owner)
	staging := f.namespace("staging")
	f.write(strings.NewReplacer("RENEWED", renewed, "STAGING", staging).Replace(`cluster: CLUSTER
groups:
  - {name: devs-OWNER, clusterRoles: [view], namespaces: {STAGING: [edit]}}
users:
  - {name: alice@OWNER, groups: [devs-OWNER]}
  - {name: bob@OWNER, groups: [devs-OWNER], namespaces: {STAGING: [admin]}}
  - {name: RENEWED, clusterRoles: [view], expiration: 10m}
defaults: {renewBefore: 90%}
`))
	job := f.deployed()
	f.must(0, "apply", "--yes")
	want := f.world()
	f.apply(`{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRoleBinding, metadata: {name: "foreign-OWNER"},
 roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: view}, subjects: [{kind: User, apiGroup: rbac.authorization.k8s.io, name: alice@OWNER}]}`)
	kube, vault := f.size(shared.KubeAuditLog), f.size(shared.VaultAuditLog)

	spoil := f.spoilers(staging)
	rounds := 0
	schedule := time.NewTicker(4 * time.Second)
	defer schedule.Stop()
	for until := time.Now().Add(unattended()); time.Now().Before(until); rounds++ {
		<-schedule.C
		what := spoil[rounds%len(spoil)]
		what.do()
		if r := job.run(); r.code != 0 {
			t.Fatalf("round %d, after %s: exit %d\n%s%s", rounds, what.name, r.code, r.stdout, r.stderr)
		}
		if diff := cmp.Diff(want, f.world()); diff != "" {
			t.Fatalf("round %d: %s was not mended: %s", rounds, what.name, diff)
		}
	}
	if rounds < len(spoil) {
		t.Fatalf("only %d rounds", rounds)
	}
	t.Logf("%d rounds", rounds)
	f.accounted()
	f.keepsAddress(job)
	if n := len(f.certificates(renewed)); n < 2 {
		t.Errorf("%s has %d certificates: none was renewed", renewed, n)
	}
	f.onlyItsOwn(job, kube, vault)
	f.nothingLeftOver(job)
}

// spoiler does what somebody did behind certsync's back.
type spoiler struct {
	name string
	do   func()
}

func (f *fixture) spoilers(staging string) []spoiler {
	eve := `[{"op":"add","path":"/subjects/-","value":{"kind":"User","apiGroup":"rbac.authorization.k8s.io","name":"eve"}}]`
	admin := "certsync:" + f.owner + ":user:bob@" + f.owner + ":admin"
	return []spoiler{
		{"a deleted binding", func() { f.kubectl("delete", "clusterrolebinding", f.view()) }},
		{"an intruder in a binding", func() { f.subjects(eve) }},
		{"emptied subjects", func() { f.subjects(`[{"op":"remove","path":"/subjects"}]`) }},
		{"a deleted binding in a namespace", func() { f.kubectl("delete", "rolebinding", "-n", staging, admin) }},
		{"an intruder in a namespace", func() { f.kubectl("patch", "rolebinding", "-n", staging, admin, "--type=json", "-p", eve) }},
		{"a deleted credential", func() { f.vaultDelete("metadata/certsync/OWNER/users/bob@OWNER") }},
		{"a destroyed credential", func() {
			f.vaultWrite("destroy/certsync/OWNER/users/alice@OWNER", map[string]any{"versions": f.currentVersion("users/alice@" + f.owner)})
		}},
		{"nothing", func() {}},
	}
}

// currentVersion is the version of a secret that stands, as a list.
func (f *fixture) currentVersion(path string) []int {
	f.Helper()
	meta, err := f.vault.KVv2("secret").GetMetadata(f.Context(), "certsync/"+f.owner+"/"+path)
	if err != nil {
		f.Fatal(err)
	}
	return []int{meta.CurrentVersion}
}

// deployed applies what certsync manifests prints, and returns a pod of the job.
func (f *fixture) deployed() *pod {
	f.Helper()
	namespace := f.deploy()
	var job batchv1.CronJob
	if err := json.Unmarshal([]byte(f.kubectl("get", "cronjob", "-n", namespace, "certsync-"+f.owner, "-o", "json")), &job); err != nil {
		f.Fatal(err)
	}
	return &pod{
		fixture: f, container: newContainer(f.TB), name: "certsync-" + f.owner + "-1-abcde", namespace: namespace,
		spec: job.Spec.JobTemplate.Spec.Template.Spec,
	}
}

// keepsAddress: what the pod calls the API server is of no use to people, and an inventory that does not state an address has the
// one that the first apply recorded. So the job only finds that it is another inventory.
func (f *fixture) keepsAddress(job *pod) {
	f.Helper()
	job.container.put("/etc/certsync/elsewhere.yaml", 0o444, []byte("apiVersion: certsync.dev/v1\nkind: Inventory\nowner: "+f.owner+"\nusers: []\n"))
	env := append(job.environment(job.spec.Containers[0]), "CERTSYNC_FILE=/etc/certsync/elsewhere.yaml")
	if r := f.runInContainer(job.container, env, job.spec.Containers[0].Args...); r.code != 3 || !strings.Contains(r.stderr, "this inventory is not the one that was applied last") {
		f.Errorf("without cluster.server: exit %d\n%s", r.code, r.stderr)
	}
}

// onlyItsOwn checks in both audit logs that the job wrote to nothing but its owner's bindings, requests, Lease, Events
// and folder.
func (f *fixture) onlyItsOwn(job *pod, kube, vault int64) {
	f.Helper()
	account := "system:serviceaccount:" + job.namespace + ":" + job.spec.ServiceAccountName
	own := map[string]func(r kubeRequest) bool{
		"clusterrolebindings": func(r kubeRequest) bool { return strings.HasPrefix(r.ObjectRef.Name, "certsync:"+f.owner+":") },
		"rolebindings":        func(r kubeRequest) bool { return strings.HasPrefix(r.ObjectRef.Name, "certsync:"+f.owner+":") },
		"leases":              func(r kubeRequest) bool { return r.ObjectRef.Name == "certsync-"+f.owner },
		"certificatesigningrequests": func(r kubeRequest) bool {
			return r.Verb == "create" || strings.HasPrefix(r.ObjectRef.Name, "certsync-")
		},
		"events": func(r kubeRequest) bool { return r.Verb == "create" },
	}
	requests := f.kubeRequestsOf(account, kube)
	for _, r := range requests {
		if r.Verb == "get" || r.Verb == "list" || r.Verb == "watch" || r.isReview() {
			continue
		}
		if is := own[r.ObjectRef.Resource]; is == nil || !is(r) {
			f.Errorf("the job sent %s %s", r.Verb, r.RequestURI)
		}
	}
	if len(requests) == 0 {
		f.Error("the audit log knows nothing of the job")
	}
	for _, r := range f.vaultRequestsOf("kubernetes-"+f.owner, vault) {
		path := r.Request.Path
		if r.Request.Operation == "read" || r.Request.Operation == "list" || strings.Contains(path, "/certsync/"+f.owner+"/") ||
			slices.Contains([]string{"auth/token/revoke-self", "sys/capabilities-self"}, path) {
			continue
		}
		f.Errorf("the job sent %s %s", r.Request.Operation, path)
	}
}

// nothingLeftOver checks that the job's runs left no token in Vault, no request that still waits, no lock that is held
// and no version of a credential but the current one.
func (f *fixture) nothingLeftOver(job *pod) {
	f.Helper()
	f.noTokens("kubernetes-" + f.owner)
	requests, err := f.client().CertificatesV1().CertificateSigningRequests().List(f.Context(), metav1.ListOptions{})
	if err != nil {
		f.Fatal(err)
	}
	for _, r := range requests.Items {
		if !strings.HasPrefix(r.Name, "certsync-"+f.owner+".") {
			continue
		}
		if len(r.Status.Certificate) == 0 || r.Spec.SignerName != certificatesv1.KubeAPIServerClientSignerName {
			f.Errorf("CertificateSigningRequest %s is left", r.Name)
		}
	}
	lease, err := f.client().CoordinationV1().Leases("kube-system").Get(f.Context(), "certsync-"+f.owner, metav1.GetOptions{})
	if err != nil {
		f.Fatal(err)
	}
	if holder := lease.Spec.HolderIdentity; holder != nil && *holder != "" {
		f.Errorf("%s still holds the lock", *holder)
	}
	for _, user := range f.list("users") {
		meta, err := f.vault.KVv2("secret").GetMetadata(f.Context(), "certsync/"+f.owner+"/users/"+user)
		if err != nil {
			f.Fatal(err)
		}
		for number, v := range meta.Versions {
			if !v.Destroyed && number != fmt.Sprint(meta.CurrentVersion) {
				f.Errorf("version %s of users/%s is left", number, user)
			}
		}
	}
}
