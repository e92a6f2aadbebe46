variable "alert_emails" {
  description = "Who gets alerts by e-mail."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for address in var.alert_emails : can(regex("^[^@\\s]+@[^@\\s]+\\.[^@\\s]+$", address))])
    error_message = "alert_emails must be e-mail addresses."
  }

  validation {
    condition     = alltrue([for address in var.alert_emails : !can(regex("[@.]example\\.(com|org|net)$", address))])
    error_message = "alert_emails still has a sample (example.com): put addresses there that somebody reads."
  }
}

variable "slack" {
  description = "The Slack channel that gets alerts (such as #data-alerts), and the number of the version of the secret isthmus-{env}-slack-token that holds the token. Null: none."
  type = object({
    channel_name   = string
    secret_version = number
  })
  default = null

  validation {
    condition     = var.slack == null || startswith(try(var.slack.channel_name, ""), "#")
    error_message = "slack.channel_name must begin with #."
  }
}

variable "notification_channels" {
  description = "Names of channels that exist already (projects/PROJECT/notificationChannels/NUMBER), such as a Slack channel made in the console."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for name in var.notification_channels : can(regex("^projects/[^/]+/notificationChannels/[0-9]+$", name))])
    error_message = "notification_channels must be names such as projects/shop-isthmus-prod/notificationChannels/123."
  }
}
