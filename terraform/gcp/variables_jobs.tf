variable "image_tag" {
  description = "The tag of the images in the registry: a version or a commit. The same tag with another image would not reach the jobs."
  type        = string
  default     = null

  validation {
    condition     = var.aws == null || var.image_tag != null
    error_message = "image_tag must be set once aws is: the jobs need an image."
  }

  validation {
    condition     = var.image_tag == null || try(can(regex("^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$", var.image_tag)) && var.image_tag != "latest", false)
    error_message = "image_tag must be a tag that names one image, such as a commit; latest names another one tomorrow."
  }
}

variable "load_export" {
  description = "The job load-export. It waits and counts, BigQuery works: the smallest machine is enough. One retry takes over the runs that the first attempt started."
  type = object({
    cpu                  = optional(number, 1)
    memory               = optional(string, "512Mi")
    timeout_seconds      = optional(number, 14400)
    max_retries          = optional(number, 1)
    wait_minutes         = optional(number, 90)
    transfer_minutes     = optional(number, 120)
    min_file_age_seconds = optional(number, 600)
    on_drift             = optional(string, "warn")
  })
  default = {}

  validation {
    # Besides waiting: the proofs, the audit.
    condition     = var.load_export.timeout_seconds >= (var.load_export.wait_minutes + var.load_export.transfer_minutes + 10) * 60 + var.load_export.min_file_age_seconds
    error_message = "load_export.timeout_seconds must be at least wait_minutes + transfer_minutes + 10 minutes + min_file_age_seconds, or Cloud Run ends the job while it waits."
  }

  validation {
    condition     = var.load_export.min_file_age_seconds >= 0 && var.load_export.min_file_age_seconds <= 7200
    error_message = "load_export.min_file_age_seconds must be 0 to 7200."
  }

  validation {
    condition     = contains(["warn", "fail"], var.load_export.on_drift)
    error_message = "load_export.on_drift must be warn or fail."
  }

  validation {
    # daily.workflow.yaml waits for four attempts of that length.
    condition     = var.load_export.timeout_seconds <= 43200
    error_message = "load_export.timeout_seconds must be at most 43200 (12 hours)."
  }

  validation {
    condition     = var.load_export.max_retries >= 0 && var.load_export.max_retries <= 3
    error_message = "load_export.max_retries must be 0 to 3."
  }
}

variable "bigquery_to_s3" {
  description = "The job bigquery-to-s3. A task needs under 200 MB however many rows there are, and 1 GiB leaves room for the mounted bucket's cache; one processor signs and sends, the other reads and renders. More tasks share the shards among them."
  type = object({
    tasks           = optional(number, 1)
    cpu             = optional(number, 2)
    memory          = optional(string, "1Gi")
    timeout_seconds = optional(number, 14400)
    max_retries     = optional(number, 2)
    max_concurrency = optional(number, 200)
  })
  default = {}

  validation {
    condition     = var.bigquery_to_s3.tasks >= 1 && var.bigquery_to_s3.tasks <= 100
    error_message = "bigquery_to_s3.tasks must be 1 to 100."
  }

  validation {
    condition     = var.bigquery_to_s3.max_concurrency >= 10 && var.bigquery_to_s3.max_concurrency <= 1000
    error_message = "bigquery_to_s3.max_concurrency must be 10 to 1000 (PUTs of one task at a time)."
  }

  validation {
    condition     = var.bigquery_to_s3.timeout_seconds >= 600 && var.bigquery_to_s3.timeout_seconds <= 43200
    error_message = "bigquery_to_s3.timeout_seconds must be 600 to 43200 (12 hours)."
  }

  validation {
    condition     = var.bigquery_to_s3.max_retries >= 0 && var.bigquery_to_s3.max_retries <= 3
    error_message = "bigquery_to_s3.max_retries must be 0 to 3."
  }
}

variable "dbt" {
  description = "The job dbt. BigQuery works, and it waits: a small machine is enough. A query that would read more than maximum_bytes_billed is refused before it costs anything; a build that was billed more than alert_above_bytes is told. Null: no job, and the daily workflow goes from load-export to bigquery-to-s3."
  type = object({
    cpu                  = optional(number, 1)
    memory               = optional(string, "1Gi")
    timeout_seconds      = optional(number, 7200)
    max_retries          = optional(number, 1)
    maximum_bytes_billed = optional(number, 1099511627776)
    alert_above_bytes    = optional(number, 1099511627776)
  })
  default = {}

  validation {
    condition     = var.dbt == null || try(var.dbt.timeout_seconds * (var.dbt.max_retries + 1) <= 86400 && var.dbt.timeout_seconds >= 600, false)
    error_message = "dbt.timeout_seconds must be at least 600, and at most a day with all its retries."
  }

  validation {
    condition     = var.dbt == null || try(var.dbt.max_retries >= 0 && var.dbt.max_retries <= 3, false)
    error_message = "dbt.max_retries must be 0 to 3."
  }

  validation {
    condition     = var.dbt == null || try(var.dbt.maximum_bytes_billed > 0 && var.dbt.alert_above_bytes > 0, false)
    error_message = "dbt.maximum_bytes_billed and dbt.alert_above_bytes must be above 0."
  }
}

variable "schedule" {
  description = "When the daily workflow starts, as a cron expression in export_timezone."
  type        = string
  default     = "0 5 * * *"

  validation {
    condition     = length(split(" ", trimspace(var.schedule))) == 5
    error_message = "schedule must be a cron expression of five fields, such as \"0 5 * * *\"."
  }
}

variable "schedule_enabled" {
  description = "Whether the daily workflow starts by the clock, and whether a day without success is told."
  type        = bool
  default     = false
}
