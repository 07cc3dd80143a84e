#!/bin/sh
# The service account certsync in namespace certsync is as good as cluster-admin. It may approve for the signer
# kubernetes.io/kube-apiserver-client, so it can get a certificate with almost any name and group. A user who can create
# pods, exec into them, create tokens or write ConfigMaps in namespace certsync can use that service account. Give access to
# this namespace only to administrators of the cluster.
#
# Made by certsync manifests --vault for owner prod-eu. Log in with the vault CLI first.
set -eu

# One policy for all users. Give it to everybody who logs in with that auth method. A person whose alias there is a user's
# name may read that user's credential. So the auth method must not give that name to another person, even after the user
# has left. The second rule is for aliases with wildcards: "*", "+" and "ali*" match nothing. The rule also denies all
# other users' credentials, unless another policy has a rule whose first wildcard is later in the path, or that has none. So
# give users no rule such as "secret/data/*". An administrator with a rule such as "*" or "secret/*" must not have this policy,
# or needs the policy of apply too.
vault policy write certsync-prod-eu-users - <<'EOF'
path "secret/+/certsync/prod-eu/users/{{identity.entity.aliases.auth_oidc_1a2b3c4d.name}}" { capabilities = ["read"] }
path "secret/+/certsync/prod-eu/users/+" { capabilities = ["deny"] }
EOF

# For apply. It may write credentials, but not read them.
vault policy write certsync-prod-eu - <<'EOF'
path "secret/metadata/certsync/prod-eu/ledger/*" { capabilities = ["list", "read", "delete"] }
path "secret/data/certsync/prod-eu/ledger/*" { capabilities = ["create", "update", "read"] }
path "secret/metadata/certsync/prod-eu/users/*" { capabilities = ["list", "read", "delete"] }
path "secret/data/certsync/prod-eu/users/*" { capabilities = ["create", "update"] }
path "secret/destroy/certsync/prod-eu/users/*" { capabilities = ["update"] }
path "secret/data/certsync/prod-eu/state" { capabilities = ["create", "update", "read"] }
path "secret/metadata/certsync/prod-eu/state" { capabilities = ["read"] }
path "secret/config" { capabilities = ["read"] }
path "sys/capabilities-self" { capabilities = ["update"] }
path "auth/token/revoke-self" { capabilities = ["update"] }
EOF

# For plan and status. They only read, and never a credential.
vault policy write certsync-prod-eu-plan - <<'EOF'
path "secret/metadata/certsync/prod-eu/ledger/*" { capabilities = ["list", "read"] }
path "secret/data/certsync/prod-eu/ledger/*" { capabilities = ["read"] }
path "secret/metadata/certsync/prod-eu/users/*" { capabilities = ["list", "read"] }
path "secret/data/certsync/prod-eu/state" { capabilities = ["read"] }
path "secret/metadata/certsync/prod-eu/state" { capabilities = ["read"] }
path "auth/token/revoke-self" { capabilities = ["update"] }
EOF

# The logins of the CronJob. They need Vault's kubernetes auth method at auth/kubernetes. Without the CronJob, leave them out.
# https://developer.hashicorp.com/vault/docs/auth/kubernetes
vault write auth/kubernetes/role/certsync-prod-eu - <<'EOF'
{
  "bound_service_account_names": [
    "certsync"
  ],
  "bound_service_account_namespaces": [
    "certsync"
  ],
  "audience": "vault",
  "token_policies": [
    "certsync-prod-eu"
  ],
  "token_no_default_policy": true,
  "token_ttl": 600,
  "token_type": "service"
}
EOF
vault write auth/kubernetes/role/certsync-prod-eu-plan - <<'EOF'
{
  "bound_service_account_names": [
    "certsync-plan"
  ],
  "bound_service_account_namespaces": [
    "certsync"
  ],
  "audience": "vault",
  "token_policies": [
    "certsync-prod-eu-plan"
  ],
  "token_no_default_policy": true,
  "token_ttl": 600,
  "token_type": "service"
}
EOF
