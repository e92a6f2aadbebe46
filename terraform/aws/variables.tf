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
  description = "The numeric ids of the jobs' service accounts: from the output for_aws of terraform/gcp."

  validation {
    condition     = alltrue([for id in values(var.google_service_account_ids) : can(regex("^[0-9]{10,30}$", id))])
    error_message = "google_service_account_ids are numbers (uniqueId of the service account), not e-mail addresses: AWS compares them with the token's azp and sub."
  }

  validation {
    condition     = alltrue([for id in values(var.google_service_account_ids) : !can(regex("^10{8,}", id))])
    error_message = "google_service_account_ids still has a sample (1000...0001): put what terraform output -json for_aws of terraform/gcp prints there."
  }
}

variable "audience" {
  type        = string
  description = "What the jobs ask their identity tokens for, one for each environment; isthmus-{env} where it is null, as in terraform/gcp."
  default     = null

  validation {
    condition     = length(coalesce(var.audience, "isthmus")) >= 4
    error_message = "audience is what terraform/gcp says, such as isthmus-prod; leave it out."
  }
}

variable "google_project" {
  type        = object({ id = string, number = string, location = optional(string, "asia-northeast1") })
  description = "The Google project of this environment: names of its workflow, provider and service account follow from it."
  default     = null

  validation {
    condition     = can(regex("^[0-9]+$", try(var.google_project.number, "1")))
    error_message = "google_project.number is the project's number, not its id: gcloud projects describe ID --format 'value(projectNumber)'."
  }

  validation {
    condition     = !startswith(try(var.google_project.id, "none"), "acme-")
    error_message = "google_project.id still is a sample (acme-...): put the id of your own project there."
  }
}

variable "start_load" {
  type        = object({ workflow = string, audience = string, service_account = string })
  description = "What publish-export starts on Google Cloud, and as whom, where it does not follow from google_project. Names, no secret."
  default     = null

  validation {
    condition     = var.start_load != null || var.google_project != null
    error_message = "google_project is missing: what publish-export starts follows from it. terraform output -json for_aws of terraform/gcp prints it."
  }

  validation {
    condition     = can(regex("^projects/[^/]+/locations/[^/]+/workflows/[^/]+$", try(var.start_load.workflow, "projects/p/locations/l/workflows/w")))
    error_message = "start_load.workflow is the full name of a workflow: projects/PROJECT/locations/LOCATION/workflows/NAME."
  }

  validation {
    condition     = var.start_load == null || can(regex("^//iam\\.googleapis\\.com/projects/[0-9]+/locations/global/workloadIdentityPools/[a-z0-9-]{4,32}/providers/[a-z0-9-]{4,32}$", try(var.start_load.audience, "")))
    error_message = "start_load.audience is the full name of a provider, with the project's number: //iam.googleapis.com/projects/NUMBER/locations/global/workloadIdentityPools/POOL/providers/PROVIDER."
  }

  validation {
    condition     = var.start_load == null || (!strcontains(join(" ", [try(var.start_load.workflow, ""), try(var.start_load.service_account, "")]), "acme-") && !strcontains(try(var.start_load.audience, ""), "/projects/10000000000"))
    error_message = "start_load still has samples (acme-..., 10000000000...): put the output start_load of your terraform/gcp there, or google_project instead."
  }

  validation {
    condition     = var.start_load == null || endswith(try(var.start_load.service_account, ""), ".gserviceaccount.com")
    error_message = "start_load.service_account is a service account's e-mail address."
  }
}

variable "cluster" {
  type        = string
  description = "The identifier of the Aurora cluster whose snapshots are exported. template.yaml reads it as a parameter."
  default     = null

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]*$", coalesce(var.cluster, "none")))
    error_message = "cluster is the identifier of an Aurora cluster, not its endpoint or ARN: lower-case letters, digits and hyphens."
  }

  validation {
    condition     = !contains(["stg-aurora", "prod-aurora"], coalesce(var.cluster, "none"))
    error_message = "cluster still is a sample (stg-aurora, prod-aurora): put the identifier of your own Aurora cluster there. One that really is called so: take this rule out."
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
