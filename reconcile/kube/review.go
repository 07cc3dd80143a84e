package kube

import (
	"context"
	"fmt"
	"strings"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/kube/api"
)

var _ reconcile.AccessReviewer = (*Cluster)(nil)

// reviewsAtOnce bounds the access reviews in flight. A plan may need some hundred of them.
const reviewsAtOnce = 10

// Denied asks the API server about each permission, and returns those that it denies, in the same order.
func (c *Cluster) Denied(ctx context.Context, want []reconcile.Permission) ([]reconcile.Permission, error) {
	allowed := make([]bool, len(want))
	tasks := make([]func(context.Context) error, len(want))
	for i, p := range want {
		tasks[i] = func(ctx context.Context) (err error) {
			allowed[i], err = c.allowed(ctx, p)
			return err
		}
	}
	if err := inParallel(ctx, reviewsAtOnce, tasks...); err != nil {
		return nil, err
	}
	var denied []reconcile.Permission
	for i, p := range want {
		if !allowed[i] {
			denied = append(denied, p)
		}
	}
	return denied, nil
}

func (c *Cluster) allowed(ctx context.Context, p reconcile.Permission) (bool, error) {
	ctx, cancel := api.WithTimeout(ctx)
	defer cancel()
	review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{
		ResourceAttributes: attributes(p),
	}}
	answer, err := c.server.Client.AuthorizationV1().SelfSubjectAccessReviews().Create(ctx, review, metav1.CreateOptions{})
	if err != nil {
		resource := strings.TrimSuffix(p.Resource+"/"+p.Subresource, "/")
		return false, c.server.Failed(fmt.Sprintf("asking whether certsync may %s %s", p.Verb, resource), err)
	}
	return answer.Status.Allowed, nil
}

// WhoAmI returns the identity that certsync has for the API server.
func (c *Cluster) WhoAmI(ctx context.Context) (reconcile.Identity, error) {
	ctx, cancel := api.WithTimeout(ctx)
	defer cancel()
	review, err := c.server.Client.AuthenticationV1().SelfSubjectReviews().Create(ctx, &authenticationv1.SelfSubjectReview{}, metav1.CreateOptions{})
	if err != nil {
		return reconcile.Identity{}, c.server.Failed("asking the API server for certsync's user name", err)
	}
	return identity(review), nil
}

func identity(review *authenticationv1.SelfSubjectReview) reconcile.Identity {
	return reconcile.Identity{Name: review.Status.UserInfo.Username, Groups: review.Status.UserInfo.Groups}
}
