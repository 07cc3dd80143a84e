package kube

import (
	"context"
	"fmt"
	"strings"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/certsync/certsync/reconcile"
)

var _ reconcile.AccessReviewer = (*Cluster)(nil)

// reviewsAtOnce bounds the access reviews in flight: a plan may ask for some hundred roles.
const reviewsAtOnce = 10

// Denied asks the API server about each of want and returns those that it does not allow, in the same order.
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
	ctx, cancel := withTimeout(ctx)
	defer cancel()
	review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{
		ResourceAttributes: &authorizationv1.ResourceAttributes{
			Verb: p.Verb, Group: p.Group, Resource: p.Resource, Subresource: p.Subresource,
			Namespace: p.Namespace, Name: p.Name,
		},
	}}
	answer, err := c.client.AuthorizationV1().SelfSubjectAccessReviews().Create(ctx, review, metav1.CreateOptions{})
	if err != nil {
		resource := strings.TrimSuffix(p.Resource+"/"+p.Subresource, "/")
		return false, c.failed(fmt.Sprintf("asking whether certsync may %s %s", p.Verb, resource), err)
	}
	return answer.Status.Allowed, nil
}

// WhoAmI is who the API server takes certsync for.
func (c *Cluster) WhoAmI(ctx context.Context) (reconcile.Identity, error) {
	ctx, cancel := withTimeout(ctx)
	defer cancel()
	review, err := c.client.AuthenticationV1().SelfSubjectReviews().Create(ctx, &authenticationv1.SelfSubjectReview{}, metav1.CreateOptions{})
	if err != nil {
		return reconcile.Identity{}, c.failed("asking who certsync is", err)
	}
	return identity(review), nil
}

func identity(review *authenticationv1.SelfSubjectReview) reconcile.Identity {
	return reconcile.Identity{Name: review.Status.UserInfo.Username, Groups: review.Status.UserInfo.Groups}
}
