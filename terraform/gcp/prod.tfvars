# What is the team's choice. What follows from config/environments.yaml and from the other cloud is in
# generated/prod.tfvars.json, which `isthmus deploy prod` writes: docs/spec/deploy.md.
env = "prod"

deletion_protection = true
schedule_enabled    = true
