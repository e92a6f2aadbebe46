# BigQuery Data Transfer takes access keys only. Its key is not made here, because the secret would lie in the state:
# terraform/rotate-transfer-key.sh makes it and hands it to Secret Manager.
resource "aws_iam_user" "transfer" {
  name = "isthmus-${var.env}-transfer"
  # Keys that the script made go with the user.
  force_destroy = true
}

resource "aws_iam_user_policy" "transfer" {
  name   = "read-exports"
  user   = aws_iam_user.transfer.name
  policy = data.aws_iam_policy_document.transfer.json
}

data "aws_iam_policy_document" "transfer" {
  statement {
    sid       = "ReadExports"
    actions   = ["s3:GetObject"]
    resources = ["${aws_s3_bucket.this["export"].arn}/${var.env}-*"]
  }

  statement {
    sid = "ListExports"
    # Google asks for the rights of AmazonS3ReadOnlyAccess; these are the calls that a transfer is known to make.
    actions   = ["s3:ListBucket", "s3:GetBucketLocation"]
    resources = [aws_s3_bucket.this["export"].arn]
  }

  statement {
    sid       = "ReadEncrypted"
    actions   = ["kms:Decrypt"]
    resources = [aws_kms_key.this.arn]

    condition {
      test     = "StringEquals"
      variable = "kms:ViaService"
      values   = ["s3.${var.region}.amazonaws.com"]
    }
  }
}
