# Three roles: what the program is, what ECS does for it before it runs, and what starts it.
locals {
  ecs_tasks = { Service = "ecs-tasks.amazonaws.com" }

  extractor_trust = var.extractor == null ? {} : {
    for name, service in { task = local.ecs_tasks, execution = local.ecs_tasks, scheduler = { Service = "scheduler.amazonaws.com" } } :
    name => jsonencode({
      Version = "2012-10-17"
      Statement = [{
        Effect    = "Allow"
        Action    = "sts:AssumeRole"
        Principal = service
        # Not for a task or a schedule of another account.
        Condition = { StringEquals = { "aws:SourceAccount" = local.account } }
      }]
    })
  }
  extractor_role_names = { task = local.extractor_name, execution = "${local.extractor_name}-start", scheduler = "${local.extractor_name}-by-clock" }
  extractor_role_arns  = { for name, role in local.extractor_role_names : name => "arn:${local.partition}:iam::${local.account}:role/${role}" }

  # Users who prove themselves by a token that the task's role signs.
  extractor_users = [for database in values(local.extractor_databases) :
    "arn:${local.partition}:rds-db:${var.region}:${local.account}:dbuser:${database.resource_id}/${regex("//([^@]+)@", database.url)[0]}" if database.resource_id != null
  ]

  extractor_statements = {
    task = length(local.extractor_users) == 0 ? [] : [{
      Sid      = "Connect"
      Effect   = "Allow"
      Action   = ["rds-db:connect"]
      Resource = local.extractor_users
    }]
    execution = concat([
      {
        # The one action of ECR that has no resource.
        Sid      = "SignIn"
        Effect   = "Allow"
        Action   = ["ecr:GetAuthorizationToken"]
        Resource = ["*"]
      },
      {
        Sid      = "PullImage"
        Effect   = "Allow"
        Action   = ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer", "ecr:BatchCheckLayerAvailability"]
        Resource = ["arn:${local.partition}:ecr:${var.region}:${local.account}:repository/${local.extractor_name}"]
      },
      {
        Sid      = "WriteLog"
        Effect   = "Allow"
        Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
        Resource = ["${local.extractor_log_arn}:log-stream:*"]
      },
      ], length(local.extractor_secrets) == 0 ? [] : [{
        # Secrets with AWS's own key: one of your own must let this role decrypt.
        Sid      = "FillInSecrets"
        Effect   = "Allow"
        Action   = ["secretsmanager:GetSecretValue"]
        Resource = sort(distinct(values(local.extractor_secrets)))
    }])
    scheduler = [
      {
        Sid       = "Start"
        Effect    = "Allow"
        Action    = ["ecs:RunTask"]
        Resource  = ["${local.ecs_arn}:task-definition/${local.extractor_name}:*"]
        Condition = { ArnEquals = { "ecs:cluster" = local.extractor_cluster_arn } }
      },
      {
        Sid       = "HandOverRoles"
        Effect    = "Allow"
        Action    = ["iam:PassRole"]
        Resource  = [local.extractor_role_arns.task, local.extractor_role_arns.execution]
        Condition = { StringEquals = { "iam:PassedToService" = "ecs-tasks.amazonaws.com" } }
      },
      {
        Sid       = "ReadSchedule"
        Effect    = "Allow"
        Action    = ["kms:Decrypt"]
        Resource  = [aws_kms_key.this.arn]
        Condition = { StringEquals = { "kms:ViaService" = "scheduler.${var.region}.amazonaws.com" } }
      },
    ]
  }
  extractor_policies = var.extractor == null ? {} : {
    for name, statements in local.extractor_statements : name => jsonencode({ Version = "2012-10-17", Statement = statements }) if length(statements) > 0
  }
}

resource "aws_iam_role" "extractor" {
  for_each = local.extractor_trust

  name               = local.extractor_role_names[each.key]
  description        = "database-to-bigquery: ${each.key}"
  assume_role_policy = each.value
}

resource "aws_iam_role_policy" "extractor" {
  for_each = local.extractor_policies

  name   = each.key
  role   = aws_iam_role.extractor[each.key].id
  policy = each.value
}
