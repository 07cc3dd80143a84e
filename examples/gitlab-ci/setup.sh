#!/bin/sh
# What .gitlab-ci.yml, which stands beside this file, needs in Vault and in the cluster. To be run once by an administrator of
# both, with the vault CLI and kubectl, when what `certsync manifests` and `certsync manifests --vault` print has been applied.
# gitlab.example.com is your GitLab, or gitlab.com; 123456 is the project's ID, which its page shows.
set -eu

vault auth enable -path=gitlab jwt
vault write auth/gitlab/config - <<'END'
{
  "oidc_discovery_url": "https://gitlab.example.com",
  "bound_issuer": "https://gitlab.example.com"
}
END

# Every branch and merge request of the project may plan; what runs in a fork names the fork.
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

# Only what was pushed to main may apply. By ref_path, since the ref of a merge request is a branch's name too. Beside "read" the
# policy says again what apply has on all users' credentials: of two rules Vault takes the one with the longer path, and apply
# renews this user too.
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

kubectl create clusterrolebinding certsync-prod-eu.ci-plan --clusterrole=certsync-prod-eu-plan --user=ci-plan@prod-eu
kubectl create rolebinding certsync-prod-eu.ci-plan -n kube-system --role=certsync-prod-eu-plan --user=ci-plan@prod-eu
kubectl create clusterrolebinding certsync-prod-eu.ci-apply --clusterrole=certsync-prod-eu --user=ci-apply@prod-eu
kubectl create rolebinding certsync-prod-eu.ci-apply -n kube-system --role=certsync-prod-eu --user=ci-apply@prod-eu
