package api

import (
	"errors"
	"net/http"
	"regexp"
	"strconv"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// Rejecter is the part of a cluster that rejected a request.
type Rejecter int

// The rejecters. By their messages, the API server's authors of a 403 can be told apart.
const (
	// NotRejected is for an error that is no rejection.
	NotRejected Rejecter = iota
	// ByRBAC is for a right that the identity lacks.
	ByRBAC
	// ByEscalationCheck is for a role whose rights the identity neither holds nor may bind.
	ByEscalationCheck
	// ByAuthorizer is for an authorizer that the cluster has beside RBAC, such as a cloud's.
	ByAuthorizer
	// ByAdmission is for a policy, a webhook, a quota or another admission plugin. No right helps against it.
	ByAdmission
	// ByLogin is for a request whose credential did not reach the API server, which took it for an anonymous one.
	ByLogin
	// ByProxy is for an answer that does not come from an API server.
	ByProxy
)

// Rejection says who rejected a request, and what to do about it. The zero value is for an error that is no rejection.
type Rejection struct {
	By   Rejecter
	Hint string
}

const (
	grant = "grant it to the identity that runs certsync; `certsync manifests` prints the rights"
	// allow is for an admission policy or a webhook.
	allow = ": let it allow the requests of the identity that runs certsync"
	// quoted is a text as %q prints it.
	quoted = `"(?:[^"\\]|\\.)*"`
)

// rejections are tried in this order, each from the beginning of the reason. Names that others choose
// stand behind that beginning, so nobody can make one message look like another.
var rejections = []struct {
	message *regexp.Regexp
	by      Rejecter
	hint    string // with the groups of message
}{
	{regexp.MustCompile(`^ValidatingAdmissionPolicy '([\w.-]+)'(?: with binding '[\w.-]+')? denied request`),
		ByAdmission, `ValidatingAdmissionPolicy "$1" denies it` + allow},
	{regexp.MustCompile(`^policy ['"]([\w.-]+)['"](?: with binding '[\w.-]+')? denied request`),
		ByAdmission, `admission policy "$1" fails or denies it` + allow},
	{regexp.MustCompile(`^admission webhook "([\w.-]+)" denied the request`),
		ByAdmission, `admission webhook "$1" denies it` + allow},
	{regexp.MustCompile(`^admission webhook "([\w.-]+)" does not support dry run`),
		ByAdmission, `admission webhook "$1" does not support dry run, so certsync cannot try this: declare sideEffects: None in the webhook`},
	{regexp.MustCompile(`^(?:Internal error occurred: )?failed calling webhook "([\w.-]+)"`),
		ByAdmission, `admission webhook "$1" does not answer: check its service and its certificate; then run certsync again`},
	{regexp.MustCompile(`^(?:exceeded|failed) quota: ([\w.-]+)[,:]`),
		ByAdmission, `ResourceQuota "$1" does not allow it: raise its limit for these objects`},
	{regexp.MustCompile(`^status unknown for quota: ([\w.-]+),`),
		ByAdmission, `the objects under ResourceQuota "$1" are not counted yet: check that the quota controller runs; then run certsync again`},
	{regexp.MustCompile(`^Operation cannot be fulfilled on resourcequotas "([\w.-]+)"`),
		ByAdmission, `others create objects under ResourceQuota "$1" at the same time: run certsync again`},
	{regexp.MustCompile(`^insufficient quota to consume`),
		ByAdmission, `create a ResourceQuota in the namespace that allows these objects: the API server requires one`},
	{regexp.MustCompile(`^\[?rolebindings to \w+ ` + quoted + ` are not allowed in project "([a-z0-9-]+)"`),
		ByAdmission, `a RoleBindingRestriction in project "$1" does not allow these subjects: let the project's restrictions allow them`},
	{regexp.MustCompile(`^cannot set (?:an ownerRef|blockOwnerDeletion) `),
		ByAdmission, `find the mutating admission webhook or policy that adds an owner reference: certsync sets none`},
	{regexp.MustCompile(`^unable to create new content in namespace [a-z0-9-]+ because it is being terminated`),
		ByAdmission, `the namespace is being deleted: certsync binds there again when the namespace exists again`},
	{regexp.MustCompile(`^not yet ready to handle request`),
		ByAdmission, `the API server has just started: run certsync again`},
	{regexp.MustCompile(`^user ` + quoted + ` \(groups=.*\) is attempting to grant RBAC permissions not currently held`),
		ByEscalationCheck, `grant the verb bind on the role to the identity that runs certsync`},
	{regexp.MustCompile(`^user not permitted to approve requests with signerName `), ByRBAC, grant},
	{regexp.MustCompile(`^User "system:anonymous" cannot `), ByLogin,
		`the API server saw no credential. Grant nothing to system:anonymous; check the kubeconfig's user. ` +
			`A proxy or load balancer that ends TLS drops the client certificate`},
	{regexp.MustCompile(`^User ` + quoted + ` cannot \S+ (?:path ` + quoted + `|resource ` + quoted + `(?: in API group ` + quoted + `)? (?:at the cluster scope|in the namespace ` + quoted + `))(?:: (?:[\w.-]+: )?RBAC: .*)?$`),
		ByRBAC, grant},
	{regexp.MustCompile(`^an error on the server \("Internal Server Error: `), ByAuthorizer,
		`the API server could not decide what this identity may do: check that its authorization webhook answers; then run certsync again`},
	{regexp.MustCompile(`^User ` + quoted + ` cannot `), ByAuthorizer,
		`allow the request in the authorizer that this cluster has beside RBAC: its reason ends the message, and a right in RBAC may not be enough`},
}

// RejectionOf tells by the API server's message who rejected a request. It ignores the object's name, which others choose: a
// name could look like a policy's message.
func RejectionOf(err error) Rejection {
	var status apierrors.APIStatus
	if !errors.As(err, &status) {
		return Rejection{}
	}
	text := reason(status.Status().Message)
	for _, r := range rejections {
		if m := r.message.FindStringSubmatchIndex(text); m != nil {
			return Rejection{r.by, string(r.message.ExpandString(nil, r.hint, text, m))}
		}
	}
	switch {
	case status.Status().Code != http.StatusForbidden:
		return Rejection{}
	case foreign(err):
		return Rejection{ByProxy, "find the proxy, load balancer or firewall in front of the API server, and let certsync pass: this answer does not come from an API server"}
	}
	return Rejection{ByAdmission, "ask the cluster administrator to allow this: an admission plugin denies it, not RBAC, so no right helps"}
}

// reason returns the part of a message after `rolebindings.rbac.authorization.k8s.io "NAME" is forbidden: `, and any other
// message as it is.
func reason(message string) string {
	_, rest, _ := strings.Cut(message, " ")
	if name, err := strconv.QuotedPrefix(rest); err == nil {
		rest = strings.TrimPrefix(rest[len(name):], " ")
	}
	if text, forbidden := strings.CutPrefix(rest, "is forbidden: "); forbidden {
		return text
	}
	return message
}
