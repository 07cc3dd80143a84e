package generate

import (
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/certsync/certsync/cmd/certsync/internal/fixture"
	"github.com/certsync/certsync/reconcile/kube/deploy"
)

// TestRevocationFiles: the admission policy and the authorizers are as in their golden files.
func TestRevocationFiles(t *testing.T) {
	for name, r := range fixture.Revocations() {
		t.Run(name, func(t *testing.T) {
			var objects []any
			for _, o := range deploy.RevocationPolicy(r.Owner, r.Entries) {
				objects = append(objects, o)
			}
			policy, err := AdmissionPolicy(r, objects)
			if err != nil {
				t.Fatal(err)
			}
			config, err := AuthorizationConfig(r)
			if err != nil {
				t.Fatal(err)
			}
			if name != "revocations-some" {
				return
			}
			fixture.Golden(t, "testdata/text/"+name+".policy.yaml", string(policy))
			fixture.Golden(t, "testdata/text/"+name+".authorization.yaml", string(config))
		})
	}
}

// TestFullLists: a list without room for all revoked certificates says so.
func TestFullLists(t *testing.T) {
	r := fixture.Revocations()["revocations-some"]
	r.Left = 3
	policy, err := AdmissionPolicy(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	config, err := AuthorizationConfig(r)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{string(policy), string(config)} {
		if !strings.Contains(text, "\n# 3 revoked certificates more are NOT in this list, because it is full.\n") {
			t.Error(text)
		}
	}
}

// TestAuthorizationConfigIsNone: the items alone are no AuthorizationConfiguration, which would leave nobody a right.
func TestAuthorizationConfigIsNone(t *testing.T) {
	text, err := AuthorizationConfig(fixture.Revocations()["revocations-some"])
	if err != nil {
		t.Fatal(err)
	}
	var items []map[string]any
	if err := yaml.Unmarshal(text, &items); err != nil || len(items) != 1 || items[0]["type"] != "Webhook" {
		t.Errorf("%v: %v", err, items)
	}
}
