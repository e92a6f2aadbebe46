locals {
  apis = toset([
    "artifactregistry.googleapis.com",
    "bigquery.googleapis.com",
    "bigqueryconnection.googleapis.com",
    "bigquerydatatransfer.googleapis.com",
    "bigquerystorage.googleapis.com",
    "cloudbuild.googleapis.com",
    "cloudresourcemanager.googleapis.com",
    "cloudscheduler.googleapis.com",
    "iam.googleapis.com",
    "iamcredentials.googleapis.com",
    "logging.googleapis.com",
    "monitoring.googleapis.com",
    "run.googleapis.com",
    "secretmanager.googleapis.com",
    "storage.googleapis.com",
    "sts.googleapis.com",
    "workflowexecutions.googleapis.com",
    "workflows.googleapis.com",
  ])
}

resource "google_project_service" "api" {
  for_each = local.apis

  service = each.key

  # Others may use it too, and what was made with it would go with it.
  disable_on_destroy = false
}

# An API that was switched on a moment ago is not on everywhere yet, and what is made with it fails. Everything here
# depends on this wait, which a plan repeats only where the list of APIs changed.
# Source: the provider's page of google_project_service advises to wait; 60 s is our choice.
resource "terraform_data" "apis" {
  triggers_replace = sort([for api in google_project_service.api : api.service])

  provisioner "local-exec" {
    command = "sleep ${var.api_wait_seconds}"
  }
}
