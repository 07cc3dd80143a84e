package vaultstore

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/reconcile"
)

// Policy is what a policy of Vault's is called, and its rules in HCL.
type Policy struct{ Name, Rules string }

// Policies are those of one owner's folder.
type Policies struct {
	tree  tree
	owner string
}

// NewPolicies returns the policies for what Open opens under the same owner, mount and prefix. It asks nothing of Vault.
func NewPolicies(o Options) (Policies, error) {
	t, err := newTree(o)
	if err != nil {
		return Policies{}, err
	}
	for _, path := range []string{t.mount, t.folder} {
		// As a part of a path in a policy it stands for any.
		if slices.Contains(strings.Split(path, "/"), "+") {
			return Policies{}, reconcile.WithHint(fmt.Errorf("writing policies for %q: a part of it is +, which matches any name in a policy", path),
				"name another folder with --vault-mount and --vault-prefix")
		}
	}
	return Policies{tree: t, owner: o.Owner}, nil
}

// rule is what a policy says of one path.
type rule struct {
	path         string
	capabilities []string
}

// revokeSelf has to be said, since the tokens do not have Vault's default policy. All else in that is left out: a run that
// takes longer than its token lives logs in again.
var revokeSelf = rule{"auth/token/revoke-self", []string{"update"}}

// Apply is what apply takes. It writes credentials, and never reads one. The metadata of ledger and state, and the mount's config,
// tell whether Vault deletes what is written there, and what it has deleted.
func (p Policies) Apply() Policy {
	return p.policy("", []rule{
		{p.tree.metadata(ledgerFolder + "/*"), []string{"list", "read", "delete"}},
		{p.tree.data(ledgerFolder + "/*"), []string{"create", "update", "read"}},
		{p.tree.metadata(usersFolder + "/*"), []string{"list", "read", "delete"}},
		{p.tree.data(usersFolder + "/*"), []string{"create", "update"}},
		{p.tree.destroy(usersFolder + "/*"), []string{"update"}},
		{p.tree.data(stateEntry), []string{"create", "update", "read"}},
		{p.tree.metadata(stateEntry), []string{"read"}},
		{p.tree.config(), []string{"read"}},
		{capabilitiesSelf, []string{"update"}},
		revokeSelf,
	})
}

// Plan is what plan and status take.
func (p Policies) Plan() Policy {
	return p.policy("-plan", []rule{
		{p.tree.metadata(ledgerFolder + "/*"), []string{"list", "read"}},
		{p.tree.data(ledgerFolder + "/*"), []string{"read"}},
		{p.tree.metadata(usersFolder + "/*"), []string{"list", "read"}},
		{p.tree.data(stateEntry), []string{"read"}},
		{p.tree.metadata(stateEntry), []string{"read"}},
		revokeSelf,
	})
}

var accessorForm = regexp.MustCompile(`^auth_[A-Za-z0-9_-]+_[0-9a-f]+$`)

// EveryUser is one policy for all users, each of whom may read their own credential: the one that is called like their
// alias at an auth method, which has this accessor.
//
// Vault fills the alias in before it looks for wildcards, so that whoever gets "*", "+" or "ali*" as an alias would read
// others' credentials. So both rules have a + where only data and metadata can stand: of two rules whose first wildcard
// is in the same place Vault takes one without a * at its end before one with it, and then the one with fewer +. A name
// wins over the deny, and what ends in * loses to it; an alias + is the deny's own path, where deny wins, and Vault takes
// no policy with +* in it.
//
// Of rules in other policies, the first wildcard decides: the deny wins over secret/*, and loses to secret/data/* and to what
// Apply and Plan allow.
func (p Policies) EveryUser(accessor string) (Policy, error) {
	if !accessorForm.MatchString(accessor) {
		return Policy{}, reconcile.WithHint(fmt.Errorf("writing the users' policy: %q is not the accessor of an auth method", accessor),
			"`vault auth list` shows the accessors, such as auth_oidc_1a2b3c4d")
	}
	path := func(name string) string { return p.tree.mount + "/+/" + p.tree.folder + "/" + usersFolder + "/" + name }
	return p.policy("-users", []rule{
		{path("{{identity.entity.aliases." + accessor + ".name}}"), []string{"read"}},
		{path("+"), []string{"deny"}},
	}), nil
}

// OneUser is the policy of one user, who may read their own credential.
func (p Policies) OneUser(user string) (Policy, error) {
	entry, err := of(usersFolder, user)
	if err != nil {
		return Policy{}, err
	}
	// No owner has a dot, so that no other's policy is called the same.
	return p.policy("-users."+user, []rule{{p.tree.data(entry), []string{"read"}}}), nil
}

func (p Policies) policy(suffix string, rules []rule) Policy {
	var b strings.Builder
	for _, r := range rules {
		// A tree's paths hold no character that HCL would read as anything else.
		fmt.Fprintf(&b, "path %q { capabilities = [\"%s\"] }\n", r.path, strings.Join(r.capabilities, `", "`))
	}
	return Policy{Name: "certsync-" + p.owner + suffix, Rules: b.String()}
}

// LoginRole lets a service account log in by Vault's kubernetes auth method.
type LoginRole struct {
	Path string // to be written to: auth/kubernetes/role/certsync-prod-eu
	Body RoleBody
}

// RoleBody is what is written there.
type RoleBody struct {
	Accounts   []string `json:"bound_service_account_names"`
	Namespaces []string `json:"bound_service_account_namespaces"`
	Audience   string   `json:"audience"`
	Policies   []string `json:"token_policies"`
	NoDefault  bool     `json:"token_no_default_policy"`
	TTL        int      `json:"token_ttl"`  // in seconds
	TokenType  string   `json:"token_type"` // a batch token could not be revoked
}

// tokenTTL is short: a run that was killed leaves its token behind.
const tokenTTL = 10 * time.Minute

// Role is the role of the name of a policy, which gives that policy alone to an account of a namespace that comes with a
// token for audience. mount is the auth method's.
func (p Policy) Role(mount, namespace, account, audience string) (LoginRole, error) {
	cleaned, err := cleanPath(mount, "kubernetes")
	if err != nil {
		return LoginRole{}, fmt.Errorf("reading the mount %q: %w (--vault-auth-mount)", mount, err)
	}
	if !inventory.ValidNamespace(namespace) {
		return LoginRole{}, fmt.Errorf("writing the role %q: %q is not a valid namespace", p.Name, namespace)
	}
	if audience == "" {
		return LoginRole{}, errors.New("writing the role: without an audience, Vault would accept any token of the account (--vault-audience)")
	}
	return LoginRole{"auth/" + cleaned + "/role/" + p.Name, RoleBody{
		Accounts: []string{account}, Namespaces: []string{namespace}, Audience: audience,
		Policies: []string{p.Name}, NoDefault: true, TTL: int(tokenTTL / time.Second), TokenType: "service",
	}}, nil
}
