package fake

import (
	"encoding/json"
	"fmt"
	"testing"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/metadata"
)

// TestPreconditions: a write meets the object that its sender saw, or none.
func TestPreconditions(t *testing.T) {
	formats(t, func(t *testing.T, contentType string) {
		w, f := newFront(t)
		c, _ := client(t, f, contentType)
		ctx, bindings := within(t), c.RbacV1().ClusterRoleBindings()
		made, err := bindings.Create(ctx, newBinding("b", "view"), metav1.CreateOptions{})
		if err != nil || made.UID == "" || made.ResourceVersion == "" || made.Labels["team"] != "a" {
			t.Fatalf("created %+v: %v", made, err)
		}
		if _, err := bindings.Create(ctx, newBinding("b", "view"), metav1.CreateOptions{}); !apierrors.IsAlreadyExists(err) {
			t.Errorf("created twice: %v", err)
		}
		patch := func(uid types.UID, version, rest string) (*rbacv1.ClusterRoleBinding, error) {
			body := fmt.Sprintf(`{"metadata":{"uid":%q,"resourceVersion":%q}%s}`, uid, version, rest)
			return bindings.Patch(ctx, "b", types.MergePatchType, []byte(body), metav1.PatchOptions{})
		}
		patched, err := patch(made.UID, made.ResourceVersion, `,"subjects":[]`)
		if err != nil || len(patched.Subjects) != 0 || patched.Labels["team"] != "a" || patched.ResourceVersion == made.ResourceVersion {
			t.Errorf("patched to %+v: %v", patched, err)
		}
		same, err := patch(made.UID, patched.ResourceVersion, "")
		if err != nil || same.ResourceVersion != patched.ResourceVersion {
			t.Errorf("a patch that changes nothing gave version %s after %s: %v", same.ResourceVersion, patched.ResourceVersion, err)
		}
		writes := w.Writes()
		for what, err := range map[string]error{
			"a version that is over": second(patch(made.UID, made.ResourceVersion, "")),
			"another uid":            second(patch("other", patched.ResourceVersion, "")),
			"a delete of another uid": bindings.Delete(ctx, "b", metav1.DeleteOptions{
				Preconditions: metav1.NewUIDPreconditions("other")}),
		} {
			if !apierrors.IsConflict(err) {
				t.Errorf("%s: %v", what, err)
			}
		}
		if _, err := patch(made.UID, patched.ResourceVersion, `,"roleRef":{"name":"admin"}`); !apierrors.IsInvalid(err) {
			t.Errorf("another roleRef: %v", err)
		}
		if w.Writes() != writes {
			t.Errorf("%d writes by what was refused", w.Writes()-writes)
		}
		if err := bindings.Delete(ctx, "b", *metav1.NewPreconditionDeleteOptions(string(made.UID))); err != nil {
			t.Error(err)
		}
		if _, err := bindings.Get(ctx, "b", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
			t.Errorf("after the delete: %v", err)
		}
	})
}

func second[T any](_ T, err error) error { return err }

// TestLists: page by page, by label, and as metadata.
func TestLists(t *testing.T) {
	formats(t, func(t *testing.T, contentType string) {
		w, f := newFront(t)
		for i := range 5 {
			b := newBinding(fmt.Sprintf("b%d", i), "view")
			if i == 3 {
				b.Labels["team"] = "b"
			}
			w.Add(b)
		}
		w.AddClusterRoles("view", "edit")
		c, config := client(t, f, contentType)
		ctx := within(t)
		var names []string
		o := metav1.ListOptions{Limit: 2, LabelSelector: "team=a"}
		for {
			page, err := c.RbacV1().ClusterRoleBindings().List(ctx, o)
			if err != nil || page.ResourceVersion == "" || len(page.Items) > 2 {
				t.Fatalf("%+v: %v", page, err)
			}
			for _, b := range page.Items {
				names = append(names, b.Name+":"+b.RoleRef.Name)
			}
			if o.Continue = page.Continue; o.Continue == "" {
				break
			}
		}
		if got := fmt.Sprint(names); got != "[b0:view b1:view b2:view b4:view]" {
			t.Error(got)
		}
		m, err := metadata.NewForConfig(config)
		if err != nil {
			t.Fatal(err)
		}
		roles, err := m.Resource(schema.GroupVersionResource{Group: rbacv1.GroupName, Version: "v1", Resource: "clusterroles"}).List(ctx, metav1.ListOptions{})
		if err != nil || len(roles.Items) != 2 || roles.Items[0].Name != "edit" || roles.Items[0].UID == "" {
			t.Errorf("%+v: %v", roles, err)
		}
	})
}

// TestNamespaces: nothing can be made in one that is not there, or going; and a finalizer keeps what is deleted.
func TestNamespaces(t *testing.T) {
	w, f := newFront(t)
	now := metav1.Now()
	w.Add(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "going", DeletionTimestamp: &now, Finalizers: []string{"kubernetes"}}})
	c, _ := client(t, f, "application/json")
	ctx := within(t)
	b := &rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Name: "b", Finalizers: []string{"a/b"}}, RoleRef: newBinding("b", "view").RoleRef}
	if _, err := c.RbacV1().RoleBindings("nowhere").Create(ctx, b, metav1.CreateOptions{}); !apierrors.IsNotFound(err) {
		t.Error(err)
	}
	if _, err := c.RbacV1().RoleBindings("going").Create(ctx, b, metav1.CreateOptions{}); !apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause) {
		t.Error(err)
	}
	made, err := c.RbacV1().RoleBindings("default").Create(ctx, b, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.RbacV1().RoleBindings("default").Delete(ctx, "b", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	kept, err := c.RbacV1().RoleBindings("default").Get(ctx, "b", metav1.GetOptions{})
	if err != nil || kept.DeletionTimestamp == nil || kept.UID != made.UID {
		t.Fatalf("%+v: %v", kept, err)
	}
	if _, err := c.RbacV1().RoleBindings("default").Patch(ctx, "b", types.MergePatchType, []byte(`{"metadata":{"finalizers":null}}`), metav1.PatchOptions{}); err != nil {
		t.Error(err)
	}
	if _, err := c.RbacV1().RoleBindings("default").Get(ctx, "b", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("without its finalizer: %v", err)
	}
}

// TestLease: of two who saw the same version, one gets it.
func TestLease(t *testing.T) {
	formats(t, func(t *testing.T, contentType string) {
		_, f := newFront(t)
		c, _ := client(t, f, contentType)
		ctx, all := within(t), c.CoordinationV1().Leases("kube-system")
		now := metav1.NowMicro()
		lease := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Name: "l"}, Spec: coordinationv1.LeaseSpec{RenewTime: &now}}
		seen, err := all.Create(ctx, lease, metav1.CreateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for i, holder := range []string{"one", "two"} {
			mine := seen.DeepCopy()
			mine.Spec.HolderIdentity = &holder
			if _, err := all.Update(ctx, mine, metav1.UpdateOptions{}); apierrors.IsConflict(err) != (i == 1) {
				t.Errorf("%s: %v", holder, err)
			}
		}
		if _, err := all.Update(ctx, lease, metav1.UpdateOptions{}); !apierrors.IsInvalid(err) {
			t.Errorf("without a version: %v", err)
		}
		got, err := all.Get(ctx, "l", metav1.GetOptions{})
		if err != nil || *got.Spec.HolderIdentity != "one" {
			t.Errorf("%+v: %v", got, err)
		}
	})
}

// TestClone: what happens in a clone happens there alone.
func TestClone(t *testing.T) {
	w, f := newFront(t)
	w.Add(newBinding("b", "view"))
	w.WriteSecret("x", map[string]string{"a": "1"})
	before, err := json.Marshal(w.Dump())
	if err != nil {
		t.Fatal(err)
	}
	c := w.Clone()
	var hooked []string
	c.OnWrite(func(target string, now *World) { hooked = append(hooked, fmt.Sprint(target, " ", len(now.Dump()))) })
	g := f.servers.Open(c)
	defer g.Close()
	k, _ := client(t, g, "application/json")
	if err := k.RbacV1().ClusterRoleBindings().Delete(within(t), "b", metav1.DeleteOptions{}); err != nil {
		t.Error(err)
	}
	vault(t, g, "PUT", "secret/destroy/x", `{"versions":[1]}`)
	vault(t, g, "PUT", "secret/data/y", `{"data":{}}`)
	if got := fmt.Sprint(hooked); got != "[ClusterRoleBinding b 3 secret/x 3 secret/y 4]" {
		t.Errorf("the hook saw %s", got)
	}
	after, err := json.Marshal(w.Dump())
	if err != nil || string(after) != string(before) {
		t.Errorf("the original became %s: %v", after, err)
	}
}
