package vaultstore

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func policies(t *testing.T) Policies {
	t.Helper()
	p, err := NewPolicies(Options{Owner: "prod-eu", Mount: "/kv/team/", Prefix: "access"})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestPoliciesHaveTheStoresPaths: what the policies name is where a Store of the same options reads and writes.
func TestPoliciesHaveTheStoresPaths(t *testing.T) {
	p := policies(t)
	apply, plan := p.Apply(), p.Plan()
	if apply.Name != "certsync-prod-eu" || plan.Name != "certsync-prod-eu-plan" {
		t.Errorf("called %q and %q", apply.Name, plan.Name)
	}
	for _, line := range []string{
		`path "kv/team/data/access/prod-eu/users/*" { capabilities = ["create", "update"] }`,
		`path "kv/team/data/access/prod-eu/state" { capabilities = ["create", "update", "read"] }`,
		`path "sys/capabilities-self" { capabilities = ["update"] }`,
	} {
		if !strings.Contains(apply.Rules, line+"\n") {
			t.Errorf("apply's policy lacks %s:\n%s", line, apply.Rules)
		}
	}
	for _, capability := range []string{"create", "delete", "sudo", "kv/team/data/access/prod-eu/users"} {
		if strings.Contains(plan.Rules, capability) {
			t.Errorf("plan's policy has %s:\n%s", capability, plan.Rules)
		}
	}
}

func TestUsersPolicies(t *testing.T) {
	p := policies(t)
	one, err := p.OneUser("cy+x@example.com")
	want := Policy{"certsync-prod-eu-users.cy+x@example.com", "path \"kv/team/data/access/prod-eu/users/cy+x@example.com\" { capabilities = [\"read\"] }\n"}
	if diff := cmp.Diff(want, one); diff != "" || err != nil {
		t.Error(err, diff)
	}
	all, err := p.EveryUser("auth_oidc_1a2b3c4d")
	want = Policy{"certsync-prod-eu-users", `path "kv/team/+/access/prod-eu/users/{{identity.entity.aliases.auth_oidc_1a2b3c4d.name}}" { capabilities = ["read"] }
path "kv/team/+/access/prod-eu/users/+" { capabilities = ["deny"] }
`}
	if diff := cmp.Diff(want, all); diff != "" || err != nil {
		t.Error(err, diff)
	}
	for _, user := range []string{"", "+", "*", "a/b", "../x", `a" {`} {
		if _, err := p.OneUser(user); err == nil {
			t.Errorf("there is a policy for %q", user)
		}
	}
	for _, accessor := range []string{"", "oidc", "auth_oidc_", "auth_oidc_1a2b.name}}", "auth_oidc_1a2b\n"} {
		if _, err := p.EveryUser(accessor); err == nil {
			t.Errorf("there is a policy for the accessor %q", accessor)
		}
	}
}

// TestFoldersThatStandForOthers: a + as a part of a path is a folder to KV, and any folder to a policy.
func TestFoldersThatStandForOthers(t *testing.T) {
	for _, o := range []Options{
		{Owner: "a", Prefix: "+"}, {Owner: "a", Prefix: "x/+/y"}, {Owner: "a", Mount: "+"}, {Owner: "a", Prefix: "*"}, {Owner: "a", Prefix: `x" {`},
	} {
		if _, err := NewPolicies(o); err == nil {
			t.Errorf("there are policies for %+v", o)
		}
	}
	if _, err := NewPolicies(Options{Owner: "a", Prefix: "a+b"}); err != nil {
		t.Error(err)
	}
}

func TestRole(t *testing.T) {
	role, err := policies(t).Plan().Role("k8s/", "access", "certsync-plan", "vault")
	if err != nil {
		t.Fatal(err)
	}
	got, err := json.Marshal(role.Body)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"bound_service_account_names":["certsync-plan"],"bound_service_account_namespaces":["access"],"audience":"vault",` +
		`"token_policies":["certsync-prod-eu-plan"],"token_no_default_policy":true,"token_ttl":600,"token_type":"service"}`
	if role.Path != "auth/k8s/role/certsync-prod-eu-plan" || string(got) != want {
		t.Errorf("%s %s", role.Path, got)
	}
	for _, wrong := range [][]string{{"..", "access", "vault"}, {"k8s", "Access", "vault"}, {"k8s", "*", "vault"}, {"k8s", "access", ""}} {
		if _, err := policies(t).Plan().Role(wrong[0], wrong[1], "certsync", wrong[2]); err == nil {
			t.Errorf("there is a role for %q", wrong)
		}
	}
}
