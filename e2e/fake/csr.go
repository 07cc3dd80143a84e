package fake

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apimachinery/pkg/watch"
)

// prepareCSR overwrites what the API server knows better than the client, and checks the rest.
func (w *World) prepareCSR(r *request, c *csr) error {
	c.Spec.Username, c.Spec.Groups, c.Spec.UID, c.Spec.Extra = r.who.name, r.who.groups, "", nil
	c.Status = certificatesv1.CertificateSigningRequestStatus{}
	spec := field.NewPath("spec")
	switch _, err := parseRequest(c.Spec.Request); {
	case err != nil:
		return w.invalid(r, field.Invalid(spec.Child("request"), "", err.Error()))
	case c.Spec.SignerName == "":
		return w.invalid(r, field.Required(spec.Child("signerName"), ""))
	case len(c.Spec.Usages) == 0:
		return w.invalid(r, field.Required(spec.Child("usages"), "usages is required"))
	case c.Spec.ExpirationSeconds != nil && *c.Spec.ExpirationSeconds < 600:
		return w.invalid(r, field.Invalid(spec.Child("expirationSeconds"), *c.Spec.ExpirationSeconds, "may not specify a duration less than 600 seconds (10 minutes)"))
	}
	return nil
}

func parseRequest(data []byte) (*x509.CertificateRequest, error) {
	block, _ := pem.Decode(data)
	if block == nil || block.Type != "CERTIFICATE REQUEST" {
		return nil, errors.New("PEM block type must be CERTIFICATE REQUEST")
	}
	r, err := x509.ParseCertificateRequest(block.Bytes)
	if err != nil {
		return nil, err
	}
	return r, r.CheckSignature()
}

// approve serves /approval, which changes the conditions Approved and Denied and nothing else. Neither can be taken back.
func (w *World) approve(r *request) (object, error) {
	sent, err := decode[*csr](r.Request, r.body)
	if err != nil {
		return nil, err
	}
	found, err := w.get(r)
	if err != nil {
		return nil, err
	}
	old := found.(*csr)
	switch {
	case sent.UID != "" && sent.UID != old.UID:
		return nil, apierrors.NewConflict(r.kind.groupResource(), r.name, fmt.Errorf(
			"precondition failed: UID in precondition: %v, UID in object meta: %v", sent.UID, old.UID))
	case sent.ResourceVersion != "" && sent.ResourceVersion != old.ResourceVersion:
		return nil, apierrors.NewConflict(r.kind.groupResource(), r.name, errModified)
	}
	approved, denied := condition(sent, certificatesv1.CertificateApproved), condition(sent, certificatesv1.CertificateDenied)
	wasApproved, wasDenied := condition(old, certificatesv1.CertificateApproved), condition(old, certificatesv1.CertificateDenied)
	if approved && denied || wasApproved && !approved || wasDenied && !denied {
		return nil, w.invalid(r, field.Forbidden(field.NewPath("status", "conditions"), "Approved and Denied exclude each other and cannot be taken back"))
	}
	c := old.DeepCopy()
	c.Status.Conditions = sent.DeepCopy().Status.Conditions
	now := serverTime(w.now())
	for i := range c.Status.Conditions {
		if cond := &c.Status.Conditions[i]; cond.LastUpdateTime.IsZero() {
			cond.LastUpdateTime, cond.LastTransitionTime = now, now
		}
	}
	w.store(watch.Modified, r.key(), c)
	w.signerSees(r.key())
	return c, nil
}

func condition(c *csr, t certificatesv1.RequestConditionType) bool {
	for _, cond := range c.Status.Conditions {
		if cond.Type == t {
			return true
		}
	}
	return false
}

// peopleDecide has somebody approve or deny a request that was just made, or just read.
func (w *World) peopleDecide(key objectKey, read bool) {
	made, ok := w.objects[key].(*csr)
	if !ok || w.settings.People == "" || read != (w.settings.People == ApproveRead) || condition(made, certificatesv1.CertificateApproved) {
		return
	}
	c := made.DeepCopy()
	t, reason := certificatesv1.CertificateApproved, "KubectlApprove"
	if w.settings.People == Deny {
		t, reason = certificatesv1.CertificateDenied, "KubectlDeny"
	}
	w.addCondition(c, t, reason, "This CSR was decided by kubectl certificate.")
	w.store(watch.Modified, key, c)
	w.signerSees(key)
}

func (w *World) addCondition(c *csr, t certificatesv1.RequestConditionType, reason, message string) {
	now := serverTime(w.now())
	c.Status.Conditions = append(c.Status.Conditions, certificatesv1.CertificateSigningRequestCondition{
		Type: t, Status: corev1.ConditionTrue, Reason: reason, Message: message, LastUpdateTime: now, LastTransitionTime: now})
}

// signerSees is the controller that signs what is approved. Its write follows the approval at once.
func (w *World) signerSees(key objectKey) {
	seen, ok := w.objects[key].(*csr)
	s := w.settings.Signer
	if !ok || s.Silent || !condition(seen, certificatesv1.CertificateApproved) || len(seen.Status.Certificate) > 0 ||
		seen.Spec.SignerName != certificatesv1.KubeAPIServerClientSignerName {
		return
	}
	c := seen.DeepCopy()
	if s.Fails {
		w.addCondition(c, certificatesv1.CertificateFailed, "SignerValidationFailure", "the signer does not like it")
		w.store(watch.Modified, key, c)
		return
	}
	life := 365 * 24 * time.Hour
	if c.Spec.ExpirationSeconds != nil {
		life = time.Duration(*c.Spec.ExpirationSeconds) * time.Second
	}
	if s.MaxLife > 0 {
		life = min(life, s.MaxLife)
	}
	issued := w.now().Add(-s.Age)
	request, err := parseRequest(c.Spec.Request)
	if err == nil {
		c.Status.Certificate, err = w.authority.sign(request, issued.Add(-5*time.Minute), issued.Add(life))
	}
	if err != nil {
		panic(err) // the request was checked when it was made
	}
	w.store(watch.Modified, key, c)
}

// Issued are the certificates of the requests that stand.
func (w *World) Issued() []*x509.Certificate {
	w.mu.Lock()
	defer w.mu.Unlock()
	var all []*x509.Certificate
	for _, key := range w.keys(csrs, "") {
		block, _ := pem.Decode(w.objects[key].(*csr).Status.Certificate)
		if block == nil {
			continue
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			panic(err) // it was signed here
		}
		all = append(all, cert)
	}
	return all
}
