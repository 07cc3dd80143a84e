#!/bin/sh
# Sets up Vault and the cluster for .gitlab-ci.yml, beside this file. First apply the output of `certsync manifests` and
# `certsync manifests --vault`. Then run this once, with the vault CLI and kubectl, as an administrator of both.
# gitlab.example.com is your GitLab, or gitlab.com. 123456 is the project's ID, from its page.
set -eu

vault auth enable -path=gitlab jwt
vault write auth/gitlab/config - <<'END'
{
  "oidc_discovery_url": "https://gitlab.example.com",
  "bound_issuer": "https://gitlab.example.com"
}
END

# Every branch and merge request of the project may plan. The JWT of a fork names the fork.
vault policy write certsync-prod-eu.ci-plan - <<'END'
path "secret/data/certsync/prod-eu/users/ci-plan@prod-eu" { capabilities = ["read"] }
END
vault write auth/gitlab/role/certsync-prod-eu-plan - <<'END'
{
  "role_type": "jwt",
  "user_claim": "sub",
  "bound_audiences": ["https://vault.example.com:8200"],
  "bound_claims": {"project_id": "123456"},
  "token_policies": ["certsync-prod-eu-plan", "certsync-prod-eu.ci-plan"],
  "token_no_default_policy": true,
  "token_ttl": 600,
  "token_type": "service"
}
END

# Only a push to main may apply. The role checks ref_path, because the ref of a merge request is also the name of a branch. The
# policy repeats "create" and "update", which apply has on all credentials: Vault uses only the rule with the longest path, and
# apply renews this user too.
vault policy write certsync-prod-eu.ci-apply - <<'END'
path "secret/data/certsync/prod-eu/users/ci-apply@prod-eu" { capabilities = ["create", "update", "read"] }
END
vault write auth/gitlab/role/certsync-prod-eu - <<'END'
{
  "role_type": "jwt",
  "user_claim": "sub",
  "bound_audiences": ["https://vault.example.com:8200"],
  "bound_claims": {
    "project_id": "123456",
    "pipeline_source": "push",
    "ref_path": "refs/heads/main",
    "ref_protected": "true",
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
