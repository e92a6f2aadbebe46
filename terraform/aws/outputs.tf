output "aws" {
  description = "Variable aws of terraform/gcp"
  value = {
    region                  = var.region
    export_bucket           = aws_s3_bucket.this["export"].id
    app_bucket              = aws_s3_bucket.this["app"].id
    load_export_role_arn    = aws_iam_role.google["load-export"].arn
    bigquery_to_s3_role_arn = aws_iam_role.google["bigquery-to-s3"].arn
  }
}

output "transfer_user" {
  description = "Whose key terraform/rotate-transfer-key.sh makes"
  value       = aws_iam_user.transfer.name
}
