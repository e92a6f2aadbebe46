# What an operator has to say, and what follows from it.
provider "aws" {
  region                      = "ap-northeast-1"
  access_key                  = "test"
  secret_key                  = "test"
  skip_credentials_validation = true
  skip_requesting_account_id  = true
  skip_metadata_api_check     = true
}

override_data {
  target = data.aws_caller_identity.this
  values = { account_id = "123456789012" }
}

variables {
  env            = "stg"
  google_project = { id = "shop-isthmus-stg", number = "1042" }
}

run "names_follow_from_env_and_account" {
  command = plan

  # What terraform/gcp takes them to be: its tests say the same.
  assert {
    condition = {
      export_bucket  = aws_s3_bucket.this["export"].bucket
      app_bucket     = aws_s3_bucket.this["app"].bucket
      load_export    = aws_iam_role.google["load-export"].name
      bigquery_to_s3 = aws_iam_role.google["bigquery-to-s3"].name
      } == {
      export_bucket  = "isthmus-stg-export-123456789012"
      app_bucket     = "isthmus-stg-app-123456789012"
      load_export    = "isthmus-stg-load-export"
      bigquery_to_s3 = "isthmus-stg-bigquery-to-s3"
    }
    error_message = "buckets and roles"
  }
  assert {
    condition     = alltrue([for trust in local.google_trust : jsondecode(trust).Statement[0].Condition.StringEquals["accounts.google.com:oaud"] == "isthmus-stg"])
    error_message = "the audience that the jobs of terraform/gcp ask for"
  }
}

run "what_a_publication_starts_follows_from_the_google_project" {
  command = plan

  # terraform/gcp makes them so: tests/federation.tftest.hcl.
  assert {
    condition = local.start_load == {
      workflow        = "projects/shop-isthmus-stg/locations/asia-northeast1/workflows/isthmus-stg-daily"
      audience        = "//iam.googleapis.com/projects/1042/locations/global/workloadIdentityPools/isthmus/providers/aws-account"
      service_account = "isthmus-start-load@shop-isthmus-stg.iam.gserviceaccount.com"
    }
    error_message = "workflow, provider and account"
  }
  assert {
    condition     = toset([for name in ["workflow", "audience", "service-account"] : aws_ssm_parameter.this["google-${name}"].value]) == toset(values(local.start_load))
    error_message = "the parameters that SAM reads"
  }
}

run "sam_finds_the_cluster" {
  command = plan
  variables {
    cluster = "shop-aurora"
  }

  assert {
    condition     = aws_ssm_parameter.this["db-cluster-identifier"].name == "/isthmus/stg/db-cluster-identifier" && aws_ssm_parameter.this["db-cluster-identifier"].value == "shop-aurora"
    error_message = "the parameter DbClusterIdentifier of template.yaml"
  }
}

run "a_sample_of_a_cluster_is_refused" {
  command = plan
  variables {
    cluster = "stg-aurora"
  }
  expect_failures = [var.cluster]
}

run "an_endpoint_is_no_cluster" {
  command = plan
  variables {
    cluster = "shop.cluster-abc.ap-northeast-1.rds.amazonaws.com"
  }
  expect_failures = [var.cluster]
}

run "a_sample_of_a_project_is_refused" {
  command = plan
  variables {
    google_project = { id = "acme-isthmus-stg", number = "1042" }
  }
  expect_failures = [var.google_project]
}

run "a_project_s_id_instead_of_its_number_is_refused" {
  command = plan
  variables {
    google_project = { id = "shop-isthmus-stg", number = "shop-isthmus-stg" }
  }
  expect_failures = [var.google_project]
}

run "a_project_is_needed_where_not_every_name_is_given" {
  command = plan
  variables {
    google_project = null
  }
  expect_failures = [var.start_load]
}

run "a_state_is_somebody_s" {
  command = apply
  # Only what says whose it is: nothing of AWS is made here.
  plan_options {
    target = [terraform_data.environment]
  }
}

run "a_state_belongs_to_one_environment" {
  command = plan
  variables {
    env = "prod"
  }
  plan_options {
    target = [terraform_data.environment]
  }
  expect_failures = [terraform_data.environment]
}
