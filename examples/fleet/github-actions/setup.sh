#!/bin/sh
# Sets up Vault and all clusters for certsync.yaml, beside this file. First apply the output of `certsync manifests --cluster NAME`
# and `certsync manifests --vault --cluster NAME` for each cluster. Then run this, with the vault CLI and kubectl, as an
# administrator of all. For a new cluster, add its name to the list below, and run this again. The contexts in your kubeconfig have
# the names of the clusters, and so have the owners.
# acme/access is the repository. `gh api repos/acme/access --jq .id` prints its ID, which GitHub never uses again.
set -eu

clusters="dev-eu dev-us dev-ap stage-eu stage-us stage-ap prod-eu prod-us prod-ap"

# bind makes a binding in the current cluster. One that exists stays as it is: after a revocation, it has another name of the user.
bind() {
  kind=$1
  name=$2
  shift 2
  found=$(kubectl --context "$cluster" get "$kind" "$name" -n kube-system --ignore-not-found -o name)
  [ -n "$found" ] || kubectl --context "$cluster" create "$kind" "$name" -n kube-system "$@"
}

mounts=$(vault auth list -format=json)
case "$mounts" in
*'"github/"'*) ;;
*) vault auth enable -path=github jwt ;;
esac
vault write auth/github/config - <<'END'
{
  "oidc_discovery_url": "https://token.actions.githubusercontent.com",
  "bound_issuer": "https://token.actions.githubusercontent.com"
}
END

policies=
for cluster in $clusters; do
  vault policy write "certsync-$cluster.ci-plan" - <<END
path "secret/data/certsync/$cluster/users/ci-plan@access" { capabilities = ["read"] }
END
  # The policy repeats "create" and "update", which apply has on all credentials: Vault uses only the rule with the longest path.
  vault policy write "certsync-$cluster.ci-apply" - <<END
path "secret/data/certsync/$cluster/users/ci-apply@access" { capabilities = ["create", "update", "read"] }
END
  # Only a push to main may apply, and only after the reviewers of this cluster's environment have approved.
  vault write "auth/github/role/certsync-$cluster" - <<END
{
  "role_type": "jwt",
  "user_claim": "sub",
  "bound_audiences": ["https://vault.example.com:8200"],
  "bound_claims": {
    "repository": "acme/access",
    "repository_id": "123456789",
    "event_name": "push",
    "ref": "refs/heads/main",
    "environment": "$cluster"
  },
  "token_policies": ["certsync-$cluster", "certsync-$cluster.ci-apply"],
  "token_no_default_policy": true,
  "token_ttl": 3600,
  "token_type": "service"
}
END
  policies="$policies${policies:+, }\"certsync-$cluster-plan\", \"certsync-$cluster.ci-plan\""

  # These bind the plain names. If a revocation gives the users other names, change the bindings: see examples/git/README.md.
  bind clusterrolebinding "certsync-$cluster.ci-plan" --clusterrole="certsync-$cluster-plan" --user=ci-plan@access
  bind rolebinding "certsync-$cluster.ci-plan" --role="certsync-$cluster-plan" --user=ci-plan@access
  bind clusterrolebinding "certsync-$cluster.ci-apply" --clusterrole="certsync-$cluster" --user=ci-apply@access
  bind rolebinding "certsync-$cluster.ci-apply" --role="certsync-$cluster" --user=ci-apply@access
done

# Every branch and pull request of the repository may plan for all clusters. The pull request of a fork gets no JWT, unless a
# private repository has the setting "Send write tokens to workflows from pull requests". Leave it off: with it, the JWT of a fork has
# the claims of acme/access.
vault write auth/github/role/certsync-plan - <<END
{
  "role_type": "jwt",
  "user_claim": "sub",
  "bound_audiences": ["https://vault.example.com:8200"],
  "bound_claims": {"repository": "acme/access", "repository_id": "123456789"},
  "token_policies": [$policies],
  "token_no_default_policy": true,
  "token_ttl": 600,
  "token_type": "service"
}
END
