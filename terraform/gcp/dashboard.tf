# PromQL spells a metric of ours logging_googleapis_com:user_isthmus_{name}.
locals {
  ours = "logging_googleapis_com:user_isthmus"

  # Left to right, top to bottom, two in a row.
  charts = concat(local.charts_of_the_day, local.charts_of_dbt)
  charts_of_dbt = !contains(keys(local.jobs), "dbt") ? [] : [
    { title = "Models and tests of the warehouse by status", query = "sum by (kind, status) (increase(${local.ours}_dbt_nodes{monitored_resource=\"cloud_run_job\"}[1h]))" },
    { title = "Seconds of each model", query = "sum by (model) (increase(${local.ours}_dbt_seconds_sum{monitored_resource=\"cloud_run_job\"}[1h]))" },
    { title = "Bytes billed for each model and test", query = "sum by (model) (increase(${local.ours}_dbt_bytes_sum{monitored_resource=\"cloud_run_job\"}[1h]))" },
  ]
  charts_of_the_day = [
    { title = "Proven loads of each table within 26 hours (0 is stale)", query = "sum by (table) (increase(${local.ours}_table_loads{monitored_resource=\"cloud_run_job\",state=~\"loaded|truncated\"}[26h]))" },
    { title = "Tables that were not proven, by state", query = "sum by (table, state) (increase(${local.ours}_table_loads{monitored_resource=\"cloud_run_job\",state!~\"loaded|truncated\"}[1h]))" },
    { title = "Rows loaded into each table", query = "sum by (table) (increase(${local.ours}_table_rows_sum{monitored_resource=\"cloud_run_job\"}[1h]))" },
    { title = "Seconds of each job of the day", query = "sum by (job) (increase(${local.ours}_job_seconds_sum{monitored_resource=\"workflows.googleapis.com/Workflow\"}[1h]))" },
    { title = "Rows of each sync", query = "sum by (sync) (increase(${local.ours}_sync_rows_sum{monitored_resource=\"cloud_run_job\"}[1h]))" },
    { title = "PUTs of each sync", query = "sum by (sync) (increase(${local.ours}_sync_puts_sum{monitored_resource=\"cloud_run_job\"}[1h]))" },
    { title = "Seconds of each sync", query = "sum by (sync) (increase(${local.ours}_sync_seconds_sum{monitored_resource=\"cloud_run_job\"}[1h]))" },
    { title = "Objects a second while a sync writes", query = "histogram_quantile(0.5, sum by (sync, le) (increase(${local.ours}_sync_objects_per_s_bucket{monitored_resource=\"cloud_run_job\"}[5m])))" },
    { title = "503 SlowDown answers since the start of the run", query = "histogram_quantile(1, sum by (sync, le) (increase(${local.ours}_sync_slow_downs_bucket{monitored_resource=\"cloud_run_job\"}[5m])))" },
    { title = "Executions of jobs by result", query = "sum by (job_name, result) (increase(run_googleapis_com:job_completed_execution_count{monitored_resource=\"cloud_run_job\",job_name=~\"isthmus-${var.env}-.*\"}[1h]))" },
    { title = "Transfer runs by state", query = "sum by (completion_state) (increase(bigquerydatatransfer_googleapis_com:transfer_config_completed_runs{monitored_resource=\"bigquery_dts_config\"}[1h]))" },
  ]

  errors = {
    title = "Warnings and errors"
    logsPanel = {
      filter        = "resource.type=\"cloud_run_job\" resource.labels.job_name=~\"^isthmus-${var.env}-\" severity>=WARNING"
      resourceNames = ["projects/${var.project}"]
    }
  }

  tiles = concat(
    [for chart in local.charts : {
      title   = chart.title
      xyChart = { dataSets = [{ plotType = "LINE", timeSeriesQuery = { prometheusQuery = chart.query } }] }
    }],
    [local.errors],
  )
}

resource "google_monitoring_dashboard" "isthmus" {
  for_each = var.aws == null ? toset([]) : toset(["isthmus"])

  dashboard_json = jsonencode({
    displayName = "isthmus ${var.env}"
    mosaicLayout = {
      columns = 48
      tiles = [for n, widget in local.tiles : {
        xPos = (n % 2) * 24, yPos = floor(n / 2) * 16, width = 24, height = 16, widget = widget
      }]
    }
  })

  depends_on = [google_logging_metric.figure]
}
