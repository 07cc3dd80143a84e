package e2e

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

// TestPlantedRequests: somebody who may create and update CertificateSigningRequests plants them for certsync's users,
// with labels and names like its own, before and during a run, and labels certsync's own. None of
// theirs is approved, and nobody is held up.
func TestPlantedRequests(t *testing.T) {
	t.Parallel()
	f := newFixture(t, shared)
	o := f.owner
	var users strings.Builder
	for n := range 40 {
		fmt.Fprintf(&users, "  - {name: user%02d@OWNER}\n", n)
	}
	f.write("users:\n" + users.String())
	f.kubectl("create", "clusterrole", "planter-"+o, "--verb=create,get,list,watch,update,patch", "--resource=certificatesigningrequests.certificates.k8s.io")
	f.kubectl("create", "clusterrolebinding", "planter-"+o, "--clusterrole=planter-"+o, "--user=planter-"+o)
	p := newPlanter(f)
	for _, name := range []string{"user00-" + o, "certsync-" + o, "certsync-user00-" + o, "certsync-" + o + ".abcde"} {
		p.plant(f.Context(), metav1.ObjectMeta{Name: name}, "user00@"+o)
	}
	for range 500 { // with the others' over one page of a list
		p.plant(f.Context(), metav1.ObjectMeta{GenerateName: "certsync-" + o + "."}, "user00@"+o)
	}

	ctx, cancel := context.WithTimeout(t.Context(), commandTimeout)
	var group sync.WaitGroup
	group.Go(func() { p.plantMore(ctx) })
	group.Go(func() { p.relabel(ctx) })
	r := f.certsync("apply", "--yes")
	cancel()
	group.Wait()
	if r.code != 0 {
		t.Errorf("apply: exit %d\n%s%s", r.code, r.stdout, r.stderr)
	}
	if p.relabelled == 0 || len(p.planted) < 10 {
		t.Errorf("the attack was weak: %d relabelled, %d planted", p.relabelled, len(p.planted))
	}
	p.noneApproved()
	// Plan shows them, and says that they change nothing.
	if plan := f.plan(); plan.Changes || !plan.note("request-in-flight", "") {
		t.Errorf("plan: %q, %d notes", plan.steps(), len(plan.Notes))
	}
}

// planter is somebody who may create and update CertificateSigningRequests, and nothing else.
type planter struct {
	testing.TB
	client     *kubernetes.Clientset
	owner      string
	labels     map[string]string
	planted    []types.UID
	relabelled int
}

func newPlanter(f *fixture) *planter {
	f.Helper()
	path, err := f.servers.UserKubeconfig("planter-"+f.owner, nil)
	if err != nil {
		f.Fatal(err)
	}
	config, err := clientcmd.BuildConfigFromFlags("", path)
	if err != nil {
		f.Fatal(err)
	}
	config.QPS = -1
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		f.Fatal(err)
	}
	return &planter{TB: f.TB, client: client, owner: f.owner,
		labels: map[string]string{"app.kubernetes.io/managed-by": "certsync", "certsync.dev/owner": f.owner}}
}

// plant creates a request for user with the planter's own key.
func (p *planter) plant(ctx context.Context, meta metav1.ObjectMeta, user string, groups ...string) {
	meta.Labels = p.labels
	made, err := p.client.CertificatesV1().CertificateSigningRequests().Create(ctx, request(p, meta, user, groups...), metav1.CreateOptions{})
	if err == nil {
		p.planted = append(p.planted, made.UID)
	} else if ctx.Err() == nil {
		p.Error(err)
	}
}

// request is one for a client certificate with a key that nobody has.
func request(t testing.TB, meta metav1.ObjectMeta, user string, groups ...string) *certificatesv1.CertificateSigningRequest {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(t, err)
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: user, Organization: groups}}, key)
	check(t, err)
	return &certificatesv1.CertificateSigningRequest{
		ObjectMeta: meta,
		Spec: certificatesv1.CertificateSigningRequestSpec{
			Request:    pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}),
			SignerName: certificatesv1.KubeAPIServerClientSignerName, Usages: []certificatesv1.KeyUsage{certificatesv1.UsageClientAuth, certificatesv1.UsageDigitalSignature},
		},
	}
}

// plantMore plants requests while certsync runs, at most 200.
func (p *planter) plantMore(ctx context.Context) {
	for n := 0; n < 200 && ctx.Err() == nil; n++ {
		p.plant(ctx, metav1.ObjectMeta{GenerateName: "certsync-" + p.owner + "."}, fmt.Sprintf("user%02d@%s", n%40, p.owner))
		time.Sleep(10 * time.Millisecond)
	}
}

// relabel labels every request that certsync makes, as soon as it is there.
func (p *planter) relabel(ctx context.Context) {
	watch, err := p.client.CertificatesV1().CertificateSigningRequests().Watch(ctx, metav1.ListOptions{})
	if err != nil {
		p.Error(err)
		return
	}
	defer watch.Stop()
	patch := []byte(`{"metadata":{"labels":{"certsync.dev/owner":"another","planted":"yes"}}}`)
	for event := range watch.ResultChan() {
		csr, ok := event.Object.(*certificatesv1.CertificateSigningRequest)
		if !ok || csr.Spec.Username == "planter-"+p.owner || !strings.HasPrefix(csr.Name, "certsync-"+p.owner+".") || csr.Labels["planted"] != "" {
			continue
		}
		if _, err := p.client.CertificatesV1().CertificateSigningRequests().Patch(ctx, csr.Name, types.MergePatchType, patch, metav1.PatchOptions{}); err == nil {
			p.relabelled++
		}
	}
}

// noneApproved checks that the planted requests are there, and that none has a condition or a certificate.
func (p *planter) noneApproved() {
	p.Helper()
	list, err := p.client.CertificatesV1().CertificateSigningRequests().List(p.Context(), metav1.ListOptions{})
	if err != nil {
		p.Fatal(err)
	}
	waiting := map[types.UID]bool{}
	for _, csr := range list.Items {
		waiting[csr.UID] = len(csr.Status.Conditions) == 0 && len(csr.Status.Certificate) == 0
	}
	for _, uid := range p.planted {
		if !waiting[uid] {
			p.Errorf("the planted request %s was approved, or is gone", uid)
		}
	}
}

// TestFinalizers: somebody who may patch bindings, or anything else in a namespace, keeps objects from being deleted by
// finalizers. A leaver loses access all the same.
func TestFinalizers(t *testing.T) {
	t.Parallel()
	f := settled(t)
	o := f.owner
	alice, carol := f.userKubeconfig("alice@"+o), f.userKubeconfig("carol@"+o)
	keep := `{"metadata":{"finalizers":["example.com/keep"]}}`
	// carol, who has admin there, keeps her own binding; something keeps a whole namespace terminating.
	if _, err := f.tryKubectl(carol, "patch", "rolebinding", "-n", "payments-"+o, "certsync:"+o+":user:carol@"+o+":admin", "--type=merge", "-p", keep); err != nil {
		t.Fatal(err)
	}
	f.kubectl("create", "configmap", "x", "-n", "staging-"+o)
	f.kubectl("patch", "configmap", "x", "-n", "staging-"+o, "--type=merge", "-p", keep)
	f.kubectl("delete", "namespace", "staging-"+o, "--wait=false")
	t.Cleanup(func() {
		let := `{"metadata":{"finalizers":null}}`
		f.kubectl("patch", "configmap", "x", "-n", "staging-"+o, "--type=merge", "-p", let)
	})
	f.write("users: [{name: bob@OWNER}]")
	f.must(0, "apply", "--yes", "--max-removals=100%")
	f.forbidden(carol, "get", "secrets", "-n", "payments-"+o)
	f.forbidden(alice, "get", "configmaps", "-n", "staging-"+o)
	if p := f.plan(); p.Changes || p.note("terminating", "") {
		t.Errorf("plan: %q, %v", p.steps(), p.Notes)
	}
}

// TestTouching: a leaver touches their own binding all the time, so that no observed resourceVersion stays true.
func TestTouching(t *testing.T) {
	t.Parallel()
	f := settled(t)
	o := f.owner
	carol := f.userKubeconfig("carol@" + o)
	config, err := clientcmd.BuildConfigFromFlags("", carol)
	if err != nil {
		t.Fatal(err)
	}
	config.QPS = -1
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), commandTimeout)
	var group sync.WaitGroup
	var touches atomic.Int32 // each takes long: the API server checks that she holds all of the role
	touch := func() {
		for n := 0; n < 1000 && ctx.Err() == nil; n++ {
			patch := fmt.Appendf(nil, `{"metadata":{"annotations":{"touched":"%d"}}}`, time.Now().UnixNano())
			if _, err := client.RbacV1().RoleBindings("payments-"+o).Patch(ctx, "certsync:"+o+":user:carol@"+o+":admin", types.MergePatchType, patch, metav1.PatchOptions{}); err == nil {
				touches.Add(1)
			}
		}
	}
	for range 4 {
		group.Go(touch)
	}
	eventually(t, commandTimeout, "touches of the binding", func() bool { return touches.Load() >= 3 })
	f.write("users: [{name: alice@OWNER}, {name: bob@OWNER}]")
	f.must(0, "apply", "--yes", "--max-removals=100%") // she goes on until she may not any more
	cancel()
	group.Wait()
	f.forbidden(carol, "get", "secrets", "-n", "payments-"+o)
}
