# That a task was started says nothing of its end. Two ways to notice: a task that stopped with another code than 0 or
# could not be started, and no success for 26 hours, whatever the cause.
resource "aws_cloudwatch_event_rule" "extractor" {
  for_each = local.extractor

  name        = "${local.extractor_name}-stopped"
  description = "A task of database-to-bigquery stopped with another code than 0, or was never started"
  event_pattern = jsonencode({
    source        = ["aws.ecs"]
    "detail-type" = ["ECS Task State Change"]
    detail = {
      clusterArn = [local.extractor_cluster_arn]
      lastStatus = ["STOPPED"]
      "$or" = [
        { containers = { exitCode = [{ "anything-but" = 0 }] } },
        { stopCode = ["TaskFailedToStart"] },
      ]
    }
  })
}

resource "aws_cloudwatch_event_target" "extractor" {
  for_each = local.extractor

  rule      = aws_cloudwatch_event_rule.extractor[each.key].name
  target_id = "notify"
  arn       = aws_sns_topic.this.arn

  input_transformer {
    input_paths = {
      task   = "$.detail.taskArn"
      reason = "$.detail.stoppedReason"
    }
    input_template = "\"isthmus ${var.env}: database-to-bigquery did not succeed: <reason>. Task <task>; its last lines of level ERROR in the log group /isthmus/${var.env}/database-to-bigquery name the table. Nothing is half done: start it again when the cause is removed.\""
  }
}

resource "aws_cloudwatch_log_metric_filter" "extractor" {
  for_each = local.extractor

  name           = "${local.extractor_name}-succeeded"
  log_group_name = aws_cloudwatch_log_group.extractor[each.key].name
  pattern        = "{ $.event = \"extracted\" && $.ok IS TRUE }"

  metric_transformation {
    name      = "succeeded"
    namespace = local.extractor_name
    value     = "1"
  }
}

# CloudWatch counts whole hours. Without any line there is no data, and that is what is looked for.
resource "aws_cloudwatch_metric_alarm" "extractor_silent" {
  for_each = { for key, extractor in local.extractor : key => extractor if extractor.schedule_enabled }

  alarm_name          = "${local.extractor_name}-silent"
  alarm_description   = "No run of database-to-bigquery succeeded for 26 hours. Its log group says why; without a line look at the schedule ${local.extractor_name}."
  namespace           = local.extractor_name
  metric_name         = "succeeded"
  statistic           = "Sum"
  comparison_operator = "LessThanThreshold"
  threshold           = 1
  period              = 3600
  evaluation_periods  = 26
  treat_missing_data  = "breaching"
  alarm_actions       = [aws_sns_topic.this.arn]
  ok_actions          = [aws_sns_topic.this.arn]
}
