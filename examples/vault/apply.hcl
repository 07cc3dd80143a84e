# The Vault policy of `certsync apply`. prod-eu is the owner. apply writes credentials and never reads one.
path "secret/metadata/certsync/prod-eu/ledger/*" { capabilities = ["list", "read", "delete"] }
path "secret/data/certsync/prod-eu/ledger/*"     { capabilities = ["create", "update", "read"] }
path "secret/metadata/certsync/prod-eu/users/*"  { capabilities = ["list", "read", "delete"] }
path "secret/data/certsync/prod-eu/users/*"      { capabilities = ["create", "update"] }
path "secret/destroy/certsync/prod-eu/users/*"   { capabilities = ["update"] }
path "secret/data/certsync/prod-eu/state"        { capabilities = ["create", "update", "read"] }
path "secret/metadata/certsync/prod-eu/state"    { capabilities = ["read"] }
path "secret/config"                             { capabilities = ["read"] }
