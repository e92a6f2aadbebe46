# Who gets them: channels.tf. What a failed load or guard means, the program's own log line says; each alert leads there.
#
# Three ways to notice, because each has a hole:
#   log lines   name the execution, and know nothing of a job that never started
#   metrics     count failures of whatever kind, and do not say which execution
#   PromQL      sees that nothing happened: an absence condition ends at 23.5 hours, shorter than a day's rhythm
# Source of 23.5 hours: "Create metric-absence alerting policies", Cloud Monitoring.
locals {
  console = "https://console.cloud.google.com"

  # A Logs Explorer link; what is a variable of Cloud Monitoring must not be encoded, so it is put in afterwards.
  logs_of = {
    for key, job in local.watched_jobs : key => join("", [
      "${local.console}/logs/query;query=",
      replace(urlencode("resource.type=\"cloud_run_job\" resource.labels.job_name=\"${job.name}\" labels.\"run.googleapis.com/execution_name\"=\"EXECUTION\""), "+", "%20"),
      "?project=${var.project}",
    ])
  }
  log_of_execution = { for key, link in local.logs_of : key => replace(link, "EXECUTION", "$${log.extracted_label.execution}") }

  # Of one model or test: what dbt said about it.
  log_of_node = join("", [for link in [try(local.logs_of["dbt"], "")] : replace(replace(link, "EXECUTION%22", "EXECUTION%22%20jsonPayload.model%3D%22NODE%22"), "EXECUTION", "$${log.extracted_label.execution}")])

  execution_label = { execution = "EXTRACT(labels.\"run.googleapis.com/execution_name\")" }

  # What one line of a log tells.
  log_alerts = merge(
    {
      for key, job in local.watched_jobs : "${key}-failed" => {
        title    = "${key} failed"
        severity = "CRITICAL"
        # Cloud Run's own event at the end of an execution: also when the program could not write a line any more.
        filter   = "resource.type=\"cloud_run_job\" resource.labels.job_name=\"${job.name}\" log_id(\"cloudaudit.googleapis.com/system_event\") protoPayload.methodName=\"/Jobs.RunJob\" protoPayload.status.message:\"has failed to complete\""
        labels   = { execution = "REGEXP_EXTRACT(protoPayload.resourceName, \"executions/([^/]+)\")" }
        document = "Execution `$${log.extracted_label.execution}` failed.\n\n[Its log](${local.log_of_execution[key]}): the lines of severity ERROR say what, and on which table or sync. Nothing is half done: start it again when the cause is removed."
      }
    },
    !contains(keys(local.jobs), "dbt") ? {} : {
      dbt-node = {
        title    = "a model or a test of the warehouse failed"
        severity = "ERROR"
        filter   = "${local.from_job["dbt"]} jsonPayload.event=\"node\" severity=ERROR"
        labels   = merge(local.execution_label, { node = "EXTRACT(jsonPayload.model)", kind = "EXTRACT(jsonPayload.kind)" })
        document = "The $${log.extracted_label.kind} `$${log.extracted_label.node}` failed.\n\n[What dbt said about it](${replace(local.log_of_node, "NODE", "$${log.extracted_label.node}")}), [the whole log](${local.log_of_execution["dbt"]}). Its table keeps its last good rows, and so does everything that is made of it; rows that a test found are in the dataset isthmus_dbt."
      }
      dbt-stale = {
        title    = "a source of the warehouse is stale"
        severity = "WARNING"
        filter   = "${local.from_job["dbt"]} jsonPayload.event=\"source_freshness\" severity>=WARNING"
        labels   = merge(local.execution_label, { source = "EXTRACT(jsonPayload.source)" })
        document = "The newest proven rows of `$${log.extracted_label.source}` are older than they may be.\n\n[Log of the build](${local.log_of_execution["dbt"]}). What load-export said about the table is in the audit table isthmus_audit.loads."
      }
      dbt-gate = {
        title    = "a sync is not fresh"
        severity = "WARNING"
        filter   = "${local.from_job["dbt"]} jsonPayload.event=\"gate\""
        labels   = merge(local.execution_label, { sync = "EXTRACT(jsonPayload.sync)" })
        document = "What `$${log.extracted_label.sync}` is made of was not built of today's proven rows; with `require: fresh` it is not published.\n\n[Log of the build](${local.log_of_execution["dbt"]}): the lines with the event gate name the table, the model or the test."
      }
      dbt-bytes = {
        title    = "a build of the warehouse was billed for much"
        severity = "WARNING"
        filter   = "${local.from_job["dbt"]} jsonPayload.event=\"built\" jsonPayload.bytes>${var.dbt.alert_above_bytes}"
        labels   = merge(local.execution_label, { bytes = "EXTRACT(jsonPayload.bytes)" })
        document = "A build was billed for $${log.extracted_label.bytes} bytes.\n\n[Log of the build](${local.log_of_execution["dbt"]}): each model's line has its bytes. The dashboard shows since when."
      }
    },
    var.aws == null ? {} : {
      drift = {
        title    = "a table's columns changed"
        severity = "WARNING"
        filter   = "${local.from_job["load-export"]} jsonPayload.table:* jsonPayload.drift:*"
        labels   = merge(local.execution_label, { table = "EXTRACT(jsonPayload.table)", drift = "EXTRACT(jsonPayload.drift)", breaks = "EXTRACT(jsonPayload.breaks)" })
        document = "`$${log.extracted_label.table}`: $${log.extracted_label.drift} since the last export: $${log.extracted_label.breaks}.\n\n[Log of the execution](${local.log_of_execution["load-export"]}). `isthmus lineage --impact` tells it from a manifest."
      }
      rejects = {
        title    = "rows could not be published"
        severity = "WARNING"
        filter   = "${local.from_job["bigquery-to-s3"]} ${local.published} jsonPayload.rejected>0"
        labels   = { execution = local.execution_label.execution, sync = local.sync_name, rows = "EXTRACT(jsonPayload.rejected)" }
        document = "Sync `$${log.extracted_label.sync}` was published without $${log.extracted_label.rows} rows: its guard allows that many.\n\n[Log of the execution](${local.log_of_execution["bigquery-to-s3"]}). The rows and the reasons are in S3, in `rejects/` of the generation."
      }
    },
  )

  # What a count tells.
  metric_alerts = merge(
    {
      for key, workflow in google_workflows_workflow.daily : "daily-failed" => {
        title    = "the daily workflow failed"
        severity = "CRITICAL"
        filter   = "resource.type=\"workflows.googleapis.com/Workflow\" AND resource.labels.workflow_id=\"${workflow.name}\" AND metric.type=\"workflows.googleapis.com/finished_execution_count\" AND metric.labels.status=\"FAILED\""
        group_by = ["resource.label.workflow_id"]
        document = "A job of `$${resource.label.workflow_id}` failed, and what comes after it was not started.\n\n[The workflow's errors](${local.console}/logs/query;query=${replace(urlencode("resource.type=\"workflows.googleapis.com/Workflow\" resource.labels.workflow_id=\"${workflow.name}\" severity>=ERROR"), "+", "%20")}?project=${var.project}) name the job and link its execution."
      }
    },
    var.transfer_key == null ? {} : {
      transfer-failed = {
        title    = "a transfer run failed"
        severity = "ERROR"
        filter   = "resource.type=\"bigquery_dts_config\" AND metric.type=\"bigquerydatatransfer.googleapis.com/transfer_config/completed_runs\" AND metric.labels.completion_state!=\"SUCCEEDED\""
        group_by = ["resource.label.config_id"]
        document = "[Runs of the transfer config](${local.console}/bigquery/transfers/locations/${var.location}/configs/$${resource.label.config_id}/runs?project=${var.project}), [their log](${local.console}/logs/query;query=resource.type%3D%22bigquery_dts_config%22%20resource.labels.config_id%3D%22$${resource.label.config_id}%22?project=${var.project}). load-export names the table and the service's words."
      }
    },
  )

  # More than a day, so that a run that ends a little later than yesterday's is no alarm.
  silent_jobs = var.schedule_enabled ? { for key, job in local.watched_jobs : key => job if key != "database-to-bigquery" || length(google_cloud_scheduler_job.extractor) > 0 } : {}
}

resource "google_monitoring_alert_policy" "log" {
  for_each = local.log_alerts

  display_name          = "isthmus ${var.env}: ${each.value.title}"
  combiner              = "OR"
  severity              = each.value.severity
  notification_channels = local.channels

  conditions {
    display_name = each.value.title
    condition_matched_log {
      filter           = each.value.filter
      label_extractors = each.value.labels
    }
  }
  alert_strategy {
    auto_close = "86400s"
    notification_rate_limit {
      period = "3600s" # for each execution, table or sync by itself: they are extracted labels
    }
  }
  documentation {
    mime_type = "text/markdown"
    content   = each.value.document
  }
}

resource "google_monitoring_alert_policy" "metric" {
  for_each = local.metric_alerts

  display_name          = "isthmus ${var.env}: ${each.value.title}"
  combiner              = "OR"
  severity              = each.value.severity
  notification_channels = local.channels

  conditions {
    display_name = each.value.title
    condition_threshold {
      filter          = each.value.filter
      comparison      = "COMPARISON_GT"
      threshold_value = 0
      duration        = "0s"

      aggregations {
        alignment_period     = "300s"
        per_series_aligner   = "ALIGN_DELTA"
        cross_series_reducer = "REDUCE_SUM"
        group_by_fields      = each.value.group_by
      }
    }
  }
  alert_strategy {
    auto_close = "86400s"
  }
  documentation {
    mime_type = "text/markdown"
    content   = each.value.document
  }
}

# load-export succeeds only when every listed table is proven, so this is also the freshness of every table.
resource "google_monitoring_alert_policy" "silence" {
  for_each = local.silent_jobs

  display_name          = "isthmus ${var.env}: ${each.key} has not succeeded for 26 hours"
  combiner              = "OR"
  severity              = "CRITICAL"
  notification_channels = local.channels

  conditions {
    display_name = "no execution of ${each.key} succeeded within 26 hours"
    condition_prometheus_query_language {
      query                     = "(sum(increase(run_googleapis_com:job_completed_execution_count{monitored_resource=\"cloud_run_job\",job_name=\"${each.value.name}\",result=\"succeeded\"}[26h])) or vector(0)) < 0.5"
      duration                  = "0s"
      evaluation_interval       = "600s"
      disable_metric_validation = true # the metric is not there before the first execution ends
    }
  }
  alert_strategy {
    auto_close = "86400s"
  }
  documentation {
    mime_type = "text/markdown"
    content   = "BigQuery or S3 holds what is older than 26 hours.\n\n[Executions](${local.console}/run/jobs/details/${var.location}/${each.value.name}/executions?project=${var.project}), [the workflow](${local.console}/workflows/workflow/${var.location}/isthmus-${var.env}-daily/executions?project=${var.project}), [the schedule](${local.console}/cloudscheduler?project=${var.project}). `load-export` waits for the manifest: if there is none, look at start-export on AWS."
  }
}
