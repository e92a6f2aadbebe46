# What the jobs get, and how the day runs.

run "load_export_gets_the_variables_that_it_reads" {
  command = plan

  assert {
    condition = { for env in google_cloud_run_v2_job.job["load-export"].template[0].template[0].containers[0].env : env.name => env.value } == {
      ENV               = "stg", S3_BUCKET_NAME = "shop-export", AWS_REGION = "ap-northeast-1", AWS_AUDIENCE = "isthmus-stg",
      AWS_ROLE_ARN      = "arn:aws:iam::123456789012:role/load", GOOGLE_CLOUD_PROJECT = "shop-isthmus-stg",
      BIGQUERY_LOCATION = "asia-northeast1", TABLES_FILE = "/config/tables.yaml", AUDIT_DATASET = "isthmus_audit",
      EXPORT_TIMEZONE   = "Asia/Tokyo", WAIT_MINUTES = "90", TRANSFER_MINUTES = "120", MIN_FILE_AGE_SECONDS = "600",
      ON_DRIFT          = "warn", DBT_MANIFEST_FILE = "/config/dbt/manifest.json", SYNCS_FILE = "/config/syncs.yaml"
    }
    error_message = "see docs/spec/load-export.md, Settings"
  }
}

run "bigquery_to_s3_gets_the_variables_that_it_reads" {
  command = plan

  assert {
    condition = { for env in google_cloud_run_v2_job.job["bigquery-to-s3"].template[0].template[0].containers[0].env : env.name => env.value } == {
      S3_BUCKET_NAME    = "shop-app", AWS_REGION = "ap-northeast-1", AWS_AUDIENCE = "isthmus-stg",
      AWS_ROLE_ARN      = "arn:aws:iam::123456789012:role/sync", GOOGLE_CLOUD_PROJECT = "shop-isthmus-stg",
      BIGQUERY_LOCATION = "asia-northeast1", SYNCS_FILE = "/config/syncs.yaml", SCRATCH_DATASET = "isthmus_scratch",
      MAX_CONCURRENCY   = "200", GATES_FILE = "/config/dbt/gates.json"
    }
    error_message = "see docs/spec/bigquery-to-s3.md, Variables"
  }
}

run "each_job_has_its_name_image_and_time" {
  command = plan

  assert {
    condition     = output.jobs == { dbt = "isthmus-stg-dbt", load_export = "isthmus-stg-load-export", bigquery_to_s3 = "isthmus-stg-bigquery-to-s3" }
    error_message = "names of jobs"
  }
  assert {
    condition = { for key, job in google_cloud_run_v2_job.job : key => job.template[0].template[0].containers[0].image } == {
      load-export    = "asia-northeast1-docker.pkg.dev/shop-isthmus-stg/isthmus/load-export:abc1234"
      bigquery-to-s3 = "asia-northeast1-docker.pkg.dev/shop-isthmus-stg/isthmus/bigquery-to-s3:abc1234"
      dbt            = "asia-northeast1-docker.pkg.dev/shop-isthmus-stg/isthmus/dbt:abc1234"
    }
    error_message = "images"
  }
  assert {
    condition     = google_cloud_run_v2_job.job["load-export"].template[0].template[0].timeout == "14400s" && google_cloud_run_v2_job.job["load-export"].template[0].task_count == 1
    error_message = "Cloud Run's default of 10 minutes would end load-export while it waits"
  }
}

run "tasks_of_bigquery_to_s3_run_side_by_side" {
  command = plan
  variables {
    bigquery_to_s3 = { tasks = 4 }
  }

  assert {
    condition     = google_cloud_run_v2_job.job["bigquery-to-s3"].template[0].task_count == 4 && google_cloud_run_v2_job.job["bigquery-to-s3"].template[0].parallelism == 4
    error_message = "four tasks at a time"
  }
}

run "the_config_folder_is_a_bucket_that_the_jobs_mount_read_only" {
  command = plan

  assert {
    condition     = toset(keys(google_storage_bucket_object.config)) == toset(["syncs.yaml", "tables.yaml", "users.sql"])
    error_message = "the bucket holds *.yaml and *.sql"
  }
  assert {
    condition = alltrue([for job in google_cloud_run_v2_job.job :
      job.template[0].template[0].volumes[0].gcs[0].bucket == "shop-isthmus-stg-isthmus-config" &&
      job.template[0].template[0].volumes[0].gcs[0].read_only &&
      job.template[0].template[0].containers[0].volume_mounts[0].mount_path == "/config"
    ])
    error_message = "mounted read-only at /config"
  }
  assert {
    condition     = google_storage_bucket.config.public_access_prevention == "enforced" && google_storage_bucket.config.uniform_bucket_level_access
    error_message = "the bucket is private"
  }
}

run "a_config_folder_without_syncs_is_refused" {
  command = plan
  variables {
    config_dir = "tests/config/no-syncs"
  }
  expect_failures = [google_cloud_run_v2_job.job["bigquery-to-s3"]]
}

run "the_workflow_runs_the_jobs_in_order" {
  command = plan

  assert {
    condition     = tolist([for step in yamldecode(google_workflows_workflow.daily["daily"].source_contents).main.steps : keys(step)[0] if contains(["load", "model", "publish"], keys(step)[0])]) == tolist(["load", "model", "publish"])
    error_message = "load, model, publish"
  }
  assert {
    condition     = google_workflows_workflow.daily["daily"].user_env_vars == tomap({ LOAD_EXPORT_JOB = "isthmus-stg-load-export", DBT_JOB = "isthmus-stg-dbt", BIGQUERY_TO_S3_JOB = "isthmus-stg-bigquery-to-s3", EXPORT_TIMEZONE = "Asia/Tokyo" })
    error_message = "names of jobs"
  }
  assert {
    condition     = toset(regexall("sys.get_env\\(\"([A-Z0-9_]+)\"\\)", google_workflows_workflow.daily["daily"].source_contents)[*][0]) == setunion(keys(google_workflows_workflow.daily["daily"].user_env_vars), ["GOOGLE_CLOUD_PROJECT_ID", "GOOGLE_CLOUD_LOCATION"])
    error_message = "the workflow must read the variables that it is given, and no others"
  }
}

run "without_dbt_the_workflow_knows_no_such_job" {
  command = plan
  variables {
    dbt = null
  }

  assert {
    condition     = google_workflows_workflow.daily["daily"].user_env_vars.DBT_JOB == "" && !contains(keys(google_cloud_run_v2_job.job), "dbt")
    error_message = "no job, and no step of the workflow"
  }
  assert {
    condition     = length([for name in concat(keys(google_monitoring_alert_policy.log), keys(google_logging_metric.figure)) : name if startswith(name, "dbt")]) == 0
    error_message = "nothing is told about what is not there"
  }
}

run "dbt_gets_the_variables_that_it_reads_and_a_place_for_what_it_leaves" {
  command = plan

  assert {
    condition = { for env in google_cloud_run_v2_job.job["dbt"].template[0].template[0].containers[0].env : env.name => env.value } == {
      GOOGLE_CLOUD_PROJECT = "shop-isthmus-stg", BIGQUERY_LOCATION = "asia-northeast1", AUDIT_DATASET = "isthmus_audit",
      EXPORT_TIMEZONE      = "Asia/Tokyo", ARTIFACTS_DIR = "/artifacts/dbt", MAXIMUM_BYTES_BILLED = "1099511627776",
      LOCK_MINUTES         = "240"
    }
    error_message = "see docs/spec/warehouse.md, Settings"
  }
  assert {
    condition = alltrue([for job in [google_cloud_run_v2_job.job["dbt"].template[0].template[0]] :
      job.volumes[1].gcs[0].bucket == "shop-isthmus-stg-isthmus-config" && !job.volumes[1].gcs[0].read_only &&
      job.containers[0].volume_mounts[1].mount_path == "/artifacts"
    ])
    error_message = "the config bucket once more, to write"
  }
  assert {
    condition     = google_storage_bucket_iam_member.dbt.condition[0].expression == "resource.name.startsWith(\"projects/_/buckets/shop-isthmus-stg-isthmus-config/objects/dbt/\")"
    error_message = "below dbt/, and nowhere else"
  }
}

run "a_dbt_job_that_could_take_more_than_a_day_is_refused" {
  command = plan
  variables {
    dbt = { timeout_seconds = 50000, max_retries = 1 }
  }
  expect_failures = [var.dbt]
}

run "the_schedule_is_tokyo_time_and_paused_unless_enabled" {
  command = plan

  assert {
    condition     = google_cloud_scheduler_job.daily["daily"].schedule == "0 5 * * *" && google_cloud_scheduler_job.daily["daily"].time_zone == "Asia/Tokyo" && google_cloud_scheduler_job.daily["daily"].paused
    error_message = "05:00 Asia/Tokyo, paused"
  }
  assert {
    condition     = google_cloud_scheduler_job.daily["daily"].http_target[0].uri == "https://workflowexecutions.googleapis.com/v1/projects/shop-isthmus-stg/locations/asia-northeast1/workflows/isthmus-stg-daily/executions"
    error_message = "it starts the daily workflow"
  }
}

run "an_enabled_schedule_is_not_paused" {
  command = plan
  variables {
    schedule_enabled = true
  }

  assert {
    condition     = !google_cloud_scheduler_job.daily["daily"].paused
    error_message = "enabled means started by the clock"
  }
}
