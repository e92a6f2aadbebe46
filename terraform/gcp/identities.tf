# Accounts without env in their names: a project is one environment, and an account id has 30 characters.
locals {
  accounts = {
    load-export    = "Runs the job load-export; AWS trusts its unique id"
    bigquery-to-s3 = "Runs the job bigquery-to-s3; AWS trusts its unique id"
    dbt            = "Runs the job dbt"
    transfer       = "Owns the transfer configs"
    workflow       = "Runs the daily workflow"
    scheduler      = "Starts the daily workflow by the clock"
    start-load     = "Starts the daily workflow when a day is published; publish-export on AWS acts as it"
  }
}

resource "google_service_account" "account" {
  for_each = local.accounts

  account_id   = "isthmus-${each.key}"
  display_name = "isthmus ${each.key}"
  description  = each.value

  # A new account has another unique id, and the trust policies on AWS would refuse it.
  deletion_policy = var.deletion_protection ? "PREVENT" : "DELETE"

  depends_on = [terraform_data.apis]
}

# Wider than one resource: queries are jobs of the project, and a transfer config takes no IAM policy of its own.
resource "google_project_iam_custom_role" "load_export" {
  role_id     = "isthmusLoadExport"
  title       = "isthmus load-export"
  description = "Start and watch transfer runs, count and truncate"
  # A manual run is an update of its config. Source: permissions of startManualRuns, BigQuery Data Transfer API.
  permissions = ["bigquery.jobs.create", "bigquery.transfers.get", "bigquery.transfers.update"]

  depends_on = [terraform_data.apis]
}

resource "google_project_iam_member" "load_export" {
  project = var.project
  role    = google_project_iam_custom_role.load_export.name
  member  = google_service_account.account["load-export"].member
}

# Wider than one resource: query jobs and read sessions belong to the project. What they may read, datasets say.
resource "google_project_iam_custom_role" "bigquery_to_s3" {
  role_id     = "isthmusBigqueryToS3"
  title       = "isthmus bigquery-to-s3"
  description = "Run queries and read their results through the Storage Read API"
  permissions = ["bigquery.jobs.create", "bigquery.readsessions.create", "bigquery.readsessions.getData"]

  depends_on = [terraform_data.apis]
}

resource "google_project_iam_member" "bigquery_to_s3" {
  project = var.project
  role    = google_project_iam_custom_role.bigquery_to_s3.name
  member  = google_service_account.account["bigquery-to-s3"].member
}

# Wider than one resource: queries are jobs of the project. What they may read and write, datasets say.
resource "google_project_iam_custom_role" "dbt" {
  role_id     = "isthmusDbt"
  title       = "isthmus dbt"
  description = "Run the queries that build the warehouse"
  permissions = ["bigquery.jobs.create"]

  depends_on = [terraform_data.apis]
}

resource "google_project_iam_member" "dbt" {
  project = var.project
  role    = google_project_iam_custom_role.dbt.name
  member  = google_service_account.account["dbt"].member
}

# Wider than one resource: the load jobs of a transfer are jobs of the project.
resource "google_project_iam_custom_role" "transfer" {
  role_id     = "isthmusTransfer"
  title       = "isthmus transfer"
  description = "Run the load jobs of transfers"
  permissions = ["bigquery.jobs.create"]

  depends_on = [terraform_data.apis]
}

resource "google_project_iam_member" "transfer" {
  project = var.project
  role    = google_project_iam_custom_role.transfer.name
  member  = google_service_account.account["transfer"].member
}
