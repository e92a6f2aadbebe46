# What `isthmus status` and `isthmus doctor` ask on AWS: reading only. Attach the policy to the people's own role, or let
# them assume this one. See docs/spec/status.md.
variable "operator_principals" {
  type        = set(string)
  description = "ARNs of the roles or users that may assume isthmus-{env}-operator, which only reads; empty makes no such role."
  default     = []

  validation {
    condition     = alltrue([for arn in var.operator_principals : can(regex("^arn:[a-z-]+:(iam|sts)::[0-9]{12}:(root|(role|user|assumed-role)/.+)$", arn))])
    error_message = "operator_principals are ARNs of roles or users, such as arn:aws:iam::123456789012:role/data-team; no wildcard."
  }
}

locals {
  operator_trust = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { AWS = sort(var.operator_principals) }
    }]
  })

  operator_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        # A task has no ARN: it cannot be narrower.
        Sid      = "SeeExports"
        Effect   = "Allow"
        Action   = ["rds:DescribeExportTasks"]
        Resource = ["*"]
      },
      {
        Sid    = "SeeSnapshots"
        Effect = "Allow"
        Action = ["rds:DescribeDBClusterSnapshots"]
        Resource = [
          "arn:${local.partition}:rds:${var.region}:${local.account}:cluster:*",
          "arn:${local.partition}:rds:${var.region}:${local.account}:cluster-snapshot:*",
        ]
      },
      {
        Sid    = "ReadManifestsAndCurrent"
        Effect = "Allow"
        Action = ["s3:GetObject"]
        # No part of an export and no row: manifests, and what says which generation is current.
        Resource = [
          "${local.bucket_arns.export}/${var.env}-*/manifest.json",
          "${local.bucket_arns.app}/*/CURRENT",
          "${local.bucket_arns.app}/*/manifest.json",
        ]
      },
      {
        # Versions of CURRENT are the days of the calendar; a listing of parts shows their batch folders.
        Sid      = "ListBuckets"
        Effect   = "Allow"
        Action   = ["s3:ListBucket", "s3:ListBucketVersions"]
        Resource = [local.bucket_arns.export, local.bucket_arns.app]
      },
      {
        Sid       = "ReadEncrypted"
        Effect    = "Allow"
        Action    = ["kms:Decrypt"]
        Resource  = [aws_kms_key.this.arn]
        Condition = local.through_s3
      },
      {
        Sid      = "FindNames"
        Effect   = "Allow"
        Action   = ["ssm:GetParameters"]
        Resource = ["arn:${local.partition}:ssm:${var.region}:${local.account}:parameter/isthmus/${var.env}/*"]
      },
      {
        # Of all alarms: the call names a prefix, and AWS looks at the rights before it looks at the names.
        Sid      = "SeeAlarms"
        Effect   = "Allow"
        Action   = ["cloudwatch:DescribeAlarms"]
        Resource = ["arn:${local.partition}:cloudwatch:${var.region}:${local.account}:alarm:*"]
      },
      {
        Sid      = "CountDeadLetters"
        Effect   = "Allow"
        Action   = ["sqs:GetQueueAttributes", "sqs:GetQueueUrl"]
        Resource = ["arn:${local.partition}:sqs:${var.region}:${local.account}:isthmus-${var.env}-dead-letters"]
      },
    ]
  })
}

resource "aws_iam_role" "operator" {
  count = length(var.operator_principals) > 0 ? 1 : 0

  name               = "isthmus-${var.env}-operator"
  description        = "Reads what isthmus status and isthmus doctor ask; assumed by people"
  assume_role_policy = local.operator_trust
}

resource "aws_iam_role_policy" "operator" {
  count = length(var.operator_principals) > 0 ? 1 : 0

  name   = "read"
  role   = aws_iam_role.operator[0].id
  policy = local.operator_policy
}
