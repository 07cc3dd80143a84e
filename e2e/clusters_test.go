package e2e

import (
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/certsync/certsync/e2e/harness"
	"github.com/certsync/certsync/inventory"
)

const everywhere = `
groups: [{name: devs-OWNER, clusterRoles: [view, {name: edit, clusters: {env: dev-env}}]}]
users:
  - {name: alice@OWNER, groups: [devs-OWNER]}
  - {name: bob@OWNER, groups: [devs-OWNER], clusters: {env: [dev-env, stage-env], name: dev}}
  - {name: carol@OWNER, clusterRoles: [view]}
  - {name: dora@OWNER, clusterRoles: [view], clusters: {name: stage}}
`

// TestFleet goes with one inventory for several clusters from the first plan to a removal while a cluster is down.
func TestFleet(t *testing.T) {
	t.Parallel()
	c := newSeveralClusters(t)
	c.write(everywhere)
	c.begin()
	c.access()
	c.ownKubeconfig()
	c.ownJob(c.clusters[1])
	c.removeWithout(c.clusters[1])
	c.breakOff(c.clusters[1])
}

// begin plans and applies for the first time.
func (c *severalClusters) begin() {
	c.Helper()
	p := c.plans()
	text := c.must(2, "plan", "--detailed-exitcode").stdout
	for i, one := range c.clusters {
		found := p.Clusters[i]
		if alone := c.planWith("--cluster=" + one.name); found.Cluster != one.name || found.Error != "" || found.Plan.Digest != alone.Digest || !alone.Changes {
			c.Errorf("%s is planned as %+v", one.name, found)
		}
		if !strings.Contains(text, one.name) {
			c.Errorf("%s is not in: %s", one.name, text)
		}
	}
	if !p.Changes || !strings.Contains(text, p.Digest) {
		c.Errorf("%s is not in: %s", p.Digest, text)
	}
	c.must(3, "apply", "--expect", "sha256:"+strings.Repeat("0", 64))
	for _, one := range c.clusters {
		if one.kv("state") != nil {
			c.Errorf("a refused apply wrote the state of %s", one.name)
		}
	}
	c.must(0, "apply", "--expect", p.Digest)
	c.done()
}

// access checks who has what where.
func (c *severalClusters) access() {
	c.Helper()
	alice, bob, dora := "alice@"+c.owner, "bob@"+c.owner, "dora@"+c.owner
	for i, one := range c.clusters {
		kubeconfig := one.userKubeconfig(alice)
		one.allowed(kubeconfig, "get", "pods", "--all-namespaces")
		create := []string{"create", "configmap", c.owner, "-n", "default"}
		if i == 0 {
			one.allowed(kubeconfig, create...)
			one.allowed(one.userKubeconfig(bob), "get", "pods", "--all-namespaces")
		} else {
			one.forbidden(kubeconfig, create...)
		}
		if has := one.kv("users/"+bob) != nil; has != (i == 0) {
			c.Errorf("%s has bob: %v", one.name, has)
		}
		if has := one.kv("users/"+dora) != nil; has != (i == 1) {
			c.Errorf("%s has dora: %v", one.name, has)
		}
	}
	all, one := c.must(0, "status").stdout, c.must(0, "status", "--cluster=env=dev-env").stdout
	for _, want := range []string{"dev", "stage", alice, bob, dora} {
		if !strings.Contains(all, want) {
			c.Errorf("%q is not in: %s", want, all)
		}
	}
	if !strings.Contains(one, bob) || strings.Contains(one, dora) {
		c.Errorf("of the first cluster alone: %s", one)
	}
}

// ownKubeconfig merges a user's kubeconfigs of all clusters, with the right to read these alone.
func (c *severalClusters) ownKubeconfig() {
	c.Helper()
	user, rules, args := "alice@"+c.owner, "", []string{"kubeconfig"}
	var owners []string
	for _, one := range c.clusters {
		owners = append(owners, one.owner)
		args = append(args, "--owner="+one.owner)
		rules += `path "secret/data/certsync/` + one.owner + `/users/` + user + `" { capabilities = ["read"] }` + "\n"
	}
	alice := c.reader("alice", c.policy("alice", rules))
	args = append(args, "--user="+user, "--merge")
	alice.must(0, args...)
	file := filepath.Join(alice.home, ".kube", "config")
	merged := c.text(file)
	for _, one := range c.clusters {
		if who := c.whoami(file, one.name); who != user+` ["devs-`+c.owner+`","system:authenticated"]` {
			c.Errorf("in %s it is %s", one.name, who)
		}
	}
	alice.env = append(alice.env, "CERTSYNC_OWNER="+strings.Join(owners, ","), "CERTSYNC_USER="+user)
	alice.must(0, "kubeconfig", "--merge")
	if c.text(file) != merged {
		c.Error("the second merge changed the file")
	}
}

// ownJob runs what `certsync manifests` prints for one cluster there, as the job's account. It has nothing to do.
func (c *severalClusters) ownJob(one *oneCluster) {
	c.Helper()
	namespace, cluster := "access-"+one.owner, "--cluster="+one.name
	one.enableAuth("kubernetes")
	one.deployKubernetes(namespace, cluster)
	one.deployVault(namespace, cluster)
	job, err := one.client().BatchV1().CronJobs(namespace).Get(c.Context(), "certsync-"+one.owner, metav1.GetOptions{})
	if err != nil {
		c.Fatal(err)
	}
	maps, err := one.client().CoreV1().ConfigMaps(namespace).List(c.Context(), metav1.ListOptions{})
	if err != nil {
		c.Fatal(err)
	}
	i := slices.IndexFunc(maps.Items, func(m corev1.ConfigMap) bool { return m.Data["users.yaml"] != "" })
	if i < 0 {
		c.Fatalf("the inventory is in none of %d ConfigMaps", len(maps.Items))
	}
	text := maps.Items[i].Data["users.yaml"]
	inv, err := inventory.Parse("users.yaml", []byte(text), nil)
	if err != nil {
		c.Fatal(err)
	}
	if applied := one.kv("state")["inventoryDigest"]; inv.Digest() != applied || strings.Contains(text, "bob@") {
		c.Errorf("the job has the inventory %s, and %v was applied: %s", inv.Digest(), applied, text)
	}
	before := one.kv("state")["runID"]
	one.become(namespace, applyAccount, one.servers.KubeURL)
	one.env = append(one.env, "CERTSYNC_FILE="+c.reader("job").file("users.yaml", text))
	r := one.must(0, job.Spec.JobTemplate.Spec.Template.Spec.Containers[0].Args...)
	if !strings.Contains(r.stdout, "nothing to do") {
		c.Errorf("the job after run %v: %s%s", before, r.stdout, r.stderr)
	}
	one.env = nil
}

// outstanding are the users of each cluster whose removal a report of apply or status says is outstanding.
func (c *severalClusters) outstanding(report string) map[string][]string {
	c.Helper()
	var all struct {
		Clusters []struct {
			Cluster     string
			Outstanding []string
		}
	}
	if err := json.Unmarshal([]byte(report), &all); err != nil {
		c.Fatal(err)
	}
	found := map[string][]string{}
	for _, one := range all.Clusters {
		if len(one.Outstanding) > 0 {
			found[one.Cluster] = one.Outstanding
		}
	}
	return found
}

// removeWithout removes a user while the API server of one cluster is down, and again when it is back.
func (c *severalClusters) removeWithout(down *oneCluster) {
	c.Helper()
	carol, erin := "carol@"+c.owner, "erin@"+c.owner
	theirs := map[string]string{}
	for _, one := range c.clusters {
		theirs[one.name] = one.userKubeconfig(carol)
	}
	stop(c, down.servers.StopProcess(harness.APIServer))
	c.write(strings.ReplaceAll(everywhere, "carol@", "erin@"))
	report := filepath.Join(c.dir, "report.json")
	apply := []string{"apply", "--yes", "--max-removals=100%", "--report=" + report}
	r := c.must(1, apply...)
	for _, want := range []string{down.name, "outstanding", carol} {
		if !strings.Contains(r.stderr, want) {
			c.Errorf("%q is not in: %s", want, r.stderr)
		}
	}
	want := map[string][]string{down.name: {carol}}
	if diff := cmp.Diff(want, c.outstanding(c.text(report))); diff != "" {
		c.Errorf("the report: %s", diff)
	}
	if diff := cmp.Diff(want, c.outstanding(c.certsync("status", "-o", "json").stdout)); diff != "" {
		c.Errorf("status: %s", diff)
	}
	for _, one := range c.clusters {
		if one != down {
			one.forbidden(theirs[one.name], "get", "pods", "--all-namespaces")
			one.allowed(one.userKubeconfig(erin), "get", "pods", "--all-namespaces")
		}
	}
	c.revive(down)
	c.must(0, apply...)
	down.forbidden(theirs[down.name], "get", "pods", "--all-namespaces")
	down.allowed(down.userKubeconfig(erin), "get", "pods", "--all-namespaces")
	for _, text := range []string{c.text(report), c.must(0, "status", "-o", "json").stdout} {
		if left := c.outstanding(text); len(left) > 0 {
			c.Errorf("still outstanding: %v", left)
		}
	}
	c.done()
}

// revive starts the API server of a cluster again. The controller manager that was there before would take a minute to notice.
func (c *severalClusters) revive(down *oneCluster) {
	c.Helper()
	stop(c, down.servers.KillProcess(harness.ControllerManager))
	stop(c, down.servers.StartProcess(c.Context(), harness.APIServer))
	stop(c, down.servers.StartProcess(c.Context(), harness.ControllerManager))
}

// stop ends the test at an error.
func stop(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
