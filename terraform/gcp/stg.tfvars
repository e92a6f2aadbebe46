env = "stg"
# A sample, which a plan refuses: the id of your project.
project = "acme-isthmus-stg"

# stg may be torn down, and runs when it is asked to.
deletion_protection = false
schedule_enabled    = false
