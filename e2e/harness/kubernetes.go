package harness

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
)

// auditPolicy logs each request once, when it is over, and no body, which might be a secret.
const auditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived, ResponseStarted]
rules:
  - level: Metadata
`

// The issuer of service account tokens. Nothing has to resolve it: tokens are checked with the key.
const issuer = "https://kubernetes.default.svc"

func (s *Servers) etcdArgs() []string {
	return []string{
		"-listen=" + s.ports.etcd,
		"-data=" + s.path("data", "etcd"),
		"-tls-cert=" + s.pki.path("etcd.crt"),
		"-tls-key=" + s.pki.path("etcd.key"),
		"-client-ca=" + s.pki.path("etcd-ca.crt"),
	}
}

func (s *Servers) apiServerArgs() []string {
	_, port, _ := net.SplitHostPort(s.ports.apiServer)
	frontProxy := []string{
		"--requestheader-client-ca-file=" + s.pki.path("front-proxy-ca.crt"),
		"--requestheader-allowed-names=front-proxy-client",
	}
	if s.options.SharedCA {
		frontProxy = []string{"--requestheader-client-ca-file=" + s.pki.path("cluster-ca-renewed.crt")}
	}
	authorization := "--authorization-mode=Node,RBAC"
	if s.alwaysAllow {
		authorization = "--authorization-mode=AlwaysAllow"
	}
	if s.options.AuthorizationConfig != "" {
		authorization = "--authorization-config=" + s.options.AuthorizationConfig
	}
	return append(frontProxy, []string{
		"--bind-address=127.0.0.1",
		"--advertise-address=127.0.0.1",
		"--secure-port=" + port,
		"--tls-cert-file=" + s.pki.path("kube-apiserver.crt"),
		"--tls-private-key-file=" + s.pki.path("kube-apiserver.key"),
		"--client-ca-file=" + s.pki.path("cluster-ca.crt"),
		"--etcd-servers=https://" + s.ports.etcd,
		"--etcd-cafile=" + s.pki.path("etcd-ca.crt"),
		"--etcd-certfile=" + s.pki.path("etcd-client.crt"),
		"--etcd-keyfile=" + s.pki.path("etcd-client.key"),
		authorization,
		"--service-cluster-ip-range=10.96.0.0/16",
		// An endpoint of the service "kubernetes" may not be a loopback address.
		"--endpoint-reconciler-type=none",
		"--service-account-issuer=" + issuer,
		"--api-audiences=" + issuer,
		"--service-account-key-file=" + s.pki.path("service-account.pub"),
		"--service-account-signing-key-file=" + s.pki.path("service-account.key"),
		"--requestheader-username-headers=X-Remote-User",
		"--requestheader-group-headers=X-Remote-Group",
		"--requestheader-extra-headers-prefix=X-Remote-Extra-",
		"--proxy-client-cert-file=" + s.pki.path("front-proxy-client.crt"),
		"--proxy-client-key-file=" + s.pki.path("front-proxy-client.key"),
		// Otherwise an end by SIGTERM waits a minute for the watches of others.
		"--shutdown-watch-termination-grace-period=1s",
		"--audit-policy-file=" + s.path("audit-policy.yaml"),
		"--audit-log-path=" + s.KubeAuditLog,
	}...)
}

// AllowAlways starts the API server again, with --authorization-mode=AlwaysAllow: everybody may do everything.
func (s *Servers) AllowAlways(ctx context.Context) error {
	if err := s.StopProcess(APIServer); err != nil {
		return err
	}
	s.alwaysAllow = true
	return s.StartProcess(ctx, APIServer)
}

// controllers are those that a cluster without nodes needs.
var controllers = []string{
	"certificatesigningrequest-approving-controller",
	"certificatesigningrequest-cleaner-controller",
	"clusterrole-aggregation-controller",
	"namespace-controller",
	"root-ca-certificate-publisher-controller",
	"serviceaccount-controller",
	"serviceaccount-token-controller",
}

func (s *Servers) controllerManagerArgs() []string {
	signer := "cluster-ca"
	if s.options.ForeignSigner {
		signer = "foreign-ca"
	}
	enabled := strings.Join(controllers, ",")
	if !s.options.WithoutSigner {
		enabled += ",certificatesigningrequest-signing-controller"
	}
	return []string{
		"--kubeconfig=" + s.path("controller-manager.kubeconfig"),
		"--secure-port=0", // nobody asks it for metrics
		"--leader-elect=false",
		"--use-service-account-credentials",
		"--controllers=" + enabled,
		"--cluster-signing-cert-file=" + s.pki.path(signer+".crt"),
		"--cluster-signing-key-file=" + s.pki.path(signer+".key"),
		"--root-ca-file=" + s.pki.path("cluster-ca.crt"),
		"--service-account-private-key-file=" + s.pki.path("service-account.key"),
	}
}

// checkEtcd only connects: how healthy etcd is, the API server tells in its own /readyz.
func (s *Servers) checkEtcd(ctx context.Context) error {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", s.ports.etcd)
	if err != nil {
		return err
	}
	return conn.Close()
}

func (s *Servers) checkAPIServer(ctx context.Context) error {
	status, err := s.admin.do(ctx, http.MethodGet, "/readyz?verbose", nil, nil)
	if err != nil {
		return fmt.Errorf("asking %s/readyz: status %d: %w", s.KubeURL, status, err)
	}
	return nil
}
