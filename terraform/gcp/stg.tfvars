env     = "stg"
project = "acme-isthmus-stg"

# stg may be torn down, and runs when it is asked to.
deletion_protection = false
schedule_enabled    = false
