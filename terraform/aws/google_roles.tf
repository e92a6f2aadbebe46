# The two roles that jobs on Google Cloud assume without a key. AWS knows accounts.google.com; there is no identity
# provider to create. See docs/spec/keyless.md.
locals {
  syncs = yamldecode(file("${var.config_dir}/syncs.yaml")).syncs

  # What bigquery-to-s3 writes here: the prefixes of the syncs whose destination is this bucket.
  sync_prefixes = toset([
    for sync in values(local.syncs) : sync.destination.prefix
    if try(sync.destination.bucket, local.bucket_names.app) == local.bucket_names.app
  ])

  google_roles = {
    load-export = {
      unique_id = var.google_service_account_ids.load_export
      policy    = data.aws_iam_policy_document.load_export.json
    }
    bigquery-to-s3 = {
      unique_id = var.google_service_account_ids.bigquery_to_s3
      policy    = data.aws_iam_policy_document.bigquery_to_s3.json
    }
  }
}

resource "aws_iam_role" "google" {
  for_each = local.google_roles

  name               = "isthmus-${var.env}-${each.key}"
  description        = "Assumed by the Cloud Run job ${each.key}, with its Google identity"
  assume_role_policy = data.aws_iam_policy_document.google_trust[each.key].json
  # A run outlives it: credentials are refreshed ten minutes before their end.
  max_session_duration = 3600
}

data "aws_iam_policy_document" "google_trust" {
  for_each = {
    load-export    = var.google_service_account_ids.load_export
    bigquery-to-s3 = var.google_service_account_ids.bigquery_to_s3
  }

  statement {
    actions = ["sts:AssumeRoleWithWebIdentity"]

    principals {
      type        = "Federated"
      identifiers = ["accounts.google.com"]
    }

    # The token's azp.
    condition {
      test     = "StringEquals"
      variable = "accounts.google.com:aud"
      values   = [each.value]
    }

    # The token's aud: what the job asked for. Not enough alone: any service account of anyone can ask for it.
    condition {
      test     = "StringEquals"
      variable = "accounts.google.com:oaud"
      values   = [var.audience]
    }

    condition {
      test     = "StringEquals"
      variable = "accounts.google.com:sub"
      values   = [each.value]
    }
  }
}

resource "aws_iam_role_policy" "google" {
  for_each = local.google_roles

  name   = each.key
  role   = aws_iam_role.google[each.key].id
  policy = each.value.policy
}

data "aws_iam_policy_document" "load_export" {
  statement {
    sid       = "ReadManifests"
    actions   = ["s3:GetObject"]
    resources = ["${aws_s3_bucket.this["export"].arn}/${var.env}-*/manifest.json"]
  }

  statement {
    sid = "TellMissingFromDenied"
    # Without it S3 answers 403 instead of 404 for a manifest that is not there yet. No condition on the prefix: reading
    # an object carries none.
    actions   = ["s3:ListBucket"]
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

data "aws_iam_policy_document" "bigquery_to_s3" {
  statement {
    sid       = "PublishSyncs"
    actions   = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"]
    resources = [for prefix in local.sync_prefixes : "${aws_s3_bucket.this["app"].arn}/${prefix}/*"]
  }

  statement {
    sid = "ListGenerations"
    # Also so that a CURRENT which is not there yet reads as 404: no condition on the prefix.
    actions   = ["s3:ListBucket"]
    resources = [aws_s3_bucket.this["app"].arn]
  }

  statement {
    sid       = "ReadAndWriteEncrypted"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = [aws_kms_key.this.arn]

    condition {
      test     = "StringEquals"
      variable = "kms:ViaService"
      values   = ["s3.${var.region}.amazonaws.com"]
    }
  }
}
