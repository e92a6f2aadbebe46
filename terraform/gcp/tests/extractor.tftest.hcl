# database-to-bigquery: whom it acts as, what that one may do, and the Cloud Run job where there is one.
variables {
  config_dir = "tests/config/extracts"
  aws = {
    region                  = "ap-northeast-1"
    export_bucket           = "shop-export"
    app_bucket              = "shop-app"
    load_export_role_arn    = "arn:aws:iam::123456789012:role/load"
    bigquery_to_s3_role_arn = "arn:aws:iam::123456789012:role/sync"
    publish_export_role_arn = "arn:aws:iam::123456789012:role/isthmus-stg-publish-export"
    extractor_role_arn      = "arn:aws:iam::123456789012:role/isthmus-stg-database-to-bigquery"
  }
  extractor = {}
}

run "it_is_off_unless_asked_for" {
  command = apply
  variables {
    extractor = null
  }

  assert {
    condition     = length(google_service_account.extractor) == 0 && length(google_bigquery_dataset_iam_member.extractor) == 0 && length(google_bigquery_dataset.extracted) == 0 && length(google_cloud_run_v2_job.extractor) == 0 && output.extract_into == null
    error_message = "nothing of it"
  }
  assert {
    condition     = keys(google_service_account_iam_member.aws_role) == ["start-load"] && google_iam_workload_identity_pool_provider.aws["123456789012"].attribute_condition == "assertion.account == '123456789012' && attribute.aws_role in ['isthmus-stg-publish-export']"
    error_message = "its role on AWS is not let in"
  }
}

run "one_account_may_write_to_the_datasets_of_the_list_and_nothing_else" {
  command = apply

  assert {
    condition = toset([for member in google_bigquery_dataset_iam_member.extractor : "${member.dataset_id} ${member.role} ${split("@", member.member)[0]}"]) == toset([
      "direct_shop roles/bigquery.dataEditor serviceAccount:isthmus-database-to-bigquery",
      "raw_app_v2 roles/bigquery.dataEditor serviceAccount:isthmus-database-to-bigquery",
      "isthmus_audit roles/bigquery.dataEditor serviceAccount:isthmus-database-to-bigquery",
      "isthmus_scratch roles/bigquery.dataEditor serviceAccount:isthmus-database-to-bigquery",
    ])
    error_message = "the list's datasets, the audit and the scratch tables"
  }
  assert {
    condition     = google_project_iam_custom_role.extractor["this"].permissions == toset(["bigquery.jobs.create"]) && google_project_iam_member.extractor["this"].role == google_project_iam_custom_role.extractor["this"].name
    error_message = "on the project: jobs, and no data"
  }
  assert {
    condition     = keys(google_bigquery_dataset.extracted) == ["direct_shop"]
    error_message = "raw_app_v2 is of tables.yaml, and made there"
  }
  assert {
    condition     = [for member in google_bigquery_dataset_iam_member.extracted_dbt : "${member.dataset_id} ${member.role} ${split("@", member.member)[0]}"] == ["direct_shop roles/bigquery.dataViewer serviceAccount:isthmus-dbt"]
    error_message = "dbt reads them"
  }
}

run "the_task_on_aws_is_let_in_and_acts_as_it" {
  command = apply

  assert {
    condition     = google_iam_workload_identity_pool_provider.aws["123456789012"].attribute_condition == "assertion.account == '123456789012' && attribute.aws_role in ['isthmus-stg-database-to-bigquery', 'isthmus-stg-publish-export']"
    error_message = "the condition names account and roles"
  }
  assert {
    condition = { for key, member in google_service_account_iam_member.aws_role : key => "${member.role} ${split("/attribute", member.member)[1]}" } == {
      database-to-bigquery = "roles/iam.workloadIdentityUser .aws_role/isthmus-stg-database-to-bigquery"
      start-load           = "roles/iam.workloadIdentityUser .aws_role/isthmus-stg-publish-export"
    }
    error_message = "each role acts as one account"
  }
  assert {
    condition     = google_service_account_iam_member.aws_role["database-to-bigquery"].service_account_id == google_service_account.extractor["this"].name
    error_message = "the extractor's"
  }
  assert {
    condition = output.extract_into == {
      project         = "shop-isthmus-stg"
      location        = "asia-northeast1"
      audience        = local.federation_audience
      service_account = google_service_account.extractor["this"].email
    }
    error_message = "what terraform/aws is told"
  }
}

run "without_a_cloud_run_setting_there_is_no_job_here" {
  command = plan

  assert {
    condition     = length(google_cloud_run_v2_job.extractor) == 0 && length(google_storage_bucket_iam_member.extractor) == 0
    error_message = "it runs on AWS"
  }
}

run "a_cloud_run_job_of_the_same_image_where_the_database_can_be_reached" {
  command = apply
  variables {
    schedule_enabled = true
    extractor = { cloud_run = {
      databases = {
        shop = { url = "mysql://isthmus@10.1.2.3/shop", password_secret = "shop-reader" }
        app  = { url = "postgres://isthmus@10.1.2.4:5433/app", password_secret = "app-reader" }
      }
      mask_key_secret = "mask-key"
      network         = "shop", subnetwork = "jobs", schedule = "0 * * * *"
    } }
  }

  assert {
    condition = { for env in google_cloud_run_v2_job.extractor["this"].template[0].template[0].containers[0].env : env.name => env.value if length(env.value_source) == 0 } == {
      GOOGLE_CLOUD_PROJECT = "shop-isthmus-stg", BIGQUERY_LOCATION = "asia-northeast1", EXTRACTS_FILE = "/config/extracts.yaml"
      EXPORT_TIMEZONE      = "Asia/Tokyo", PARALLEL_TABLES = "2"
      DATABASE_URL_SHOP    = "mysql://isthmus@10.1.2.3/shop", DATABASE_URL_APP = "postgres://isthmus@10.1.2.4:5433/app"
    }
    error_message = "see docs/spec/database-to-bigquery.md, Variables"
  }
  assert {
    condition = { for env in google_cloud_run_v2_job.extractor["this"].template[0].template[0].containers[0].env : env.name => env.value_source[0].secret_key_ref[0].secret if length(env.value_source) > 0 } == {
      DATABASE_PASSWORD_SHOP = "shop-reader", DATABASE_PASSWORD_APP = "app-reader", MASK_KEY = "mask-key"
    }
    error_message = "passwords come from Secret Manager"
  }
  assert {
    condition     = toset([for member in google_secret_manager_secret_iam_member.extractor : member.secret_id]) == toset(["shop-reader", "app-reader", "mask-key"])
    error_message = "and the account may read these"
  }
  assert {
    condition     = google_cloud_run_v2_job.extractor["this"].template[0].template[0].containers[0].image == "asia-northeast1-docker.pkg.dev/shop-isthmus-stg/isthmus/database-to-bigquery:abc1234" && google_cloud_run_v2_job.extractor["this"].template[0].template[0].vpc_access[0].egress == "PRIVATE_RANGES_ONLY"
    error_message = "the same image, in the database's network"
  }
  assert {
    condition     = google_cloud_scheduler_job.extractor["this"].schedule == "0 * * * *" && !google_cloud_scheduler_job.extractor["this"].paused && google_cloud_run_v2_job_iam_member.extractor["this"].role == "roles/run.invoker"
    error_message = "started by the clock"
  }
  assert {
    condition     = contains(keys(google_monitoring_alert_policy.log), "database-to-bigquery-failed") && contains(keys(google_monitoring_alert_policy.silence), "database-to-bigquery")
    error_message = "a failure and 26 hours of silence are told"
  }
}

run "other_databases_than_the_list_has_are_refused" {
  command = plan
  variables {
    extractor = { cloud_run = { databases = { shop = { url = "mysql://isthmus@10.1.2.3/shop", password_secret = "shop-reader" } } } }
  }
  expect_failures = [google_cloud_run_v2_job.extractor]
}

run "a_table_that_both_lists_load_is_refused" {
  command = plan
  variables {
    config_dir = "tests/config/extracts-shared"
  }
  expect_failures = [google_storage_bucket_object.config]
}
