package kubeconfig

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	yaml "sigs.k8s.io/yaml/goyaml.v3"
)

// share says which entries a merge writes into one file.
type share struct {
	cluster, user, context bool
	current                bool // and makes the context the current one
}

// The fields of an entry that say which cluster and user it means. The other fields are the user's own, such as a context's
// namespace, or extensions of other tools.
var (
	clusterFields = []string{"server", "tls-server-name", "proxy-url", "certificate-authority", "certificate-authority-data", "insecure-skip-tls-verify"}
	contextFields = []string{"cluster", "user"}
)

// mergeText merges entries of ours, a kubeconfig of one user, into the text of another one. Everything else stays as it is,
// also comments and fields that kubectl does not know; clientcmd would lose both. If nothing changes, the bytes are the same.
// No error repeats a part of either.
func mergeText(old []byte, ours *clientcmdapi.Config, s share) ([]byte, error) {
	has, err := clientcmd.Load(old)
	if err != nil {
		return nil, errNoKubeconfig // err may quote from it
	}
	want := merged(has, ours, s)
	if sameConfig(has, want) {
		return old, nil
	}
	text, err := mergeNodes(old, ours, s)
	if err != nil {
		return nil, err
	}
	// YAML has anchors, merge keys and duplicates. Make sure that the merge did not change other entries by them.
	got, err := clientcmd.Load(text)
	if err != nil || !sameConfig(got, want) {
		return nil, errNotMergeable
	}
	return text, nil
}

var (
	errNoKubeconfig = errors.New("kubectl cannot read it as a kubeconfig")
	errNotMergeable = errors.New("it has more than one document, or a change would also change other entries")
)

// merged returns the result that a merge must have, as kubectl reads it.
func merged(has, ours *clientcmdapi.Config, s share) *clientcmdapi.Config {
	want := has.DeepCopy()
	context := ours.Contexts[ours.CurrentContext]
	if s.cluster {
		c := ours.Clusters[context.Cluster].DeepCopy()
		if old := has.Clusters[context.Cluster]; old != nil {
			c.DisableCompression, c.Extensions = old.DisableCompression, old.Extensions
		}
		want.Clusters[context.Cluster] = c
	}
	if s.user {
		u := ours.AuthInfos[context.AuthInfo].DeepCopy()
		if old := has.AuthInfos[context.AuthInfo]; old != nil {
			u.Extensions = old.Extensions
		}
		want.AuthInfos[context.AuthInfo] = u
	}
	if s.context {
		c := context.DeepCopy()
		if old := has.Contexts[ours.CurrentContext]; old != nil {
			c.Namespace, c.Extensions = old.Namespace, old.Extensions
		}
		want.Contexts[ours.CurrentContext] = c
	}
	if s.current {
		want.CurrentContext = ours.CurrentContext
	}
	return want
}

// sameConfig compares two kubeconfigs by the texts that clientcmd would write.
func sameConfig(a, b *clientcmdapi.Config) bool {
	textA, errA := clientcmd.Write(*a)
	textB, errB := clientcmd.Write(*b)
	return errA == nil && errB == nil && bytes.Equal(textA, textB)
}

// mergeNodes merges on the level of YAML nodes, which keeps comments and order.
func mergeNodes(old []byte, ours *clientcmdapi.Config, s share) ([]byte, error) {
	text, err := clientcmd.Write(*ours)
	if err != nil {
		return nil, fmt.Errorf("writing the entries: %w", err)
	}
	var doc, entries yaml.Node
	if yaml.Unmarshal(text, &entries) != nil || onlyDocument(old, &doc) != nil {
		return nil, errNotMergeable
	}
	var head []byte
	if len(doc.Content) == 0 || doc.Content[0].Tag == "!!null" {
		head = comments(old)
		if err := yaml.Unmarshal([]byte("apiVersion: v1\nkind: Config\n"), &doc); err != nil {
			return nil, err
		}
	}
	into, from := doc.Content[0], entries.Content[0]
	if into.Kind != yaml.MappingNode {
		return nil, errNotMergeable
	}
	into.Style = 0 // JSON becomes YAML
	kept := func(owned []string) func(string) bool {
		return func(field string) bool { return !slices.Contains(owned, field) }
	}
	if s.cluster {
		mergeEntry(into, from, "clusters", "cluster", kept(clusterFields))
	}
	if s.user {
		mergeEntry(into, from, "users", "user", func(field string) bool { return field == "extensions" })
	}
	if s.context {
		mergeEntry(into, from, "contexts", "context", kept(contextFields))
	}
	if s.current {
		setField(into, "current-context", field(from, "current-context"))
	}
	var b bytes.Buffer
	e := yaml.NewEncoder(&b)
	e.SetIndent(2)
	e.CompactSeqIndent() // as kubectl writes it
	if err := errors.Join(e.Encode(&doc), e.Close()); err != nil {
		return nil, errNotMergeable
	}
	return append(head, b.Bytes()...), nil
}

// comments returns the comments of a document without content, which YAML nodes lose, and the empty lines between them.
func comments(text []byte) []byte {
	var kept []byte
	for line := range bytes.Lines(text) {
		line = bytes.TrimSpace(bytes.TrimPrefix(line, []byte("---")))
		if len(line) == 0 && len(kept) > 0 || bytes.HasPrefix(line, []byte("#")) {
			kept = append(append(kept, line...), '\n')
		}
	}
	return kept
}

// onlyDocument reads a text of at most one YAML document. kubectl reads the first one only, and the others would be lost.
func onlyDocument(text []byte, doc *yaml.Node) error {
	d := yaml.NewDecoder(bytes.NewReader(text))
	if err := d.Decode(doc); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if err := d.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return errNotMergeable
	}
	return nil
}

// mergeEntry merges the only entry of from's list into the list of the same name. If an entry of its name exists, the fields
// for which keep returns true stay.
func mergeEntry(into, from *yaml.Node, list, inside string, keep func(field string) bool) {
	entry := field(from, list).Content[0]
	there := field(into, list)
	if there == nil || there.Kind != yaml.SequenceNode {
		there = &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq"} // kubectl writes null for an empty list
		setField(into, list, there)
	}
	if len(there.Content) == 0 {
		there.Style = 0
	}
	for _, has := range there.Content {
		name := field(has, "name")
		if name == nil || name.Value != field(entry, "name").Value {
			continue
		}
		if value := field(has, inside); value != nil && value.Kind == yaml.MappingNode {
			overwrite(value, field(entry, inside), keep)
		} else {
			setField(has, inside, field(entry, inside))
		}
		return
	}
	there.Content = append(there.Content, entry)
}

// overwrite gives a mapping the fields of another one. Its other fields stay if keep returns true.
func overwrite(into, from *yaml.Node, keep func(field string) bool) {
	old := into.Content
	into.Content = nil
	for i := 0; i+1 < len(old); i += 2 {
		if field(from, old[i].Value) != nil || keep(old[i].Value) {
			into.Content = append(into.Content, old[i], old[i+1])
		}
	}
	for i := 0; i+1 < len(from.Content); i += 2 {
		setField(into, from.Content[i].Value, from.Content[i+1])
	}
}

// field returns the value of a mapping's field, or nil.
func field(mapping *yaml.Node, name string) *yaml.Node {
	for i := 0; mapping.Kind == yaml.MappingNode && i+1 < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value == name {
			return mapping.Content[i+1]
		}
	}
	return nil
}

// setField sets a mapping's field. A comment on the line of the old value stays.
func setField(mapping *yaml.Node, name string, value *yaml.Node) {
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value == name {
			value.LineComment = mapping.Content[i+1].LineComment
			mapping.Content[i+1] = value
			return
		}
	}
	mapping.Content = append(mapping.Content, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: name}, value)
}
