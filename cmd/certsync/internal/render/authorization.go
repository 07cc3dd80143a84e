package render

import (
	"bytes"
	"fmt"

	"sigs.k8s.io/yaml"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/revocation"
)

// AuthorizationConfig writes webhook authorizers that deny everything to revoked certificates, as items for the list
// authorizers of an AuthorizationConfiguration. It is no whole configuration: with that alone nobody would have any right.
func AuthorizationConfig(r revocation.Report) ([]byte, error) {
	var b bytes.Buffer
	fmt.Fprintf(&b, `# Denies everything to %s of owner %s, made by certsync revocations.
#
# These are items for the list "authorizers" of your API servers' AuthorizationConfiguration
# (--authorization-config), no whole configuration. Put them before all other items, in place of those of the
# last time. The API server reads the file again by itself. It keeps the old one if the new one has an error:
# look at its metric apiserver_authorization_config_controller_automatic_reloads_total.
#
# No webhook is called: nothing may listen at the address in the kubeconfig, and what cannot be asked is denied.
# The kubeconfig is the file denied.kubeconfig that stands beside certsync's guide to revocation.
`, plural(len(r.Entries), "revoked certificate"), r.Owner)
	type condition struct {
		Expression string `json:"expression"`
	}
	var items []any
	for i, match := range revocation.Matches(r.Entries) {
		var conditions []condition
		for _, c := range revocation.Authorization.Conditions() {
			conditions = append(conditions, condition{c.Expression})
		}
		items = append(items, map[string]any{
			"type": "Webhook", "name": fmt.Sprintf("%s-%d", reconcile.RevocationPolicyName(r.Owner), i+1),
			"webhook": map[string]any{
				"timeout": "3s", "authorizedTTL": "5m", "unauthorizedTTL": "30s", "failurePolicy": "Deny",
				"subjectAccessReviewVersion": "v1", "matchConditionSubjectAccessReviewVersion": "v1",
				"connectionInfo":  map[string]any{"type": "KubeConfigFile", "kubeConfigFile": "/etc/kubernetes/certsync/denied.kubeconfig"},
				"matchConditions": append(conditions, condition{match}),
			},
		})
	}
	if len(items) == 0 {
		b.WriteString("#\n# No certificate is revoked: there is no item.\n")
		return b.Bytes(), nil
	}
	text, err := yaml.Marshal(items)
	b.Write(text)
	return b.Bytes(), err
}
