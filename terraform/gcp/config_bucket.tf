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

resource "google_storage_bucket_object" "config" {
  # No job reads which environments there are.
  for_each = setsubtract(fileset(var.config_dir, "*.{yaml,sql}"), ["environments.yaml"])

  bucket  = google_storage_bucket.config.name
  name    = each.key
  content = file("${var.config_dir}/${each.key}")
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
