terraform {
  # 1.11: write-only arguments, which terraform/gcp needs. One version for both roots.
  required_version = ">= 1.11"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.100, < 7"
    }
  }

  # terraform init -reconfigure -backend-config=backend/prod.hcl -backend-config=bucket=STATE_BUCKET
  backend "s3" {}
}

provider "aws" {
  region = var.region

  default_tags {
    tags = { product = "isthmus", env = var.env }
  }
}

data "aws_caller_identity" "this" {}
data "aws_partition" "this" {}

locals {
  account   = data.aws_caller_identity.this.account_id
  partition = data.aws_partition.this.partition
}
