package generate

import (
	"bytes"
	"fmt"

	"sigs.k8s.io/yaml"

	"github.com/certsync/certsync/cmd/certsync/internal/terminal"
	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/revocation"
)

// AuthorizationConfig writes webhook authorizers that deny everything to revoked certificates. They are items for the list
// authorizers of an AuthorizationConfiguration. They are not a complete configuration, which would deny everything to all.
func AuthorizationConfig(r revocation.Report) ([]byte, error) {
	var b bytes.Buffer
	fmt.Fprintf(&b, `# Denies all requests of %s of owner %s. Made by certsync revocations.
#
# These are items for the list "authorizers" in the AuthorizationConfiguration of your API servers
# (--authorization-config). They are not a complete configuration. Put them before all other items, and remove
# the items of the last run. The API server reloads the file by itself. If the new file has an error, it keeps
# the old one. Check its metric apiserver_authorization_config_controller_automatic_reloads_total.
#
# No webhook runs. Nothing may listen at the address in the kubeconfig, so that every call fails and the request
# is denied. The kubeconfig is the file denied.kubeconfig beside certsync's guide to revocation.
`, terminal.Plural(len(r.Entries), "revoked certificate"), r.Owner)
	b.WriteString(notListed(r))
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
		b.WriteString("#\n# No certificate is revoked, so there is no item.\n")
		return b.Bytes(), nil
	}
	text, err := yaml.Marshal(items)
	b.Write(text)
	return b.Bytes(), err
}

// notListed is a comment about revoked certificates that are too many for a list.
func notListed(r revocation.Report) string {
	if r.Left == 0 {
		return ""
	}
	return fmt.Sprintf("#\n# %s more are NOT in this list, because it is full.\n", terminal.Plural(r.Left, "revoked certificate"))
}

// AdmissionPolicy writes the admission policy and its binding as YAML, ready to apply.
func AdmissionPolicy(r revocation.Report, objects []any) ([]byte, error) {
	var b bytes.Buffer
	fmt.Fprintf(&b, `# Denies all writes of %s of owner %s. Made by certsync revocations.
# Apply it with kubectl apply --server-side. Without that flag, kubectl keeps a copy in an annotation, which may be too large.
# certsync manifests --revocation deploys the same policy, and certsync apply then updates it.
`, terminal.Plural(len(r.Entries), "revoked certificate"), r.Owner)
	b.WriteString(notListed(r))
	err := writeDocuments(&b, objects)
	return b.Bytes(), err
}
