package reconcile_test

import (
	"encoding/xml"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestReadmeClaims: each test that the README names as the proof of a claim exists in the package that it names.
func TestReadmeClaims(t *testing.T) {
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile(`go test \./(\S+) -run (Test\w+)`).FindAllStringSubmatch(string(readme), -1)
	if len(named) < 3 {
		t.Fatalf("the README names %d tests", len(named))
	}
	for _, m := range named {
		files, err := filepath.Glob(filepath.Join("..", m[1], "*_test.go"))
		if err != nil {
			t.Fatal(err)
		}
		found := false
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			found = found || strings.Contains(string(text), "\nfunc "+m[2])
		}
		if !found {
			t.Errorf("there is no %s in %s", m[2], m[1])
		}
	}
}

// TestFlow: the README's picture is well-formed, has colours for dark pages, and asks for nothing from elsewhere.
func TestFlow(t *testing.T) {
	picture, err := os.ReadFile("../examples/flow.svg")
	if err != nil {
		t.Fatal(err)
	}
	decoder := xml.NewDecoder(strings.NewReader(string(picture)))
	for {
		token, err := decoder.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		element, ok := token.(xml.StartElement)
		if !ok {
			continue
		}
		if name := element.Name.Local; name == "script" || name == "image" || name == "foreignObject" {
			t.Errorf("the picture has a %s", name)
		}
		for _, a := range element.Attr {
			if a.Name.Local == "href" || strings.HasPrefix(a.Name.Local, "on") {
				t.Errorf("the picture has %s=%q", a.Name.Local, a.Value)
			}
		}
	}
	for _, want := range []string{"prefers-color-scheme: dark", ">users.yaml<", ">certsync plan<", ">CertificateSigningRequest<", ">RoleBindings<", ">Vault<", ">user<"} {
		if !strings.Contains(string(picture), want) {
			t.Errorf("the picture does not have %s", want)
		}
	}
}
