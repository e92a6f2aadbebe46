variable "env" {
  type        = string
  description = "The first word of every export task id and prefix: stg, prod. The same as template.yaml's Env."

  validation {
    condition     = can(regex("^[a-z][a-z0-9]*(-[a-z0-9]+)*$", var.env)) && length(var.env) <= 20
    error_message = "env is lower-case words with hyphens between, at most 20 characters: role and bucket names are made of it."
  }
}

variable "region" {
  type        = string
  description = "The region of the Aurora cluster: a snapshot is exported into a bucket of its own region."
  default     = "ap-northeast-1"
}

variable "google_service_account_ids" {
  type        = object({ load_export = string, bigquery_to_s3 = string })
  description = "The numeric ids of the jobs' service accounts: output service_account_ids of terraform/gcp."

  validation {
    condition     = alltrue([for id in values(var.google_service_account_ids) : can(regex("^[0-9]{10,30}$", id))])
    error_message = "google_service_account_ids are numbers (uniqueId of the service account), not e-mail addresses: AWS compares them with the token's azp and sub."
  }

  validation {
    condition     = alltrue([for id in values(var.google_service_account_ids) : !can(regex("^10{8,}", id))])
    error_message = "google_service_account_ids still has a sample (1000...0001): put the output service_account_ids of terraform/gcp there."
  }
}

variable "audience" {
  type        = string
  description = "What the jobs ask their identity tokens for: output audience of terraform/gcp. One for each environment."

  validation {
    condition     = length(var.audience) >= 4
    error_message = "audience is the output audience of terraform/gcp, such as isthmus-prod."
  }
}

variable "start_load" {
  type        = object({ workflow = string, audience = string, service_account = string })
  description = "What publish-export starts on Google Cloud, and as whom: output start_load of terraform/gcp. Names, no secret."

  validation {
    condition     = can(regex("^projects/[^/]+/locations/[^/]+/workflows/[^/]+$", var.start_load.workflow))
    error_message = "start_load.workflow is the full name of a workflow: projects/PROJECT/locations/LOCATION/workflows/NAME."
  }

  validation {
    condition     = can(regex("^//iam\\.googleapis\\.com/projects/[0-9]+/locations/global/workloadIdentityPools/[a-z0-9-]{4,32}/providers/[a-z0-9-]{4,32}$", var.start_load.audience))
    error_message = "start_load.audience is the full name of a provider, with the project's number: //iam.googleapis.com/projects/NUMBER/locations/global/workloadIdentityPools/POOL/providers/PROVIDER."
  }

  validation {
    condition     = !strcontains(join(" ", [var.start_load.workflow, var.start_load.service_account]), "acme-") && !strcontains(var.start_load.audience, "/projects/10000000000")
    error_message = "start_load still has samples (acme-..., 10000000000...): put the output start_load of your terraform/gcp there."
  }

  validation {
    condition     = endswith(var.start_load.service_account, ".gserviceaccount.com")
    error_message = "start_load.service_account is a service account's e-mail address."
  }
}

variable "config_dir" {
  type        = string
  description = "The folder of tables.yaml and syncs.yaml."
  default     = "../../config"
}

variable "export_bucket" {
  type        = string
  description = "The name of the export bucket; isthmus-{env}-export-{account} where it is null."
  default     = null

  validation {
    condition     = !startswith(coalesce(var.export_bucket, "none"), "acme-")
    error_message = "export_bucket still has a sample (acme-...): put the name of your own bucket there, or leave it out."
  }
}

variable "app_bucket" {
  type        = string
  description = "The name of the application bucket; isthmus-{env}-app-{account} where it is null."
  default     = null

  validation {
    condition     = !startswith(coalesce(var.app_bucket, "none"), "acme-")
    error_message = "app_bucket still has a sample (acme-...): put the name of your own bucket there, or leave it out."
  }
}

variable "export_retention_days" {
  type        = number
  description = "An export expires after so many days, and can be brought back for noncurrent_days more; null keeps all."
  default     = null

  validation {
    condition     = var.export_retention_days == null ? true : var.export_retention_days >= 30
    error_message = "export_retention_days is at least 30: the newest export must outlive a month in which no new one was made."
  }
}

variable "noncurrent_days" {
  type        = number
  description = "How long what was replaced or deleted can be brought back."
  default     = 14

  validation {
    condition     = var.noncurrent_days >= 1
    error_message = "noncurrent_days is at least 1."
  }
}

variable "notification_emails" {
  type        = set(string)
  description = "Who gets alarms and reports; each address confirms its subscription once."
  default     = []

  validation {
    condition     = alltrue([for address in var.notification_emails : !can(regex("[@.]example\\.(com|org|net)$", address))])
    error_message = "notification_emails still has a sample (example.com): put addresses there that somebody reads."
  }
}

variable "force_destroy" {
  type        = bool
  description = "Whether terraform destroy may delete the buckets with what is in them. Never in prod."
  default     = false

  validation {
    condition     = !(var.force_destroy && startswith(var.env, "prod"))
    error_message = "force_destroy is refused in prod: empty the buckets by hand if you mean it."
  }
}

variable "cache" {
  type = object({
    node_type = optional(string, "cache.t4g.micro")
    nodes     = optional(number, 1)
    cidr      = optional(string, "10.90.0.0/24")
    zones     = optional(list(string), ["a", "c"])
  })
  description = "ElastiCache for lookup, in a network of its own, in two zones of the region (Tokyo has a, c and d); null makes none."
  default     = null
}
