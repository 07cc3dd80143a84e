package kubeconfig

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clientauthentication "k8s.io/client-go/pkg/apis/clientauthentication/v1"

	"github.com/certsync/certsync/reconcile"
)

// execCredential is the type of the objects that kubectl and its plugins exchange.
var execCredential = metav1.TypeMeta{APIVersion: clientauthentication.SchemeGroupVersion.String(), Kind: "ExecCredential"}

// CheckExecInfo checks the text of $KUBERNETES_EXEC_INFO, in which kubectl tells its plugins the version that it understands.
// It must be the version of ExecCredential. If the text is empty, somebody runs the plugin by hand, and that is no error.
func CheckExecInfo(text string) error {
	if text == "" {
		return nil
	}
	var got metav1.TypeMeta
	err := json.Unmarshal([]byte(text), &got)
	switch {
	case err != nil:
		err = errors.New("it is not JSON")
	case got.Kind != execCredential.Kind:
		err = fmt.Errorf("its kind is %q, not %q", got.Kind, execCredential.Kind)
	case got.APIVersion != execCredential.APIVersion:
		return reconcile.WithHint(fmt.Errorf("reading KUBERNETES_EXEC_INFO: its apiVersion is %q, not %q", got.APIVersion, execCredential.APIVersion),
			fmt.Sprintf("set users[].user.exec.apiVersion to %s in the kubeconfig; kubectl supports it since 1.22", execCredential.APIVersion))
	}
	if err != nil {
		return reconcile.WithHint(fmt.Errorf("reading KUBERNETES_EXEC_INFO: %w", err), "kubectl sets it for its plugins; unset it to run the command by hand")
	}
	return nil
}

// ExecCredential returns the text that a plugin prints for kubectl: a certificate (PEM chain) with its key (PEM). kubectl uses
// them until expires, in whole seconds, and then runs the plugin again.
func ExecCredential(chain []byte, key reconcile.Secret, expires time.Time) (reconcile.Secret, error) {
	text, err := json.Marshal(clientauthentication.ExecCredential{
		TypeMeta: execCredential,
		Status: &clientauthentication.ExecCredentialStatus{
			ExpirationTimestamp:   &metav1.Time{Time: expires},
			ClientCertificateData: string(chain),
			ClientKeyData:         string(key.Reveal()),
		},
	})
	if err != nil {
		return reconcile.Secret{}, errors.New("encoding the ExecCredential") // the encoder's error may quote from it
	}
	return reconcile.NewSecret(append(text, '\n')), nil
}
