package render

import (
	"bytes"
	"encoding/json"
	"fmt"

	"sigs.k8s.io/yaml"
)

// warning begins the text of Manifests and VaultScript. It says who must not get access to the job's namespace.
func warning(namespace string) string {
	return fmt.Sprintf(`# Whoever may approve for the signer kubernetes.io/kube-apiserver-client is as good as cluster-admin: such a certificate can
# carry almost any name and group. The service account certsync in namespace %[1]s may, and so may whoever can create pods,
# exec into them, make tokens or write ConfigMaps in namespace %[1]s: give nobody anything there who is not an administrator of
# the cluster.
`, namespace)
}

// Manifests writes the objects of a deployment as YAML documents, without the fields that only the API server sets.
// namespace is the job's.
func Manifests(owner, namespace string, objects []any) ([]byte, error) {
	var b bytes.Buffer
	b.WriteString(warning(namespace))
	fmt.Fprintf(&b, "#\n# Made by certsync manifests for owner %s. A changed inventory makes a ConfigMap of another name; the old ones can be\n"+
		"# deleted. The names of namespaces are in policies and roles too: change them with certsync manifests, not here.\n", owner)
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

// prune removes what Go writes for fields that are not set: a creationTimestamp of null, and empty metadata and specs.
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
