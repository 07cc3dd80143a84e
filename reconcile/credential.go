package reconcile

// Credential is what stands at users/<user>: the fields kubeconfig, tls.crt, tls.key (PKCS#8) and ca.crt.
type Credential struct {
	Kubeconfig  Secret
	Certificate []byte // PEM chain
	Key         Secret // PEM, PKCS#8
	CA          []byte // PEM
}
