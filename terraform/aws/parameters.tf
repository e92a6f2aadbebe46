# What template.yaml reads: samconfig.toml names these parameters, so no name is typed twice.
locals {
  parameters = {
    export-role-arn        = aws_iam_role.export.arn
    export-bucket          = aws_s3_bucket.this["export"].id
    kms-key-arn            = aws_kms_key.this.arn
    notification-topic-arn = aws_sns_topic.this.arn
    google-workflow        = var.start_load.workflow
    google-audience        = var.start_load.audience
    google-service-account = var.start_load.service_account
  }
}

resource "aws_ssm_parameter" "this" {
  for_each = local.parameters

  name  = "/isthmus/${var.env}/${each.key}"
  type  = "String"
  value = each.value
}
