env = "prod"
# A sample, which a plan refuses: the id of your project.
project = "acme-isthmus-prod"

deletion_protection = true
schedule_enabled    = true

# A sample too.
alert_emails = ["data-alerts@example.com"]
