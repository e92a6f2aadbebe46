# What is the team's choice. What follows from config/environments.yaml and from the other cloud is in
# generated/stg.tfvars.json, which `isthmus deploy stg` writes: docs/spec/deploy.md.
env = "stg"

# stg may be torn down, and runs when it is asked to.
deletion_protection = false
schedule_enabled    = false
