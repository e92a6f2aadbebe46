locals {
  workflow = "isthmus-${var.env}-daily"
}

resource "google_workflows_workflow" "daily" {
  for_each = var.aws == null ? toset([]) : toset(["daily"])

  name                = local.workflow
  region              = var.location
  description         = "load-export, dbt, bigquery-to-s3: in this order"
  service_account     = google_service_account.account["workflow"].id
  source_contents     = file("${path.module}/daily.workflow.yaml")
  call_log_level      = "LOG_ERRORS_ONLY"
  deletion_protection = var.deletion_protection

  user_env_vars = {
    LOAD_EXPORT_JOB    = google_cloud_run_v2_job.job["load-export"].name
    DBT_JOB            = try(google_cloud_run_v2_job.job["dbt"].name, "")
    BIGQUERY_TO_S3_JOB = google_cloud_run_v2_job.job["bigquery-to-s3"].name
    EXPORT_TIMEZONE    = var.export_timezone
  }

  depends_on = [terraform_data.apis]
}

# Wider than one resource: the operations that the workflow polls belong to the project, as does its log.
resource "google_project_iam_custom_role" "workflow" {
  role_id     = "isthmusWorkflow"
  title       = "isthmus workflow"
  description = "Wait for executions of jobs, and write the workflow's log"
  permissions = ["logging.logEntries.create", "run.executions.get", "run.operations.get"]

  depends_on = [terraform_data.apis]
}

resource "google_project_iam_member" "workflow" {
  project = var.project
  role    = google_project_iam_custom_role.workflow.name
  member  = google_service_account.account["workflow"].member
}

resource "google_cloud_scheduler_job" "daily" {
  for_each = google_workflows_workflow.daily

  name             = each.value.name
  region           = var.location
  description      = "Starts the workflow ${each.value.name}"
  schedule         = var.schedule
  time_zone        = var.export_timezone
  paused           = !var.schedule_enabled
  attempt_deadline = "60s"

  # A start whose answer was lost may happen twice; that is safe.
  retry_config {
    retry_count          = 3
    min_backoff_duration = "30s"
  }

  http_target {
    http_method = "POST"
    uri         = "https://workflowexecutions.googleapis.com/v1/projects/${var.project}/locations/${var.location}/workflows/${each.value.name}/executions"
    headers     = { "Content-Type" = "application/json" }
    body        = base64encode(jsonencode({ argument = jsonencode({}) }))

    oauth_token {
      service_account_email = google_service_account.account["scheduler"].email
    }
  }
}

# Wider than one resource: a workflow takes no IAM policy of its own. It allows starting workflows of this project.
resource "google_project_iam_member" "scheduler" {
  project = var.project
  role    = "roles/workflows.invoker"
  member  = google_service_account.account["scheduler"].member
}
