variable "extractor" {
  description = "database-to-bigquery: a service account, and the datasets of extracts.yaml for it to load. It runs on AWS (aws.extractor_role_arn acts as the account), or with cloud_run here, where the databases can be reached: for each database its address (mysql://user@host:3306/name) and the secret of its password. Null makes none."
  type = object({
    cloud_run = optional(object({
      databases       = map(object({ url = string, password_secret = string }))
      mask_key_secret = optional(string)
      network         = optional(string)
      subnetwork      = optional(string)
      cpu             = optional(number, 1)
      # WORK_DIR is memory here: room for the Parquet files of parallel_tables tables beside the program.
      memory          = optional(string, "2Gi")
      timeout_seconds = optional(number, 7200)
      parallel_tables = optional(number, 2)
      schedule        = optional(string)
    }))
  })
  default = null

  validation {
    condition     = var.extractor == null || fileexists("${var.config_dir}/extracts.yaml")
    error_message = "extractor reads extracts.yaml, and config_dir has none."
  }

  validation {
    condition = alltrue([for database in values(try(var.extractor.cloud_run.databases, {})) :
    can(regex("^(mysql|postgres|postgresql)://[^:@/]+@[^@/]+(/[^?]*)?$", database.url))])
    error_message = "extractor.cloud_run.databases: a url is mysql://user@host:port/database or postgres://…, without a password, which belongs in a secret."
  }

  validation {
    condition     = try(var.extractor.cloud_run.timeout_seconds, 7200) >= 600 && try(var.extractor.cloud_run.timeout_seconds, 7200) <= 86400
    error_message = "extractor.cloud_run.timeout_seconds is 600 to 86400."
  }
}
