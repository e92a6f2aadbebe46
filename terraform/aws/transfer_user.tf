# BigQuery Data Transfer takes access keys only. Its key is not made here, because the secret would lie in the state:
# terraform/rotate-transfer-key.sh makes it, hands it to Secret Manager, and deletes it before the user goes.
resource "aws_iam_user" "transfer" {
  name = "isthmus-${var.env}-transfer"
}

resource "aws_iam_user_policy" "transfer" {
  name   = "read-exports"
  user   = aws_iam_user.transfer.name
  policy = local.transfer_policy
}

locals {
  transfer_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "ReadExports"
        Effect   = "Allow"
        Action   = ["s3:GetObject"]
        Resource = ["${local.bucket_arns.export}/${var.env}-*"]
      },
      {
        # Google asks for AmazonS3ReadOnlyAccess; these are the calls that a transfer is known to make.
        Sid      = "ListExports"
        Effect   = "Allow"
        Action   = ["s3:ListBucket", "s3:GetBucketLocation"]
        Resource = [local.bucket_arns.export]
      },
      {
        Sid       = "ReadEncrypted"
        Effect    = "Allow"
        Action    = ["kms:Decrypt"]
        Resource  = [aws_kms_key.this.arn]
        Condition = local.through_s3
      },
    ]
  })
}
