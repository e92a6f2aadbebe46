# terraform apply -var-file=stg.tfvars
env           = "stg"
force_destroy = true

# Samples: a plan with them is refused. From terraform/gcp, after its first apply: terraform output service_account_ids, audience, start_load
google_service_account_ids = { load_export = "100000000000000000001", bigquery_to_s3 = "100000000000000000002" }
audience                   = "isthmus-stg"
start_load = {
  workflow        = "projects/acme-isthmus-stg/locations/asia-northeast1/workflows/isthmus-stg-daily"
  audience        = "//iam.googleapis.com/projects/100000000005/locations/global/workloadIdentityPools/isthmus/providers/aws-account"
  service_account = "isthmus-start-load@acme-isthmus-stg.iam.gserviceaccount.com"
}

export_retention_days = 30
noncurrent_days       = 7
