# terraform apply -var-file=stg.tfvars
env           = "stg"
force_destroy = true

# Samples: a plan with them is refused. From terraform/gcp, after its first apply: terraform output service_account_ids, audience
google_service_account_ids = { load_export = "100000000000000000001", bigquery_to_s3 = "100000000000000000002" }
audience                   = "isthmus-stg"

export_retention_days = 30
noncurrent_days       = 7
