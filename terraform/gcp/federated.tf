# Connections by which BigQuery reads other databases itself. Which tables, federated.yaml says, for every environment; where
# the database of this environment is, and who reads it, var.federated says. docs/spec/federated.md
locals {
  federated_file = "${var.config_dir}/federated.yaml"
  federated      = fileexists(local.federated_file) ? yamldecode(file(local.federated_file)).connections : {}

  federated_datasets = toset([for connection in local.federated : connection.dataset])
  connections        = { for id, connection in local.federated : id => merge(connection, var.federated[id]) if contains(keys(var.federated), id) }
}

# An operator has written the password into a secret: it passes through no variable, plan or state.
ephemeral "google_secret_manager_secret_version" "federated" {
  for_each = local.connections

  secret  = each.value.secret
  version = tostring(each.value.secret_version)
}

resource "google_bigquery_connection" "federated" {
  for_each = local.connections

  connection_id = each.key
  location      = var.location
  description   = "Tables of ${each.value.database}, for ${each.value.dataset}"

  cloud_sql {
    instance_id = each.value.instance
    database    = each.value.database
    type        = each.value.engine == "mysql" ? "MYSQL" : "POSTGRES"
    credential {
      username            = each.value.username
      password_wo         = ephemeral.google_secret_manager_secret_version.federated[each.key].secret_data
      password_wo_version = tostring(each.value.secret_version)
    }
  }

  depends_on = [terraform_data.apis]
}

resource "google_bigquery_connection_iam_member" "dbt" {
  for_each = google_bigquery_connection.federated

  connection_id = each.value.connection_id
  location      = var.location
  role          = "roles/bigquery.connectionUser"
  member        = google_service_account.account["dbt"].member
}

# Wider than one resource: Cloud SQL takes no policy on an instance. The agent of a connection may connect; what it may read,
# the user in the database says.
resource "google_project_iam_member" "federated" {
  for_each = google_bigquery_connection.federated

  project = var.project
  role    = "roles/cloudsql.client"
  member  = "serviceAccount:${each.value.cloud_sql[0].service_account_id}"
}

check "every_connection_has_its_place" {
  assert {
    condition     = var.dbt == null || length(setsubtract(keys(local.federated), keys(var.federated))) == 0
    error_message = "federated.yaml names connections that the variable federated does not place: ${join(", ", setsubtract(keys(local.federated), keys(var.federated)))}."
  }
}
