package reconcile

// Credential is what stands at users/<user>: the fields kubeconfig, tls.crt, tls.key (PKCS#8) and ca.crt. Where the key is
// the user's own there is no tls.key, and none in the kubeconfig.
type Credential struct {
	Kubeconfig  Secret
	Certificate []byte // PEM chain
	Key         Secret // PEM, PKCS#8; the zero Secret: certsync does not have it
	CA          []byte // PEM
}
