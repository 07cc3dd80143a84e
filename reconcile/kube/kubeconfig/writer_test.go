package kubeconfig

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/kube/apitest"
)

const goldenKubeconfig = `apiVersion: v1
clusters:
- cluster:
    certificate-authority-data: Q0E=
    proxy-url: http://proxy.example.com:3128
    server: https://k8s.example.com:6443
    tls-server-name: kubernetes
  name: prod-eu
contexts:
- context:
    cluster: prod-eu
    user: alice@example.com@prod-eu
  name: prod-eu
current-context: prod-eu
kind: Config
users:
- name: alice@example.com@prod-eu
  user:
    client-certificate-data: Y2hhaW4=
    client-key-data: a2V5
`

func TestKubeconfig(t *testing.T) {
	e := reconcile.Endpoint{Name: "prod-eu", Server: "https://k8s.example.com:6443", CA: []byte("CA"),
		ProxyURL: "http://proxy.example.com:3128", TLSServerName: "kubernetes"}
	got, err := Writer{}.Kubeconfig(e, "alice@example.com", []byte("chain"), reconcile.NewSecret([]byte("key")))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(goldenKubeconfig, string(got.Reveal())); diff != "" {
		t.Error(diff)
	}
}

// TestKubeconfigWithoutKey: all is there but the key.
func TestKubeconfigWithoutKey(t *testing.T) {
	e := reconcile.Endpoint{Name: "prod-eu", Server: "https://k8s.example.com:6443", CA: []byte("CA"),
		ProxyURL: "http://proxy.example.com:3128", TLSServerName: "kubernetes"}
	got, err := Writer{}.Kubeconfig(e, "alice@example.com", []byte("chain"), reconcile.Secret{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Replace(goldenKubeconfig, "    client-key-data: a2V5\n", "", 1), string(got.Reveal())); diff != "" {
		t.Error(diff)
	}
}

func TestKubeconfigOfAnEndpointWithoutCA(t *testing.T) {
	chain, key := apitest.NewUser("alice")
	got, err := Writer{}.Kubeconfig(reconcile.Endpoint{Name: "c", Server: "https://k8s.example.com"}, "alice", chain, reconcile.NewSecret(key))
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(got.Reveal(), []byte("certificate-authority")) {
		t.Error("it has a CA")
	}
	config, err := clientcmd.RESTConfigFromKubeConfig(got.Reveal())
	if err != nil || config.Host != "https://k8s.example.com" || !bytes.Equal(config.KeyData, key) || !bytes.Equal(config.CertData, chain) {
		t.Errorf("kubectl reads it as %+v, error %v", config, err)
	}
}

func TestKubeconfigOfAnEndpointThatCannotBe(t *testing.T) {
	for name, e := range map[string]reconcile.Endpoint{
		"no name": {Server: "https://k8s.example.com"}, "no server": {Name: "prod-eu"},
	} {
		if _, err := (Writer{}).Kubeconfig(e, "alice", []byte("chain"), reconcile.NewSecret([]byte("key"))); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
