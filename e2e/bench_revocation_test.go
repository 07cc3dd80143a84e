package e2e

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

// maxPolicyCost is what a full list may add to a write of somebody who is not in it.
const maxPolicyCost = 2 * time.Millisecond

var celList = regexp.MustCompile(`(?s)\{'.*\}`)

// BenchmarkRevocationPolicy measures what the admission policy costs those who are not in its list: writes of somebody with a
// certificate, and of a service account, with no policy and with one of 5,000 entries of the longest names. Both take turns on
// the same servers, and the medians are reported.
//
//	certificate-ms, account-ms            a write without the policy
//	certificate-more-ms, account-more-ms  what the policy adds, at most 2
func BenchmarkRevocationPolicy(b *testing.B) {
	const rounds, writes = 4, 300
	s := newBench(b)
	f := s.owner("revocation")
	f.write("users: [{name: stolen}, {name: bystander, namespaces: {default: [edit]}}]\n")
	f.must(0, "apply", "--yes")
	f.kubectl("create", "rolebinding", "others", "-n", "default", "--clusterrole=edit", "--user=stolen")
	stolen := f.clientOf(f.userKubeconfig("stolen"))
	f.must(0, "apply", "--yes", "--revoke", "stolen")
	f.apply(f.must(0, "revocations", "-o", "admission-policy").stdout)
	f.fill("certsync-"+f.owner+"-revoked", 5000)
	f.kubectl("create", "serviceaccount", "robot", "-n", "default")
	f.kubectl("create", "rolebinding", "robot", "-n", "default", "--clusterrole=edit", "--serviceaccount=default:robot")
	robot, err := kubernetes.NewForConfig(&rest.Config{Host: f.servers.KubeURL, BearerToken: f.serviceAccountToken("default", "robot"), QPS: -1, TLSClientConfig: rest.TLSClientConfig{CAData: f.servers.CACert}})
	if err != nil {
		b.Fatal(err)
	}
	who := map[string]*kubernetes.Clientset{"certificate": f.clientOf(f.userKubeconfig("bystander")), "account": robot}
	took := map[string][]time.Duration{}
	for round := range 2 * rounds {
		listed := round%2 == 1
		f.bindPolicy(stolen, listed)
		for name, client := range who {
			for i := range writes {
				began := time.Now()
				_, err := client.CoreV1().ConfigMaps("default").Create(b.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("%s-%d-%d", name, round, i)}}, metav1.CreateOptions{})
				if err != nil {
					b.Fatal(err)
				}
				key := name + map[bool]string{true: " listed"}[listed]
				took[key] = append(took[key], time.Since(began))
			}
		}
	}
	b.ReportMetric(0, "ns/op") // of the whole benchmark: says nothing
	for name := range who {
		without, with := middle(took[name]), middle(took[name+" listed"])
		b.ReportMetric(without.Seconds()*1000, name+"-ms")
		b.ReportMetric((with-without).Seconds()*1000, name+"-more-ms")
		if with-without > maxPolicyCost {
			b.Errorf("a write by %s takes %s with a full list, and %s without: over %s more", name, with, without, maxPolicyCost)
		}
	}
}

func middle(list []time.Duration) time.Duration {
	slices.Sort(list)
	return list[len(list)/2]
}

// fill gives a policy a list of n certificates, in place of the one that it has.
func (f *fixture) fill(policy string, n int) {
	f.Helper()
	client := f.client().AdmissionregistrationV1().ValidatingAdmissionPolicies()
	got, err := client.Get(f.Context(), policy, metav1.GetOptions{})
	if err != nil {
		f.Fatal(err)
	}
	form, validations := got.Spec.Validations[0], []admissionv1.Validation{}
	for first := 0; first < n; first += 650 {
		var entries []string
		for i := first; i < min(first+650, n); i++ {
			entries = append(entries, fmt.Sprintf("'%s#%04d %064x': 1893456000", strings.Repeat("a", 59), i, i))
		}
		v := form
		v.Expression = celList.ReplaceAllLiteralString(form.Expression, "{"+strings.Join(entries, ", ")+"}")
		if v.Expression == form.Expression {
			f.Fatalf("no list in %s", form.Expression)
		}
		validations = append(validations, v)
	}
	got.Spec.Validations = append(validations, form) // which denies the stolen one, so that one sees when it is in force
	if _, err := client.Update(f.Context(), got, metav1.UpdateOptions{}); err != nil {
		f.Fatal(err)
	}
}

// bindPolicy binds the policy or takes its binding away, and waits until that is so.
func (f *fixture) bindPolicy(by *kubernetes.Clientset, bound bool) {
	f.Helper()
	client, name := f.client().AdmissionregistrationV1().ValidatingAdmissionPolicyBindings(), "certsync-"+f.owner+"-revoked"
	binding := &admissionv1.ValidatingAdmissionPolicyBinding{ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: admissionv1.ValidatingAdmissionPolicyBindingSpec{PolicyName: name, ValidationActions: []admissionv1.ValidationAction{admissionv1.Deny}}}
	var err error
	if bound {
		_, err = client.Create(f.Context(), binding, metav1.CreateOptions{})
	} else {
		err = client.Delete(f.Context(), name, metav1.DeleteOptions{})
	}
	if err != nil {
		f.Fatal(err)
	}
	stolen := by.CoreV1().ConfigMaps("default")
	eventually(f, takesEffect, "the policy's binding", func() bool {
		_, err := stolen.Create(f.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{GenerateName: "stolen-"}}, metav1.CreateOptions{})
		return bound == (err != nil && strings.Contains(err.Error(), "certsync has revoked this certificate"))
	})
}
