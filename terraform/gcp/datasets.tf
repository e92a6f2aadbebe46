locals {
  raw_datasets = toset([for table in local.tables : table.dataset])

  datasets = merge(
    { for id in local.federated_datasets : id => { description = "Tables as another database has them", expiration_ms = null } },
    { for id in local.raw_datasets : id => { description = "Tables as they were exported from Aurora", expiration_ms = null } },
    {
      staging       = { description = "Made from raw tables: names and types", expiration_ms = null }
      warehouse     = { description = "Facts and dimensions", expiration_ms = null }
      mart          = { description = "What reports and syncs read", expiration_ms = null }
      isthmus_audit = { description = "What was proven of each load; whoever loads first makes the table loads", expiration_ms = null }
      isthmus_dbt   = { description = "Rows that tests of dbt found, for a month, and which execution builds", expiration_ms = 30 * 24 * 60 * 60 * 1000 }
      # bigquery-to-s3 reads a result within hours; a day is for looking at it afterwards.
      isthmus_scratch = { description = "Results of syncs, for a day", expiration_ms = 24 * 60 * 60 * 1000 }
    },
  )

  # Members beside the dataset, never an access block: that one is authoritative, and would take away the access that
  # Data Transfer grants by itself when a config is made.
  dataset_members = merge(
    merge([for id in local.raw_datasets : {
      # Counts and truncates.
      "${id} load-export" = { dataset = id, role = "roles/bigquery.dataEditor", account = "load-export" }
      # Loads.
      "${id} transfer"         = { dataset = id, role = "roles/bigquery.dataEditor", account = "transfer" }
      "${id} transfer updates" = { dataset = id, role = google_project_iam_custom_role.transfer_dataset.name, account = "transfer" }
      "${id} dbt"              = { dataset = id, role = "roles/bigquery.dataViewer", account = "dbt" }
    }]...),
    { for id in var.query_datasets : "${id} bigquery-to-s3" => { dataset = id, role = "roles/bigquery.dataViewer", account = "bigquery-to-s3" } },
    { for id in concat(["staging", "warehouse", "mart", "isthmus_dbt"], tolist(local.federated_datasets)) : "${id} dbt" => { dataset = id, role = "roles/bigquery.dataEditor", account = "dbt" } },
    {
      # It writes there what became of federated tables.
      "isthmus_audit dbt"              = { dataset = "isthmus_audit", role = length(local.federated) == 0 ? "roles/bigquery.dataViewer" : "roles/bigquery.dataEditor", account = "dbt" }
      "isthmus_audit load-export"      = { dataset = "isthmus_audit", role = "roles/bigquery.dataEditor", account = "load-export" }
      "isthmus_scratch bigquery-to-s3" = { dataset = "isthmus_scratch", role = "roles/bigquery.dataEditor", account = "bigquery-to-s3" }
    },
  )
}

resource "google_bigquery_dataset" "dataset" {
  for_each = local.datasets

  dataset_id                  = each.key
  location                    = var.location
  description                 = each.value.description
  default_table_expiration_ms = each.value.expiration_ms
  delete_contents_on_destroy  = !var.deletion_protection
  deletion_policy             = var.deletion_protection ? "PREVENT" : "DELETE"

  depends_on = [terraform_data.apis]
}

resource "google_bigquery_dataset_iam_member" "member" {
  for_each = local.dataset_members

  dataset_id = each.value.dataset
  role       = each.value.role
  member     = google_service_account.account[each.value.account].member

  depends_on = [google_bigquery_dataset.dataset]
}

# What dataEditor lacks. Source: "Use service accounts with BigQuery Data Transfer Service": the account needs
# bigquery.datasets.get and bigquery.datasets.update on the destination dataset. Given on raw datasets only.
resource "google_project_iam_custom_role" "transfer_dataset" {
  role_id     = "isthmusTransferDataset"
  title       = "isthmus transfer, on a dataset"
  description = "Look at a destination dataset of transfers, and change its settings"
  permissions = ["bigquery.datasets.get", "bigquery.datasets.update"]

  depends_on = [terraform_data.apis]
}
