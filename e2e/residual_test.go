package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"
	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/certsync/certsync/e2e/harness"
)

// revocations is `revocations -o json`.
type revocations struct {
	Tiers        map[string]string
	Certificates []struct {
		User, Username, SHA256, Reason string
		Groups                         []string
		Denied                         bool
		ResidualAccess                 []struct {
			Namespace string
			Rules     []rule
		}
	}
}

// rule is a rule in it.
type rule struct{ Verbs, APIGroups, Resources, ResourceNames, NonResourceURLs []string }

func (f *fixture) revocations() (r revocations) {
	f.Helper()
	if err := json.Unmarshal([]byte(f.must(0, "revocations", "-o", "json").stdout), &r); err != nil {
		f.Fatal(err)
	}
	return r
}

// question is one access that somebody may have.
type question struct{ verb, group, resource, subresource, name, namespace, url string }

// allows is what the API server's own RBAC makes of a rule.
func (r rule) allows(q question) bool {
	has := func(list []string, s string) bool { return slices.Contains(list, "*") || slices.Contains(list, s) }
	if !has(r.Verbs, q.verb) {
		return false
	}
	if q.url != "" {
		return slices.ContainsFunc(r.NonResourceURLs, func(u string) bool {
			prefix, many := strings.CutSuffix(u, "*")
			return u == q.url || many && strings.HasPrefix(q.url, prefix)
		})
	}
	combined := q.resource
	if q.subresource != "" {
		combined += "/" + q.subresource
	}
	resource := has(r.Resources, combined) || q.subresource != "" && slices.Contains(r.Resources, "*/"+q.subresource)
	return has(r.APIGroups, q.group) && resource && (len(r.ResourceNames) == 0 || q.name != "" && slices.Contains(r.ResourceNames, q.name))
}

// everybody is what Kubernetes gives to everybody who is authenticated.
var everybody = []rule{
	{Verbs: []string{"create"}, APIGroups: []string{"authorization.k8s.io"}, Resources: []string{"selfsubjectaccessreviews", "selfsubjectrulesreviews"}},
	{Verbs: []string{"create"}, APIGroups: []string{"authentication.k8s.io"}, Resources: []string{"selfsubjectreviews"}},
	{Verbs: []string{"get"}, NonResourceURLs: []string{"/api", "/api/*", "/apis", "/apis/*", "/healthz", "/livez", "/openapi", "/openapi/*", "/readyz", "/version", "/version/"}},
}

// TestResidualAccessOnServers: residual access is what the API server's authorizer says of that identity, for every verb, resource
// and namespace, in both directions, for random roles and bindings.
func TestResidualAccessOnServers(t *testing.T) {
	t.Parallel()
	sets := 2
	if os.Getenv("CERTSYNC_SOAK") != "" {
		sets = 40
	}
	f := newFixture(t, ownServers(t, harness.Options{VaultInMemory: true})) // what everybody gets there, other tests would see
	namespaces := []string{f.namespace("one"), f.namespace("two")}
	f.write("groups: [{name: devs-OWNER}, {name: ops-OWNER}]\nusers: [{name: alice@OWNER, groups: [devs-OWNER, ops-OWNER], clusterRoles: [view]}]\n")
	f.must(0, "apply", "--yes")
	f.must(0, "apply", "--yes", "--revoke", "alice@"+f.owner)
	questions := f.questions(append(namespaces, "", "default"))
	t.Logf("%d questions a set", len(questions))
	for set := range sets {
		seed := rand.Uint64()
		f.plantRandomly(rand.New(rand.NewPCG(seed, 0)), fmt.Sprint(set), namespaces)
		if wrong := f.compareResidual(questions); len(wrong) > 0 {
			t.Errorf("seed %d: %d of %d differ: %+v", seed, len(wrong), len(questions), wrong[:min(5, len(wrong))])
		}
	}
}

// questions are all that can be asked of the cluster's resources in these namespaces.
func (f *fixture) questions(namespaces []string) []question {
	f.Helper()
	_, lists, err := f.client().Discovery().ServerGroupsAndResources()
	if err != nil {
		f.Fatal(err)
	}
	verbs := []string{"get", "list", "watch", "create", "update", "patch", "delete", "deletecollection", "bind", "impersonate", "approve", "nonsense"}
	var all []question
	for _, list := range lists {
		group, _, versioned := strings.Cut(list.GroupVersion, "/")
		if !versioned {
			group = ""
		}
		for _, r := range list.APIResources {
			resource, sub, _ := strings.Cut(r.Name, "/")
			for _, namespace := range namespaces {
				for i, verb := range verbs {
					q := question{verb: verb, group: group, resource: resource, subresource: sub, namespace: namespace}
					if i%2 == 0 {
						q.name = "one"
					}
					all = append(all, q)
				}
			}
		}
	}
	for _, url := range []string{"/api", "/apis/apps", "/healthz", "/healthz/etcd", "/logs", "/metrics", "/metrics/slis", "/version", "/x/y", "/"} {
		all = append(all, question{verb: "get", url: url}, question{verb: "post", url: url})
	}
	slices.SortFunc(all, func(a, b question) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
	return slices.Compact(all)
}

// plantRandomly makes roles and bindings of others: for the old name and the new one, the groups, and everybody.
func (f *fixture) plantRandomly(r *rand.Rand, set string, namespaces []string) {
	f.Helper()
	some := func(from ...string) []string {
		var list []string
		for range 1 + r.IntN(3) {
			list = append(list, from[r.IntN(len(from))])
		}
		return list
	}
	rules := func(urls bool) (list []rbacv1.PolicyRule) {
		for range 1 + r.IntN(3) {
			rule := rbacv1.PolicyRule{
				Verbs:     some("get", "list", "create", "update", "delete", "bind", "impersonate", "*"),
				APIGroups: some("", "apps", "batch", "rbac.authorization.k8s.io", "certificates.k8s.io", "authorization.k8s.io", "*"),
				Resources: some("pods", "pods/exec", "*/scale", "*/status", "secrets", "deployments", "jobs", "clusterroles", "nodes", "selfsubjectaccessreviews", "*"),
			}
			if r.IntN(4) == 0 {
				rule.ResourceNames = some("one", "two")
			}
			if urls && r.IntN(3) == 0 {
				rule = rbacv1.PolicyRule{Verbs: some("get", "post", "*"), NonResourceURLs: some("/metrics", "/metrics/*", "/x/*", "*", "/version")}
			}
			list = append(list, rule)
		}
		return list
	}
	client, ctx, none := f.client().RbacV1(), f.Context(), metav1.CreateOptions{}
	ok := func(err error) {
		f.Helper()
		if err != nil {
			f.Fatal(err)
		}
	}
	name := func(what string) string { return what + "-" + set + "-" + f.owner }
	subject := func() []rbacv1.Subject {
		all := []rbacv1.Subject{{Kind: "User", Name: "alice@" + f.owner}, {Kind: "User", Name: "alice@" + f.owner + "#2"},
			{Kind: "Group", Name: "devs-" + f.owner}, {Kind: "Group", Name: "ops-" + f.owner}, {Kind: "Group", Name: "others-" + f.owner}, {Kind: "Group", Name: "system:authenticated"}}
		s := all[r.IntN(len(all))]
		s.APIGroup = rbacv1.GroupName
		return []rbacv1.Subject{s}
	}
	for i := range 2 {
		wide := fmt.Sprint(name("wide"), i)
		_, err := client.ClusterRoles().Create(ctx, &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: wide}, Rules: rules(true)}, none)
		ok(err)
		ref := rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: wide}
		_, err = client.ClusterRoleBindings().Create(ctx, &rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: wide}, RoleRef: ref, Subjects: subject()}, none)
		ok(err)
		for _, namespace := range namespaces {
			_, err = client.RoleBindings(namespace).Create(ctx, &rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Name: wide}, RoleRef: ref, Subjects: subject()}, none)
			ok(err)
			narrow := fmt.Sprint(name("narrow"), i)
			_, err = client.Roles(namespace).Create(ctx, &rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Name: narrow}, Rules: rules(false)}, none)
			ok(err)
			_, err = client.RoleBindings(namespace).Create(ctx, &rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Name: narrow},
				RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: narrow}, Subjects: subject()}, none)
			ok(err)
		}
	}
	f.Cleanup(func() {
		for i := range 2 {
			_ = client.ClusterRoleBindings().Delete(context.Background(), fmt.Sprint(name("wide"), i), metav1.DeleteOptions{})
		}
	})
}

// compareResidual lists the questions that the authorizer answers in another way than the residual access of the old certificate
// does.
func (f *fixture) compareResidual(questions []question) (wrong []question) {
	f.Helper()
	before := f.revocations()
	if len(before.Certificates) != 1 || before.Certificates[0].Username != "alice@"+f.owner {
		f.Fatalf("%+v", before)
	}
	old := before.Certificates[0]
	says := make([]bool, len(questions))
	client := f.client().AuthorizationV1().SubjectAccessReviews()
	var group errgroup.Group
	group.SetLimit(16)
	for i, q := range questions {
		group.Go(func() error {
			review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{User: old.Username, Groups: append([]string{"system:authenticated"}, old.Groups...)}}
			if q.url != "" {
				review.Spec.NonResourceAttributes = &authorizationv1.NonResourceAttributes{Path: q.url, Verb: q.verb}
			} else {
				review.Spec.ResourceAttributes = &authorizationv1.ResourceAttributes{Verb: q.verb, Group: q.group, Resource: q.resource, Subresource: q.subresource, Name: q.name, Namespace: q.namespace}
			}
			answer, err := client.Create(f.Context(), review, metav1.CreateOptions{})
			if err == nil {
				says[i] = answer.Status.Allowed
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		f.Fatal(err)
	}
	for i, q := range questions {
		allowed := slices.ContainsFunc(everybody, func(r rule) bool { return r.allows(q) })
		for _, given := range old.ResidualAccess {
			allowed = allowed || (given.Namespace == "" || given.Namespace == q.namespace) && slices.ContainsFunc(given.Rules, func(r rule) bool { return r.allows(q) })
		}
		if allowed != says[i] {
			wrong = append(wrong, q)
		}
	}
	return wrong
}
