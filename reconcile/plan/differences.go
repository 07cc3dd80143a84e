package plan

import (
	"slices"

	"github.com/certsync/certsync/reconcile"
)

// differences compares what a user has with what they should have. The result becomes the plan's reasons.
func differences(s reconcile.CertificateSpec, has reconcile.CertificateEntry, ref reconcile.KubeconfigRef) []reconcile.Reason {
	var reasons []reconcile.Reason
	if !slices.Equal(has.Groups, s.Groups) {
		reasons = append(reasons, reconcile.GroupsChanged)
	}
	if has.PublicKeySHA256 != s.Own.Fingerprint() {
		reasons = append(reasons, reconcile.RequestChanged)
	}
	if s.Own == nil && has.KeyAlgorithm != string(s.Algorithm) { // of their own they may have any
		reasons = append(reasons, reconcile.KeyAlgorithmChanged)
	}
	if ref.CASHA256 != s.Kubeconfig.CASHA256 {
		reasons = append(reasons, reconcile.ClusterCAChanged)
	}
	if ref.Server != s.Kubeconfig.Server || ref.ProxyURL != s.Kubeconfig.ProxyURL || ref.TLSServerName != s.Kubeconfig.TLSServerName {
		reasons = append(reasons, reconcile.ServerChanged)
	}
	if ref.Cluster != s.Kubeconfig.Cluster {
		reasons = append(reasons, reconcile.ClusterNameChanged)
	}
	return reasons
}
