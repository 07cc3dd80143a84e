package inventory

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/certsync/certsync/inventory/jsonschema"
	"github.com/certsync/certsync/inventory/shape"
	"github.com/certsync/certsync/inventory/strict"
)

// samples are what may stand where a text does, by the name of their type in package shape.
func samples(t *testing.T) map[string]string {
	return map[string]string{
		"apiVersionText":   APIVersion,
		"kindText":         Kind,
		"teamKindText":     TeamKind,
		"ownerText":        "prod-eu",
		"nameText":         "payments",
		"roleText":         "view",
		"labelKeyText":     "team",
		"labelValueText":   "blue",
		"valuesText":       "In",
		"namespaceText":    "staging",
		"expirationText":   "24h",
		"renewBeforeText":  "20%",
		"untilText":        "2027-06-30",
		"keyAlgorithmText": "RSA-2048",
		"whyText":          "moves the payments database, see (OPS-7)",
		"clusterText":      "prod",
		"contextText":      "admin@prod",
		"clusterValueText": "blue",
		"serverText":       "https://k8s.example.com",
		"proxyText":        "http://proxy:3128",
		"tlsServerText":    "kubernetes",
		"fileText":         "ca.crt",
		"requestText":      "payments.csr",
		"teamFileText":     "teams/payments.yaml",
		"base64Text":       base64.StdEncoding.EncodeToString(certificate(t)),
	}
}

// trial is a document with something in one place, and whether it may be there.
type trial struct {
	path     string
	document any
	legal    bool
}

// trials are documents of a shape, for each of its fields one that has what belongs there, one that has something else,
// and one that lacks it.
func trials(t *testing.T, shape reflect.Type, samples map[string]string) []trial {
	switch shape.Kind() {
	case reflect.String:
		sample, ok := samples[shape.Name()]
		if !ok {
			t.Fatalf("no sample of %s", shape)
		}
		return []trial{{"", sample, true}, {"", map[string]any{"x": "y"}, false}, {"", []any{"x"}, false}}
	case reflect.Slice:
		all := []trial{{"", []any{}, true}, {"", "text", false}, {"", nil, false}}
		if _, filled := reflect.Zero(shape).Interface().(interface{ Filled() int }); filled {
			all = []trial{{"", []any{trials(t, shape.Elem(), samples)[0].document}, true}, {"", []any{}, false}, {"", "text", false}}
		}
		if other, ok := reflect.Zero(shape).Interface().(interface{ Instead() reflect.Type }); ok && other.Instead().Kind() == reflect.String {
			all[2].legal = true
		}
		short, isShort := reflect.Zero(shape.Elem()).Interface().(interface{ Instead() reflect.Type })
		for _, inner := range trials(t, shape.Elem(), samples) {
			// A text in place of a grant is its short form.
			if _, text := inner.document.(string); text && isShort && short.Instead().Kind() == reflect.String {
				inner.legal = true
			}
			all = append(all, trial{"[0]" + inner.path, []any{inner.document}, inner.legal})
		}
		return all
	case reflect.Bool:
		return []trial{{"", true, true}, {"", "text", false}}
	case reflect.Map:
		all := []trial{{"", map[string]any{}, true}, {"", "text", false}}
		if _, filled := reflect.Zero(shape).Interface().(interface{ Filled() int }); filled {
			all = []trial{{"", map[string]any{samples[shape.Key().Name()]: trials(t, shape.Elem(), samples)[0].document}, true}, {"", map[string]any{}, false}, {"", "text", false}}
		}
		for _, inner := range trials(t, shape.Elem(), samples) {
			all = append(all, trial{"." + samples[shape.Key().Name()] + inner.path, map[string]any{samples[shape.Key().Name()]: inner.document}, inner.legal})
		}
		if other, ok := reflect.Zero(shape).Interface().(interface{ Instead() reflect.Type }); ok {
			all = append(all, trials(t, other.Instead(), samples)...)
		}
		return all
	}
	zero := reflect.Zero(shape).Interface()
	least, choice := map[string]any{}, []string(nil)
	if one, ok := zero.(interface{ ExactlyOne() []string }); ok {
		choice = one.ExactlyOne()
	}
	needed := choice[:min(len(choice), 1)]
	if some, ok := zero.(interface{ AtLeastOne() []string }); ok {
		needed = append(slices.Clone(needed), some.AtLeastOne()[0])
	}
	for _, f := range jsonschema.Fields(shape) {
		if name, optional := jsonschema.Key(f); !optional || slices.Contains(needed, name) {
			least[name] = trials(t, f.Type, samples)[0].document
		}
	}
	var all []trial
	if free, ok := zero.(interface {
		Others() (key, value reflect.Type, except string, most int)
	}); ok {
		name, value, _, _ := free.Others()
		least[samples[name.Name()]] = samples[value.Name()]
		for _, inner := range trials(t, value, samples) {
			all = append(all, trial{"." + samples[name.Name()] + inner.path, map[string]any{samples[name.Name()]: inner.document}, inner.legal})
		}
	}
	all = append([]trial{{"", least, true}, {"", "text", false}}, all...)
	for _, name := range needed {
		without := maps.Clone(least)
		delete(without, name)
		all = append(all, trial{"", without, false})
	}
	for _, f := range jsonschema.Fields(shape) {
		name, optional := jsonschema.Key(f)
		for _, inner := range trials(t, f.Type, samples) {
			with := maps.Clone(least)
			if slices.Contains(choice, name) {
				delete(with, choice[0])
			}
			with[name] = inner.document
			all = append(all, trial{"." + name + inner.path, with, inner.legal})
		}
		if !optional {
			without := maps.Clone(least)
			delete(without, name)
			all = append(all, trial{"." + name, without, false})
		}
	}
	return all
}

// TestParserAndSchemaKnowTheSameFields: for every field of the shapes, both take what belongs there, and both refuse what
// doesn't. The parser does so at that place: a field that it never looked at could hold anything.
func TestParserAndSchemaKnowTheSameFields(t *testing.T) {
	samples, schemas := samples(t), schemas(t)
	for kind, file := range map[string]reflect.Type{Kind: reflect.TypeFor[shape.Inventory](), TeamKind: reflect.TypeFor[shape.TeamFile]()} {
		tried := 0
		for _, c := range trials(t, file, samples) {
			text, err := json.Marshal(inClusters(c))
			if err != nil {
				t.Fatal(err)
			}
			problems := parseAs(t, kind, string(text))
			if refused := validate(schemas[kind], string(text)) != nil; refused == c.legal || (len(problems) > 0) == c.legal {
				t.Errorf("%s: legal %t, refused by the schema %t, by the parser %v", text, c.legal, refused, problems)
			}
			if at := strings.TrimPrefix(c.path, "."); !c.legal && !strings.HasPrefix(problems[0].Path, at) {
				t.Errorf("%s: the problem is at %s, not at %s", text, problems[0].Path, at)
			}
			tried++
		}
		if tried < 30 {
			t.Errorf("only %d documents were tried", tried)
		}
	}
}

// selectedClusters are clusters, among them those that the trials' selectors select.
var selectedClusters = []any{
	map[string]any{"name": "prod", "owner": "prod-eu", "labels": map[string]any{"team": "blue"}},
	map[string]any{"name": "test", "owner": "test", "labels": map[string]any{"team": "text"}},
}

// inClusters is the document of a trial, in an inventory for several clusters where a selector of clusters stands in it.
func inClusters(c trial) any {
	document, ok := c.document.(map[string]any)
	if _, alone := document["owner"]; !ok || !alone || !strings.Contains(strings.TrimPrefix(c.path, ".clusters"), ".clusters") {
		return c.document
	}
	document = maps.Clone(document)
	delete(document, "owner")
	document["clusters"] = selectedClusters
	return document
}

// parseAs parses an inventory, or the file of team payments, and returns what is wrong with it.
func parseAs(t *testing.T, kind, text string) strict.Problems {
	t.Helper()
	request := csr(t, func(r *x509.CertificateRequest) { r.Subject.CommonName = "payments" })
	files := fstest.MapFS{"ca.crt": {Data: certificate(t)}, "payments.csr": {Data: []byte(request)}}
	root, team := text, teamHeader+"users: []"
	if kind == TeamKind {
		clusters := "apiVersion: certsync.dev/v1\nkind: Inventory\nclusters: [{name: prod, owner: prod-eu, labels: {team: blue}}, {name: test, owner: test, labels: {team: text}}]\n"
		root, team = clusters+"groups: [{name: payments}]\nusers: []\nteams: [{name: payments, file: teams/payments.yaml, groups: [payments]}]", text
	}
	if strings.Contains(root, "teams/payments.yaml") {
		files["teams/payments.yaml"] = &fstest.MapFile{Data: []byte(team)}
	}
	_, err := Parse("users.yaml", []byte(root), files)
	problems, _ := err.(strict.Problems)
	// There is but one name, which is no group's, and is the user's own as an old one.
	return slices.DeleteFunc(problems, func(p strict.Problem) bool {
		return strings.HasSuffix(p.Message, `group "payments" is not declared`) || strings.Contains(p.Message, "is the user's present name")
	})
}
