# terraform apply -var-file=prod.tfvars
env = "prod"

# Samples: a plan with them is refused. From terraform/gcp, after its first apply: terraform output service_account_ids, audience, start_load
google_service_account_ids = { load_export = "100000000000000000003", bigquery_to_s3 = "100000000000000000004" }
audience                   = "isthmus-prod"
start_load = {
  workflow        = "projects/acme-isthmus-prod/locations/asia-northeast1/workflows/isthmus-prod-daily"
  audience        = "//iam.googleapis.com/projects/100000000006/locations/global/workloadIdentityPools/isthmus/providers/aws-account"
  service_account = "isthmus-start-load@acme-isthmus-prod.iam.gserviceaccount.com"
}

export_retention_days = 90
noncurrent_days       = 30

# A sample too.
notification_emails = ["data-platform@example.com"]

# Redis for lookup, in a network of its own.
# cache = { node_type = "cache.t4g.small", nodes = 2 }
