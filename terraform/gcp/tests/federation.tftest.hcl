# Who of AWS is let in, and as whom.
variables {
  aws = {
    region                  = "ap-northeast-1"
    export_bucket           = "shop-export"
    app_bucket              = "shop-app"
    load_export_role_arn    = "arn:aws:iam::123456789012:role/load"
    bigquery_to_s3_role_arn = "arn:aws:iam::123456789012:role/sync"
    publish_export_role_arn = "arn:aws:iam::123456789012:role/isthmus-stg-publish-export"
  }
}

run "one_role_of_one_account_is_let_in" {
  command = apply

  assert {
    condition = {
      for key, provider in google_iam_workload_identity_pool_provider.aws : key => [
        provider.workload_identity_pool_provider_id, provider.aws[0].account_id, provider.attribute_condition
      ]
    } == { "123456789012" = ["aws-account", "123456789012", "assertion.account == '123456789012' && attribute.aws_role in ['isthmus-stg-publish-export']"] }
    error_message = "the condition names account and role"
  }
  assert {
    # The text that local/tests/contract/google.rs evaluates.
    condition     = google_iam_workload_identity_pool_provider.aws["123456789012"].attribute_mapping == tomap({ "google.subject" = "assertion.arn.extract('assumed-role/{role_and_session}')", "attribute.aws_role" = "assertion.arn.extract('assumed-role/{role}/')" })
    error_message = "the role is an attribute of its own"
  }
  assert {
    condition     = can(regex("^[a-z0-9-]{4,32}$", google_iam_workload_identity_pool.aws.workload_identity_pool_id)) && alltrue([for provider in google_iam_workload_identity_pool_provider.aws : can(regex("^[a-z0-9-]{4,32}$", provider.workload_identity_pool_provider_id))])
    error_message = "ids have 4 to 32 characters"
  }
  assert {
    condition = { for key, member in google_service_account_iam_member.aws_role : key => "${member.role} ${member.service_account_id == google_service_account.account[key].name} ${member.member}" } == {
      start-load = "roles/iam.workloadIdentityUser true principalSet://iam.googleapis.com/${google_iam_workload_identity_pool.aws.name}/attribute.aws_role/isthmus-stg-publish-export"
    }
    error_message = "the role acts as one account, and nobody else of the pool does"
  }
}

run "the_account_may_start_a_workflow_and_nothing_else" {
  command = apply

  assert {
    condition     = google_project_iam_custom_role.start_load.permissions == toset(["workflows.executions.create"]) && google_project_iam_member.start_load.role == google_project_iam_custom_role.start_load.name && startswith(google_project_iam_member.start_load.member, "serviceAccount:isthmus-start-load@")
    error_message = "one permission"
  }
}

run "publish_export_is_told_names_that_are_true" {
  command = apply

  assert {
    condition     = output.start_load.workflow == "projects/shop-isthmus-stg/locations/asia-northeast1/workflows/${google_workflows_workflow.daily["daily"].name}"
    error_message = "the daily workflow"
  }
  assert {
    condition     = output.start_load.audience == "//iam.googleapis.com/projects/${data.google_project.this.number}/locations/global/workloadIdentityPools/${google_iam_workload_identity_pool.aws.workload_identity_pool_id}/providers/${google_iam_workload_identity_pool_provider.aws["123456789012"].workload_identity_pool_provider_id}"
    error_message = "the provider, by the project's number"
  }
  assert {
    condition     = output.start_load.service_account == google_service_account.account["start-load"].email
    error_message = "the account"
  }
}

run "the_names_are_known_before_aws_is" {
  command = plan
  variables {
    aws          = null
    transfer_key = null
    image_tag    = null
  }

  assert {
    condition     = endswith(output.start_load.workflow, "/workflows/isthmus-stg-daily") && endswith(output.start_load.audience, "/workloadIdentityPools/isthmus/providers/aws-account")
    error_message = "terraform/aws is applied with them"
  }
}

run "an_older_terraform_aws_lets_nobody_in" {
  command = plan
  variables {
    aws = {
      region                  = "ap-northeast-1"
      export_bucket           = "shop-export"
      app_bucket              = "shop-app"
      load_export_role_arn    = "arn:aws:iam::123456789012:role/load"
      bigquery_to_s3_role_arn = "arn:aws:iam::123456789012:role/sync"
    }
  }

  assert {
    condition     = length(google_iam_workload_identity_pool_provider.aws) == 0
    error_message = "no role, no provider"
  }
}

run "a_role_that_is_no_role_is_refused" {
  command = plan
  variables {
    aws = {
      region                  = "ap-northeast-1"
      export_bucket           = "shop-export"
      app_bucket              = "shop-app"
      load_export_role_arn    = "arn:aws:iam::123456789012:role/load"
      bigquery_to_s3_role_arn = "arn:aws:iam::123456789012:role/sync"
      publish_export_role_arn = "isthmus-stg-publish-export"
    }
  }
  expect_failures = [var.aws]
}
