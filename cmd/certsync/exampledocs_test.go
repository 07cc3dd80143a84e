//go:build unix

package main

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	rbacv1 "k8s.io/api/rbac/v1"
)

// rows are the rows of the tables in a document, without header and rule.
func rows(t *testing.T, path string) (all [][]string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`(?m)^ *\| (.*) \|$`).FindAllStringSubmatch(string(text), -1) {
		all = append(all, strings.Split(m[1], " | "))
	}
	return all
}

var inCode = regexp.MustCompile("`([^`]+)`")

// TestRightsInExamples: the table in examples/in-cluster has every right of the job's account, and no other.
func TestRightsInExamples(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(inCluster, "certsync.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	given := map[string]bool{}
	add := func(rules []rbacv1.PolicyRule) {
		for _, rule := range rules {
			for _, resource := range rule.Resources {
				for _, verb := range rule.Verbs {
					given[verb+" "+resource] = true
				}
			}
		}
	}
	for _, object := range documents(t, string(text)) {
		switch o := object.(type) {
		case *rbacv1.ClusterRole:
			if o.Name == "certsync-prod-eu" {
				add(o.Rules)
			}
		case *rbacv1.Role:
			if o.Name == "certsync-prod-eu" {
				add(o.Rules)
			}
		}
	}
	shown := map[string]bool{}
	verb := regexp.MustCompile("^`(get|list|watch|create|update|patch|delete|approve|bind)`")
	for _, row := range rows(t, filepath.Join(inCluster, "README.md")) {
		if !verb.MatchString(row[0]) {
			continue
		}
		for _, v := range inCode.FindAllStringSubmatch(row[0], -1) {
			for _, resource := range inCode.FindAllStringSubmatch(row[1], -1) {
				shown[v[1]+" "+resource[1]] = true
			}
		}
	}
	if diff := cmp.Diff(slices.Sorted(maps.Keys(given)), slices.Sorted(maps.Keys(shown))); diff != "" {
		t.Errorf("given (-) and in the table (+): %s", diff)
	}
}

// TestAlertsInExamples: the table in examples/monitoring has every alert with its severity, and no other.
func TestAlertsInExamples(t *testing.T) {
	text, err := os.ReadFile("../../examples/monitoring/alerts.yaml")
	if err != nil {
		t.Fatal(err)
	}
	alerts, shown := map[string]string{}, map[string]string{}
	for _, m := range regexp.MustCompile(`(?s)alert: (\w+)\n.*?severity: (\w+)`).FindAllStringSubmatch(string(text), -1) {
		alerts[m[1]] = m[2]
	}
	for _, row := range rows(t, "../../examples/monitoring/README.md") {
		if name, found := strings.CutPrefix(row[0], "`Certsync"); found {
			shown["Certsync"+strings.TrimSuffix(name, "`")] = row[1]
		}
	}
	if diff := cmp.Diff(alerts, shown); diff != "" {
		t.Errorf("alerts (-) and in the table (+): %s", diff)
	}
}

// TestPolicyInExamples: the policy of a user in examples/vault is one that manifests prints.
func TestPolicyInExamples(t *testing.T) {
	text, err := os.ReadFile("../../examples/vault/README.md")
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile("(?s)```hcl\n(.*?)```").FindStringSubmatch(string(text))
	if m == nil {
		t.Fatal("examples/vault shows no policy")
	}
	printed := within(t, t.Context(), "manifests", "--vault", "-f", filepath.Join(inCluster, "users.yaml"))
	if printed.code != 0 || !strings.Contains(printed.stdout, m[1]) {
		t.Errorf("%s is not in: %s%s", m[1], printed.stdout, printed.stderr)
	}
}
