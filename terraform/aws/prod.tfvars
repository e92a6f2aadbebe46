# What is the team's choice. What follows from config/environments.yaml and from terraform/gcp is in generated/, which
# `isthmus deploy prod` writes: docs/spec/deploy.md.
env = "prod"

export_retention_days = 90
noncurrent_days       = 30

# Redis for lookup, in a network of its own.
# cache = { node_type = "cache.t4g.small", nodes = 2 }
