package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/certsync/certsync/e2e/fake"
)

// several are three clusters, and one Vault for all of them, which is the world with the name "".
type several map[string]*fake.World

// clusterNames are those of the clusters, and their owners.
var clusterNames = []string{"dev", "stage", "prod"}

// severalHead begins the inventories. The servers are those that people see, which certsync does not ask.
const severalHead = `apiVersion: certsync.dev/v1
kind: Inventory
defaults: {expiration: 24h}
clusters:
  - {name: dev, owner: dev, labels: {env: dev}, server: "https://dev.example.com:6443"}
  - {name: stage, owner: stage, server: "https://stage.example.com:6443"}
  - {name: prod, owner: prod, labels: {env: prod}, server: "https://prod.example.com:6443"}
groups:
  - {name: developers, clusterRoles: [view]}
`

// In the run that meets the fault, alice leaves everywhere and dave comes; carol leaves prod alone.
const (
	severalBefore = severalHead + `users:
  - {name: alice, groups: [developers]}
  - {name: bob, groups: [developers]}
  - {name: carol, clusterRoles: [edit]}
`
	severalAfter = severalHead + `users:
  - {name: bob, groups: [developers]}
  - {name: carol, clusterRoles: [edit], clusters: {name: [dev, stage]}}
  - {name: dave, groups: [developers]}
`
)

func newSeveral(l *lab) several {
	s := several{}
	for _, name := range append(slices.Clone(clusterNames), "") {
		w := fake.NewWorld(l.signer)
		w.AddClusterRoles("view", "edit")
		s[name] = w
	}
	return s
}

func (s several) clone() several {
	c := several{}
	for name, w := range s {
		c[name] = w.Clone()
	}
	return c
}

// standing is how a cluster and its folder in Vault stand, without what differs from run to run.
func (s several) standing(cluster string) []string {
	var all []string
	for _, b := range s[cluster].Bindings() {
		all = append(all, fmt.Sprintf("%s: %s to %s", b.Name, b.Role, strings.Join(b.Subjects, ", ")))
	}
	for name, u := range s[""].Users("certsync/" + cluster) {
		live := u.Live()
		all = append(all, fmt.Sprintf("%s: %s, %d current, %d requested, %d stored", name, u.State, live["current"], live["requested"], len(u.Stored)))
	}
	slices.Sort(all)
	return all
}

// applyAll runs apply for all clusters. Faults are by cluster; those of Vault have the name "".
func (l *lab) applyAll(t *testing.T, s several, file string, faults map[string][]fake.Fault, args ...string) (ran, map[string][]fake.Call) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), runLimit)
	defer cancel()
	config, fronts := clientcmdapi.NewConfig(), map[string]*fake.Front{}
	for name, w := range s {
		front := l.servers.Open(w)
		defer front.Close()
		front.Break(cancel, faults[name]...)
		fronts[name] = front
		if one, err := clientcmd.Load(front.Kubeconfig("certsync")); err != nil {
			t.Fatal(err)
		} else if name != "" {
			current := one.Contexts[one.CurrentContext]
			config.Clusters[name], config.AuthInfos[name] = one.Clusters[current.Cluster], one.AuthInfos[current.AuthInfo]
			config.Contexts[name] = &clientcmdapi.Context{Cluster: name, AuthInfo: name}
		}
	}
	kubeconfig := filepath.Join(t.TempDir(), "kubeconfig")
	if err := clientcmd.WriteToFile(*config, kubeconfig); err != nil {
		t.Fatal(err)
	}
	output, err := os.Create(filepath.Join(t.TempDir(), "output"))
	if err != nil {
		t.Fatal(err)
	}
	defer output.Close()
	t.Setenv("VAULT_TOKEN", fronts[""].VaultToken())
	t.Setenv("VAULT_MAX_RETRIES", "0")
	all := append([]string{"apply", "-f", file, "--kubeconfig", kubeconfig, "--max-removals=100%"}, args...)
	r := ran{exit: program{stdin: l.null, stdout: output, stderr: output, grace: time.Millisecond}.Run(ctx, all)}
	calls := map[string][]fake.Call{}
	for name, front := range fronts {
		calls[name] = front.Calls()
		r.met = append(r.met, front.Met()...)
	}
	text, _ := os.ReadFile(output.Name())
	r.output = string(text)
	return r, calls
}

// watched notes certificates that are asked for too early.
type watched struct {
	mu       sync.Mutex
	left     map[string]map[string]bool // by cluster: who has not lost everything there
	problems []string
}

// watch looks at every write. Certificates may be asked for when everybody who leaves has lost all bindings and has been recorded as
// removed, in all clusters but the broken one.
func (s several) watch(broken string) *watched {
	o := &watched{left: map[string]map[string]bool{}}
	for _, name := range clusterNames {
		if name == broken {
			continue
		}
		o.left[name] = map[string]bool{"alice": true}
		s[name].OnWrite(func(target string, now *fake.World) {
			if !strings.HasPrefix(target, "CertificateSigningRequest ") {
				return
			}
			o.mu.Lock()
			defer o.mu.Unlock()
			for other, users := range o.left {
				if len(users) > 0 {
					o.problems = append(o.problems, fmt.Sprintf("%s asked for a certificate before the removals in %s", name, other))
				}
			}
		})
	}
	s[""].OnWrite(func(_ string, now *fake.World) {
		o.mu.Lock()
		defer o.mu.Unlock()
		for name, users := range o.left {
			for user := range users {
				if now.Users("certsync/" + name)[user].State == "removed" {
					delete(users, user)
				}
			}
		}
	})
	return o
}

// TestFaultInOneCluster runs apply for three clusters with a fault in one. Always, the others end as without the fault, no certificate
// is asked for before the removals of the others, and the next run without a fault puts the broken one right.
func TestFaultInOneCluster(t *testing.T) {
	l := newLab(t, 1)
	start := newSeveral(l)
	if r, _ := l.applyAll(t, start, l.inventory(t, severalBefore), nil, "--yes"); r.exit != exitOK {
		t.Fatalf("exit %d: %s", r.exit, r.output)
	}
	file, end := l.inventory(t, severalAfter), start.clone()
	o := end.watch("none")
	r, calls := l.applyAll(t, end, file, nil, "--yes")
	if r.exit != exitOK || len(o.problems) > 0 {
		t.Fatalf("exit %d, %q: %s", r.exit, o.problems, r.output)
	}
	kinds := slices.DeleteFunc(slices.Clone(fake.FaultKinds), func(k fake.FaultKind) bool { return k == fake.DieBefore || k == fake.DieAfter })
	n := 0
	for _, where := range []string{"prod", ""} {
		broken := "prod"
		all := slices.DeleteFunc(slices.Clone(calls[where]), func(c fake.Call) bool { return where == "" && !strings.Contains(c.Name, "/"+broken+"/") })
		slices.SortFunc(all, byName)
		for i, call := range all {
			for j, kind := range kinds {
				if !*everyCall && (i*len(kinds)+j)%(sampled+1) != 0 {
					continue
				}
				n++
				t.Run(fmt.Sprintf("%s at %s", kind, call), func(t *testing.T) {
					now := start.clone()
					o := now.watch(broken)
					r, _ := l.applyAll(t, now, file, map[string][]fake.Fault{where: {{Call: call, Kind: kind}}}, "--yes")
					for _, name := range clusterNames {
						if diff := cmp.Diff(end.standing(name), now.standing(name)); diff != "" && name != broken {
							t.Errorf("%s (-want +got): %s", name, diff)
						}
					}
					if len(o.problems) > 0 || len(r.met) == 0 {
						t.Errorf("%d faults, %q", len(r.met), o.problems)
					}
					now[broken].Advance(lockLife)
					again, _ := l.applyAll(t, now, file, nil, "--yes")
					if diff := cmp.Diff(end.standing(broken), now.standing(broken)); diff != "" || again.exit != exitOK {
						t.Errorf("the next run: exit %d (-want +got): %s\n%s", again.exit, diff, again.output)
					}
					if t.Failed() {
						t.Logf("exit %d: %s", r.exit, r.output)
					}
				})
			}
		}
	}
	fmt.Printf("faults in one of three clusters: %d cases\n", n)
}

// TestClustersDigest: the digest over all clusters is for all of them or for none.
func TestClustersDigest(t *testing.T) {
	l := newLab(t, 1)
	s := newSeveral(l)
	file := l.inventory(t, severalBefore)
	r, calls := l.applyAll(t, s, file, nil)
	_, digest, found := strings.Cut(r.output, "--expect ")
	if digest = strings.TrimSpace(digest); r.exit != exitRefused || !found {
		t.Fatalf("exit %d: %s", r.exit, r.output)
	}
	unreachable := map[string][]fake.Fault{"dev": {{Call: calls["dev"][0], Kind: fake.Refused}}}
	want := []string{"certsync: cluster dev: ", "refused, nothing was written:\n  - the digest over all clusters is sha256:", ", not the expected " + digest, "--cluster NAME"}
	r, _ = l.applyAll(t, s, file, unreachable, "--expect", digest)
	if r.exit != exitRefused || len(s["stage"].Bindings()) > 0 || slices.ContainsFunc(want, func(text string) bool { return !strings.Contains(r.output, text) }) {
		t.Errorf("exit %d: %s", r.exit, r.output)
	}
	if r, _ = l.applyAll(t, s, file, nil, "--expect", digest); r.exit != exitOK || len(s["stage"].Bindings()) == 0 {
		t.Errorf("exit %d: %s", r.exit, r.output)
	}
}
