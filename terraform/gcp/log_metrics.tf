# Figures out of the lines that the programs write. A field that no program writes is no metric here.
locals {
  from_job = { for key, job in google_cloud_run_v2_job.job : key => "resource.type=\"cloud_run_job\" resource.labels.job_name=\"${job.name}\"" }

  # bigquery-to-s3 ends a sync that it published with this line; its figures are fields.
  published = "jsonPayload.event=\"published\""
  sync_name = "EXTRACT(jsonPayload.sync)"

  log_metrics = merge(local.dbt_metrics, var.aws == null ? {} : {
    # One line for each table and load, whatever became of it.
    table_loads = {
      filter = "${local.from_job["load-export"]} jsonPayload.table:* jsonPayload.state:*"
      labels = { table = "EXTRACT(jsonPayload.table)", state = "EXTRACT(jsonPayload.state)" }
      value  = null, unit = "1"
    }
    table_rows = {
      filter = "${local.from_job["load-export"]} jsonPayload.table:* jsonPayload.state=(\"loaded\" OR \"truncated\")"
      labels = { table = "EXTRACT(jsonPayload.table)" }
      value  = "EXTRACT(jsonPayload.rows)", unit = "1"
    }
    sync_rows = {
      filter = "${local.from_job["bigquery-to-s3"]} ${local.published}"
      labels = { sync = local.sync_name }
      value  = "EXTRACT(jsonPayload.rows)", unit = "1"
    }
    sync_puts = {
      filter = "${local.from_job["bigquery-to-s3"]} ${local.published}"
      labels = { sync = local.sync_name }
      value  = "EXTRACT(jsonPayload.puts)", unit = "1"
    }
    sync_seconds = {
      filter = "${local.from_job["bigquery-to-s3"]} ${local.published}"
      labels = { sync = local.sync_name }
      value  = "EXTRACT(jsonPayload.seconds)", unit = "s"
    }
    # Counted from the start of the run, told every ten seconds.
    sync_slow_downs = {
      filter = "${local.from_job["bigquery-to-s3"]} jsonPayload.event=\"progress\""
      labels = { sync = "EXTRACT(jsonPayload.sync)" }
      value  = "EXTRACT(jsonPayload.slow_downs)", unit = "1"
    }
    sync_objects_per_s = {
      filter = "${local.from_job["bigquery-to-s3"]} jsonPayload.event=\"progress\""
      labels = { sync = "EXTRACT(jsonPayload.sync)" }
      value  = "EXTRACT(jsonPayload.objects_per_s)", unit = "1/s"
    }
    # The daily workflow's own line.
    job_seconds = {
      filter = "resource.type=\"workflows.googleapis.com/Workflow\" resource.labels.workflow_id=\"${google_workflows_workflow.daily["daily"].name}\" jsonPayload.event=\"job_ended\""
      labels = { job = "EXTRACT(jsonPayload.job)" }
      value  = "EXTRACT(jsonPayload.seconds)", unit = "s"
    }
  })

  # A line for each model, test, seed and snapshot of a build.
  dbt_metrics = !contains(keys(local.jobs), "dbt") ? {} : {
    dbt_nodes = {
      filter = "${local.from_job["dbt"]} jsonPayload.event=\"node\""
      labels = { kind = "EXTRACT(jsonPayload.kind)", status = "EXTRACT(jsonPayload.status)" }
      value  = null, unit = "1"
    }
    dbt_seconds = {
      filter = "${local.from_job["dbt"]} jsonPayload.event=\"node\" jsonPayload.kind=\"model\""
      labels = { model = "EXTRACT(jsonPayload.model)" }
      value  = "EXTRACT(jsonPayload.seconds)", unit = "s"
    }
    dbt_bytes = {
      filter = "${local.from_job["dbt"]} jsonPayload.event=\"node\" jsonPayload.bytes>0"
      labels = { model = "EXTRACT(jsonPayload.model)" }
      value  = "EXTRACT(jsonPayload.bytes)", unit = "By"
    }
  }
}

resource "google_logging_metric" "figure" {
  for_each = local.log_metrics

  name            = "isthmus/${each.key}"
  filter          = each.value.filter
  value_extractor = each.value.value

  label_extractors = each.value.labels

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = each.value.value == null ? "INT64" : "DISTRIBUTION"
    unit        = each.value.unit

    dynamic "labels" {
      for_each = each.value.labels
      content {
        key        = labels.key
        value_type = "STRING"
      }
    }
  }

  # From 1 to 1.5^64, some 2e11, so that rows and seconds both find their bucket.
  dynamic "bucket_options" {
    for_each = each.value.value == null ? [] : [true]
    content {
      exponential_buckets {
        num_finite_buckets = 64
        growth_factor      = 1.5
        scale              = 1
      }
    }
  }
}
