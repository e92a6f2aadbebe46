locals {
  # Names of settings: docs/spec/load-export.md and docs/spec/bigquery-to-s3.md. CLOUD_RUN_* come from Cloud Run.
  keyless = {
    AWS_REGION           = try(local.aws.region, "")
    AWS_AUDIENCE         = local.audience
    GOOGLE_CLOUD_PROJECT = var.project
    BIGQUERY_LOCATION    = var.location
  }

  all_jobs = merge(local.dbt, {
    load-export = {
      settings = var.load_export
      tasks    = 1
      file     = "tables.yaml"
      env = merge(local.keyless, {
        AWS_ROLE_ARN         = try(local.aws.load_export_role_arn, "")
        S3_BUCKET_NAME       = try(local.aws.export_bucket, "")
        ENV                  = var.env
        TABLES_FILE          = "/config/tables.yaml"
        AUDIT_DATASET        = google_bigquery_dataset.dataset["isthmus_audit"].dataset_id
        EXPORT_TIMEZONE      = var.export_timezone
        WAIT_MINUTES         = tostring(var.load_export.wait_minutes)
        TRANSFER_MINUTES     = tostring(var.load_export.transfer_minutes)
        MIN_FILE_AGE_SECONDS = tostring(var.load_export.min_file_age_seconds)
        ON_DRIFT             = var.load_export.on_drift
      }, local.lineage)
    }
    bigquery-to-s3 = {
      settings = var.bigquery_to_s3
      tasks    = var.bigquery_to_s3.tasks
      file     = "syncs.yaml"
      env = merge(local.keyless, {
        AWS_ROLE_ARN    = try(local.aws.bigquery_to_s3_role_arn, "")
        S3_BUCKET_NAME  = try(local.aws.app_bucket, "")
        SYNCS_FILE      = "/config/syncs.yaml"
        SCRATCH_DATASET = google_bigquery_dataset.dataset["isthmus_scratch"].dataset_id
        MAX_CONCURRENCY = tostring(var.bigquery_to_s3.max_concurrency)
      }, local.gates)
    }
  })
  # What a build leaves, for the jobs before and after it.
  lineage = var.dbt == null ? {} : { DBT_MANIFEST_FILE = "/config/dbt/manifest.json", SYNCS_FILE = "/config/syncs.yaml" }
  gates   = var.dbt == null ? {} : { GATES_FILE = "/config/dbt/gates.json" }

  # Its settings: docs/spec/warehouse.md. It has nothing to do with AWS.
  dbt = var.dbt == null ? {} : {
    dbt = {
      settings = var.dbt
      tasks    = 1
      file     = "tables.yaml"
      env = merge({
        GOOGLE_CLOUD_PROJECT = var.project
        BIGQUERY_LOCATION    = var.location
        AUDIT_DATASET        = google_bigquery_dataset.dataset["isthmus_audit"].dataset_id
        EXPORT_TIMEZONE      = var.export_timezone
        ARTIFACTS_DIR        = "/artifacts/dbt"
        MAXIMUM_BYTES_BILLED = tostring(var.dbt.maximum_bytes_billed)
        # As long as an execution can take: another one waits no longer for one that was killed.
        LOCK_MINUTES = tostring(ceil(var.dbt.timeout_seconds * (var.dbt.max_retries + 1) / 60))
      }, fileexists(local.federated_file) ? { FEDERATED_FILE = "/config/federated.yaml" } : {})
    }
  }
  jobs = { for key, job in local.all_jobs : key => job if var.aws != null }

  audience = "isthmus-${var.env}"
}

resource "google_cloud_run_v2_job" "job" {
  for_each = local.jobs

  name                = "isthmus-${var.env}-${each.key}"
  location            = var.location
  deletion_protection = var.deletion_protection

  template {
    task_count  = each.value.tasks
    parallelism = each.value.tasks

    template {
      service_account = google_service_account.account[each.key].email
      timeout         = "${each.value.settings.timeout_seconds}s" # Cloud Run's default is 10 minutes
      max_retries     = each.value.settings.max_retries

      containers {
        image = "${local.registry}/${each.key}:${var.image_tag}"

        resources {
          limits = { cpu = tostring(each.value.settings.cpu), memory = each.value.settings.memory }
        }
        dynamic "env" {
          for_each = each.value.env
          content {
            name  = env.key
            value = env.value
          }
        }
        volume_mounts {
          name       = "config"
          mount_path = "/config"
        }
        dynamic "volume_mounts" {
          for_each = each.key == "dbt" ? ["artifacts"] : []
          content {
            name       = volume_mounts.value
            mount_path = "/${volume_mounts.value}"
          }
        }
      }

      volumes {
        name = "config"
        gcs {
          bucket    = google_storage_bucket.config.name
          read_only = true
          # The images run as user 65532 (jobs/*/Dockerfile), and a mounted bucket belongs to root.
          mount_options = ["uid=65532", "gid=65532"]
        }
      }
      # The same bucket; below dbt/ its account may write (config_bucket.tf).
      dynamic "volumes" {
        for_each = each.key == "dbt" ? ["artifacts"] : []
        content {
          name = volumes.value
          gcs {
            bucket        = google_storage_bucket.config.name
            read_only     = false
            mount_options = ["uid=65532", "gid=65532"]
          }
        }
      }
    }
  }

  lifecycle {
    precondition {
      condition     = contains(keys(google_storage_bucket_object.config), each.value.file)
      error_message = "config_dir has no ${each.value.file}, and ${each.key} reads it."
    }
  }

  depends_on = [google_storage_bucket_iam_member.reader]
}

# The workflow runs them, and tells load-export and dbt the day.
resource "google_cloud_run_v2_job_iam_member" "workflow" {
  for_each = local.jobs

  name     = google_cloud_run_v2_job.job[each.key].name
  location = var.location
  role     = "roles/run.jobsExecutorWithOverrides"
  member   = google_service_account.account["workflow"].member
}
