package render

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/certsync/certsync/cmd/certsync/internal/fixture"
	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/access"
	"github.com/certsync/certsync/reconcile/kube/deploy"
	"github.com/certsync/certsync/reconcile/revocation"
)

// revocations are the reports in testdata/text, by the names of the files.
func revocations() map[string]revocation.Report {
	since := fixture.Noon.Add(-time.Hour)
	none := revocation.Report{FormatVersion: "1", Owner: "prod-eu", ClusterUID: "u", At: fixture.Noon, Certificates: []revocation.Certificate{},
		Tiers: revocation.Tiers{Epoch: revocation.InForce, Admission: revocation.NotDeployed, Authorization: revocation.Unknown}}
	some := none
	some.Tiers.Admission = revocation.InForce
	some.Certificates = []revocation.Certificate{
		{User: "alice@example.com", Username: "alice@example.com", Serial: "4e074085", SHA256: strings.Repeat("62bedb8b", 8), Reason: reconcile.CertificateRevoked,
			Since: &since, NotAfter: fixture.Noon.Add(48 * time.Hour), Groups: []string{"developers"}, Denied: true, ResidualAccess: []access.Given{
				{Binding: "ClusterRoleBinding legacy", Subject: "Group/developers", Role: "ClusterRole/node-reader", Rules: []reconcile.Rule{
					{Verbs: []string{"get", "list"}, Groups: []string{""}, Resources: []string{"nodes"}, Names: []string{"one"}}, {Verbs: []string{"get"}, URLs: []string{"/metrics"}}}},
				{Binding: "RoleBinding payments/certsync:other:user:alice@example.com:edit", Owner: "other", Namespace: "payments", Subject: "User/alice@example.com", Role: "ClusterRole/edit",
					Rules: []reconcile.Rule{{Verbs: []string{"*"}, Groups: []string{"", "apps"}, Resources: []string{"pods", "deployments"}}}}}},
		{User: "bob@example.com", Username: "bob@example.com#4", Reason: reconcile.NotInInventory, NotAfter: fixture.Noon.Add(time.Hour), Groups: []string{}, ResidualAccess: []access.Given{}},
		{User: "eve", Username: "eve", Serial: "1", SHA256: strings.Repeat("0", 64), Reason: "\x1b[31m renamed", Since: &since, NotAfter: fixture.Noon.Add(time.Hour), Groups: []string{}, ResidualAccess: []access.Given{
			{Binding: "RoleBinding a/\x1b[2J\n  admission: yes", Subject: "User/eve", Role: "Role/\x07", Rules: []reconcile.Rule{{Verbs: []string{"\x1b]0;x"}, Groups: []string{""}, Resources: []string{"a\nb"}}}}}},
	}
	some.Entries, some.Left = revocation.Entries(some.Certificates)
	broken := none
	broken.Tiers.Admission, broken.Tiers.AdmissionProblem, broken.Left = revocation.NotInForce, "its binding does not exist", 3
	return map[string]revocation.Report{"revocations-none": none, "revocations-some": some, "revocations-broken": broken}
}

// TestRevocations: each form of the list is as in its golden file, and nothing in it controls a terminal.
func TestRevocations(t *testing.T) {
	for name, r := range revocations() {
		t.Run(name, func(t *testing.T) {
			text := string(Revocations(r, false))
			fixture.Golden(t, "testdata/text/"+name+".txt", text)
			if strings.ContainsAny(text, "\x1b\x07") || strings.Contains(text, "\n  admission: yes") != (r.Tiers.Admission == revocation.InForce) {
				t.Errorf("%q", text)
			}
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
			asJSON, err := json.MarshalIndent(r, "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			fixture.Golden(t, "testdata/text/"+name+".json", string(asJSON)+"\n")
		})
	}
}

// TestAuthorizationConfigIsNone: the items alone are no AuthorizationConfiguration, which would leave nobody a right.
func TestAuthorizationConfigIsNone(t *testing.T) {
	text, err := AuthorizationConfig(revocations()["revocations-some"])
	if err != nil {
		t.Fatal(err)
	}
	var items []map[string]any
	if err := yaml.Unmarshal(text, &items); err != nil || len(items) != 1 || items[0]["type"] != "Webhook" {
		t.Errorf("%v: %v", err, items)
	}
}
