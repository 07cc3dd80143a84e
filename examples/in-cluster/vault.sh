#!/bin/sh
# Whoever may approve for the signer kubernetes.io/kube-apiserver-client is as good as cluster-admin: such a certificate can
# carry almost any name and group. The service account certsync in namespace certsync may, and so may whoever can create pods,
# exec into them, make tokens or write ConfigMaps in namespace certsync: give nobody anything there who is not an administrator of
# the cluster.
#
# Made by certsync manifests --vault for owner prod-eu. Needs the vault CLI, logged in, and the kubernetes auth method set up at
# auth/kubernetes: https://developer.hashicorp.com/vault/docs/auth/kubernetes
set -eu

# apply writes credentials, and never reads one.
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

# plan and status only read, and no credential.
vault policy write certsync-prod-eu-plan - <<'EOF'
path "secret/metadata/certsync/prod-eu/ledger/*" { capabilities = ["list", "read"] }
path "secret/data/certsync/prod-eu/ledger/*" { capabilities = ["read"] }
path "secret/metadata/certsync/prod-eu/users/*" { capabilities = ["list", "read"] }
path "secret/data/certsync/prod-eu/state" { capabilities = ["read"] }
path "secret/metadata/certsync/prod-eu/state" { capabilities = ["read"] }
path "auth/token/revoke-self" { capabilities = ["update"] }
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

# One policy for all users, to be given to everybody who logs in by that auth method. Who has a user's name as their alias
# there may read that user's credential: the auth method must give a name to nobody else, and to nobody
# anew who left. The second rule is for aliases that
# hold wildcards: "*", "+" and "ali*" match nothing. It also keeps whoever has this policy from all others' credentials, unless
# another policy names their whole path.
vault policy write certsync-prod-eu-users - <<'EOF'
path "secret/+/certsync/prod-eu/users/{{identity.entity.aliases.auth_oidc_1a2b3c4d.name}}" { capabilities = ["read"] }
path "secret/+/certsync/prod-eu/users/+" { capabilities = ["deny"] }
EOF
