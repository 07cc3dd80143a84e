# The Vault policy of `certsync plan` and of the other commands that only read. prod-eu is the owner.
path "secret/metadata/certsync/prod-eu/ledger/*" { capabilities = ["list", "read"] }
path "secret/data/certsync/prod-eu/ledger/*"     { capabilities = ["read"] }
path "secret/metadata/certsync/prod-eu/users/*"  { capabilities = ["list", "read"] }
path "secret/data/certsync/prod-eu/state"        { capabilities = ["read"] }
path "secret/metadata/certsync/prod-eu/state"    { capabilities = ["read"] }
