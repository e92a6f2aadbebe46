# database-to-bigquery: whom it acts as, and what that one may write to. It runs on AWS beside the database
# (terraform/aws/extractor.tf), and federation.tf lets its role in; or here as a Cloud Run job of the same image. Off unless
# var.extractor is set. See docs/spec/database-to-bigquery.md.
locals {
  extractor     = var.extractor == null ? {} : { this = var.extractor }
  extractor_job = try(var.extractor.cloud_run, null) == null ? {} : { this = var.extractor.cloud_run }

  # The defaults are those of the program (jobs/database-to-bigquery/src/extracts).
  extracted = { for database, settings in try(yamldecode(file("${var.config_dir}/extracts.yaml")).databases, {}) : database => settings if var.extractor != null }
  extracted_tables = merge([for database, settings in local.extracted : {
    for table, entry in settings.tables : "${database}.${table}" => join(".", [
      coalesce(try(settings.dataset, null), "raw_${database}"),
      coalesce(try(entry.destination, null), replace(table, ".", "_")),
    ])
  }]...)
  extracted_datasets = toset([for destination in values(local.extracted_tables) : split(".", destination)[0]])

  extractor_environment = {
    GOOGLE_CLOUD_PROJECT = var.project
    BIGQUERY_LOCATION    = var.location
    EXTRACTS_FILE        = "/config/extracts.yaml"
    EXPORT_TIMEZONE      = var.export_timezone
    PARALLEL_TABLES      = tostring(try(var.extractor.cloud_run.parallel_tables, ""))
  }
  extractor_databases = try(var.extractor.cloud_run.databases, {})
  extractor_variable  = { for name in keys(local.extractor_databases) : name => upper(replace(name, "/[^A-Za-z0-9]/", "_")) }
  extractor_urls      = { for name, database in local.extractor_databases : "DATABASE_URL_${local.extractor_variable[name]}" => database.url }
  extractor_secrets = merge(
    { for name, database in local.extractor_databases : "DATABASE_PASSWORD_${local.extractor_variable[name]}" => database.password_secret },
    try(var.extractor.cloud_run.mask_key_secret, null) == null ? {} : { MASK_KEY = var.extractor.cloud_run.mask_key_secret },
  )
}

resource "google_service_account" "extractor" {
  for_each = local.extractor

  account_id      = "isthmus-database-to-bigquery"
  display_name    = "isthmus database-to-bigquery"
  description     = "Loads tables that database-to-bigquery reads from databases; its task on AWS acts as it"
  deletion_policy = var.deletion_protection ? "PREVENT" : "DELETE"

  depends_on = [terraform_data.apis]
}

# Wider than one resource: load and query jobs belong to the project. What they may read and write, datasets say.
resource "google_project_iam_custom_role" "extractor" {
  for_each = local.extractor

  role_id     = "isthmusDatabaseToBigquery"
  title       = "isthmus database-to-bigquery"
  description = "Run load jobs and the queries that merge"
  permissions = ["bigquery.jobs.create"]

  depends_on = [terraform_data.apis]
}

resource "google_project_iam_member" "extractor" {
  for_each = local.extractor

  project = var.project
  role    = google_project_iam_custom_role.extractor[each.key].name
  member  = google_service_account.extractor[each.key].member
}

# Those that tables.yaml has not made already.
resource "google_bigquery_dataset" "extracted" {
  for_each = setsubtract(local.extracted_datasets, keys(local.datasets))

  dataset_id                 = each.key
  location                   = var.location
  description                = "Tables as database-to-bigquery read them"
  delete_contents_on_destroy = !var.deletion_protection
  deletion_policy            = var.deletion_protection ? "PREVENT" : "DELETE"

  depends_on = [terraform_data.apis]
}

resource "google_bigquery_dataset_iam_member" "extractor" {
  for_each = var.extractor == null ? toset([]) : setunion(local.extracted_datasets, ["isthmus_audit", "isthmus_scratch"])

  dataset_id = each.key
  role       = "roles/bigquery.dataEditor"
  member     = google_service_account.extractor["this"].member

  depends_on = [google_bigquery_dataset.dataset, google_bigquery_dataset.extracted]
}

# dbt builds of them, as of the tables of tables.yaml.
resource "google_bigquery_dataset_iam_member" "extracted_dbt" {
  for_each = google_bigquery_dataset.extracted

  dataset_id = each.value.dataset_id
  role       = "roles/bigquery.dataViewer"
  member     = google_service_account.account["dbt"].member
}

resource "google_storage_bucket_iam_member" "extractor" {
  for_each = local.extractor_job

  bucket = google_storage_bucket.config.name
  role   = "roles/storage.objectViewer"
  member = google_service_account.extractor["this"].member
}

resource "google_secret_manager_secret_iam_member" "extractor" {
  for_each = local.extractor_secrets

  secret_id = each.value
  role      = "roles/secretmanager.secretAccessor"
  member    = google_service_account.extractor["this"].member
}

# alerts.tf watches it as the other jobs.
locals {
  watched_jobs = merge(google_cloud_run_v2_job.job, { for job in google_cloud_run_v2_job.extractor : "database-to-bigquery" => job })
}

resource "google_cloud_run_v2_job_iam_member" "extractor" {
  for_each = google_cloud_run_v2_job.extractor

  name     = each.value.name
  location = var.location
  role     = "roles/run.invoker"
  member   = google_service_account.account["scheduler"].member
}

resource "google_cloud_scheduler_job" "extractor" {
  for_each = { for key, job in local.extractor_job : key => job if job.schedule != null }

  name        = "isthmus-${var.env}-database-to-bigquery"
  region      = var.location
  description = "Starts database-to-bigquery; whether it succeeded, its alerts say"
  schedule    = each.value.schedule
  time_zone   = var.export_timezone
  paused      = !var.schedule_enabled

  retry_config {
    retry_count = 3
  }
  http_target {
    http_method = "POST"
    uri         = "https://run.googleapis.com/v2/${google_cloud_run_v2_job.extractor[each.key].id}:run"

    oauth_token {
      service_account_email = google_service_account.account["scheduler"].email
    }
  }
}

resource "google_cloud_run_v2_job" "extractor" {
  for_each = local.extractor_job

  name                = "isthmus-${var.env}-database-to-bigquery"
  location            = var.location
  deletion_protection = var.deletion_protection

  template {
    task_count = 1

    template {
      service_account = google_service_account.extractor["this"].email
      timeout         = "${each.value.timeout_seconds}s"
      max_retries     = 1

      dynamic "vpc_access" {
        for_each = each.value.network == null ? [] : [each.value]
        content {
          # Only what is private goes through the network; Google's APIs and AWS are outside of it.
          egress = "PRIVATE_RANGES_ONLY"
          network_interfaces {
            network    = vpc_access.value.network
            subnetwork = vpc_access.value.subnetwork
          }
        }
      }

      containers {
        image = "${local.registry}/database-to-bigquery:${var.image_tag}"

        resources {
          limits = { cpu = tostring(each.value.cpu), memory = each.value.memory }
        }
        dynamic "env" {
          for_each = merge(local.extractor_environment, local.extractor_urls)
          content {
            name  = env.key
            value = env.value
          }
        }
        dynamic "env" {
          for_each = local.extractor_secrets
          content {
            name = env.key
            value_source {
              secret_key_ref {
                secret  = env.value
                version = "latest"
              }
            }
          }
        }
        volume_mounts {
          name       = "config"
          mount_path = "/config"
        }
      }

      volumes {
        name = "config"
        gcs {
          bucket        = google_storage_bucket.config.name
          read_only     = true
          mount_options = ["uid=65532", "gid=65532"]
        }
      }
    }
  }

  lifecycle {
    precondition {
      condition     = toset(keys(local.extracted)) == toset(keys(each.value.databases))
      error_message = "extractor.cloud_run.databases and the databases of extracts.yaml are not the same."
    }
    precondition {
      condition     = var.image_tag != null
      error_message = "extractor.cloud_run needs image_tag."
    }
  }

  depends_on = [google_storage_bucket_iam_member.extractor, google_secret_manager_secret_iam_member.extractor]
}
