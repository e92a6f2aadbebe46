# Bad values are refused before anything is planned.

run "an_environment_that_rds_would_refuse_is_refused" {
  command = plan
  variables {
    env = "Prod_1"
  }
  expect_failures = [var.env]
}

run "an_environment_with_two_hyphens_is_refused" {
  command = plan
  variables {
    env = "a--b"
  }
  expect_failures = [var.env]
}

run "a_project_number_instead_of_its_id_is_refused" {
  command = plan
  variables {
    project = "123456789012"
  }
  expect_failures = [var.project]
}

run "a_multi_region_is_refused" {
  command = plan
  variables {
    location = "US"
  }
  expect_failures = [var.location]
}

run "a_config_folder_that_is_not_there_is_refused" {
  command = plan
  variables {
    config_dir = "tests/config/nowhere"
  }
  expect_failures = [var.config_dir]
}

run "a_zone_whose_clocks_change_is_refused" {
  command = plan
  variables {
    export_timezone = "America/New_York"
  }
  expect_failures = [var.export_timezone]
}

run "a_zone_that_is_none_is_refused" {
  command = plan
  variables {
    export_timezone = "JST"
  }
  expect_failures = [var.export_timezone]
}

run "files_that_would_be_waited_for_all_day_are_refused" {
  command = plan
  variables {
    load_export = { min_file_age_seconds = 86400 }
  }
  expect_failures = [var.load_export]
}

run "an_empty_transfer_schedule_is_refused" {
  command = plan
  variables {
    transfer_schedule = ""
  }
  expect_failures = [var.transfer_schedule]
}

run "the_secret_instead_of_the_id_of_the_key_is_refused" {
  command = plan
  variables {
    transfer_key = { access_key_id = "wJalrXUtnFEMI/K7MDENG", secret_version = 1 }
  }
  expect_failures = [var.transfer_key]
}

run "a_key_of_version_zero_is_refused" {
  command = plan
  variables {
    transfer_key = { access_key_id = "AKIAEXAMPLEEXAMPLE12", secret_version = 0 }
  }
  expect_failures = [var.transfer_key]
}

run "a_key_before_aws_is_refused" {
  command = plan
  variables {
    aws = null
  }
  expect_failures = [var.transfer_key]
}

run "a_bucket_written_as_an_address_is_refused" {
  command = plan
  variables {
    aws = { region = "r", export_bucket = "s3://acme", app_bucket = "shop-app", load_export_role_arn = "arn:aws:iam::123456789012:role/a", bigquery_to_s3_role_arn = "arn:aws:iam::123456789012:role/b" }
  }
  expect_failures = [var.aws]
}

run "a_role_that_is_a_name_is_refused" {
  command = plan
  variables {
    aws = { region = "r", export_bucket = "shop-export", app_bucket = "shop-app", load_export_role_arn = "isthmus", bigquery_to_s3_role_arn = "arn:aws:iam::123456789012:role/b" }
  }
  expect_failures = [var.aws]
}

run "jobs_without_an_image_is_refused" {
  command = plan
  variables {
    image_tag = null
  }
  expect_failures = [var.image_tag]
}

run "a_tag_that_moves_is_refused" {
  command = plan
  variables {
    image_tag = "latest"
  }
  expect_failures = [var.image_tag]
}

run "a_timeout_shorter_than_the_waiting_is_refused" {
  command = plan
  variables {
    load_export = { timeout_seconds = 600 }
  }
  expect_failures = [var.load_export]
}

run "a_word_for_drift_that_load_export_does_not_know_is_refused" {
  command = plan
  variables {
    load_export = { on_drift = "stop" }
  }
  expect_failures = [var.load_export]
}

run "more_puts_at_once_than_the_engine_takes_is_refused" {
  command = plan
  variables {
    bigquery_to_s3 = { max_concurrency = 2000 }
  }
  expect_failures = [var.bigquery_to_s3]
}

run "a_schedule_that_is_a_time_is_refused" {
  command = plan
  variables {
    schedule = "05:00"
  }
  expect_failures = [var.schedule]
}

run "an_address_without_an_at_is_refused" {
  command = plan
  variables {
    alert_emails = ["example.com"]
  }
  expect_failures = [var.alert_emails]
}

run "a_slack_channel_without_a_hash_is_refused" {
  command = plan
  variables {
    slack = { channel_name = "data", secret_version = 1 }
  }
  expect_failures = [var.slack]
}

run "a_channel_by_its_display_name_is_refused" {
  command = plan
  variables {
    notification_channels = ["Slack"]
  }
  expect_failures = [var.notification_channels]
}

run "a_job_that_outlasts_the_workflow_is_refused" {
  command = plan
  variables {
    bigquery_to_s3 = { timeout_seconds = 90000 }
  }
  expect_failures = [var.bigquery_to_s3]
}

run "a_sample_of_a_project_is_refused" {
  command = plan
  variables {
    project = "acme-isthmus-stg"
  }
  expect_failures = [var.project]
}

run "a_sample_of_a_bucket_is_refused" {
  command = plan
  variables {
    aws = { region = "r", export_bucket = "acme-stg-export", app_bucket = "shop-app", load_export_role_arn = "arn:aws:iam::123456789012:role/a", bigquery_to_s3_role_arn = "arn:aws:iam::123456789012:role/b" }
  }
  expect_failures = [var.aws]
}

run "a_sample_of_an_address_is_refused" {
  command = plan
  variables {
    alert_emails = ["data@shop.test", "data-alerts@example.com"]
  }
  expect_failures = [var.alert_emails]
}
