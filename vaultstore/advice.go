package vaultstore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/certsync/certsync/inventory/shell"
	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/preflight"
)

// adviceTime is how long it may take to find out what to advise. Without it, the advice says less.
const adviceTime = 5 * time.Second

// advise says to a user whom Vault denies their credential whose token they have, and how this Vault lets people in.
func (s *Store) advise(ctx context.Context, err error, user, path string) error {
	if !Refused(err) {
		return err
	}
	r, _ := refused(err, http.StatusForbidden)
	ctx, cancel := context.WithTimeout(ctx, adviceTime)
	defer cancel()
	whose, _, lookup := fetch[tokenOwner](ctx, s, "auth/token/lookup-self", nil, "")
	known := lookup == nil && whose != nil
	if s.session != nil {
		return reconcile.WithHint(err, s.session.login.notTheirs(whose, user, path))
	}
	if lower := strings.ToLower(user); known && lower != user && whose.is(lower) {
		return reconcile.WithHint(err, fmt.Sprintf("this token belongs to %s. Vault's userpass and LDAP turn names into lower case, and %s does not match %s in a policy. "+
			"Ask your certsync administrator to rename you in the inventory (name: %s, previously: [%s]), or to give you a policy of your own", whose, lower, user, lower, user))
	}
	if known && whose.is(user) {
		return reconcile.WithHint(err, fmt.Sprintf("this token belongs to %s, which do not allow \"read\" on %s. Check --owner; if it is right, %s", whose, path, askForPolicy))
	}
	login := loginAs(user, s.loginMethods(ctx, known))
	switch {
	case known:
		return reconcile.WithHint(err, fmt.Sprintf("this token belongs to %s: %s; or check --owner and --user", whose, login))
	case s.client.Token() == "":
		err = fmt.Errorf("logging in to Vault at %s: %w", s.address, errors.New("there is no token"))
		return reconcile.WithHint(err, login)
	case r.says(invalidToken):
		return reconcile.WithHint(err, "the token is unknown, expired or revoked: "+login)
	}
	return reconcile.WithHint(err, fmt.Sprintf("the token does not allow \"read\" on %s: %s; or check --owner and --user", path, login))
}

const askForPolicy = "ask your certsync administrator for the policy that `certsync manifests --vault` prints"

// tokenOwner is what is decoded of Vault's answer, which also holds the token itself.
type tokenOwner struct {
	DisplayName      string   `json:"display_name"`
	Policies         []string `json:"policies"`
	IdentityPolicies []string `json:"identity_policies"`
}

func (o tokenOwner) String() string {
	policies := slices.Concat(o.Policies, o.IdentityPolicies)
	slices.Sort(policies)
	policies = slices.Compact(policies)
	if more := len(policies) - policiesShown; more > 0 {
		policies = append(policies[:policiesShown], fmt.Sprintf("and %d more", more))
	}
	return fmt.Sprintf("%q (policies: %s)", short(o.DisplayName), short(strings.Join(policies, ", ")))
}

// is reports whether the name is that of a user: Vault puts the method's mount in front.
func (o tokenOwner) is(user string) bool {
	return o.DisplayName == user || strings.HasSuffix(o.DisplayName, "-"+user)
}

// notTheirs is for a login by flags, whose token is not allowed to read.
func (l Login) notTheirs(whose *tokenOwner, user, path string) string {
	hint := fmt.Sprintf("the token from %s does not allow \"read\" on %s", l, path)
	if whose != nil {
		hint = fmt.Sprintf("the token from %s belongs to %s, which do not allow \"read\" on %s", l, whose, path)
	}
	hint += fmt.Sprintf(". Check --owner and --user, and that the login is that of %s", user)
	if l.Method == "jwt" {
		hint += ", by the claim that the role's user_claim names"
	}
	return hint + ". If they are right, " + askForPolicy
}

// authMount is a way to log in.
type authMount struct{ kind, path string }

// peopleLogIn are the methods of the vault CLI's that people use, the likelier first.
var peopleLogIn = []string{"oidc", "saml", "ldap", "okta", "github", "kerberos", "radius", "userpass", "cert"}

// loginMethods are those that Vault shows: to everybody, those with listing_visibility=unauth; to a token, also those where
// it may do something. An error shows none.
func (s *Store) loginMethods(ctx context.Context, known bool) []authMount {
	client := s.client
	if !known { // Vault would answer a token that it doesn't know with an error
		client = s.client.WithNamespace(s.client.Namespace())
		client.ClearToken()
	}
	var got answer[struct {
		Auth map[string]struct {
			Type string `json:"type"`
		} `json:"auth"`
	}]
	err := s.send(ctx, "", func(ctx context.Context) error {
		resp, err := client.Logical().ReadRawWithContext(ctx, "sys/internal/ui/mounts")
		if err != nil {
			if resp != nil {
				resp.Body.Close()
			}
			return err
		}
		defer resp.Body.Close()
		return json.NewDecoder(resp.Body).Decode(&got)
	})
	if err != nil || got.Data == nil {
		return nil
	}
	var found []authMount
	for path, m := range got.Data.Auth {
		if m.Type == "jwt" || slices.Contains(peopleLogIn, m.Type) {
			found = append(found, authMount{m.Type, strings.TrimSuffix(path, "/")})
		}
	}
	slices.SortFunc(found, func(a, b authMount) int {
		if d := rank(a.kind) - rank(b.kind); d != 0 {
			return d
		}
		return strings.Compare(a.path, b.path)
	})
	return found
}

// folding are the methods that turn names into lower case. LDAP does unless its case_sensitive_names is set.
var folding = []string{"ldap", "userpass"}

// AuthMethods implements preflight.StoreProbe.
func (s *Store) AuthMethods(ctx context.Context) (found preflight.AuthMethods) {
	for _, m := range s.loginMethods(ctx, true) {
		if slices.Contains(folding, m.kind) {
			found.Folding = append(found.Folding, m.kind+" at "+shown(m.path+"/"))
		} else if m.kind != "jwt" {
			found.Others = true
		}
	}
	return found
}

// FoldsNames reports whether the auth method with an accessor turns names into lower case. An accessor has the method's type in it.
func FoldsNames(accessor string) bool {
	return slices.ContainsFunc(folding, func(kind string) bool { return strings.HasPrefix(accessor, "auth_"+kind+"_") })
}

// rank puts jwt last, which the vault CLI cannot log in by.
func rank(kind string) int {
	if n := slices.Index(peopleLogIn, kind); n >= 0 {
		return n
	}
	return len(peopleLogIn)
}

// methodsShown is how many methods, and policiesShown how many policies somebody reads. Vault may have many.
const methodsShown, policiesShown = 10, 20

// loginAs says how to log in. Nothing else of Vault's can be known to somebody without a token. Whoever may mount methods
// chooses what they are called, and somebody is to paste it.
func loginAs(user string, methods []authMount) string {
	var command string
	var others []string
	for _, m := range methods {
		switch {
		case command == "" && m.kind != "jwt" && shell.Pasteable(m.path):
			command = "vault login -method=" + m.kind
			if m.path != m.kind {
				command += " " + shell.Quote("-path="+m.path)
			}
		case m.kind == "jwt":
			others = append(others, "jwt at "+shown(m.path+"/")+", for --vault-auth=jwt")
		default:
			others = append(others, m.kind+" at "+shown(m.path+"/"))
		}
	}
	if more := len(others) - methodsShown; more > 0 {
		others = append(others[:methodsShown], fmt.Sprintf("and %d more", more))
	}
	text := "log in to Vault as " + user
	if command != "" {
		text += ": " + command
	} else {
		text += " with `vault login`"
	}
	if len(others) > 0 && command != "" {
		text += " (this Vault also has: " + strings.Join(others, "; ") + ")"
	} else if len(others) > 0 {
		text += " (this Vault shows: " + strings.Join(others, "; ") + ")"
	}
	return text
}

// shown is a path of Vault's as text: quoted, unless it is one that certsync takes itself.
func shown(path string) string {
	if _, err := cleanPath(path, ""); err != nil {
		return strconv.Quote(short(path))
	}
	return short(path)
}
