# A transfer config for each table. load-export finds it by its display name and starts its runs.
data "google_project" "this" {
  project_id = var.project
}

locals {
  transfer_agent = "serviceAccount:service-${data.google_project.this.number}@gcp-sa-bigquerydatatransfer.iam.gserviceaccount.com"

  # What is added to run_time: +9h, +5h30m, -7h, nothing for UTC. Written by crates/handoff, which the job reads too.
  utc_offsets = jsondecode(file("${path.module}/time_zones.json"))

  # run_time is UTC: midnight in Tokyo is the day before. Without the offset, yesterday's export would load every day.
  export_day = "${var.env}-{run_time${local.utc_offsets[var.export_timezone]}|\"%Y%m%d\"}"

  transfers = var.transfer_key == null ? {} : {
    for name, table in local.tables : name => merge(table, {
      data_path = "s3://${local.aws.export_bucket}/${local.export_day}/${table.folder}/${table.pattern}"
    })
  }
}

# The service acts as the account transfer, and as no other: the role is on that account, not on the project.
resource "google_service_account_iam_member" "transfer_agent" {
  for_each = var.aws == null ? toset([]) : toset(["transfer"])

  service_account_id = google_service_account.account[each.key].name
  role               = "roles/iam.serviceAccountTokenCreator"
  member             = local.transfer_agent
}

# Read while Terraform runs, and kept nowhere.
ephemeral "google_secret_manager_secret_version" "transfer_key" {
  for_each = var.transfer_key == null ? {} : { current = tostring(var.transfer_key.secret_version) }

  secret  = google_secret_manager_secret.secret["transfer_key"].secret_id
  version = each.value
}

resource "google_bigquery_data_transfer_config" "table" {
  for_each = local.transfers

  display_name           = "isthmus ${var.env} ${each.key}"
  data_source_id         = "amazon_s3"
  location               = var.location # its default would be US
  destination_dataset_id = google_bigquery_table.raw[each.key].dataset_id
  service_account_name   = google_service_account.account["transfer"].email
  schedule               = var.transfer_schedule

  params = {
    destination_table_name_template = google_bigquery_table.raw[each.key].table_id
    data_path                       = each.value.data_path
    access_key_id                   = var.transfer_key.access_key_id
    file_format                     = "PARQUET"        # its default would be CSV
    write_disposition               = "WRITE_TRUNCATE" # its default would append
    max_bad_records                 = "0"
    decimal_target_types            = "NUMERIC,BIGNUMERIC,STRING"
  }

  sensitive_params {
    secret_access_key_wo         = ephemeral.google_secret_manager_secret_version.transfer_key["current"].secret_data
    secret_access_key_wo_version = tostring(var.transfer_key.secret_version)
  }

  schedule_options {
    disable_auto_scheduling = var.transfer_schedule == null
  }

  # They would go to the owner, and a service account has no inbox. alerts.tf tells.
  email_preferences {
    enable_failure_email = false
  }

  lifecycle {
    precondition {
      condition     = contains(["*.parquet", "*/*.parquet"], each.value.pattern)
      error_message = "tables.yaml, ${each.key}: the pattern ${each.value.pattern} is neither *.parquet nor */*.parquet: it would leave out rows, as 1/*.parquet leaves out all but the first batch. One star crosses folders and may match 10,000,000 files; with two, each stays in its folder and 10,000 files are the limit."
    }
    precondition {
      condition     = !can(regex("[{}?\\[\\]]", "${each.value.folder}/${each.value.pattern}"))
      error_message = "tables.yaml, ${each.key}: neither the names nor the pattern may have braces, brackets or question marks; a transfer would read them as parameters."
    }
  }

  depends_on = [google_service_account_iam_member.transfer_agent, google_bigquery_dataset_iam_member.member, google_project_iam_member.transfer]
}
