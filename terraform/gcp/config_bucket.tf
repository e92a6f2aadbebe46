# The files that a team edits, as a bucket that the jobs mount: a change needs no new image, the next execution reads it.
resource "google_storage_bucket" "config" {
  name                        = "${var.project}-isthmus-config"
  location                    = var.location
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  force_destroy               = !var.deletion_protection
  deletion_policy             = var.deletion_protection ? "PREVENT" : "DELETE"

  versioning {
    enabled = true
  }
  lifecycle_rule {
    condition {
      num_newer_versions = 20
      with_state         = "ARCHIVED"
    }
    action {
      type = "Delete"
    }
  }

  depends_on = [terraform_data.apis]
}

# What each list loads: where to, and its name in the audit (the defaults are those of the programs). cli/src/destinations.rs
# tells the same with the lines.
locals {
  listed = concat(
    [for name, table in local.tables : { list = "tables.yaml", table = name, audited = name, destination = "${table.dataset}.${table.destination}" }],
    [for name, destination in local.extracted_tables : { list = "extracts.yaml", table = name, audited = destination, destination = destination }],
    flatten([for id, connection in local.federated : [for name in keys(connection.tables) :
      { list = "federated.yaml", table = "${id}.${name}", audited = "${id}.${name}", destination = "${connection.dataset}.${reverse(split(".", name))[0]}" }
    ]]),
  )
  # Each pair of lists once.
  pairs = { "extracts.yaml" = ["tables.yaml"], "federated.yaml" = ["tables.yaml", "extracts.yaml"] }
  shared = flatten([for one in local.listed : [for other in local.listed :
    "${one.list}: ${one.table}, and ${other.list}: ${other.table}, are both ${one.destination == other.destination ? one.destination : one.audited}"
    if contains(local.pairs[one.list], other.list) && (one.destination == other.destination || one.audited == other.audited)
  ] if one.list != "tables.yaml"])
}

resource "google_storage_bucket_object" "config" {
  # No job reads which environments there are.
  for_each = setsubtract(fileset(var.config_dir, "*.{yaml,sql}"), ["environments.yaml"])

  bucket  = google_storage_bucket.config.name
  name    = each.key
  content = file("${var.config_dir}/${each.key}")

  lifecycle {
    precondition {
      condition     = each.key != "tables.yaml" || length(local.shared) == 0
      error_message = "Two lists load one table, or give two tables one name in the audit: ${join("; ", local.shared)}. Give one of them another dataset, destination or name."
    }
  }
}

resource "google_storage_bucket_iam_member" "reader" {
  for_each = toset(["load-export", "bigquery-to-s3", "dbt"])

  bucket = google_storage_bucket.config.name
  role   = "roles/storage.objectViewer"
  member = google_service_account.account[each.key].member
}

# What a build leaves: dbt's manifest and results, and which syncs are fresh. Nothing else in the bucket.
resource "google_storage_bucket_iam_member" "dbt" {
  bucket = google_storage_bucket.config.name
  role   = "roles/storage.objectUser"
  member = google_service_account.account["dbt"].member

  condition {
    title      = "below dbt/"
    expression = "resource.name.startsWith(\"projects/_/buckets/${google_storage_bucket.config.name}/objects/dbt/\")"
  }
}
