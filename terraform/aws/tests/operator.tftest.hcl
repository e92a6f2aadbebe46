# The role with which people ask how the day stands. Nothing is called.
provider "aws" {
  region                      = "ap-northeast-1"
  access_key                  = "test"
  secret_key                  = "test"
  skip_credentials_validation = true
  skip_requesting_account_id  = true
  skip_metadata_api_check     = true
}

override_data {
  target = data.aws_caller_identity.this
  values = { account_id = "111111111111" }
}

override_resource {
  target          = aws_kms_key.this
  override_during = plan
  values = {
    arn    = "arn:aws:kms:ap-northeast-1:111111111111:key/8c5b1f4e-0000-4000-8000-000000000000"
    key_id = "8c5b1f4e-0000-4000-8000-000000000000"
  }
}

override_resource {
  target          = aws_sns_topic.this
  override_during = plan
  values          = { arn = "arn:aws:sns:ap-northeast-1:111111111111:isthmus-prod-notify" }
}

variables {
  google_project = { id = "shop-prod", number = "1042" }
}

run "nobody_named_no_role" {
  command = plan

  assert {
    condition     = length(aws_iam_role.operator) == 0 && length(aws_iam_role_policy.operator) == 0
    error_message = "without operator_principals there is no such role"
  }
}

run "the_operator_only_reads_and_no_row" {
  command = plan

  variables {
    operator_principals = ["arn:aws:iam::111111111111:role/data-team"]
  }

  assert {
    condition     = jsondecode(aws_iam_role.operator[0].assume_role_policy).Statement[0].Principal == { AWS = ["arn:aws:iam::111111111111:role/data-team"] }
    error_message = "who was named, and nobody else"
  }
  assert {
    condition = toset(flatten([for statement in jsondecode(aws_iam_role_policy.operator[0].policy).Statement : statement.Action])) == toset([
      "cloudwatch:DescribeAlarms", "kms:Decrypt", "rds:DescribeDBClusterSnapshots", "rds:DescribeExportTasks", "s3:GetObject", "s3:ListBucket",
      "s3:ListBucketVersions", "sqs:GetQueueAttributes", "sqs:GetQueueUrl", "ssm:GetParameters",
    ])
    error_message = "docs/spec/status.md, Rights: the same list"
  }
  assert {
    condition = alltrue([for statement in jsondecode(aws_iam_role_policy.operator[0].policy).Statement :
    !contains(statement.Resource, "*") || statement.Action == ["rds:DescribeExportTasks"]])
    error_message = "only the description of export tasks has no resource of its own"
  }
  assert {
    condition = flatten([for statement in jsondecode(aws_iam_role_policy.operator[0].policy).Statement : statement.Resource if contains(statement.Action, "s3:GetObject")]) == [
      "arn:aws:s3:::isthmus-prod-export-111111111111/prod-*/manifest.json",
      "arn:aws:s3:::isthmus-prod-app-111111111111/*/CURRENT",
      "arn:aws:s3:::isthmus-prod-app-111111111111/*/manifest.json",
    ]
    error_message = "manifests and pointers; neither a part of an export nor a row"
  }
}

run "a_wildcard_is_nobody" {
  command = plan

  variables {
    operator_principals = ["*"]
  }

  expect_failures = [var.operator_principals]
}
