package render

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/certsync/certsync/cmd/certsync/internal/terminal"
	"github.com/certsync/certsync/reconcile"
)

// kubeconfigText says where a kubeconfig leads.
func kubeconfigText(ref reconcile.KubeconfigRef) string {
	text := "for " + code(cmp.Or(ref.Cluster, "?")) + " at " + code(ref.Server)
	if ref.ProxyURL != "" {
		text += " through the proxy " + code(ref.ProxyURL)
	}
	if ref.TLSServerName != "" {
		text += " with the TLS name " + code(ref.TLSServerName)
	}
	return text
}

// leadsElsewhere are the reasons to reissue a kubeconfig that would lead to another server than before, or trust another one.
var leadsElsewhere = []reconcile.Reason{reconcile.ClusterCAChanged, reconcile.ServerChanged, reconcile.ClusterNameChanged}

// kubeconfigItems returns where users' kubeconfigs will lead who have one that leads elsewhere. Whoever has the server or the
// proxy there, and the CA, reads and answers the users' requests.
func kubeconfigItems(plan reconcile.Plan) []string {
	changed := slices.DeleteFunc(stepsToRun(plan), func(s reconcile.Step) bool {
		return s.Detail == nil || s.Detail.Kubeconfig == nil || !slices.ContainsFunc(leadsElsewhere, func(r reconcile.Reason) bool { return slices.Contains(s.Reasons, r) })
	})
	text := func(s reconcile.Step) string {
		text := kubeconfigText(*s.Detail.Kubeconfig)
		if slices.Contains(s.Reasons, reconcile.ClusterCAChanged) {
			text += ", with the CA " + code("sha256:"+s.Detail.Kubeconfig.CASHA256)
		}
		reasons := slices.DeleteFunc(slices.Clone(s.Reasons), func(r reconcile.Reason) bool { return !slices.Contains(leadsElsewhere, r) })
		return fmt.Sprintf("%s (%s)", text, joinReasons(reasons))
	}
	var items []string
	for _, same := range terminal.GroupBy(changed, text) {
		names := make([]string, len(same))
		for i, s := range same {
			names[i] = s.User
		}
		items = append(items, fmt.Sprintf("**Kubeconfigs lead elsewhere**: %s: %s", firstOf(names, code), text(same[0])))
	}
	return items
}
