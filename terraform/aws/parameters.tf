# What template.yaml reads: samconfig.toml names these parameters, so no name is typed twice. And what `isthmus status` and
# the commands by hand read, app-bucket too.
locals {
  parameters = {
    db-cluster-identifier  = var.cluster
    export-role-arn        = aws_iam_role.export.arn
    export-bucket          = aws_s3_bucket.this["export"].id
    app-bucket             = aws_s3_bucket.this["app"].id
    kms-key-arn            = aws_kms_key.this.arn
    notification-topic-arn = aws_sns_topic.this.arn
    google-workflow        = local.start_load.workflow
    google-audience        = local.start_load.audience
    google-service-account = local.start_load.service_account
  }
}

resource "aws_ssm_parameter" "this" {
  for_each = toset([for name in keys(local.parameters) : name if name != "db-cluster-identifier" || var.cluster != null])

  name  = "/isthmus/${var.env}/${each.key}"
  type  = "String"
  value = local.parameters[each.key]
}

# What terraform/gcp calls them (daily.tf, federation.tf, identities.tf).
locals {
  start_load = var.start_load != null ? var.start_load : {
    workflow        = "projects/${var.google_project.id}/locations/${var.google_project.location}/workflows/isthmus-${var.env}-daily"
    audience        = "//iam.googleapis.com/projects/${var.google_project.number}/locations/global/workloadIdentityPools/isthmus/providers/aws-account"
    service_account = "isthmus-start-load@${var.google_project.id}.iam.gserviceaccount.com"
  }
}
