# The role with which RDS writes an export. start-export hands it over (iam:PassRole); nobody else may assume it.
resource "aws_iam_role" "export" {
  name               = "isthmus-${var.env}-export"
  description        = "RDS writes snapshot exports to ${local.bucket_names.export}"
  assume_role_policy = data.aws_iam_policy_document.export_trust.json
}

data "aws_iam_policy_document" "export_trust" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["export.rds.amazonaws.com"]
    }

    # Not for an export that somebody starts in another account.
    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.account]
    }
  }
}

resource "aws_iam_role_policy" "export" {
  name   = "write-exports"
  role   = aws_iam_role.export.id
  policy = data.aws_iam_policy_document.export.json
}

# The actions are those of "Exporting DB cluster snapshot data to Amazon S3", step "create an IAM policy". The key needs
# no statement: RDS gets a grant on it, in the name of who starts the export.
data "aws_iam_policy_document" "export" {
  statement {
    sid       = "FindBucket"
    actions   = ["s3:ListBucket", "s3:GetBucketLocation"]
    resources = [aws_s3_bucket.this["export"].arn]
  }

  statement {
    sid     = "WriteExports"
    actions = ["s3:PutObject*", "s3:GetObject*", "s3:DeleteObject*"]
    # RDS also writes an object to see that it may, whose name it does not tell: the whole bucket.
    resources = ["${aws_s3_bucket.this["export"].arn}/*"]
  }
}
