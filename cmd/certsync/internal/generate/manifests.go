package generate

import (
	"bytes"
	"encoding/json"
	"fmt"

	"sigs.k8s.io/yaml"
)

// warning begins the text of Manifests and VaultScript. It says that only administrators may have access to the namespace.
func warning(namespace string) string {
	return fmt.Sprintf(`# The service account certsync in namespace %[1]s is as good as cluster-admin. It may approve for the signer
# kubernetes.io/kube-apiserver-client, so it can get a certificate with almost any name and group. A user who can create
# pods, exec into them, create tokens or write ConfigMaps in namespace %[1]s can use that service account. Give access to
# this namespace only to administrators of the cluster.
`, namespace)
}

// Manifests writes the objects of a deployment as YAML documents, without the fields that only the API server sets.
// namespace is the job's.
func Manifests(owner, namespace string, objects []any) ([]byte, error) {
	var b bytes.Buffer
	b.WriteString(warning(namespace))
	fmt.Fprintf(&b, "#\n# Made by certsync manifests for owner %s. Each change of the inventory gives the ConfigMap a new name. You can delete\n"+
		"# the old ConfigMaps. Policies and roles contain the names of namespaces: change them with certsync manifests, not here.\n", owner)
	err := writeDocuments(&b, objects)
	return b.Bytes(), err
}

// writeDocuments writes objects as YAML documents, without the fields that only the API server sets.
func writeDocuments(b *bytes.Buffer, objects []any) error {
	for _, object := range objects {
		text, err := json.Marshal(object)
		if err != nil {
			return err
		}
		var fields map[string]any
		if err := json.Unmarshal(text, &fields); err != nil {
			return err
		}
		delete(fields, "status")
		prune(fields)
		document, err := yaml.Marshal(fields)
		if err != nil {
			return err
		}
		b.WriteString("---\n")
		b.Write(document)
	}
	return nil
}

// prune removes fields that are not set but that Go writes: a creationTimestamp of null, and empty metadata and specs.
func prune(fields map[string]any) {
	for name, value := range fields {
		inner, isMap := value.(map[string]any)
		if isMap {
			prune(inner)
		}
		empty := isMap && len(inner) == 0 && (name == "metadata" || name == "spec")
		if empty || name == "creationTimestamp" && value == nil {
			delete(fields, name)
		}
	}
}
