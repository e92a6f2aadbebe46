# prod cannot be deleted by mistake; stg can be torn down.
variables {
  env     = "prod"
  project = "shop-isthmus-prod"
}

run "prod_keeps_what_holds_data_and_what_aws_trusts" {
  command = plan

  assert {
    condition     = alltrue([for dataset in google_bigquery_dataset.dataset : !dataset.delete_contents_on_destroy && dataset.deletion_policy == "PREVENT"])
    error_message = "datasets"
  }
  assert {
    condition     = alltrue([for table in google_bigquery_table.raw : table.deletion_protection])
    error_message = "tables"
  }
  assert {
    condition     = !google_storage_bucket.config.force_destroy && google_storage_bucket.config.deletion_policy == "PREVENT"
    error_message = "the config bucket"
  }
  assert {
    condition     = alltrue([for account in google_service_account.account : account.deletion_policy == "PREVENT"])
    error_message = "a new account has a new id, which no role on AWS trusts"
  }
  assert {
    condition     = alltrue([for job in google_cloud_run_v2_job.job : job.deletion_protection]) && alltrue([for secret in google_secret_manager_secret.secret : secret.deletion_protection]) && google_workflows_workflow.daily["daily"].deletion_protection && google_artifact_registry_repository.images.deletion_policy == "PREVENT"
    error_message = "jobs, secrets, the workflow, images"
  }
}

run "stg_can_be_torn_down" {
  command = plan
  variables {
    env                 = "stg"
    deletion_protection = false
  }

  assert {
    condition     = alltrue([for dataset in google_bigquery_dataset.dataset : dataset.delete_contents_on_destroy && dataset.deletion_policy == "DELETE"]) && alltrue([for table in google_bigquery_table.raw : !table.deletion_protection])
    error_message = "datasets and tables"
  }
  assert {
    condition     = google_storage_bucket.config.force_destroy && alltrue([for job in google_cloud_run_v2_job.job : !job.deletion_protection]) && alltrue([for account in google_service_account.account : account.deletion_policy == "DELETE"]) && alltrue([for secret in google_secret_manager_secret.secret : !secret.deletion_protection]) && !google_workflows_workflow.daily["daily"].deletion_protection
    error_message = "the rest"
  }
}

run "a_result_in_the_scratch_dataset_ends_after_a_day_and_others_never" {
  command = plan

  assert {
    condition     = { for id, dataset in google_bigquery_dataset.dataset : id => dataset.default_table_expiration_ms if dataset.default_table_expiration_ms != null } == { isthmus_dbt = 2592000000, isthmus_scratch = 86400000 }
    error_message = "only scratch tables and what tests found expire"
  }
  assert {
    condition     = toset(keys(google_bigquery_dataset.dataset)) == toset(["raw_shop", "raw_app_v2", "staging", "warehouse", "mart", "isthmus_audit", "isthmus_dbt", "isthmus_scratch"]) && alltrue([for dataset in google_bigquery_dataset.dataset : dataset.location == "asia-northeast1"])
    error_message = "datasets, all in one location"
  }
}

run "the_last_images_stay_however_old" {
  command = plan

  assert {
    condition     = one([for policy in google_artifact_registry_repository.images.cleanup_policies : policy.most_recent_versions[0].keep_count if policy.action == "KEEP"]) == 10
    error_message = "without a KEEP policy, an image that still runs would be deleted after 30 days"
  }
}
