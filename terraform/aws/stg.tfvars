# What is the team's choice. What follows from config/environments.yaml and from terraform/gcp is in generated/, which
# `isthmus deploy stg` writes: docs/spec/deploy.md.
env           = "stg"
force_destroy = true

export_retention_days = 30
noncurrent_days       = 7
