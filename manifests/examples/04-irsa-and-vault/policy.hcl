# Exactly the entries that the team uses.
path "kv/data/payments/db" {
  capabilities = ["read"]
}
path "kv/data/payments/internal-api" {
  capabilities = ["read"]
}
