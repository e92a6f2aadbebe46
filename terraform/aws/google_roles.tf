# The two roles that jobs on Google Cloud assume without a key. AWS knows accounts.google.com; there is no identity
# provider to create. See docs/spec/keyless.md.
locals {
  audience = coalesce(var.audience, "isthmus-${var.env}")

  google_roles = {
    load-export    = { service_account_id = var.google_service_account_ids.load_export, policy = local.load_export_policy }
    bigquery-to-s3 = { service_account_id = var.google_service_account_ids.bigquery_to_s3, policy = local.bigquery_to_s3_policy }
  }

  google_trust = { for name, role in local.google_roles : name => jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRoleWithWebIdentity"
      Principal = { Federated = "accounts.google.com" }
      Condition = { StringEquals = {
        # The token's azp.
        "accounts.google.com:aud" = role.service_account_id
        # The token's aud: what the job asked for. Not enough alone: any service account of anyone can ask for it.
        "accounts.google.com:oaud" = local.audience
        "accounts.google.com:sub"  = role.service_account_id
      } }
    }]
  }) }

  # The key serves these roles through S3 only.
  through_s3 = { StringEquals = { "kms:ViaService" = "s3.${var.region}.amazonaws.com" } }
}

resource "aws_iam_role" "google" {
  for_each = local.google_roles

  name               = "isthmus-${var.env}-${each.key}"
  description        = "Assumed by the Cloud Run job ${each.key}, with its Google identity"
  assume_role_policy = local.google_trust[each.key]
  # A run may outlive it: credentials are refreshed ten minutes before their end.
  max_session_duration = 3600
}

resource "aws_iam_role_policy" "google" {
  for_each = local.google_roles

  name   = each.key
  role   = aws_iam_role.google[each.key].id
  policy = each.value.policy
}

locals {
  load_export_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "ReadManifests"
        Effect   = "Allow"
        Action   = ["s3:GetObject"]
        Resource = ["${local.bucket_arns.export}/${var.env}-*/manifest.json"]
      },
      {
        # Which execution loads the environment now, and the export date that all attempts of one share.
        Sid    = "KeepLoadsApart"
        Effect = "Allow"
        Action = ["s3:GetObject", "s3:PutObject"]
        Resource = [
          "${local.bucket_arns.export}/leases/${var.env}.json",
          "${local.bucket_arns.export}/executions/*.json",
        ]
      },
      {
        # Without it S3 answers 403 instead of 404 for a manifest that is not there yet. No condition on the prefix:
        # reading an object carries none.
        Sid      = "TellMissingFromDenied"
        Effect   = "Allow"
        Action   = ["s3:ListBucket"]
        Resource = [local.bucket_arns.export]
      },
      {
        Sid       = "ReadAndWriteEncrypted"
        Effect    = "Allow"
        Action    = ["kms:Decrypt", "kms:GenerateDataKey"]
        Resource  = [aws_kms_key.this.arn]
        Condition = local.through_s3
      },
    ]
  })

  syncs = yamldecode(file("${var.config_dir}/syncs.yaml")).syncs

  # What bigquery-to-s3 writes here: the prefixes of the syncs whose destination is this bucket. A destination elsewhere
  # is its owner's to open, for the role of output aws.
  syncs_here = {
    for name, sync in local.syncs : name => sync.destination.prefix
    if try(sync.destination.bucket, local.bucket_names.app) == local.bucket_names.app
  }

  bigquery_to_s3_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "PublishSyncs"
        Effect   = "Allow"
        Action   = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"]
        Resource = [for prefix in values(local.syncs_here) : "${local.bucket_arns.app}/${prefix}/*"]
      },
      {
        # Also so that a CURRENT which is not there yet reads as 404: no condition on the prefix.
        Sid      = "ListGenerations"
        Effect   = "Allow"
        Action   = ["s3:ListBucket"]
        Resource = [local.bucket_arns.app]
      },
      {
        Sid       = "ReadAndWriteEncrypted"
        Effect    = "Allow"
        Action    = ["kms:Decrypt", "kms:GenerateDataKey"]
        Resource  = [aws_kms_key.this.arn]
        Condition = local.through_s3
      },
    ]
  })
}
