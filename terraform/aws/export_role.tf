# The role with which RDS writes an export. start-export hands it over (iam:PassRole); nobody else may assume it.
resource "aws_iam_role" "export" {
  name               = "isthmus-${var.env}-export"
  description        = "RDS writes snapshot exports to ${local.bucket_names.export}"
  assume_role_policy = local.export_trust
}

resource "aws_iam_role_policy" "export" {
  name   = "write-exports"
  role   = aws_iam_role.export.id
  policy = local.export_policy
}

locals {
  export_trust = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "export.rds.amazonaws.com" }
      # Not for an export that somebody starts in another account.
      Condition = { StringEquals = { "aws:SourceAccount" = local.account } }
    }]
  })

  # The actions are those of "Exporting DB cluster snapshot data to Amazon S3", step "create an IAM policy". The key
  # needs no statement: RDS gets a grant on it, in the name of who starts the export.
  export_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "FindBucket"
        Effect   = "Allow"
        Action   = ["s3:ListBucket", "s3:GetBucketLocation"]
        Resource = [local.bucket_arns.export]
      },
      {
        # RDS also writes an object to see that it may, whose name it does not tell: the whole bucket.
        Sid      = "WriteExports"
        Effect   = "Allow"
        Action   = ["s3:PutObject*", "s3:GetObject*", "s3:DeleteObject*"]
        Resource = ["${local.bucket_arns.export}/*"]
      },
    ]
  })
}
