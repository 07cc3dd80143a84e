package reconcile

import "slices"

// differences compares what a user has with what they should have. The result becomes the plan's reasons.
func differences(s certificateSpec, has CertificateEntry, ref KubeconfigRef) []Reason {
	var reasons []Reason
	if !slices.Equal(has.Groups, s.groups) {
		reasons = append(reasons, GroupsChanged)
	}
	if has.PublicKeySHA256 != s.own.print() {
		reasons = append(reasons, RequestChanged)
	}
	if s.own == nil && has.KeyAlgorithm != string(s.algorithm) { // of their own they may have any
		reasons = append(reasons, KeyAlgorithmChanged)
	}
	if ref.CASHA256 != s.kubeconfig.CASHA256 {
		reasons = append(reasons, ClusterCAChanged)
	}
	if ref.Server != s.kubeconfig.Server || ref.ProxyURL != s.kubeconfig.ProxyURL || ref.TLSServerName != s.kubeconfig.TLSServerName {
		reasons = append(reasons, ServerChanged)
	}
	if ref.Cluster != s.kubeconfig.Cluster {
		reasons = append(reasons, ClusterNameChanged)
	}
	return reasons
}
