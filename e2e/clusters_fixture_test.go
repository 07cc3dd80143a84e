package e2e

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/certsync/certsync/e2e/harness"
)

// clusterNames are those of a test's clusters, in the order of its inventory.
var clusterNames = []string{"dev", "stage", "prod"}

// severalClusters has one inventory for several clusters, and one Vault. Its fixture runs certsync for all of them.
type severalClusters struct {
	*fixture
	clusters []*oneCluster
}

// oneCluster is an owner of its own. Its fixture is for questions of the test.
type oneCluster struct {
	*fixture
	name string
}

// newSeveralClusters has the shared servers as the first cluster. The test may stop those of the others. With CERTSYNC_SOAK there
// are three clusters, and the last one has another version of Kubernetes.
func newSeveralClusters(t *testing.T) *severalClusters {
	t.Helper()
	c := &severalClusters{fixture: newFixture(t, shared)}
	own := harness.Options{Vault: shared, ControllerManagerArgs: quickSigner}
	sets := []*harness.Servers{shared, ownServers(t, own)}
	if otherBinary != "" {
		sets = append(sets, startServers(t, otherBinary, own))
	}
	for i, servers := range sets {
		one := &oneCluster{newFixture(named{t, t.Name() + "-" + clusterNames[i]}, servers), clusterNames[i]}
		one.dir, one.seen = c.dir, c.seen
		c.clusters = append(c.clusters, one)
		version, err := one.client().Discovery().ServerVersion()
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s runs Kubernetes %s", one.name, version.GitVersion)
	}
	c.connect(nil)
	return c
}

// connect writes the kubeconfig with a context for each cluster. through has those that go another way, by the cluster's name.
func (c *severalClusters) connect(through map[string]string) {
	c.Helper()
	kubeconfigs := map[string][]byte{}
	for _, one := range c.clusters {
		path := one.kubeconfig
		if other, ok := through[one.name]; ok {
			path = other
		}
		kubeconfigs[one.context()] = []byte(c.text(path))
	}
	c.kubeconfig = filepath.Join(c.TempDir(), "kubeconfig")
	joinKubeconfigs(c, c.kubeconfig, kubeconfigs)
}

// context is the cluster's in certsync's kubeconfig.
func (c *oneCluster) context() string { return "admin@" + c.name }

// write saves the inventory of all clusters. OWNER stands for the test's name, which no owner has.
func (c *severalClusters) write(text string) {
	c.Helper()
	var all strings.Builder
	all.WriteString("apiVersion: certsync.dev/v1\nkind: Inventory\nclusters:\n")
	for _, one := range c.clusters {
		fmt.Fprintf(&all, "  - {name: %s, owner: %s, labels: {env: %s-env}, context: %s, server: %q, certificateAuthorityData: %s}\n",
			one.name, one.owner, one.name, one.context(), one.servers.KubeURL, base64.StdEncoding.EncodeToString(one.servers.CACert))
	}
	all.WriteString(strings.ReplaceAll(text, "OWNER", c.owner))
	if err := os.WriteFile(filepath.Join(c.dir, "users.yaml"), []byte(all.String()), 0o600); err != nil {
		c.Fatal(err)
	}
}

// must keeps the keys of all clusters, to look for them in what certsync printed.
func (c *severalClusters) must(code int, args ...string) result {
	c.Helper()
	r := c.fixture.must(code, args...)
	for _, one := range c.clusters {
		if err := one.keepSecrets(); err != nil {
			c.Fatal(err)
		}
	}
	return r
}

// plans is `plan -o json` for several clusters.
type plans struct {
	FormatVersion, Digest string
	Changes               bool
	Clusters              []struct {
		Cluster, Error string
		Plan           plan
	}
}

func (c *severalClusters) plans() (p plans) {
	c.Helper()
	if err := json.Unmarshal([]byte(c.must(0, "plan", "-o", "json").stdout), &p); err != nil {
		c.Fatal(err)
	}
	if len(p.Clusters) != len(c.clusters) || p.FormatVersion != "2" {
		c.Fatalf("%+v", p)
	}
	return p
}

// done checks that nothing is left to do anywhere, and that the ledgers account for every key.
func (c *severalClusters) done() {
	c.Helper()
	if r := c.certsync("plan", "--detailed-exitcode"); r.code != 0 {
		c.Errorf("plan: exit %d\n%s%s", r.code, r.stdout, r.stderr)
	}
	for _, one := range c.clusters {
		one.accounted()
	}
}

// joinKubeconfigs writes a kubeconfig with the current context of each of several, under the name that it has here. It has no
// current context itself.
func joinKubeconfigs(t testing.TB, path string, kubeconfigs map[string][]byte) {
	t.Helper()
	all := clientcmdapi.NewConfig()
	for name, text := range kubeconfigs {
		one, err := clientcmd.Load(text)
		if err != nil {
			t.Fatal(err)
		}
		current := one.Contexts[one.CurrentContext]
		all.Clusters[name], all.AuthInfos[name] = one.Clusters[current.Cluster], one.AuthInfos[current.AuthInfo]
		all.Contexts[name] = &clientcmdapi.Context{Cluster: name, AuthInfo: name}
	}
	if err := clientcmd.WriteToFile(*all, path); err != nil {
		t.Fatal(err)
	}
}
