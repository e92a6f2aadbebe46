# One Google project is one environment. They differ only by stg.tfvars and prod.tfvars:
#   terraform init -reconfigure -backend-config=backend/stg.hcl -backend-config=bucket=STATE_BUCKET
#   terraform apply -var-file=stg.tfvars -var-file=generated/stg.tfvars.json
terraform {
  # 1.11 has write-only arguments, which keep secrets out of the state.
  required_version = ">= 1.11"

  required_providers {
    google = {
      source  = "hashicorp/google"
      version = "~> 8.7"
    }
  }

  backend "gcs" {}
}

provider "google" {
  project = var.project
  region  = var.location

  default_labels = {
    app = "isthmus"
    env = var.env
  }
}
