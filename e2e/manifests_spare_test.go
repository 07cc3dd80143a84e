package e2e

import (
	"net/http"
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
)

// tells reports whether a capability is only asked where something was deleted, or may be by time: without it certsync does the same
// and says less.
func (c capability) tells() bool {
	metadata := strings.Contains(c.path, "/metadata/") && (strings.HasSuffix(c.path, "/state") || strings.HasSuffix(c.path, "/ledger/*"))
	return c.name == "read" && (metadata || strings.HasSuffix(c.path, "/config"))
}

// nothingUnused checks in both audit logs that the accounts have used each of their rights.
func (d *deployed) nothingUnused(kube, vault int64) {
	d.Helper()
	for _, account := range []string{applyAccount, planAccount} {
		used := map[right]bool{}
		for _, r := range d.kubeRequestsOf(d.username(account), kube) {
			o := r.ObjectRef
			if r.ResponseStatus.Code >= 400 {
				continue
			}
			for _, name := range []string{"", o.Name} {
				for _, namespace := range []string{"", o.Namespace} {
					used[right{r.Verb, o.APIGroup, o.Resource, o.Subresource, name, namespace}] = true
				}
			}
			// Which role was bound is told by the name; an approval is one for the only signer.
			if role := o.Name[strings.LastIndex(o.Name, ":")+1:]; r.Verb == "create" && strings.HasSuffix(o.Resource, "bindings") {
				used[right{"bind", rbacv1.GroupName, "clusterroles", "", role, ""}] = true
			}
			if o.Subresource == "approval" {
				used[right{"approve", o.APIGroup, "signers", "", "kubernetes.io/kube-apiserver-client", ""}] = true
			}
		}
		for _, r := range d.rights(account) {
			if !used[r] {
				d.Errorf("%s never used %+v", account, r)
			}
		}
		asked := slices.DeleteFunc(d.vaultRequestsOf("kubernetes-"+d.owner, vault), func(r vaultRequest) bool {
			return r.Error != "" || !strings.HasSuffix(r.Auth.DisplayName, "-"+d.namespace+"-"+account)
		})
		for _, c := range d.capabilities(account) {
			prefix, folder := strings.CutSuffix(c.path, "*")
			is := func(r vaultRequest) bool {
				return r.Request.Operation == c.name && (r.Request.Path == c.path || folder && strings.HasPrefix(r.Request.Path, prefix))
			}
			if !slices.ContainsFunc(asked, is) && !c.tells() {
				d.Errorf("%s never used %+v", account, c)
			}
		}
	}
}

// nothingSpare takes each right from the accounts, one at a time: each time something fails that succeeds with all of
// them. The inventory has changes of every kind, which no run but the last one makes.
func (d *deployed) nothingSpare() {
	d.Helper()
	d.as(planAccount)
	d.eachTaken(planAccount, func(what any) {
		if r := d.certsync("plan"); r.code != 1 {
			d.Errorf("without %+v, plan exits %d\n%s%s", what, r.code, r.stdout, r.stderr)
		}
	})
	d.as(applyAccount)
	later := d.later()
	d.leftLongAgo("forgotten@" + d.owner)
	d.eachTaken(applyAccount, func(what any) {
		if r, ok := what.(right); ok && later[r].cause != nil {
			return // nobody knows before it is needed
		}
		r := d.certsync("apply", "--yes", "--max-removals=100%")
		if r.code != 1 || strings.Contains(r.stdout, " done") {
			d.Errorf("without %+v, apply exits %d\n%s%s", what, r.code, r.stdout, r.stderr)
		}
	})
	d.must(0, "apply", "--yes", "--max-removals=100%")
	d.eachNeeded(later)
	d.asked()
	d.must(0, "apply", "--yes", "--drift", "--hold")
}

// eachTaken runs what has to fail without each right and each capability of an account. Without the right to revoke
// itself a token is left; what the right to ask is for, see asked, and TestMountThatDeletesByTime for the rights that tell.
func (d *deployed) eachTaken(account string, run func(what any)) {
	d.Helper()
	rights := d.rights(account)
	for _, r := range rights {
		d.without(account, rights, r)
		run(r)
	}
	d.without(account, rights, right{})
	all := d.capabilities(account)
	for _, c := range all {
		if strings.HasPrefix(c.path, "auth/token/") || c.path == "sys/capabilities-self" || c.tells() {
			continue
		}
		d.withoutCapabilities(account, all, c)
		run(c)
	}
	revoke := capability{"auth/token/revoke-self", "update"}
	d.withoutCapabilities(account, all, revoke)
	d.certsync("plan")
	left := d.accessors("kubernetes-" + d.owner)
	if len(left) == 0 {
		d.Errorf("without %+v, no token of %s is left", revoke, account)
	}
	for _, accessor := range left {
		d.ok(d.vault.Auth().Token().RevokeAccessor(accessor))
	}
	d.withoutCapabilities(account, all)
}

// use is what a right is for that no run asks about beforehand.
type use struct {
	cause  func()              // makes the next run need it
	misses func(r result) bool // how that run ends without it
}

// later are those rights.
func (d *deployed) later() map[right]use {
	d.Helper()
	failed := func(r result) bool { return r.code == 1 && strings.Contains(r.stdout, ": failed") }
	uses := map[right]use{}
	for role, name := range map[string]string{"view": "group:devs-OWNER:view", "edit": "user:erin@OWNER:edit", "admin": "user:dan@OWNER:admin"} {
		uses[right{"bind", rbacv1.GroupName, "clusterroles", "", role, ""}] = use{func() {
			d.kubectl("delete", "clusterrolebinding", "certsync:"+d.owner+":"+strings.ReplaceAll(name, "OWNER", d.owner))
		}, failed}
	}
	for _, resource := range []string{"clusterrolebindings", "rolebindings"} {
		uses[right{"get", rbacv1.GroupName, resource, "", "", ""}] = use{func() {
			d.intrude()
			d.once(http.StatusConflict, patching(resource)) // it is read again
		}, failed}
	}
	uses[right{"create", "", "events", "", "", "kube-system"}] = use{func() { d.kubectl("delete", "clusterrolebinding", d.view()) }, func(r result) bool {
		return r.code == 0 && strings.Contains(r.stderr, `cannot create resource "events"`) // the run is not the worse for it
	}}
	uses[right{"create", "authorization.k8s.io", "subjectaccessreviews", "", "", ""}] = use{func() {
		d.vaultDelete("metadata/certsync/OWNER/users/dan@OWNER") // he gets another certificate
	}, func(r result) bool {
		return r.code == 0 && strings.Contains(r.stdout, "certsync did not check that bindings limit what a certificate may do")
	}}
	return uses
}

// eachNeeded takes each of those rights, with something to do that it is for.
func (d *deployed) eachNeeded(uses map[right]use) {
	d.Helper()
	rights := d.rights(applyAccount)
	for r, use := range uses {
		if !slices.Contains(rights, r) {
			d.Errorf("the account has no right %+v", r)
		}
		d.without(applyAccount, rights, r)
		use.cause()
		if run := d.certsync("apply", "--yes", "--drift", "--hold"); !use.misses(run) {
			d.Errorf("without %+v, apply exits %d\n%s%s", r, run.code, run.stdout, run.stderr)
		}
		d.proxy.Intercept(nil)
		d.without(applyAccount, rights, right{})
		d.must(0, "apply", "--yes", "--drift", "--hold")
	}
}

// asked takes the right to ask Vault what the token may do: a run that lacks something else then finds out in its midst.
func (d *deployed) asked() {
	d.Helper()
	all := d.capabilities(applyAccount)
	ask := capability{"sys/capabilities-self", "update"}
	i := slices.IndexFunc(all, func(c capability) bool { return strings.Contains(c.path, "/destroy/") })
	d.vaultDelete("metadata/certsync/OWNER/users/bob@OWNER")
	for _, tt := range []struct {
		taken  []capability
		writes bool
	}{{[]capability{all[i]}, false}, {[]capability{all[i], ask}, true}} {
		d.withoutCapabilities(applyAccount, all, tt.taken...)
		before := d.size(d.servers.VaultAuditLog)
		d.certsync("apply", "--yes", "--drift", "--hold")
		wrote := slices.ContainsFunc(d.vaultRequests(before), func(r vaultRequest) bool {
			return r.Request.Operation == "create" || r.Request.Operation == "update"
		})
		if wrote != tt.writes {
			d.Errorf("without %+v a run writes: %t", tt.taken, wrote)
		}
	}
	d.withoutCapabilities(applyAccount, all)
}
