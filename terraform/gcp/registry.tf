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

locals {
  registry = "${var.location}-docker.pkg.dev/${var.project}/${google_artifact_registry_repository.images.repository_id}"
}
