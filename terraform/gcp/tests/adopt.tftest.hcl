# What an operator has to say, and what follows from it.
variables {
  aws = { account_id = "123456789012" }
}

run "names_on_aws_follow_from_the_account" {
  command = plan

  # The names that terraform/aws makes: its tests say the same of prod.
  assert {
    condition = local.aws == {
      region                  = "ap-northeast-1"
      export_bucket           = "isthmus-stg-export-123456789012"
      app_bucket              = "isthmus-stg-app-123456789012"
      load_export_role_arn    = "arn:aws:iam::123456789012:role/isthmus-stg-load-export"
      bigquery_to_s3_role_arn = "arn:aws:iam::123456789012:role/isthmus-stg-bigquery-to-s3"
      publish_export_role_arn = "arn:aws:iam::123456789012:role/isthmus-stg-publish-export"
      extractor_role_arn      = "arn:aws:iam::123456789012:role/isthmus-stg-database-to-bigquery"
    }
    error_message = "region, buckets and roles"
  }
  assert {
    condition     = { for env in google_cloud_run_v2_job.job["load-export"].template[0].template[0].containers[0].env : env.name => env.value if contains(["AWS_ROLE_ARN", "S3_BUCKET_NAME"], env.name) } == { AWS_ROLE_ARN = local.aws.load_export_role_arn, S3_BUCKET_NAME = local.aws.export_bucket }
    error_message = "load-export gets them"
  }
  assert {
    condition     = google_iam_workload_identity_pool_provider.aws["123456789012"].attribute_condition == "assertion.account == '123456789012' && attribute.aws_role in ['isthmus-stg-publish-export']"
    error_message = "the role of publish-export is let in"
  }
}

run "a_name_of_one_s_own_stands" {
  command = plan
  variables {
    aws          = { account_id = "123456789012", region = "us-east-1", export_bucket = "shop-export" }
    transfer_key = { access_key_id = "AKIAEXAMPLEEXAMPLE12", secret_version = 3 }
  }

  assert {
    condition     = local.aws.export_bucket == "shop-export" && local.aws.app_bucket == "isthmus-stg-app-123456789012" && local.aws.region == "us-east-1"
    error_message = "what is given, and what follows"
  }
  assert {
    condition     = startswith(google_bigquery_data_transfer_config.table["shop.orders"].params.data_path, "s3://shop-export/stg-")
    error_message = "transfers read it"
  }
}

run "an_account_is_needed_where_not_every_name_is_given" {
  command = plan
  variables {
    aws = { export_bucket = "shop-export" }
  }
  expect_failures = [var.aws]
}

run "an_account_that_lost_its_first_zero_is_refused" {
  command = plan
  variables {
    aws = { account_id = 12345678901 }
  }
  expect_failures = [var.aws]
}

run "agents_that_were_made_on_request_get_their_roles_before_aws_is_known" {
  command = plan
  variables {
    aws          = null
    transfer_key = null
    image_tag    = null
  }

  assert {
    condition = { for key, member in google_project_iam_member.agent : member.role => member.member } == {
      "roles/bigquerydatatransfer.serviceAgent" = "serviceAccount:service-${data.google_project.this.number}@gcp-sa-bigquerydatatransfer.iam.gserviceaccount.com"
      "roles/workflows.serviceAgent"            = "serviceAccount:service-${data.google_project.this.number}@gcp-sa-workflows.iam.gserviceaccount.com"
    }
    error_message = "the agents of Data Transfer and Workflows"
  }
}

run "aws_is_told_what_it_has_to_know" {
  command = apply
  variables {
    aws          = null
    transfer_key = null
    image_tag    = null
  }

  assert {
    condition     = output.for_aws.google_service_account_ids == output.service_account_ids && output.for_aws.google_project == { id = "shop-isthmus-stg", number = data.google_project.this.number, location = "asia-northeast1" } && output.for_aws.extract_into == null
    error_message = "the variables of terraform/aws"
  }
  assert {
    condition     = output.told.image_tag == null && output.told.transfer_key == null
    error_message = "nothing was told yet"
  }
}

run "a_state_belongs_to_one_environment" {
  command = plan
  variables {
    env = "prod"
  }
  expect_failures = [terraform_data.environment]
}

run "and_stays_what_it_was" {
  command = apply

  assert {
    condition     = terraform_data.environment.output == "stg" && output.told.image_tag == "abc1234"
    error_message = "stg, with what it was told"
  }
}

run "a_wait_of_a_day_is_refused" {
  command = plan
  variables {
    api_wait_seconds = 86400
  }
  expect_failures = [var.api_wait_seconds]
}
