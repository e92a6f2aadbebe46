resource "google_monitoring_notification_channel" "email" {
  for_each = var.aws == null ? toset([]) : var.alert_emails

  display_name = "isthmus ${var.env} ${each.key}"
  type         = "email"
  labels       = { email_address = each.key }

  depends_on = [terraform_data.apis]

  # A channel can only be deleted when no alert names it any more: alerts change first.
  lifecycle {
    create_before_destroy = true
  }
}

ephemeral "google_secret_manager_secret_version" "slack_token" {
  for_each = var.slack == null ? {} : { current = tostring(var.slack.secret_version) }

  secret  = google_secret_manager_secret.secret["slack_token"].secret_id
  version = each.value
}

resource "google_monitoring_notification_channel" "slack" {
  for_each = var.aws == null || var.slack == null ? toset([]) : toset([var.slack.channel_name])

  display_name = "isthmus ${var.env} ${each.key}"
  type         = "slack"
  labels       = { channel_name = each.key }

  sensitive_labels {
    auth_token_wo         = ephemeral.google_secret_manager_secret_version.slack_token["current"].secret_data
    auth_token_wo_version = tostring(var.slack.secret_version)
  }

  lifecycle {
    create_before_destroy = true
  }
}

locals {
  channels = concat(
    [for channel in google_monitoring_notification_channel.email : channel.name],
    [for channel in google_monitoring_notification_channel.slack : channel.name],
    tolist(var.notification_channels),
  )
}
