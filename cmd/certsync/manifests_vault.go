package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/certsync/certsync/cmd/certsync/internal/generate"
	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/kube/deploy"
	"github.com/certsync/certsync/reconcile/preflight"
	"github.com/certsync/certsync/vaultstore"
)

// roleName is the name of a job's role in Vault, and of the policy that the role gives.
func roleName(owner string) string { return reconcile.LockName(owner) }

// vaultScript is the Vault side of a deployment.
func (c manifestsCmd) vaultScript(inv *inventory.Inventory) ([]byte, error) {
	policies, err := vaultstore.NewPolicies(vaultstore.Options{Owner: inv.Owner, Mount: c.VaultMount, Prefix: c.VaultPrefix})
	if err != nil {
		return nil, err
	}
	setup := generate.VaultSetup{Owner: inv.Owner, Namespace: c.Namespace, AuthMount: c.VaultAuth, EveryUser: c.UsersAccessor != ""}
	if setup.Users, err = c.userPolicies(policies, inv); err != nil {
		return nil, err
	}
	for _, account := range []struct {
		name, about string
		policy      vaultstore.Policy
	}{
		{deploy.ApplyAccount, "For apply. It may write credentials, but not read them.", policies.Apply()},
		{deploy.PlanAccount, "For plan and status. They only read, and never a credential.", policies.Plan()},
	} {
		role, err := account.policy.Role(c.VaultAuth, c.Namespace, account.name, c.VaultAudience)
		if err != nil {
			return nil, err
		}
		setup.Accounts = append(setup.Accounts, generate.VaultAccount{
			About: account.about, Policy: generate.VaultPolicy(account.policy), RolePath: role.Path, Role: role.Body,
		})
	}
	return generate.VaultScript(setup)
}

// userPolicies returns one policy for each user, or with --vault-users-accessor one for all users.
func (c manifestsCmd) userPolicies(policies vaultstore.Policies, inv *inventory.Inventory) ([]generate.VaultPolicy, error) {
	if c.UsersAccessor != "" {
		everyUser, err := policies.EveryUser(c.UsersAccessor)
		return []generate.VaultPolicy{generate.VaultPolicy(everyUser)}, err
	}
	var all []generate.VaultPolicy
	for _, u := range inv.Users {
		policy, err := policies.OneUser(u.Name)
		if err != nil {
			return nil, err
		}
		all = append(all, generate.VaultPolicy(policy))
	}
	return all, nil
}

// warnOfCapitals warns of users with capital letters in their names. The auth method knows them in lower case, so the one
// policy for all users does not match them.
func (c manifestsCmd) warnOfCapitals(p program, inv *inventory.Inventory) {
	if names := preflight.Capitals(inv); len(names) > 0 && vaultstore.FoldsNames(c.UsersAccessor) {
		p.complain(fmt.Errorf("warning: %w", preflight.LowerCased(names, "users who log in by "+c.UsersAccessor)))
	}
}

// warnOfUserpass warns of users that Vault's userpass method refuses: a name there has no @ and no +.
func (c manifestsCmd) warnOfUserpass(p program, inv *inventory.Inventory) {
	refused := slices.DeleteFunc(slices.Clone(inv.Users), func(u inventory.User) bool { return !strings.ContainsAny(u.Name, "@+") })
	if len(refused) == 0 || !strings.HasPrefix(c.UsersAccessor, "auth_userpass_") {
		return
	}
	p.complain(reconcile.WithHint(fmt.Errorf("warning: Vault's userpass accepts no @ and no + in a name, and refuses %d of the users, such as %q", len(refused), refused[0].Name),
		"leave out --vault-users-accessor: each user then gets a policy, which you can give to a userpass user of any name (token_policies)"))
}
