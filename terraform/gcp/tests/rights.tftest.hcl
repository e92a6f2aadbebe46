# Who may do what.

run "every_account_has_just_the_roles_of_its_work" {
  command = apply

  assert {
    condition = toset([for member in google_bigquery_dataset_iam_member.member : "${member.dataset_id} ${member.role} ${split("@", member.member)[0]}" if member.role != google_project_iam_custom_role.transfer_dataset.name]) == toset([
      "raw_shop roles/bigquery.dataEditor serviceAccount:isthmus-load-export",
      "raw_shop roles/bigquery.dataEditor serviceAccount:isthmus-transfer",
      "raw_app_v2 roles/bigquery.dataEditor serviceAccount:isthmus-load-export",
      "raw_app_v2 roles/bigquery.dataEditor serviceAccount:isthmus-transfer",
      "isthmus_audit roles/bigquery.dataEditor serviceAccount:isthmus-load-export",
      "isthmus_scratch roles/bigquery.dataEditor serviceAccount:isthmus-bigquery-to-s3",
      "mart roles/bigquery.dataViewer serviceAccount:isthmus-bigquery-to-s3",
      "warehouse roles/bigquery.dataViewer serviceAccount:isthmus-bigquery-to-s3",
      "raw_shop roles/bigquery.dataViewer serviceAccount:isthmus-dbt",
      "raw_app_v2 roles/bigquery.dataViewer serviceAccount:isthmus-dbt",
      "isthmus_audit roles/bigquery.dataViewer serviceAccount:isthmus-dbt",
      "staging roles/bigquery.dataEditor serviceAccount:isthmus-dbt",
      "warehouse roles/bigquery.dataEditor serviceAccount:isthmus-dbt",
      "mart roles/bigquery.dataEditor serviceAccount:isthmus-dbt",
      "isthmus_dbt roles/bigquery.dataEditor serviceAccount:isthmus-dbt",
    ])
    error_message = "rights on datasets"
  }
  assert {
    condition = toset([for member in google_bigquery_dataset_iam_member.member : "${member.dataset_id} ${split("@", member.member)[0]}" if member.role == google_project_iam_custom_role.transfer_dataset.name]) == toset([
      "raw_shop serviceAccount:isthmus-transfer", "raw_app_v2 serviceAccount:isthmus-transfer",
    ]) && google_project_iam_custom_role.transfer_dataset.permissions == toset(["bigquery.datasets.get", "bigquery.datasets.update"])
    error_message = "the transfer account may change the settings of raw datasets, which dataEditor does not allow, and of no others"
  }
  assert {
    condition     = google_project_iam_custom_role.load_export.permissions == toset(["bigquery.jobs.create", "bigquery.transfers.get", "bigquery.transfers.update"])
    error_message = "load-export: docs/spec/load-export.md, Rights"
  }
  assert {
    condition     = google_project_iam_custom_role.bigquery_to_s3.permissions == toset(["bigquery.jobs.create", "bigquery.readsessions.create", "bigquery.readsessions.getData"])
    error_message = "bigquery-to-s3: docs/spec/bigquery-to-s3.md"
  }
  assert {
    condition = alltrue([for pair in [
      [google_project_iam_member.load_export, google_project_iam_custom_role.load_export, "load-export"],
      [google_project_iam_member.bigquery_to_s3, google_project_iam_custom_role.bigquery_to_s3, "bigquery-to-s3"],
      [google_project_iam_member.dbt, google_project_iam_custom_role.dbt, "dbt"],
      [google_project_iam_member.transfer, google_project_iam_custom_role.transfer, "transfer"],
      [google_project_iam_member.workflow, google_project_iam_custom_role.workflow, "workflow"],
    ] : pair[0].role == pair[1].name && startswith(pair[0].member, "serviceAccount:isthmus-${pair[2]}@")])
    error_message = "on the project, an account has its own custom role and no other"
  }
  assert {
    condition     = google_project_iam_member.scheduler.role == "roles/workflows.invoker"
    error_message = "the scheduler starts workflows, nothing else"
  }
  assert {
    condition     = { for key, member in google_cloud_run_v2_job_iam_member.workflow : key => "${member.role} ${split("@", member.member)[0]}" } == { dbt = "roles/run.jobsExecutorWithOverrides serviceAccount:isthmus-workflow", load-export = "roles/run.jobsExecutorWithOverrides serviceAccount:isthmus-workflow", bigquery-to-s3 = "roles/run.jobsExecutorWithOverrides serviceAccount:isthmus-workflow" }
    error_message = "the workflow runs the three jobs"
  }
}

run "the_transfer_service_may_act_as_the_transfer_account_only" {
  command = apply

  assert {
    condition     = google_service_account_iam_member.transfer_agent["transfer"].service_account_id == google_service_account.account["transfer"].name && google_service_account_iam_member.transfer_agent["transfer"].role == "roles/iam.serviceAccountTokenCreator"
    error_message = "the role is on the account, not on the project"
  }
  assert {
    condition     = endswith(google_service_account_iam_member.transfer_agent["transfer"].member, "@gcp-sa-bigquerydatatransfer.iam.gserviceaccount.com") && startswith(google_service_account_iam_member.transfer_agent["transfer"].member, "serviceAccount:service-")
    error_message = "the service's agent of this project"
  }
  assert {
    condition     = alltrue([for config in google_bigquery_data_transfer_config.table : config.service_account_name == google_service_account.account["transfer"].email])
    error_message = "transfers run as the transfer account, not as whoever applies"
  }
}

run "each_program_runs_as_its_own_account" {
  command = apply

  assert {
    condition     = alltrue([for key, job in google_cloud_run_v2_job.job : job.template[0].template[0].service_account == "isthmus-${key}@shop-isthmus-stg.iam.gserviceaccount.com"])
    error_message = "AWS trusts each by its id"
  }
  assert {
    condition     = strcontains(google_workflows_workflow.daily["daily"].service_account, google_service_account.account["workflow"].id) && google_cloud_scheduler_job.daily["daily"].http_target[0].oauth_token[0].service_account_email == google_service_account.account["scheduler"].email
    error_message = "workflow and scheduler too"
  }
}

run "no_custom_role_has_a_wildcard_or_a_right_to_give_rights" {
  command = plan

  assert {
    condition = alltrue([for permission in setunion(
      google_project_iam_custom_role.load_export.permissions, google_project_iam_custom_role.bigquery_to_s3.permissions,
      google_project_iam_custom_role.dbt.permissions, google_project_iam_custom_role.transfer.permissions, google_project_iam_custom_role.workflow.permissions,
      google_project_iam_custom_role.start_load.permissions, google_project_iam_custom_role.transfer_dataset.permissions,
    ) : !can(regex("[*]|setIamPolicy|actAs|delete", permission))])
    error_message = "no wildcard, no setIamPolicy, no actAs, no delete"
  }
}
