# Empty: an operator writes the versions, so that no secret passes through Terraform's variables or state.
locals {
  secrets = {
    transfer_key = "isthmus-${var.env}-transfer-key"
    slack_token  = "isthmus-${var.env}-slack-token"
  }
}

resource "google_secret_manager_secret" "secret" {
  for_each = local.secrets

  secret_id           = each.value
  deletion_protection = var.deletion_protection

  replication {
    user_managed {
      replicas {
        location = var.location
      }
    }
  }

  depends_on = [terraform_data.apis]
}
