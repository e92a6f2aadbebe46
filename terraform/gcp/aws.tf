# What this root has to know of AWS: names, which follow from env and the number of the account (terraform/aws makes them
# so), where a team has no names of its own.
locals {
  aws = var.aws == null ? null : {
    region                  = var.aws.region
    export_bucket           = coalesce(var.aws.export_bucket, "isthmus-${var.env}-export-${local.aws_account}")
    app_bucket              = coalesce(var.aws.app_bucket, "isthmus-${var.env}-app-${local.aws_account}")
    load_export_role_arn    = coalesce(var.aws.load_export_role_arn, "${local.aws_role}-load-export")
    bigquery_to_s3_role_arn = coalesce(var.aws.bigquery_to_s3_role_arn, "${local.aws_role}-bigquery-to-s3")
    # Where every name is given and no account, the role of publish-export is let in only if it is given too.
    publish_export_role_arn = try(coalesce(var.aws.publish_export_role_arn, var.aws.account_id == null ? null : "${local.aws_role}-publish-export"), null)
    extractor_role_arn      = try(coalesce(var.aws.extractor_role_arn, var.aws.account_id == null ? null : "${local.aws_role}-database-to-bigquery"), null)
  }

  aws_account = try(coalesce(var.aws.account_id), "")
  aws_role    = "arn:aws:iam::${local.aws_account}:role/isthmus-${var.env}"
}
