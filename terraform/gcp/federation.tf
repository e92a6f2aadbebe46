# Programs on AWS act as service accounts of this project, without a key: a pool whose one provider is our AWS account
# lets in the roles named here, and each service account lends its tokens to one of them. See docs/spec/keyless.md.
locals {
  pool     = "isthmus"
  provider = "aws-account"

  # By the service account that the role acts as. Null until terraform/aws was applied.
  aws_role_arns = merge(
    { start-load = try(local.aws.publish_export_role_arn, null) },
    var.extractor == null ? {} : { database-to-bigquery = try(local.aws.extractor_role_arn, null) },
  )
  lent_accounts = merge(google_service_account.account, { for account in google_service_account.extractor : "database-to-bigquery" => account })
  aws_roles = {
    for key, arn in local.aws_role_arns : key => { account = split(":", arn)[4], name = reverse(split("/", arn))[0] } if arn != null
  }
  aws_accounts   = toset([for role in local.aws_roles : role.account])
  aws_role_names = join(", ", [for role in local.aws_roles : "'${role.name}'"])

  # A name, not a reference: publish-export is told before there is a provider.
  federation_audience = "//iam.googleapis.com/projects/${data.google_project.this.number}/locations/global/workloadIdentityPools/${local.pool}/providers/${local.provider}"
}

# A pool that was deleted keeps its name for 30 days: `gcloud iam workload-identity-pools undelete isthmus --location global`
# and `terraform import` bring it back.
resource "google_iam_workload_identity_pool" "aws" {
  workload_identity_pool_id = local.pool
  description               = "Programs of isthmus on AWS"

  depends_on = [terraform_data.apis]
}

resource "google_iam_workload_identity_pool_provider" "aws" {
  for_each = local.aws_accounts

  workload_identity_pool_id          = google_iam_workload_identity_pool.aws.workload_identity_pool_id
  workload_identity_pool_provider_id = local.provider
  description                        = "The AWS account of isthmus ${var.env}"

  # arn:aws:sts::123456789012:assumed-role/ROLE/SESSION. The subject may have 127 bytes.
  attribute_mapping = {
    "google.subject"     = "assertion.arn.extract('assumed-role/{role_and_session}')"
    "attribute.aws_role" = "assertion.arn.extract('assumed-role/{role}/')"
  }
  # Without it, every role of the account would be let in.
  attribute_condition = "assertion.account == '${each.key}' && attribute.aws_role in [${local.aws_role_names}]"

  aws {
    account_id = each.key
  }
}

resource "google_service_account_iam_member" "aws_role" {
  for_each = local.aws_roles

  service_account_id = local.lent_accounts[each.key].name
  role               = "roles/iam.workloadIdentityUser"
  member             = "principalSet://iam.googleapis.com/${google_iam_workload_identity_pool.aws.name}/attribute.aws_role/${each.value.name}"
}

# Wider than one resource: a workflow takes no IAM policy of its own, and a condition on its name would refuse
# everything, because Workflows is not among the services whose resources IAM conditions know. It allows starting
# workflows of this project, and not even looking at them: narrower than roles/workflows.invoker.
# Source: "Resource attributes for IAM Conditions", and "Workflows roles and permissions" (lowest level: project).
resource "google_project_iam_custom_role" "start_load" {
  role_id     = "isthmusStartLoad"
  title       = "isthmus start-load"
  description = "Start the daily workflow"
  permissions = ["workflows.executions.create"]

  depends_on = [terraform_data.apis]
}

resource "google_project_iam_member" "start_load" {
  project = var.project
  role    = google_project_iam_custom_role.start_load.name
  member  = google_service_account.account["start-load"].member
}
