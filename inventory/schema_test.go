package inventory

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

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

// example is a text with the kind of file that it is to be.
type example struct{ kind, text string }

// goodExamples are all texts that there are and the parser takes, by where they stand.
func goodExamples(t *testing.T) map[string]example {
	t.Helper()
	good := map[string]example{"the digest's": {Kind, digestBase}, "with a team": {Kind, withTeam}, "a team's": {TeamKind, teamHeader + "users: [{name: bob}]"}}
	for sentence, text := range accepted {
		good["accepted: "+sentence] = example{Kind, text}
	}
	for sentence, c := range ends {
		good["ends: "+sentence] = example{Kind, header + "users: [{name: a, until: " + c.written + "}]"}
	}
	for where, text := range examplesOnDisk(t) {
		if !isBad(t, where, text) {
			good[where] = example{kindOf(text), text}
		}
	}
	return good
}

// badExamples are all texts that there are and the parser refuses for what stands in themselves.
func badExamples(t *testing.T) map[string]example {
	t.Helper()
	bad := map[string]example{}
	for table, refusals := range map[string]map[string]refusal{
		"document": documentRefusals, "field": fieldRefusals, "name": nameRefusals, "time": timeRefusals, "cluster": clusterRefusals, "team": teamRefusals,
	} {
		for sentence, c := range refusals {
			bad[table+": "+sentence] = example{Kind, c.text}
		}
	}
	for sentence, c := range fileRefusals {
		bad["file: "+sentence] = example{TeamKind, c.text}
	}
	for where, text := range examplesOnDisk(t) {
		if isBad(t, where, text) {
			bad[where] = example{kindOf(text), text}
		}
	}
	return bad
}

var kindForm = regexp.MustCompile(`(?m)^kind: (Inventory|TeamInventory)$`)

func kindOf(text string) string {
	if m := kindForm.FindStringSubmatch(text); m != nil {
		return m[1]
	}
	return ""
}

// examplesOnDisk are the inventories and teams' files in testdata, in the golden folders of the command line, in examples
// and in the README, by where they are.
func examplesOnDisk(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, top := range []string{"testdata", "../cmd/certsync/testdata", "../examples"} {
		err := filepath.WalkDir(top, func(path string, entry os.DirEntry, err error) error {
			if err != nil || entry.IsDir() || !isYAML(path) {
				return err
			}
			text, err := os.ReadFile(path)
			if kindOf(string(text)) != "" {
				found[filepath.ToSlash(path)] = string(text)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	for i, m := range regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(string(readme), -1) {
		if kindOf(m[1]) != "" {
			found[fmt.Sprintf("README.md, block %d", i)] = m[1]
		}
	}
	if len(found) < 40 {
		t.Fatalf("only %d examples on the disk", len(found))
	}
	return found
}

// isBad parses an example where it stands, and says whether something in itself is wrong. A team's file is read with its
// inventory, which lies beside or above it.
func isBad(t *testing.T, where, text string) bool {
	t.Helper()
	own, err := where, error(nil)
	switch team := kindOf(text) == TeamKind; {
	case team && strings.HasPrefix(where, "README"):
		own = "teams/payments.yaml"
		_, err = Parse("users.yaml", []byte(withTeam), filesOf(own, text))
	case team:
		root := filepath.Join(filepath.Dir(where), "users.yaml")
		if _, err := os.Stat(root); err != nil {
			root = filepath.Join(filepath.Dir(where), "../users.yaml")
		}
		_, err = Load(root)
	case strings.HasPrefix(where, "README"):
		files := fstest.MapFS{}
		if strings.Contains(text, "teams/payments.yaml") {
			files = filesOf("teams/payments.yaml", teamHeader+"users: []")
		}
		_, err = Parse(where, []byte(text), files)
	case where == "testdata/full.yaml":
		_, err = Parse(where, []byte(text), filesOf("ca.crt", string(certificate(t))))
	default:
		_, err = Load(where)
	}
	problems := Problems{}
	if err != nil && !errors.As(err, &problems) {
		t.Fatal(err)
	}
	return slices.ContainsFunc(problems, func(p Problem) bool { return filepath.ToSlash(p.File) == own })
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
	for _, m := range regexp.MustCompile(`(?s)"(expiration|renewBefore|keyAlgorithm)": \{[^{}]*?"default": "([^"]*)"`).FindAllStringSubmatch(string(Schema()), -1) {
		written = append(written, m[1]+": "+m[2])
	}
	inv := mustParse(t, header+"users: []\ndefaults: {"+strings.Join(written, ", ")+"}", nil)
	if len(written) != 3 || inv.Defaults != builtIn {
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
