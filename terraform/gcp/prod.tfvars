env     = "prod"
project = "acme-isthmus-prod"

deletion_protection = true
schedule_enabled    = true

alert_emails = ["data-alerts@example.com"]
