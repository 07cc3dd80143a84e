package fake

import (
	"fmt"
	"testing"

	authenticationv1 "k8s.io/api/authentication/v1"
	certificatesv1 "k8s.io/api/certificates/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

// TestCertificate: a request says who made it whatever it came with, is approved at its version alone, and what the
// signer issues logs in.
func TestCertificate(t *testing.T) {
	formats(t, func(t *testing.T, contentType string) {
		w, f := newFront(t)
		c, config := client(t, f, contentType)
		ctx, all := within(t), c.CertificatesV1().CertificateSigningRequests()
		sent, key := newRequest(t, "alice", "developers")
		made, err := all.Create(ctx, sent, metav1.CreateOptions{})
		if err != nil || made.Spec.Username != "certsync" || len(made.Status.Certificate) > 0 || made.Name == "" {
			t.Fatalf("made %+v: %v", made, err)
		}
		stale := approved(made)
		stale.ResourceVersion = "1"
		if _, err := all.UpdateApproval(ctx, made.Name, stale, metav1.UpdateOptions{}); !apierrors.IsConflict(err) {
			t.Errorf("at another version: %v", err)
		}
		changed := approved(made)
		changed.Spec.Request = []byte("another")
		answer, err := all.UpdateApproval(ctx, made.Name, changed, metav1.UpdateOptions{})
		if err != nil || string(answer.Spec.Request) != string(made.Spec.Request) {
			t.Errorf("the approval changed the request: %v", err)
		}
		issued, err := all.Get(ctx, made.Name, metav1.GetOptions{})
		if err != nil || len(issued.Status.Certificate) == 0 {
			t.Fatalf("%+v: %v", issued, err)
		}
		withdrawn := issued.DeepCopy()
		withdrawn.Status.Conditions = nil
		if _, err := all.UpdateApproval(ctx, made.Name, withdrawn, metav1.UpdateOptions{}); !apierrors.IsInvalid(err) {
			t.Errorf("an approval taken back: %v", err)
		}
		login := rest.AnonymousClientConfig(config)
		login.CertData, login.KeyData = issued.Status.Certificate, key
		who := func() (*authenticationv1.SelfSubjectReview, error) {
			l, err := kubernetes.NewForConfig(login)
			if err != nil {
				t.Fatal(err)
			}
			return l.AuthenticationV1().SelfSubjectReviews().Create(ctx, &authenticationv1.SelfSubjectReview{}, metav1.CreateOptions{})
		}
		me, err := who()
		if err != nil || me.Status.UserInfo.Username != "alice" || fmt.Sprint(me.Status.UserInfo.Groups) != "[developers system:authenticated]" {
			t.Errorf("logged in as %+v: %v", me, err)
		}
		w.Set(Settings{Untrusted: true})
		if _, err := who(); !apierrors.IsUnauthorized(err) {
			t.Errorf("at an API server that doesn't trust the signer: %v", err)
		}
	})
}

// TestSigner: what becomes of a request is as the world has it.
func TestSigner(t *testing.T) {
	for what, s := range map[string]Settings{
		"Approved": {Signer: Signer{Silent: true}}, "Failed": {Signer: Signer{Fails: true}}, "Denied": {People: Deny}, "": {Signer: Signer{}},
	} {
		w, f := newFront(t)
		w.Set(s)
		c, _ := client(t, f, "application/json")
		ctx, all := within(t), c.CertificatesV1().CertificateSigningRequests()
		sent, _ := newRequest(t, "alice")
		made, err := all.Create(ctx, sent, metav1.CreateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if now, _ := all.Get(ctx, made.Name, metav1.GetOptions{}); len(now.Status.Conditions) == 0 {
			if _, err := all.UpdateApproval(ctx, made.Name, approved(made), metav1.UpdateOptions{}); err != nil {
				t.Fatal(err)
			}
		}
		got, err := all.Get(ctx, made.Name, metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if issued := len(got.Status.Certificate) > 0; issued != (what == "") || !issued && !condition(got, certificatesv1.RequestConditionType(what)) {
			t.Errorf("%q: %+v", what, got.Status)
		}
	}
}

// TestWatch: it begins with what there is, tells what comes, is taken up where it ended, and not from too long ago.
func TestWatch(t *testing.T) {
	formats(t, func(t *testing.T, contentType string) {
		w, f := newFront(t)
		c, _ := client(t, f, contentType)
		ctx, all := within(t), c.CertificatesV1().CertificateSigningRequests()
		first, _ := newRequest(t, "alice")
		made, err := all.Create(ctx, first, metav1.CreateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		yes := true
		o := metav1.ListOptions{
			FieldSelector: "spec.signerName=" + certificatesv1.KubeAPIServerClientSignerName, SendInitialEvents: &yes,
			ResourceVersionMatch: metav1.ResourceVersionMatchNotOlderThan, AllowWatchBookmarks: true,
		}
		initial, err := all.Watch(ctx, o)
		if err != nil {
			t.Fatal(err)
		}
		if e := <-initial.ResultChan(); e.Type != watch.Added || e.Object.(*csr).Name != made.Name {
			t.Errorf("first came %+v", e)
		}
		e := <-initial.ResultChan()
		if e.Type != watch.Bookmark || e.Object.(*csr).Annotations[metav1.InitialEventsAnnotationKey] != "true" {
			t.Errorf("then came %+v", e)
		}
		initial.Stop()
		if _, err := all.UpdateApproval(ctx, made.Name, approved(made), metav1.UpdateOptions{}); err != nil {
			t.Fatal(err)
		}
		resume := metav1.ListOptions{FieldSelector: o.FieldSelector, ResourceVersion: e.Object.(*csr).ResourceVersion}
		resumed, err := all.Watch(ctx, resume)
		if err != nil {
			t.Fatal(err)
		}
		defer resumed.Stop()
		if e := <-resumed.ResultChan(); e.Type != watch.Modified || len(e.Object.(*csr).Status.Certificate) > 0 {
			t.Errorf("resumed with %+v", e)
		}
		if e := <-resumed.ResultChan(); e.Type != watch.Modified || len(e.Object.(*csr).Status.Certificate) == 0 {
			t.Errorf("the certificate came as %+v", e)
		}
		w.CompactHistory()
		if _, err := all.Watch(ctx, resume); !apierrors.IsResourceExpired(err) {
			t.Errorf("from too long ago: %v", err)
		}
	})
}
