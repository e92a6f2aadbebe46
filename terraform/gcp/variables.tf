variable "env" {
  description = "The environment: first word of export task ids, prefixes and display names. The same as on AWS."
  type        = string

  validation {
    # crates/handoff Environment: the longest spot task id must fit RDS's 60 characters.
    condition     = can(regex("^[a-z][a-z0-9]*(-[a-z0-9]+)*$", var.env)) && length(var.env) <= 43
    error_message = "env must be lower-case letters, digits and single hyphens, begin with a letter, not end with a hyphen, and have at most 43 characters."
  }
}

variable "project" {
  description = "The id of this environment's Google project."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.project))
    error_message = "project must be a project id: 6 to 30 lower-case letters, digits and hyphens, such as shop-isthmus-stg."
  }

  validation {
    condition     = !startswith(var.project, "acme-")
    error_message = "project still is a sample (acme-...): put the id of your own project there."
  }
}

variable "location" {
  description = "Where datasets, transfers, jobs and the workflow are."
  type        = string
  default     = "asia-northeast1"

  validation {
    # The multi-regions US and EU have datasets but no Cloud Run.
    condition     = can(regex("^[a-z]+-[a-z]+[0-9]+$", var.location))
    error_message = "location must be a region, such as asia-northeast1."
  }
}

variable "config_dir" {
  description = "The folder with tables.yaml, syncs.yaml and the queries of the syncs."
  type        = string
  default     = "../../config"

  validation {
    condition     = fileexists("${var.config_dir}/tables.yaml")
    error_message = "config_dir must have a file tables.yaml."
  }
}

variable "deletion_protection" {
  description = "Whether what holds data, and what AWS trusts by its id, refuses to be deleted."
  type        = bool
  default     = true
}

variable "aws" {
  description = "The AWS account of this environment. Names of buckets and roles follow from its number and env, as terraform/aws makes them; a name that is given stands. Null until terraform/aws was applied: then only what AWS needs to know exists."
  type = object({
    account_id              = optional(string)
    region                  = optional(string, "ap-northeast-1")
    export_bucket           = optional(string)
    app_bucket              = optional(string)
    load_export_role_arn    = optional(string)
    bigquery_to_s3_role_arn = optional(string)
    publish_export_role_arn = optional(string)
    extractor_role_arn      = optional(string)
  })
  default = null

  validation {
    condition = var.aws == null || try(var.aws.account_id, null) != null || alltrue([
      for name in ["export_bucket", "app_bucket", "load_export_role_arn", "bigquery_to_s3_role_arn"] : try(var.aws[name], null) != null
    ])
    error_message = "aws.account_id is missing: names of buckets and roles follow from it."
  }

  validation {
    condition     = can(regex("^[0-9]{12}$", coalesce(try(var.aws.account_id, null), "000000000000")))
    error_message = "aws.account_id must be the 12 digits of an AWS account, in quotes: aws sts get-caller-identity prints it."
  }

  validation {
    condition = alltrue([
      for name in ["load_export_role_arn", "bigquery_to_s3_role_arn", "publish_export_role_arn", "extractor_role_arn"] :
      can(regex("^arn:aws[a-z-]*:iam::[0-9]{12}:role/", coalesce(try(var.aws[name], null), "arn:aws:iam::000000000000:role/")))
    ])
    error_message = "aws.load_export_role_arn, aws.bigquery_to_s3_role_arn, aws.publish_export_role_arn and aws.extractor_role_arn must be ARNs of roles, such as arn:aws:iam::123456789012:role/name."
  }

  validation {
    # In a transfer's path a brace would be a parameter and a star a wildcard; the bucket can have neither.
    condition = alltrue([
      for name in ["export_bucket", "app_bucket"] : can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", coalesce(try(var.aws[name], null), "none")))
    ])
    error_message = "aws.export_bucket and aws.app_bucket must be names of S3 buckets, without s3://."
  }

  validation {
    condition     = alltrue([for name in ["export_bucket", "app_bucket"] : !startswith(coalesce(try(var.aws[name], null), "none"), "acme-")])
    error_message = "aws.export_bucket or aws.app_bucket still is a sample (acme-...): put the name of your own bucket there, or leave it out."
  }
}

variable "transfer_key" {
  description = "The AWS access key of BigQuery Data Transfer: its id, and the number of the version of the secret transfer_secret (an output) that holds its other half. Null until that version is written."
  type = object({
    access_key_id  = string
    secret_version = number
  })
  default = null

  validation {
    condition     = var.transfer_key == null || var.aws != null
    error_message = "transfer_key needs aws: a transfer reads the export bucket."
  }

  validation {
    condition     = var.transfer_key == null || can(regex("^AKIA[A-Z0-9]{12,}$", try(var.transfer_key.access_key_id, "")))
    error_message = "transfer_key.access_key_id must be the id of a long-lived access key (AKIA...). The secret half never stands in a variable."
  }

  validation {
    condition     = var.transfer_key == null || try(var.transfer_key.secret_version >= 1 && floor(var.transfer_key.secret_version) == var.transfer_key.secret_version, false)
    error_message = "transfer_key.secret_version must be a whole number from 1: with a number, a new key is a change that a plan shows."
  }
}

variable "export_timezone" {
  description = "The time zone of export dates and of the daily schedule; start-export's. Its offset from UTC stands in the path of every transfer, so it must be one whose clocks never change."
  type        = string
  default     = "Asia/Tokyo"

  validation {
    condition     = contains(keys(local.utc_offsets), var.export_timezone)
    error_message = "export_timezone must be a zone whose clocks never change (time_zones.json lists them), such as Asia/Tokyo: the path of a transfer has one offset for the whole year. Where your clocks change, take the zone of their winter time: Etc/GMT+5 is five hours behind UTC, Etc/GMT-1 one hour ahead."
  }
}

variable "transfer_schedule" {
  description = "When transfers run by themselves, in UTC, such as \"every day 21:00\". Null: only load-export starts them, when the export is complete."
  type        = string
  default     = null

  validation {
    condition     = var.transfer_schedule == null || try(length(trimspace(var.transfer_schedule)) > 0, false)
    error_message = "transfer_schedule must be null or a schedule in UTC; an empty text would run every day at the time of the config's creation."
  }
}

variable "query_datasets" {
  description = "The datasets that the queries of the syncs read."
  type        = set(string)
  default     = ["mart", "warehouse"]
}

variable "api_wait_seconds" {
  description = "How long to wait after APIs were switched on, before anything is made with them. Only where the list of APIs changed; 0 where they have been on for long."
  type        = number
  default     = 60

  validation {
    condition     = var.api_wait_seconds >= 0 && var.api_wait_seconds <= 600
    error_message = "api_wait_seconds must be 0 to 600."
  }
}
