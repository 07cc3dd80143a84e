#!/bin/sh
# Sets up Vault and the cluster for certsync.yaml, beside this file. First apply the output of `certsync manifests` and
# `certsync manifests --vault`. Then run this once, with the vault CLI and kubectl, as an administrator of both.
# acme/access is the repository. `gh api repos/acme/access --jq .id` prints its ID, which GitHub never uses again.
set -eu

vault auth enable -path=github jwt
vault write auth/github/config - <<'END'
{
  "oidc_discovery_url": "https://token.actions.githubusercontent.com",
  "bound_issuer": "https://token.actions.githubusercontent.com"
}
END

# Every branch and pull request of the repository may plan. The pull request of a fork gets no JWT, unless a
# private repository has the setting "Send write tokens to workflows from pull requests". Leave it off: with it, the JWT of a fork has
# the claims of acme/access.
vault policy write certsync-prod-eu.ci-plan - <<'END'
path "secret/data/certsync/prod-eu/users/ci-plan@prod-eu" { capabilities = ["read"] }
END
vault write auth/github/role/certsync-prod-eu-plan - <<'END'
{
  "role_type": "jwt",
  "user_claim": "sub",
  "bound_audiences": ["https://vault.example.com:8200"],
  "bound_claims": {"repository": "acme/access", "repository_id": "123456789"},
  "token_policies": ["certsync-prod-eu-plan", "certsync-prod-eu.ci-plan"],
  "token_no_default_policy": true,
  "token_ttl": 600,
  "token_type": "service"
}
END

# Only a push to main may apply, and only after its reviewers have approved. The policy repeats "create" and "update", which
# apply has on all credentials: Vault uses only the rule with the longest path, and apply renews this user too.
vault policy write certsync-prod-eu.ci-apply - <<'END'
path "secret/data/certsync/prod-eu/users/ci-apply@prod-eu" { capabilities = ["create", "update", "read"] }
END
vault write auth/github/role/certsync-prod-eu - <<'END'
{
  "role_type": "jwt",
  "user_claim": "sub",
  "bound_audiences": ["https://vault.example.com:8200"],
  "bound_claims": {
    "repository": "acme/access",
    "repository_id": "123456789",
    "event_name": "push",
    "ref": "refs/heads/main",
    "environment": "prod-eu"
  },
  "token_policies": ["certsync-prod-eu", "certsync-prod-eu.ci-apply"],
  "token_no_default_policy": true,
  "token_ttl": 3600,
  "token_type": "service"
}
END

# These bind the plain names. If a revocation gives the users other names, change the bindings: see examples/git/README.md.
kubectl create clusterrolebinding certsync-prod-eu.ci-plan --clusterrole=certsync-prod-eu-plan --user=ci-plan@prod-eu
kubectl create rolebinding certsync-prod-eu.ci-plan -n kube-system --role=certsync-prod-eu-plan --user=ci-plan@prod-eu
kubectl create clusterrolebinding certsync-prod-eu.ci-apply --clusterrole=certsync-prod-eu --user=ci-apply@prod-eu
kubectl create rolebinding certsync-prod-eu.ci-apply -n kube-system --role=certsync-prod-eu --user=ci-apply@prod-eu
