# Google's services act in this project through accounts of their own. An agent that was made on request, by
# `gcloud beta services identity create` (docs/spec/deploy.md), has no role yet; one that Google made has, and this gives
# it once more.
locals {
  agents = {
    bigquerydatatransfer = "roles/bigquerydatatransfer.serviceAgent"
    workflows            = "roles/workflows.serviceAgent"
  }
}

resource "google_project_iam_member" "agent" {
  for_each = local.agents

  project = var.project
  role    = each.value
  member  = "serviceAccount:service-${data.google_project.this.number}@gcp-sa-${each.key}.iam.gserviceaccount.com"

  depends_on = [terraform_data.apis]
}
