resource "google_artifact_registry_repository" "images" {
  repository_id   = "isthmus"
  location        = var.location
  format          = "DOCKER"
  description     = "Images of the jobs"
  deletion_policy = var.deletion_protection ? "PREVENT" : "DELETE"

  # What one policy keeps, no other deletes: so the last images stay, however old.
  cleanup_policies {
    id     = "keep-last"
    action = "KEEP"
    most_recent_versions {
      keep_count = 10
    }
  }
  cleanup_policies {
    id     = "delete-old"
    action = "DELETE"
    condition {
      older_than = "2592000s" # 30 days
    }
  }

  # No immutable tags: a tagged image could then never be cleaned up.
  depends_on = [terraform_data.apis]
}

# Cloud Build builds them, from a copy of the sources that lies in a bucket of its own for a week (cloudbuild.yaml).
resource "google_service_account" "build" {
  account_id   = "isthmus-build"
  display_name = "isthmus build"
  description  = "Builds the images of the jobs"

  depends_on = [terraform_data.apis]
}

resource "google_artifact_registry_repository_iam_member" "build" {
  repository = google_artifact_registry_repository.images.name
  location   = var.location
  role       = "roles/artifactregistry.writer"
  member     = google_service_account.build.member
}

resource "google_storage_bucket" "build" {
  # checkov:skip=CKV_GCP_78: copies of what git has
  name                        = "${var.project}-isthmus-build"
  location                    = var.location
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  force_destroy               = true

  lifecycle_rule {
    condition {
      age = 7
    }
    action {
      type = "Delete"
    }
  }

  depends_on = [terraform_data.apis]
}

resource "google_storage_bucket_iam_member" "build" {
  bucket = google_storage_bucket.build.name
  role   = "roles/storage.objectViewer"
  member = google_service_account.build.member
}

# Wider than one resource: a log takes no IAM policy of its own.
resource "google_project_iam_member" "build" {
  project = var.project
  role    = "roles/logging.logWriter"
  member  = google_service_account.build.member
}

locals {
  registry = "${var.location}-docker.pkg.dev/${var.project}/${google_artifact_registry_repository.images.repository_id}"
}
