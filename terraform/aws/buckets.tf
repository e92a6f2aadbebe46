# The two buckets, and what both have in common. `export` belongs to RDS and publish-export, `app` to bigquery-to-s3.
locals {
  bucket_names = {
    export = coalesce(var.export_bucket, "isthmus-${var.env}-export-${local.account}")
    app    = coalesce(var.app_bucket, "isthmus-${var.env}-app-${local.account}")
  }

  # From the names, so that a plan shows every policy as it will be.
  bucket_arns = { for key, name in local.bucket_names : key => "arn:${local.partition}:s3:::${name}" }
}

resource "aws_s3_bucket" "this" {
  for_each = local.bucket_names

  bucket        = each.value
  force_destroy = var.force_destroy
}

resource "aws_s3_bucket_ownership_controls" "this" {
  for_each = aws_s3_bucket.this

  bucket = each.value.id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_public_access_block" "this" {
  for_each = aws_s3_bucket.this

  bucket                  = each.value.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_server_side_encryption_configuration" "this" {
  for_each = aws_s3_bucket.this

  bucket = each.value.id

  rule {
    # One call to KMS for many objects: without it each of five million small objects pays for one.
    bucket_key_enabled = true

    apply_server_side_encryption_by_default {
      sse_algorithm     = "aws:kms"
      kms_master_key_id = aws_kms_key.this.arn
    }
  }
}

resource "aws_s3_bucket_versioning" "this" {
  for_each = aws_s3_bucket.this

  bucket = each.value.id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_policy" "this" {
  for_each = aws_s3_bucket.this

  bucket = each.value.id
  policy = local.tls_only_policies[each.key]

  depends_on = [aws_s3_bucket_public_access_block.this]
}

locals {
  tls_only_policies = { for key, arn in local.bucket_arns : key => jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "TlsOnly"
      Effect    = "Deny"
      Action    = "s3:*"
      Resource  = [arn, "${arn}/*"]
      Principal = "*"
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    }]
  }) }
}

# What is current in the application bucket never expires by age: a row that did not change for a year is as live as
# one of today, and after some failed runs the last good generation is the only one. bigquery-to-s3 collects what no
# kept generation names; here goes only what was replaced or deleted, and parts of uploads that never ended.
resource "aws_s3_bucket_lifecycle_configuration" "this" {
  for_each = aws_s3_bucket.this

  bucket = each.value.id

  rule {
    id     = "replaced-and-deleted"
    status = "Enabled"
    filter {}

    noncurrent_version_expiration {
      noncurrent_days = var.noncurrent_days
    }

    expiration {
      expired_object_delete_marker = true
    }

    abort_incomplete_multipart_upload {
      days_after_initiation = 7
    }
  }

  # An export is a whole copy each day; the days before the last month are in BigQuery. Not the reports of
  # publish-export, which say what has been told already.
  dynamic "rule" {
    for_each = each.key == "export" && var.export_retention_days != null ? [var.export_retention_days] : []

    content {
      id     = "old-exports"
      status = "Enabled"

      filter {
        prefix = "${var.env}-"
      }

      expiration {
        days = rule.value
      }
    }
  }

  # The date of an execution of load-export, for its next attempt.
  dynamic "rule" {
    for_each = each.key == "export" ? [7] : []

    content {
      id     = "old-executions"
      status = "Enabled"

      filter {
        prefix = "executions/"
      }

      expiration {
        days = rule.value
      }
    }
  }

  depends_on = [aws_s3_bucket_versioning.this]
}
