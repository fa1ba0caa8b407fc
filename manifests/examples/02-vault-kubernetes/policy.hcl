# Values of KV v2 are under data/, the list of entries under metadata/. The list is needed by dataFrom.find only.
path "secret/data/*" {
  capabilities = ["read"]
}
path "secret/metadata/*" {
  capabilities = ["read", "list"]
}
