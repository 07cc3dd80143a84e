package kube

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"

	authorizationv1 "k8s.io/api/authorization/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	typedauthorizationv1 "k8s.io/client-go/kubernetes/typed/authorization/v1"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/access"
	"github.com/certsync/certsync/reconcile/kube/api"
)

var _ access.Authorizer = (*Cluster)(nil)

// opinion is what the authorizer says about one permission.
type opinion struct {
	allowed bool
	why     string // what the API server says to an answer
	unasked string // why there is no answer
	// forbidden: no other question is answered either.
	forbidden bool
}

// asker asks the authorizer about one permission.
type asker func(context.Context, reconcile.Permission) (opinion, error)

// Anybody asks what a name may do that nobody has.
func (c *Cluster) Anybody(ctx context.Context) (access.Decision, error) {
	return decide(ctx, c.asNobody("certsync-nobody-"+strings.ToLower(rand.Text())))
}

// decide asks about both permissions of a Decision.
func decide(ctx context.Context, ask asker) (access.Decision, error) {
	everything, err := ask(ctx, access.MayEverything)
	if err != nil || everything.allowed {
		return access.Decision{Everything: everything.allowed, Why: everything.why}, err
	}
	if everything.forbidden {
		return access.Decision{Unasked: everything.unasked}, nil
	}
	secrets, err := ask(ctx, access.MayReadSecrets)
	d := access.Decision{Secrets: secrets.allowed, Unasked: everything.unasked}
	if secrets.allowed {
		d.Why = secrets.why
	} else if d.Unasked == "" {
		d.Unasked = secrets.unasked
	}
	return d, err
}

// asSelf asks about the client's own identity.
func (c *Cluster) asSelf(client typedauthorizationv1.SelfSubjectAccessReviewsGetter) asker {
	return func(ctx context.Context, p reconcile.Permission) (opinion, error) {
		ctx, cancel := api.WithTimeout(ctx)
		defer cancel()
		answer, err := client.SelfSubjectAccessReviews().Create(ctx, &authorizationv1.SelfSubjectAccessReview{
			Spec: authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: attributes(p)}}, metav1.CreateOptions{})
		if err != nil {
			return c.unanswered(p, err)
		}
		return opinionOf(answer.Status), nil
	}
}

// asNobody asks about a name in system:authenticated.
func (c *Cluster) asNobody(name string) asker {
	return func(ctx context.Context, p reconcile.Permission) (opinion, error) {
		ctx, cancel := api.WithTimeout(ctx)
		defer cancel()
		answer, err := c.server.Client.AuthorizationV1().SubjectAccessReviews().Create(ctx, &authorizationv1.SubjectAccessReview{
			Spec: authorizationv1.SubjectAccessReviewSpec{User: name, Groups: []string{access.Authenticated}, ResourceAttributes: attributes(p)}}, metav1.CreateOptions{})
		if err != nil {
			return c.unanswered(p, err)
		}
		return opinionOf(answer.Status), nil
	}
}

// opinionOf reads an answer. An authorizer that failed, such as a webhook that is down, has not denied anything.
func opinionOf(s authorizationv1.SubjectAccessReviewStatus) opinion {
	o := opinion{allowed: s.Allowed, why: api.Shorten(s.Reason)}
	if !s.Allowed && s.EvaluationError != "" {
		o.unasked = fmt.Sprintf("the API server's authorizer failed: %q", api.Shorten(s.EvaluationError))
	}
	return o
}

// unanswered tells an answer that the question is not allowed, or not known, from no answer.
func (c *Cluster) unanswered(p reconcile.Permission, err error) (opinion, error) {
	failed := c.server.Failed(fmt.Sprintf("asking the authorizer who may %s %s", p.Verb, p.Resource), err)
	if apierrors.IsForbidden(err) || apierrors.IsNotFound(err) || apierrors.IsMethodNotSupported(err) {
		return opinion{unasked: failed.Error(), forbidden: true}, nil
	}
	return opinion{}, failed
}

func attributes(p reconcile.Permission) *authorizationv1.ResourceAttributes {
	return &authorizationv1.ResourceAttributes{
		Verb: p.Verb, Group: p.Group, Resource: p.Resource, Subresource: p.Subresource, Namespace: p.Namespace, Name: p.Name,
	}
}
