# database-to-bigquery as a Fargate task.
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
  audience   = "isthmus-prod"
  config_dir = "tests/extractor"
  start_load = {
    workflow        = "projects/shop-prod/locations/asia-northeast1/workflows/isthmus-prod-daily"
    audience        = "//iam.googleapis.com/projects/1042/locations/global/workloadIdentityPools/isthmus/providers/aws-account"
    service_account = "isthmus-start-load@shop-prod.iam.gserviceaccount.com"
  }
  extract_into = {
    project         = "shop-prod"
    location        = "asia-northeast1"
    audience        = "//iam.googleapis.com/projects/1042/locations/global/workloadIdentityPools/isthmus/providers/aws-account"
    service_account = "isthmus-database-to-bigquery@shop-prod.iam.gserviceaccount.com"
  }
  extractor = {
    image_tag  = "abc1234"
    vpc_id     = "vpc-0a1b2c3d4e5f60001"
    subnet_ids = ["subnet-0a1b2c3d4e5f60001", "subnet-0a1b2c3d4e5f60002"]
    databases = {
      shop = {
        url               = "mysql://isthmus@shop.cluster-ro-abc.ap-northeast-1.rds.amazonaws.com:3307/shop"
        security_group_id = "sg-0a1b2c3d4e5f60001"
        resource_id       = "cluster-ABCDEFGHIJKL"
      }
      web-app = {
        url                 = "postgres://reader@app.example.internal/app"
        security_group_id   = "sg-0a1b2c3d4e5f60002"
        password_secret_arn = "arn:aws:secretsmanager:ap-northeast-1:111111111111:secret:app-reader-a1b2c3"
      }
    }
    mask_key_secret_arn = "arn:aws:secretsmanager:ap-northeast-1:111111111111:secret:mask-a1b2c3"
    schedule_enabled    = true
  }
}

run "it_is_off_unless_asked_for" {
  command = plan

  variables {
    extractor = null
  }

  assert {
    condition     = length(aws_ecs_cluster.extractor) == 0 && length(aws_ecs_task_definition.extractor) == 0 && length(aws_iam_role.extractor) == 0 && length(aws_ecr_repository.extractor) == 0
    error_message = "nothing of it"
  }
  assert {
    condition     = output.aws.extractor_role_arn == null && length(jsondecode(local.topic_policy).Statement) == 1 && length(jsondecode(local.key_policy).Statement) == 2
    error_message = "and nobody is let in for it"
  }
}

run "the_task_is_small_and_on_arm_with_a_disk_of_its_own" {
  command = plan

  variables {
    extractor = merge(var.extractor, { ephemeral_storage_gib = 60 })
  }

  assert {
    condition     = aws_ecs_task_definition.extractor["this"].cpu == "1024" && aws_ecs_task_definition.extractor["this"].memory == "2048" && aws_ecs_task_definition.extractor["this"].runtime_platform[0].cpu_architecture == "ARM64"
    error_message = "1 vCPU, 2 GB, ARM64"
  }
  assert {
    condition     = aws_ecs_task_definition.extractor["this"].ephemeral_storage[0].size_in_gib == 60
    error_message = "the Parquet files of the tables under way"
  }
  assert {
    condition     = jsondecode(aws_ecs_task_definition.extractor["this"].container_definitions)[0].readonlyRootFilesystem && jsondecode(aws_ecs_task_definition.extractor["this"].container_definitions)[0].mountPoints[0].containerPath == "/work"
    error_message = "only /work is written to"
  }
}

run "it_gets_the_variables_that_it_reads_and_no_password_as_text" {
  command = plan

  assert {
    condition = { for variable in jsondecode(aws_ecs_task_definition.extractor["this"].container_definitions)[0].environment : variable.name => variable.value } == {
      AWS_REGION             = "ap-northeast-1"
      GOOGLE_CLOUD_PROJECT   = "shop-prod"
      BIGQUERY_LOCATION      = "asia-northeast1"
      GOOGLE_AUDIENCE        = var.extract_into.audience
      GOOGLE_SERVICE_ACCOUNT = var.extract_into.service_account
      EXPORT_TIMEZONE        = "Asia/Tokyo"
      PARALLEL_TABLES        = "2"
      WORK_DIR               = "/work"
      EXTRACTS               = file("tests/extractor/extracts.yaml")
      DATABASE_URL_SHOP      = "mysql://isthmus@shop.cluster-ro-abc.ap-northeast-1.rds.amazonaws.com:3307/shop"
      DATABASE_URL_WEB_APP   = "postgres://reader@app.example.internal/app"
    }
    error_message = "see docs/spec/database-to-bigquery.md, Variables"
  }
  assert {
    condition = { for secret in jsondecode(aws_ecs_task_definition.extractor["this"].container_definitions)[0].secrets : secret.name => secret.valueFrom } == {
      DATABASE_PASSWORD_WEB_APP = "arn:aws:secretsmanager:ap-northeast-1:111111111111:secret:app-reader-a1b2c3"
      MASK_KEY                  = "arn:aws:secretsmanager:ap-northeast-1:111111111111:secret:mask-a1b2c3"
    }
    error_message = "from Secrets Manager, by ECS"
  }
}

run "each_role_does_one_thing_for_one_service" {
  command = plan

  assert {
    condition = { for name, role in aws_iam_role.extractor : role.name => jsondecode(role.assume_role_policy).Statement[0] } == {
      for name, service in {
        isthmus-prod-database-to-bigquery          = "ecs-tasks.amazonaws.com"
        isthmus-prod-database-to-bigquery-start    = "ecs-tasks.amazonaws.com"
        isthmus-prod-database-to-bigquery-by-clock = "scheduler.amazonaws.com"
      } : name => { Action = "sts:AssumeRole", Effect = "Allow", Principal = { Service = service }, Condition = { StringEquals = { "aws:SourceAccount" = "111111111111" } } }
    }
    error_message = "task, what prepares it, what starts it; of this account"
  }
  assert {
    condition = jsondecode(local.extractor_policies.task).Statement == [{
      Sid      = "Connect", Effect = "Allow", Action = ["rds-db:connect"]
      Resource = ["arn:aws:rds-db:ap-northeast-1:111111111111:dbuser:cluster-ABCDEFGHIJKL/isthmus"]
    }]
    error_message = "the task signs in as one user of one cluster, and may do nothing else"
  }
  assert {
    condition = [for statement in jsondecode(local.extractor_policies.scheduler).Statement : statement if statement.Sid == "Start"] == [{
      Sid       = "Start", Effect = "Allow", Action = ["ecs:RunTask"]
      Resource  = ["arn:aws:ecs:ap-northeast-1:111111111111:task-definition/isthmus-prod-database-to-bigquery:*"]
      Condition = { ArnEquals = { "ecs:cluster" = "arn:aws:ecs:ap-northeast-1:111111111111:cluster/isthmus-prod-database-to-bigquery" } }
    }]
    error_message = "this task in this cluster"
  }
  assert {
    condition = [for statement in jsondecode(local.extractor_policies.scheduler).Statement : [statement.Resource, statement.Condition] if contains(statement.Action, "iam:PassRole")] == [[
      ["arn:aws:iam::111111111111:role/isthmus-prod-database-to-bigquery", "arn:aws:iam::111111111111:role/isthmus-prod-database-to-bigquery-start"],
      { StringEquals = { "iam:PassedToService" = "ecs-tasks.amazonaws.com" } },
    ]]
    error_message = "its two roles, to ECS"
  }
  assert {
    condition = flatten([for policy in local.extractor_policies : [
      for statement in jsondecode(policy).Statement : statement.Action if contains(statement.Resource, "*")
    ]]) == ["ecr:GetAuthorizationToken"]
    error_message = "one action has no resource"
  }
  assert {
    condition = toset(flatten([for statement in jsondecode(local.extractor_policies.execution).Statement : statement.Resource if statement.Sid == "FillInSecrets"])) == toset([
      "arn:aws:secretsmanager:ap-northeast-1:111111111111:secret:app-reader-a1b2c3", "arn:aws:secretsmanager:ap-northeast-1:111111111111:secret:mask-a1b2c3",
    ])
    error_message = "its secrets and no others"
  }
}

run "only_the_databases_and_https_are_reached" {
  command = plan

  assert {
    condition     = { for name, rule in aws_vpc_security_group_ingress_rule.extractor_database : name => "${rule.security_group_id} ${rule.from_port} ${rule.to_port}" } == { shop = "sg-0a1b2c3d4e5f60001 3307 3307", web-app = "sg-0a1b2c3d4e5f60002 5432 5432" }
    error_message = "each database is opened at its port"
  }
  assert {
    condition     = { for name, rule in aws_vpc_security_group_egress_rule.extractor_database : name => "${rule.referenced_security_group_id} ${rule.from_port}" } == { shop = "sg-0a1b2c3d4e5f60001 3307", web-app = "sg-0a1b2c3d4e5f60002 5432" }
    error_message = "and the task may go there"
  }
  assert {
    condition     = aws_vpc_security_group_egress_rule.extractor_https["this"].from_port == 443 && aws_vpc_security_group_egress_rule.extractor_https["this"].to_port == 443
    error_message = "HTTPS, and no other port of the world"
  }
}

run "what_was_not_opened_by_a_group_is_its_owners_to_open" {
  command = plan

  variables {
    extractor = merge(var.extractor, { databases = { for name, database in var.extractor.databases : name => merge(database, { security_group_id = null }) } })
  }

  assert {
    condition     = length(aws_vpc_security_group_ingress_rule.extractor_database) == 0
    error_message = "no rule in a group that nobody named"
  }
}

run "the_clock_is_tokyo_s_and_off_unless_enabled" {
  command = plan

  variables {
    extractor = merge(var.extractor, { schedule_enabled = false })
  }

  assert {
    condition     = aws_scheduler_schedule.extractor["this"].state == "DISABLED" && aws_scheduler_schedule.extractor["this"].schedule_expression_timezone == "Asia/Tokyo" && length(aws_cloudwatch_metric_alarm.extractor_silent) == 0
    error_message = "and silence is no alarm then"
  }
}

run "a_task_that_failed_and_silence_are_told" {
  command = plan

  assert {
    condition = jsondecode(aws_cloudwatch_event_rule.extractor["this"].event_pattern).detail == {
      clusterArn = ["arn:aws:ecs:ap-northeast-1:111111111111:cluster/isthmus-prod-database-to-bigquery"]
      lastStatus = ["STOPPED"]
      "$or"      = [{ containers = { exitCode = [{ anything-but = 0 }] } }, { stopCode = ["TaskFailedToStart"] }]
    }
    error_message = "another code than 0, or never started"
  }
  assert {
    condition     = aws_cloudwatch_event_target.extractor["this"].arn == aws_sns_topic.this.arn
    error_message = "to the topic"
  }
  assert {
    condition     = [for statement in jsondecode(local.topic_policy).Statement : statement.Principal.Service] == ["cloudwatch.amazonaws.com", "events.amazonaws.com"] && [for statement in jsondecode(local.key_policy).Statement : statement.Principal.Service if can(statement.Principal.Service)] == ["cloudwatch.amazonaws.com", "events.amazonaws.com", "logs.ap-northeast-1.amazonaws.com"]
    error_message = "EventBridge may publish, and use the topic's key; the log is encrypted with it too"
  }
  assert {
    condition     = aws_cloudwatch_metric_alarm.extractor_silent["this"].period * aws_cloudwatch_metric_alarm.extractor_silent["this"].evaluation_periods == 26 * 3600 && aws_cloudwatch_metric_alarm.extractor_silent["this"].treat_missing_data == "breaching"
    error_message = "26 hours without a success"
  }
}

run "google_is_told_the_role" {
  command = plan

  assert {
    condition     = output.aws.extractor_role_arn == "arn:aws:iam::111111111111:role/isthmus-prod-database-to-bigquery"
    error_message = "the task's"
  }
}

run "another_database_than_the_list_has_is_refused" {
  command = plan

  variables {
    extractor = merge(var.extractor, { databases = { shop = var.extractor.databases.shop } })
  }

  expect_failures = [aws_ecs_task_definition.extractor]
}

run "a_password_in_an_address_is_refused" {
  command = plan

  variables {
    extractor = merge(var.extractor, { databases = { shop = { url = "mysql://isthmus:secret@db/shop", resource_id = "cluster-A" }, web-app = var.extractor.databases.web-app } })
  }

  expect_failures = [var.extractor]
}

run "a_database_without_a_way_to_sign_in_is_refused" {
  command = plan

  variables {
    extractor = merge(var.extractor, { databases = { shop = { url = "mysql://isthmus@db/shop" }, web-app = var.extractor.databases.web-app } })
  }

  expect_failures = [var.extractor]
}

run "a_disk_that_fargate_does_not_have_is_refused" {
  command = plan

  variables {
    extractor = merge(var.extractor, { ephemeral_storage_gib = 500 })
  }

  expect_failures = [var.extractor]
}

run "a_list_without_google_is_refused" {
  command = plan

  variables {
    extract_into = null
  }

  expect_failures = [var.extractor]
}
