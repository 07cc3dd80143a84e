package inventory

import (
	"bytes"
	"maps"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
	yaml "sigs.k8s.io/yaml/goyaml.v3"
)

// validator is a schema as somebody else's program understands it, which also checks the schema itself.
func validator(t testing.TB, text []byte) *jsonschema.Schema {
	t.Helper()
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("schema.json", document); err != nil {
		t.Fatal(err)
	}
	schema, err := compiler.Compile("schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// schemas of both files, by what kind says in them.
func schemas(t testing.TB) map[string]*jsonschema.Schema {
	return map[string]*jsonschema.Schema{Kind: validator(t, Schema()), TeamKind: validator(t, TeamSchema())}
}

// validate checks the first document of a text, as an editor reads it.
func validate(schema *jsonschema.Schema, text string) error {
	var document yaml.Node
	if err := yaml.NewDecoder(strings.NewReader(text)).Decode(&document); err != nil {
		return err
	}
	plain, err := asJSON(document.Content[0])
	if err != nil {
		return err
	}
	return schema.Validate(plain)
}

// asJSON is a document of YAML 1.2 as JSON has it: there, dates are text.
func asJSON(node *yaml.Node) (any, error) {
	switch node.Kind {
	case yaml.MappingNode:
		fields := map[string]any{}
		for i := 0; i+1 < len(node.Content); i += 2 {
			value, err := asJSON(node.Content[i+1])
			if err != nil {
				return nil, err
			}
			fields[node.Content[i].Value] = value
		}
		return fields, nil
	case yaml.SequenceNode:
		items := []any{}
		for _, n := range node.Content {
			item, err := asJSON(n)
			if err != nil {
				return nil, err
			}
			items = append(items, item)
		}
		return items, nil
	case yaml.AliasNode:
		return asJSON(node.Alias)
	}
	switch node.Tag {
	case "!!null":
		return nil, nil
	case "!!bool":
		return strings.EqualFold(node.Value, "true"), nil
	case "!!int", "!!float":
		return 1, nil // no field is a number
	}
	return node.Value, nil
}

func TestSchemasTakeEveryGoodExample(t *testing.T) {
	schemas := schemas(t)
	for sentence, e := range goodExamples(t) {
		if err := validate(schemas[e.kind], e.text); err != nil {
			t.Errorf("%s: %v", sentence, err)
		}
	}
}

// TestSchemasRefuseEveryBadExample but those of which is said why they cannot.
func TestSchemasRefuseEveryBadExample(t *testing.T) {
	schemas, bad, listed := schemas(t), badExamples(t), map[string]bool{}
	for why, sentences := range parserOnly {
		for _, sentence := range sentences {
			e, is := bad[sentence]
			switch err := validate(schemas[e.kind], e.text); {
			case !is:
				t.Errorf("there is no bad example %q", sentence)
			case err != nil:
				t.Errorf("%s: the schema does refuse it, take it off the list (%s): %v", sentence, why, err)
			}
			listed[sentence] = true
		}
	}
	for _, sentence := range slices.Sorted(maps.Keys(bad)) {
		if e := bad[sentence]; !listed[sentence] && validate(schemas[e.kind], e.text) == nil {
			t.Errorf("%s: the schema takes it: mend the schema, or list it in parserOnly", sentence)
		}
	}
}

// TestSchemaTakesWhatIsWritten: no inventory that Encode writes, however awkward its names, is refused.
func TestSchemaTakesWhatIsWritten(t *testing.T) {
	schema, ca := validator(t, Schema()), certificate(t)
	for seed := range uint64(300) {
		text := random(rand.New(rand.NewPCG(seed, 2)), ca).Encode(Comments{})
		if err := validate(schema, string(text)); err != nil {
			t.Fatalf("seed %d: %v\n%s", seed, err, text)
		}
	}
}

// TestSchemaDefaultsAreTheParsers: what an editor offers as the default is it.
func TestSchemaDefaultsAreTheParsers(t *testing.T) {
	var written []string
	for _, m := range regexp.MustCompile(`(?s)"(expiration|renewBefore|keyAlgorithm|groupsInCertificate)": \{[^{}]*?"default": "?([^"\s]*)`).FindAllStringSubmatch(string(Schema()), -1) {
		if field := m[1] + ": " + m[2]; !slices.Contains(written, field) { // those of a cluster are the same
			written = append(written, field)
		}
	}
	inv := mustParse(t, header+"users: []\ndefaults: {"+strings.Join(written, ", ")+"}", nil)
	if len(written) != 4 || inv.Defaults != builtIn {
		t.Errorf("%q are %+v", written, inv.Defaults)
	}
}

// TestPatternsAreJavaScriptToo: editors run them as JavaScript, of which Go's regular expressions are not a part, nor the
// other way round.
func TestPatternsAreJavaScriptToo(t *testing.T) {
	patterns := regexp.MustCompile(`"pattern": "(.*)"`).FindAllStringSubmatch(string(Schema())+string(TeamSchema()), -1)
	for _, m := range patterns {
		pattern := strings.ReplaceAll(m[1], `\\`, `\`)
		rest := regexp.MustCompile(`\\(s|S|\.|x[0-9a-f]{2})`).ReplaceAllString(pattern, "")
		if strings.Contains(rest, `\`) || strings.Contains(rest, "(?") || strings.Contains(rest, "[:") {
			t.Errorf("%s has something that only one of them has", pattern)
		}
	}
	if len(patterns) < 30 {
		t.Errorf("only %d patterns", len(patterns))
	}
}

// TestTeamsGuide: the inventory with a team in examples/teams/README.md, and that team's file, belong together.
func TestTeamsGuide(t *testing.T) {
	var root, team string
	for where, text := range examplesOnDisk(t) {
		switch {
		case !strings.HasPrefix(where, "../examples/teams/README.md"):
		case kindOf(text) == TeamKind:
			team = text
		case strings.Contains(text, "\nteams:\n"):
			root = text
		}
	}
	inv := mustParse(t, root, filesOf("teams/payments.yaml", team))
	if len(inv.Users) != 2 || inv.Users[0].Expiration != 24*time.Hour || inv.Users[1].Expiration != 12*time.Hour {
		t.Errorf("%+v", inv.Users)
	}
}
