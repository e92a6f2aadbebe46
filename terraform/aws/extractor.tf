# database-to-bigquery: a Fargate task by the clock, in the network of the database. Off unless var.extractor is set. Its
# rights are in extractor_roles.tf, who is told of it in extractor_alarms.tf. See docs/spec/database-to-bigquery.md.
locals {
  extractor      = var.extractor == null ? {} : { this = var.extractor }
  extractor_name = "isthmus-${var.env}-database-to-bigquery"
  extracts_file  = "${var.config_dir}/extracts.yaml"
  # Built from names, so that a plan shows every policy as it will be.
  ecs_arn                 = "arn:${local.partition}:ecs:${var.region}:${local.account}"
  extractor_cluster_arn   = "${local.ecs_arn}:cluster/${local.extractor_name}"
  extractor_log_arn       = "arn:${local.partition}:logs:${var.region}:${local.account}:log-group:/isthmus/${var.env}/database-to-bigquery"
  extractor_databases     = try(var.extractor.databases, {})
  extractor_variable      = { for name in keys(local.extractor_databases) : name => upper(replace(name, "/[^A-Za-z0-9]/", "_")) }
  extractor_image         = "${local.account}.dkr.ecr.${var.region}.amazonaws.com/${local.extractor_name}"
  extractor_secret_values = merge([for name, database in local.extractor_databases : { "DATABASE_PASSWORD_${local.extractor_variable[name]}" = database.password_secret_arn } if database.password_secret_arn != null]...)
  # Names of variables to ARNs of secrets: ECS fills them in.
  extractor_secrets = merge(local.extractor_secret_values, try(var.extractor.mask_key_secret_arn, null) == null ? {} : { MASK_KEY = var.extractor.mask_key_secret_arn })

  extractor_environment = {
    AWS_REGION             = var.region
    GOOGLE_CLOUD_PROJECT   = try(var.extract_into.project, "")
    BIGQUERY_LOCATION      = try(var.extract_into.location, "")
    GOOGLE_AUDIENCE        = try(var.extract_into.audience, "")
    GOOGLE_SERVICE_ACCOUNT = try(var.extract_into.service_account, "")
    EXPORT_TIMEZONE        = try(var.extractor.timezone, "")
    PARALLEL_TABLES        = tostring(try(var.extractor.parallel_tables, ""))
    WORK_DIR               = "/work"
    # The list itself: a change of it is a change of the task that a plan shows.
    EXTRACTS = try(file(local.extracts_file), "")
  }
  extractor_urls = { for name, database in local.extractor_databases : "DATABASE_URL_${local.extractor_variable[name]}" => database.url }
}

resource "aws_ecr_repository" "extractor" {
  for_each = local.extractor

  name                 = local.extractor_name
  image_tag_mutability = "IMMUTABLE"
  force_delete         = var.force_destroy

  encryption_configuration {
    encryption_type = "KMS"
    kms_key         = aws_kms_key.this.arn
  }
  image_scanning_configuration {
    scan_on_push = true
  }
}

resource "aws_ecr_lifecycle_policy" "extractor" {
  for_each = local.extractor

  repository = aws_ecr_repository.extractor[each.key].name
  policy = jsonencode({ rules = [{
    rulePriority = 1
    description  = "The last ten images"
    selection    = { tagStatus = "any", countType = "imageCountMoreThan", countNumber = 10 }
    action       = { type = "expire" }
  }] })
}

resource "aws_ecs_cluster" "extractor" {
  for_each = local.extractor

  name = local.extractor_name
  setting {
    name  = "containerInsights"
    value = "enabled"
  }
}

resource "aws_cloudwatch_log_group" "extractor" {
  for_each = local.extractor

  name              = "/isthmus/${var.env}/database-to-bigquery"
  retention_in_days = each.value.log_retention_days
  kms_key_id        = aws_kms_key.this.arn
}

resource "aws_ecs_task_definition" "extractor" {
  for_each = local.extractor

  family                   = local.extractor_name
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = 1024
  memory                   = 2048
  task_role_arn            = aws_iam_role.extractor["task"].arn
  execution_role_arn       = aws_iam_role.extractor["execution"].arn

  runtime_platform {
    cpu_architecture        = "ARM64"
    operating_system_family = "LINUX"
  }
  ephemeral_storage {
    size_in_gib = each.value.ephemeral_storage_gib
  }
  volume {
    name = "work"
  }

  container_definitions = jsonencode([{
    name                   = "database-to-bigquery"
    image                  = "${local.extractor_image}:${each.value.image_tag}"
    essential              = true
    readonlyRootFilesystem = true
    # The longest that Fargate gives: the transaction is rolled back, what is left is written down.
    stopTimeout = 120
    mountPoints = [{ sourceVolume = "work", containerPath = "/work", readOnly = false }]
    environment = [for name, value in merge(local.extractor_environment, local.extractor_urls) : { name = name, value = value }]
    secrets     = [for name, arn in local.extractor_secrets : { name = name, valueFrom = arn }]
    logConfiguration = {
      logDriver = "awslogs"
      options = {
        awslogs-group         = aws_cloudwatch_log_group.extractor[each.key].name
        awslogs-region        = var.region
        awslogs-stream-prefix = "task"
      }
    }
  }])

  lifecycle {
    precondition {
      condition     = toset(keys(try(yamldecode(local.extractor_environment.EXTRACTS).databases, {}))) == toset(keys(each.value.databases))
      error_message = "extractor.databases and the databases of extracts.yaml are not the same."
    }
  }
}

resource "aws_security_group" "extractor" {
  for_each = local.extractor

  name        = local.extractor_name
  description = "database-to-bigquery: out to its databases and to HTTPS, nothing in"
  vpc_id      = each.value.vpc_id
}

# Google's and AWS's APIs have no addresses of their own that a rule could name.
resource "aws_vpc_security_group_egress_rule" "extractor_https" {
  for_each = local.extractor

  security_group_id = aws_security_group.extractor[each.key].id
  description       = "BigQuery, STS, ECR, logs, secrets"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}

locals {
  # Without a group nothing is opened: the database's owner does it.
  extractor_ports = {
    for name, database in local.extractor_databases : name => {
      group = database.security_group_id
      port  = tonumber(try(regex("@[^/]*:([0-9]+)", database.url)[0], startswith(database.url, "mysql") ? 3306 : 5432))
    } if database.security_group_id != null
  }
}

resource "aws_vpc_security_group_egress_rule" "extractor_database" {
  for_each = local.extractor_ports

  security_group_id            = aws_security_group.extractor["this"].id
  referenced_security_group_id = each.value.group
  description                  = "Database ${each.key}"
  ip_protocol                  = "tcp"
  from_port                    = each.value.port
  to_port                      = each.value.port
}

resource "aws_vpc_security_group_ingress_rule" "extractor_database" {
  for_each = local.extractor_ports

  security_group_id            = each.value.group
  referenced_security_group_id = aws_security_group.extractor["this"].id
  description                  = "isthmus database-to-bigquery"
  ip_protocol                  = "tcp"
  from_port                    = each.value.port
  to_port                      = each.value.port
}

resource "aws_scheduler_schedule" "extractor" {
  for_each = local.extractor

  name                         = local.extractor_name
  description                  = "Starts database-to-bigquery; whether it succeeded, its alarms say"
  schedule_expression          = each.value.schedule
  schedule_expression_timezone = each.value.timezone
  state                        = each.value.schedule_enabled ? "ENABLED" : "DISABLED"
  kms_key_arn                  = aws_kms_key.this.arn

  flexible_time_window {
    mode = "OFF"
  }

  target {
    arn      = local.extractor_cluster_arn
    role_arn = aws_iam_role.extractor["scheduler"].arn

    ecs_parameters {
      task_definition_arn = aws_ecs_task_definition.extractor[each.key].arn
      launch_type         = "FARGATE"
      task_count          = 1

      network_configuration {
        subnets          = each.value.subnet_ids
        security_groups  = [aws_security_group.extractor[each.key].id]
        assign_public_ip = each.value.assign_public_ip
      }
    }
    retry_policy {
      maximum_event_age_in_seconds = 3600
      maximum_retry_attempts       = 10
    }
  }

  depends_on = [aws_iam_role_policy.extractor]
}
