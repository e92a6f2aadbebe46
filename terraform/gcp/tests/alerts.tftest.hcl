# What is told, to whom, with which link.
variables {
  env              = "prod"
  project          = "shop-isthmus-prod"
  alert_emails     = ["a@shop.test", "b@shop.test"]
  schedule_enabled = true
}

run "every_way_to_fail_has_an_alert" {
  command = plan

  assert {
    condition     = toset(keys(google_monitoring_alert_policy.log)) == toset(["bigquery-to-s3-failed", "dbt-bytes", "dbt-failed", "dbt-gate", "dbt-node", "dbt-stale", "drift", "load-export-failed", "rejects"])
    error_message = "alerts on log lines"
  }
  assert {
    condition     = toset(keys(google_monitoring_alert_policy.metric)) == toset(["daily-failed", "transfer-failed"])
    error_message = "alerts on metrics"
  }
  assert {
    condition     = toset(keys(google_monitoring_alert_policy.silence)) == toset(["bigquery-to-s3", "dbt", "load-export"])
    error_message = "alerts on a day without success"
  }
}

run "a_failed_model_is_told_with_what_dbt_said_about_it" {
  command = plan

  assert {
    condition     = strcontains(google_monitoring_alert_policy.log["dbt-node"].documentation[0].content, "execution_name%22%3D%22$${log.extracted_label.execution}%22%20jsonPayload.model%3D%22$${log.extracted_label.node}%22?project=shop-isthmus-prod")
    error_message = "the link leads to the lines of that model in that execution"
  }
}

run "without_a_schedule_silence_is_no_alarm" {
  command = plan
  variables {
    schedule_enabled = false
  }

  assert {
    condition     = length(google_monitoring_alert_policy.silence) == 0
    error_message = "stg runs when it is asked to"
  }
}

run "silence_is_26_hours_without_a_success_of_the_job" {
  command = plan

  assert {
    condition = alltrue([for key, policy in google_monitoring_alert_policy.silence :
      strcontains(policy.conditions[0].condition_prometheus_query_language[0].query, "job_name=\"isthmus-prod-${key}\",result=\"succeeded\"}[26h]") &&
      policy.conditions[0].condition_prometheus_query_language[0].disable_metric_validation
    ])
    error_message = "an absence condition ends at 23.5 hours"
  }
}

run "an_alert_links_the_log_of_its_execution" {
  command = plan

  assert {
    condition = alltrue([for key in ["load-export", "bigquery-to-s3"] : strcontains(
      google_monitoring_alert_policy.log["${key}-failed"].documentation[0].content,
      "https://console.cloud.google.com/logs/query;query=resource.type%3D%22cloud_run_job%22%20resource.labels.job_name%3D%22isthmus-prod-${key}%22%20labels.%22run.googleapis.com%2Fexecution_name%22%3D%22$${log.extracted_label.execution}%22?project=shop-isthmus-prod"
    )])
    error_message = google_monitoring_alert_policy.log["load-export-failed"].documentation[0].content
  }
  assert {
    # A variable that is not extracted would stay empty in the message.
    condition = alltrue([for policy in google_monitoring_alert_policy.log : alltrue([
      for label in regexall("log\\.extracted_label\\.([a-z_]+)", policy.documentation[0].content) : contains(keys(policy.conditions[0].condition_matched_log[0].label_extractors), label[0])
    ])])
    error_message = "a message names a label that is not extracted"
  }
}

run "every_alert_reaches_every_channel" {
  command = apply
  variables {
    slack                 = { channel_name = "#data-alerts", secret_version = 2 }
    notification_channels = ["projects/shop-isthmus-prod/notificationChannels/123"]
    deletion_protection   = false
  }

  assert {
    condition = alltrue([for policy in concat(values(google_monitoring_alert_policy.log), values(google_monitoring_alert_policy.metric), values(google_monitoring_alert_policy.silence)) :
      length(policy.notification_channels) == 4 && contains(policy.notification_channels, "projects/shop-isthmus-prod/notificationChannels/123") &&
      contains(policy.notification_channels, google_monitoring_notification_channel.slack["#data-alerts"].name)
    ])
    error_message = "two addresses, Slack, and the channel that was there"
  }
  assert {
    condition     = google_monitoring_notification_channel.slack["#data-alerts"].sensitive_labels[0].auth_token == null && google_monitoring_notification_channel.slack["#data-alerts"].sensitive_labels[0].auth_token_wo == null && google_monitoring_notification_channel.slack["#data-alerts"].sensitive_labels[0].auth_token_wo_version == "2"
    error_message = "the token is in no plan and in no state"
  }
}

run "every_figure_of_the_dashboard_is_measured" {
  command = plan

  assert {
    condition     = length(setsubtract([for name in regexall("user_isthmus_([a-z_]+?)(?:_sum|_bucket)?\\{", google_monitoring_dashboard.isthmus["isthmus"].dashboard_json) : name[0]], keys(google_logging_metric.figure))) == 0
    error_message = "the dashboard asks for a metric that nobody writes"
  }
  assert {
    condition     = alltrue([for metric in google_logging_metric.figure : toset([for label in metric.metric_descriptor[0].labels : label.key]) == toset(keys(metric.label_extractors))])
    error_message = "a label needs an extractor, and an extractor a label"
  }
}
