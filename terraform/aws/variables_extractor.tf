variable "extractor" {
  type = object({
    image_tag  = string
    vpc_id     = string
    subnet_ids = list(string)
    # By the names in extracts.yaml.
    databases = map(object({
      url                 = string
      security_group_id   = optional(string)
      resource_id         = optional(string)
      password_secret_arn = optional(string)
    }))
    mask_key_secret_arn   = optional(string)
    assign_public_ip      = optional(bool, false)
    schedule              = optional(string, "cron(0 5 * * ? *)")
    schedule_enabled      = optional(bool, false)
    timezone              = optional(string, "Asia/Tokyo")
    ephemeral_storage_gib = optional(number, 21)
    parallel_tables       = optional(number, 2)
    log_retention_days    = optional(number, 365)
  })
  description = "database-to-bigquery as a Fargate task in the database's network: extracts.yaml of config_dir says what it loads. For each database its address (mysql://user@reader:3306/name), the security group of its servers, which is opened for the task, and either resource_id (cluster-…, for auth: iam) or password_secret_arn. Null makes none."
  default     = null

  validation {
    condition     = var.extractor == null || var.extract_into != null
    error_message = "extractor needs extract_into: put the output extract_into of terraform/gcp there."
  }

  validation {
    condition     = var.extractor == null || fileexists("${var.config_dir}/extracts.yaml")
    error_message = "extractor reads extracts.yaml, and config_dir has none."
  }

  validation {
    condition = alltrue([for database in values(try(var.extractor.databases, {})) :
    can(regex("^(mysql|postgres|postgresql)://[^:@/]+@[^@/]+(/[^?]*)?$", database.url))])
    error_message = "extractor.databases: a url is mysql://user@host:port/database or postgres://…, without a password, which belongs in a secret."
  }

  validation {
    condition = alltrue([for database in values(try(var.extractor.databases, {})) :
    (database.resource_id == null) != (database.password_secret_arn == null)])
    error_message = "extractor.databases: either resource_id, whose user proves itself by IAM, or password_secret_arn."
  }

  validation {
    condition     = try(var.extractor.ephemeral_storage_gib, 21) >= 21 && try(var.extractor.ephemeral_storage_gib, 21) <= 200
    error_message = "extractor.ephemeral_storage_gib is 21 to 200, as Fargate has it: room for the Parquet files of parallel_tables tables."
  }
}

variable "extract_into" {
  type        = object({ project = string, location = string, audience = string, service_account = string })
  description = "Where database-to-bigquery loads to, and as whom: output extract_into of terraform/gcp. Names, no secret."
  default     = null

  validation {
    condition     = var.extract_into == null || can(regex("^//iam\\.googleapis\\.com/projects/[0-9]+/locations/global/workloadIdentityPools/[a-z0-9-]{4,32}/providers/[a-z0-9-]{4,32}$", var.extract_into.audience))
    error_message = "extract_into.audience is the full name of a provider, with the project's number: the output extract_into of terraform/gcp."
  }
}
