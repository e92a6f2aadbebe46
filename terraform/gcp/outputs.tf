output "service_account_ids" {
  description = "The unique ids that the roles on AWS trust: variable google_service_account_ids of terraform/aws."
  value = {
    load_export    = google_service_account.account["load-export"].unique_id
    bigquery_to_s3 = google_service_account.account["bigquery-to-s3"].unique_id
  }
}

output "for_aws" {
  description = "What terraform/aws has to know of this root, as its variables are called: terraform output -json for_aws > ../aws/generated/{env}.google.tfvars.json. Not there before everything that comes before AWS is."
  value = {
    google_service_account_ids = {
      load_export    = google_service_account.account["load-export"].unique_id
      bigquery_to_s3 = google_service_account.account["bigquery-to-s3"].unique_id
    }
    google_project = {
      id       = var.project
      number   = data.google_project.this.number
      location = var.location
    }
  }

  depends_on = [
    google_artifact_registry_repository.images, google_bigquery_dataset_iam_member.member, google_bigquery_table.raw,
    google_secret_manager_secret.secret, google_storage_bucket_object.config,
  ]
}

output "environment" {
  description = "Whose state this is."
  value       = terraform_data.environment.output
}

output "told" {
  description = "What this root was told that nobody types, as its variables are called: whoever deploys next, from another machine, asks for it."
  value       = { aws = var.aws, image_tag = var.image_tag, transfer_key = var.transfer_key }
}

output "audience" {
  description = "What the jobs ask their identity tokens for: variable audience of terraform/aws."
  value       = local.audience
}

output "start_load" {
  description = "What publish-export starts when a day is published, and as whom: variable start_load of terraform/aws. Names, known before the workflow is there."
  value = {
    workflow        = "projects/${var.project}/locations/${var.location}/workflows/${local.workflow}"
    audience        = local.federation_audience
    service_account = google_service_account.account["start-load"].email
  }
}

output "extract_into" {
  description = "Where database-to-bigquery on AWS loads to, and as whom: variable extract_into of terraform/aws. Names, no secret; null where there is no extractor."
  value = var.extractor == null ? null : {
    project         = var.project
    location        = var.location
    audience        = local.federation_audience
    service_account = google_service_account.extractor["this"].email
  }
}

output "registry" {
  description = "Where images are pushed: {registry}/load-export:{image_tag}."
  value       = local.registry
}

output "config_bucket" {
  description = "The bucket that the jobs mount at /config."
  value       = google_storage_bucket.config.name
}

output "transfer_secret" {
  description = "The secret whose versions are the secret halves of the AWS access key of Data Transfer."
  value       = google_secret_manager_secret.secret["transfer_key"].secret_id
}

output "jobs" {
  description = "The names of the Cloud Run jobs."
  value       = { for key, job in google_cloud_run_v2_job.job : replace(key, "-", "_") => job.name }
}

output "workflow" {
  description = "The name of the daily workflow; null until aws is set."
  value       = one([for workflow in google_workflows_workflow.daily : workflow.name])
}

output "transfers" {
  description = "The transfer config of each table."
  value       = { for name, config in google_bigquery_data_transfer_config.table : name => config.name }
}
