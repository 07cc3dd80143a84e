package harness

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

const requestsPath = "/apis/certificates.k8s.io/v1/certificatesigningrequests"

type object = map[string]any

// WaitSigner waits until the controller manager has issued a certificate: it begins to do so some time
// after the API server is ready. The request is deleted again.
func (s *Servers) WaitSigner(ctx context.Context) error {
	path, err := s.requestCertificate(ctx)
	if err != nil {
		return fmt.Errorf("requesting a certificate: %w", err)
	}
	err = s.poll(ctx, ControllerManager, func(ctx context.Context) error {
		var csr struct{ Status struct{ Certificate string } }
		if _, err := s.admin.do(ctx, http.MethodGet, path, nil, &csr); err != nil {
			return err
		}
		if csr.Status.Certificate == "" {
			return errors.New("no certificate was issued yet")
		}
		return nil
	})
	cleanup, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	_, deleteErr := s.admin.do(cleanup, http.MethodDelete, path, nil, nil)
	return errors.Join(err, deleteErr)
}

// requestCertificate creates and approves a request, and returns its path.
func (s *Servers) requestCertificate(ctx context.Context) (string, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", err
	}
	template := &x509.CertificateRequest{Subject: pkix.Name{CommonName: "e2e-wait-signer"}}
	der, err := x509.CreateCertificateRequest(rand.Reader, template, key)
	if err != nil {
		return "", err
	}
	var csr object
	_, err = s.admin.do(ctx, http.MethodPost, requestsPath, object{
		"apiVersion": "certificates.k8s.io/v1",
		"kind":       "CertificateSigningRequest",
		"metadata":   object{"generateName": "e2e-wait-signer-"},
		"spec": object{
			"request":           encode("CERTIFICATE REQUEST", der),
			"signerName":        "kubernetes.io/kube-apiserver-client",
			"usages":            []string{"client auth"},
			"expirationSeconds": 600,
		},
	}, &csr)
	if err != nil {
		return "", err
	}
	path := fmt.Sprintf("%s/%v", requestsPath, csr["metadata"].(object)["name"])
	csr["status"] = object{"conditions": []object{{
		"type": "Approved", "status": "True", "reason": "E2EWaitSigner", "message": "is the signer there?",
	}}}
	_, err = s.admin.do(ctx, http.MethodPut, path+"/approval", csr, nil)
	return path, err
}

// DeleteRequests deletes the CertificateSigningRequests whose names begin with prefix. By itself the controller manager keeps them
// for an hour, and each list reads them all.
func (s *Servers) DeleteRequests(ctx context.Context, prefix string) error {
	var list struct {
		Items []struct{ Metadata struct{ Name string } }
	}
	if _, err := s.admin.do(ctx, http.MethodGet, requestsPath, nil, &list); err != nil {
		return fmt.Errorf("listing requests: %w", err)
	}
	for _, csr := range list.Items {
		if !strings.HasPrefix(csr.Metadata.Name, prefix) {
			continue
		}
		if status, err := s.admin.do(ctx, http.MethodDelete, requestsPath+"/"+csr.Metadata.Name, nil, nil); err != nil && status != http.StatusNotFound {
			return fmt.Errorf("deleting a request: %w", err)
		}
	}
	return nil
}
