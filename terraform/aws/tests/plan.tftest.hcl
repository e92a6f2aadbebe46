# What a reviewer wants to be sure of, asserted on the plan. The real provider computes the policies; nothing is called.
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
  audience = "isthmus-prod"
  start_load = {
    workflow        = "projects/shop-prod/locations/asia-northeast1/workflows/isthmus-prod-daily"
    audience        = "//iam.googleapis.com/projects/1042/locations/global/workloadIdentityPools/isthmus/providers/aws-account"
    service_account = "isthmus-start-load@shop-prod.iam.gserviceaccount.com"
  }
}

run "google_roles_are_pinned_three_times" {
  command = plan

  assert {
    condition = alltrue([
      for name, id in { load-export = "104200000000000000001", bigquery-to-s3 = "104200000000000000002" } :
      jsondecode(aws_iam_role.google[name].assume_role_policy).Statement == [{
        Action    = "sts:AssumeRoleWithWebIdentity"
        Effect    = "Allow"
        Principal = { Federated = "accounts.google.com" }
        Condition = { StringEquals = {
          "accounts.google.com:aud"  = id
          "accounts.google.com:oaud" = "isthmus-prod"
          "accounts.google.com:sub"  = id
        } }
      }]
    ])
    error_message = "each role trusts one service account and one audience: aud, oaud and sub"
  }
}

run "nothing_allows_a_wildcard" {
  command = plan

  # Every policy of this root, by name.
  assert {
    condition = alltrue(flatten([
      for policy in local.all_policies : [
        for statement in jsondecode(policy).Statement : statement.Effect == "Deny" || (
          !contains(flatten([statement.Action]), "*") &&
          alltrue([for action in flatten([statement.Action]) : !endswith(action, ":*")]) &&
          try(statement.Principal, {}) != "*" && try(statement.Principal.AWS, "") != "*"
        )
      ]
    ]))
    error_message = "an Allow with a wildcard principal or a whole service's actions"
  }

  assert {
    condition = alltrue(flatten([
      for policy in local.identity_policies : [
        for statement in jsondecode(policy).Statement : !contains(flatten([statement.Resource]), "*")
      ]
    ]))
    error_message = "a role's policy with Resource *"
  }

  assert {
    condition     = length(local.all_policies) == 12 && length(local.identity_policies) == 4
    error_message = "a policy was added or removed: look at it, and count again"
  }
}

run "each_job_reaches_its_own_objects_only" {
  command = plan

  assert {
    condition = flatten([for statement in jsondecode(aws_iam_role_policy.google["load-export"].policy).Statement :
    statement.Resource if statement.Sid == "ReadManifests"]) == ["arn:aws:s3:::isthmus-prod-export-111111111111/prod-*/manifest.json"]
    error_message = "load-export reads manifests"
  }

  assert {
    condition = toset(flatten([for statement in jsondecode(aws_iam_role_policy.google["load-export"].policy).Statement :
      statement.Resource if contains(statement.Action, "s3:PutObject")])) == toset([
      "arn:aws:s3:::isthmus-prod-export-111111111111/leases/prod.json", "arn:aws:s3:::isthmus-prod-export-111111111111/executions/*.json",
    ])
    error_message = "load-export writes its lease and the dates of its executions, and no part and no manifest"
  }

  assert {
    condition = toset(flatten([for statement in jsondecode(aws_iam_role_policy.google["bigquery-to-s3"].policy).Statement :
      statement.Resource if statement.Sid == "PublishSyncs"])) == toset([
      "arn:aws:s3:::isthmus-prod-app-111111111111/users/*", "arn:aws:s3:::isthmus-prod-app-111111111111/prices/v1/*",
    ])
    error_message = "bigquery-to-s3 writes the prefixes of its syncs, and not those of syncs into other buckets"
  }

  assert {
    condition = alltrue([for name in ["load-export", "bigquery-to-s3"] : !anytrue([
      for statement in jsondecode(aws_iam_role_policy.google[name].policy).Statement :
      length(regexall(name == "load-export" ? "app-111" : "export-111", jsonencode(statement.Resource))) > 0
    ])])
    error_message = "neither job reaches the other's bucket"
  }

  assert {
    condition = alltrue(flatten([for policy in local.identity_policies : [
      for statement in jsondecode(policy).Statement :
      try(statement.Condition.StringEquals["kms:ViaService"], "") == "s3.ap-northeast-1.amazonaws.com"
      if strcontains(jsonencode(statement.Action), "kms:")
    ]]))
    error_message = "the key is used through S3 only"
  }
}

run "buckets_are_closed" {
  command = plan

  assert {
    condition = alltrue([for block in aws_s3_bucket_public_access_block.this :
    block.block_public_acls && block.block_public_policy && block.ignore_public_acls && block.restrict_public_buckets])
    error_message = "public access is blocked"
  }

  assert {
    condition     = toset(keys(aws_s3_bucket_public_access_block.this)) == toset(["app", "export"]) && toset(keys(aws_s3_bucket_policy.this)) == toset(["app", "export"])
    error_message = "both buckets have them"
  }

  assert {
    condition     = alltrue([for versioning in aws_s3_bucket_versioning.this : versioning.versioning_configuration[0].status == "Enabled"])
    error_message = "versions are kept"
  }

  assert {
    condition = alltrue([for encryption in aws_s3_bucket_server_side_encryption_configuration.this : alltrue([
      for rule in encryption.rule : rule.bucket_key_enabled && rule.apply_server_side_encryption_by_default[0].sse_algorithm == "aws:kms" && rule.apply_server_side_encryption_by_default[0].kms_master_key_id == aws_kms_key.this.arn
    ])])
    error_message = "encrypted with the product's key, by bucket keys"
  }

  assert {
    condition = alltrue([for key, policy in aws_s3_bucket_policy.this : anytrue([
      for statement in jsondecode(policy.policy).Statement :
      statement.Effect == "Deny" && statement.Condition == { Bool = { "aws:SecureTransport" = "false" } } && length(statement.Resource) == 2
    ])])
    error_message = "TLS only"
  }

  assert {
    condition     = alltrue([for bucket in aws_s3_bucket.this : bucket.force_destroy == false])
    error_message = "prod's buckets are not deleted with what is in them"
  }
}

run "no_lifecycle_rule_deletes_live_objects" {
  command = plan

  variables {
    export_retention_days = 90
  }

  assert {
    condition = alltrue([for rule in aws_s3_bucket_lifecycle_configuration.this["app"].rule : alltrue([
      for expiration in rule.expiration : coalesce(expiration.days, 0) == 0 && expiration.date == null
    ])])
    error_message = "what is current in the application bucket never expires"
  }

  assert {
    condition     = [for rule in aws_s3_bucket_lifecycle_configuration.this["export"].rule : "${rule.filter[0].prefix} ${rule.expiration[0].days}" if rule.id == "old-exports"] == ["prod- 90"]
    error_message = "exports expire, the reports of publish-export do not"
  }
}

run "exports_are_kept_unless_asked_otherwise" {
  command = plan

  assert {
    condition     = [for rule in aws_s3_bucket_lifecycle_configuration.this["export"].rule : rule.id] == ["replaced-and-deleted", "old-executions"]
    error_message = "without export_retention_days nothing expires"
  }
}

run "rds_alone_assumes_the_export_role" {
  command = plan

  assert {
    condition = jsondecode(aws_iam_role.export.assume_role_policy).Statement == [{
      Action    = "sts:AssumeRole"
      Effect    = "Allow"
      Principal = { Service = "export.rds.amazonaws.com" }
      Condition = { StringEquals = { "aws:SourceAccount" = "111111111111" } }
    }]
    error_message = "export.rds.amazonaws.com, for this account"
  }
}

run "sam_finds_what_it_reads" {
  command = plan

  assert {
    condition = toset([for parameter in aws_ssm_parameter.this : parameter.name]) == toset([
      "/isthmus/prod/export-bucket", "/isthmus/prod/export-role-arn",
      "/isthmus/prod/kms-key-arn", "/isthmus/prod/notification-topic-arn",
      "/isthmus/prod/google-workflow", "/isthmus/prod/google-audience", "/isthmus/prod/google-service-account",
    ])
    error_message = "the parameters of template.yaml"
  }

  assert {
    condition     = toset([for name in ["workflow", "audience", "service-account"] : aws_ssm_parameter.this["google-${name}"].value]) == toset(values(var.start_load))
    error_message = "what a publication starts, as terraform/gcp says"
  }
}

run "google_is_told_the_role_that_sam_makes" {
  command = plan

  assert {
    condition     = output.aws.publish_export_role_arn == "arn:aws:iam::111111111111:role/isthmus-prod-publish-export"
    error_message = "the provider on Google's side lets in this role of this account"
  }
}

run "lookup_is_told_where_the_syncs_are" {
  command = plan

  assert {
    condition = output.lookup == {
      LookupSyncs      = "prices=s3://isthmus-prod-app-111111111111/prices/v1,users=s3://isthmus-prod-app-111111111111/users"
      LookupObjectArns = "arn:aws:s3:::isthmus-prod-app-111111111111/prices/v1/*,arn:aws:s3:::isthmus-prod-app-111111111111/users/*"
      LookupBucketArns = "arn:aws:s3:::isthmus-prod-app-111111111111"
      LookupKmsKeyArn  = "arn:aws:kms:ap-northeast-1:111111111111:key/8c5b1f4e-0000-4000-8000-000000000000"
    }
    error_message = "the syncs of the application bucket, without Redis"
  }
}

run "the_cache_is_off_unless_asked_for" {
  command = plan

  assert {
    condition     = length(aws_elasticache_replication_group.this) == 0 && length(aws_vpc.cache) == 0
    error_message = "no network and no cache"
  }
}

run "the_cache_has_tls_and_no_password" {
  command = plan

  variables {
    cache = { nodes = 2 }
  }

  override_data {
    target = data.aws_prefix_list.s3
    values = { id = "pl-61a54008" }
  }

  assert {
    condition     = aws_elasticache_replication_group.this[0].transit_encryption_enabled && aws_elasticache_replication_group.this[0].multi_az_enabled
    error_message = "TLS, and two zones where there are two nodes"
  }

  assert {
    condition     = aws_elasticache_user.lookup[0].authentication_mode[0].type == "iam" && aws_elasticache_user.lookup[0].user_id == aws_elasticache_user.lookup[0].user_name
    error_message = "IAM wants the user's id and name to be the same"
  }

  assert {
    condition     = length(aws_subnet.cache) == 2 && length(setintersection(toset([for s in aws_subnet.cache : s.cidr_block]), toset(["10.90.0.0/26", "10.90.0.64/26"]))) == 2
    error_message = "two subnets"
  }
}

run "an_email_address_is_no_service_account_id" {
  command = plan

  variables {
    google_service_account_ids = { load_export = "load-export@acme.iam.gserviceaccount.com", bigquery_to_s3 = "104200000000000000002" }
  }

  expect_failures = [var.google_service_account_ids]
}

run "a_provider_is_named_by_the_projects_number" {
  command = plan

  variables {
    start_load = {
      workflow        = "projects/shop-prod/locations/asia-northeast1/workflows/isthmus-prod-daily"
      audience        = "//iam.googleapis.com/projects/shop-prod/locations/global/workloadIdentityPools/isthmus/providers/aws-account"
      service_account = "isthmus-start-load@shop-prod.iam.gserviceaccount.com"
    }
  }

  expect_failures = [var.start_load]
}

run "a_workflow_is_named_in_full_and_a_service_account_by_its_address" {
  command = plan

  variables {
    start_load = {
      workflow        = "isthmus-prod-daily"
      audience        = "//iam.googleapis.com/projects/1042/locations/global/workloadIdentityPools/isthmus/providers/aws-account"
      service_account = "104200000000000000003"
    }
  }

  expect_failures = [var.start_load]
}

run "an_export_outlives_a_month" {
  command = plan

  variables {
    export_retention_days = 7
  }

  expect_failures = [var.export_retention_days]
}

run "prod_is_not_torn_down_with_its_objects" {
  command = plan

  variables {
    force_destroy = true
  }

  expect_failures = [var.force_destroy]
}

run "an_environment_is_a_word" {
  command = plan

  variables {
    env = "Prod_1"
  }

  expect_failures = [var.env]
}

run "a_sample_instead_of_a_service_account_is_refused" {
  command = plan

  variables {
    google_service_account_ids = { load_export = "100000000000000000003", bigquery_to_s3 = "104200000000000000002" }
  }

  expect_failures = [var.google_service_account_ids]
}

run "a_sample_of_an_address_is_refused" {
  command = plan

  variables {
    notification_emails = ["data@shop.test", "data-platform@example.com"]
  }

  expect_failures = [var.notification_emails]
}

run "samples_of_bucket_names_are_refused" {
  command = plan

  variables {
    export_bucket = "acme-export"
    app_bucket    = "acme-app"
  }

  expect_failures = [var.export_bucket, var.app_bucket]
}

run "a_sample_of_what_a_publication_starts_is_refused" {
  command = plan

  variables {
    start_load = {
      workflow        = "projects/acme-isthmus-prod/locations/asia-northeast1/workflows/isthmus-prod-daily"
      audience        = "//iam.googleapis.com/projects/1042/locations/global/workloadIdentityPools/isthmus/providers/aws-account"
      service_account = "isthmus-start-load@shop-prod.iam.gserviceaccount.com"
    }
  }

  expect_failures = [var.start_load]
}
