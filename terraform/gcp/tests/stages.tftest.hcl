# From nothing: what each apply makes.

run "first_what_aws_needs_to_know" {
  command = plan
  variables {
    aws          = null
    transfer_key = null
    image_tag    = null
  }

  assert {
    condition     = length(google_service_account.account) == 7 && length(google_bigquery_dataset.dataset) == 8 && length(google_secret_manager_secret.secret) == 2
    error_message = "accounts, datasets and empty secrets"
  }
  assert {
    condition     = output.audience == "isthmus-stg" && output.registry == "asia-northeast1-docker.pkg.dev/shop-isthmus-stg/isthmus" && output.transfer_secret == "isthmus-stg-transfer-key"
    error_message = "what AWS, the image build and the key's rotation need"
  }
  assert {
    condition     = length(google_iam_workload_identity_pool_provider.aws) + length(google_service_account_iam_member.aws_role) == 0
    error_message = "nobody of AWS is let in before its account is known"
  }
  assert {
    condition     = length(google_cloud_run_v2_job.job) + length(google_workflows_workflow.daily) + length(google_cloud_scheduler_job.daily) + length(google_bigquery_data_transfer_config.table) + length(google_monitoring_alert_policy.log) + length(google_monitoring_alert_policy.metric) + length(google_monitoring_alert_policy.silence) + length(google_monitoring_notification_channel.email) + length(google_monitoring_dashboard.isthmus) + length(google_logging_metric.figure) == 0
    error_message = "nothing that needs AWS"
  }
  assert {
    condition     = output.workflow == null && output.jobs == {}
    error_message = "no names of what is not there"
  }
}

run "then_what_needs_aws" {
  command = plan
  variables {
    transfer_key = null
  }

  assert {
    condition     = length(google_cloud_run_v2_job.job) == 3 && output.workflow == "isthmus-stg-daily" && length(google_cloud_scheduler_job.daily) == 1
    error_message = "jobs, workflow, schedule"
  }
  assert {
    condition     = length(google_bigquery_data_transfer_config.table) == 0
    error_message = "a transfer needs the key"
  }
}

run "then_the_transfers" {
  command = plan

  assert {
    condition     = length(google_bigquery_data_transfer_config.table) == 3
    error_message = "one for each table"
  }
}

run "the_ids_that_aws_trusts_are_numbers" {
  command = apply

  assert {
    condition     = alltrue([for id in values(output.service_account_ids) : can(regex("^[0-9]{15,}$", id))]) && toset(keys(output.service_account_ids)) == toset(["load_export", "bigquery_to_s3"])
    error_message = "a trust policy pins the unique id, not the e-mail"
  }
}
