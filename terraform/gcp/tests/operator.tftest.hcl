# Who may ask how the day stands.

run "nobody_named_nothing_given" {
  command = plan

  assert {
    condition     = length(google_project_iam_custom_role.operator) + length(google_project_iam_member.operator) + length(google_bigquery_dataset_iam_member.operator) == 0
    error_message = "without operators there is no such role"
  }
}

run "operators_read_the_audit_and_no_raw_row" {
  command = plan

  variables {
    operators = ["group:data@shop.example"]
  }

  assert {
    condition     = google_project_iam_custom_role.operator[0].permissions == toset(["bigquery.jobs.create", "bigquery.transfers.get"])
    error_message = "docs/spec/status.md, Rights"
  }
  assert {
    condition = toset([for member in google_bigquery_dataset_iam_member.operator : "${member.dataset_id} ${member.role} ${member.member}"]) == toset([
      "isthmus_audit roles/bigquery.dataViewer group:data@shop.example",
      "raw_shop roles/bigquery.metadataViewer group:data@shop.example",
      "raw_app_v2 roles/bigquery.metadataViewer group:data@shop.example",
    ])
    error_message = "rows of the audit only; of raw datasets that they are there, and when they changed"
  }
  assert {
    condition     = [for member in google_storage_bucket_iam_member.operator : member.role] == ["roles/storage.objectViewer"]
    error_message = "operators read the config bucket"
  }
}

run "everybody_is_refused" {
  command = plan

  variables {
    operators = ["allUsers"]
  }

  expect_failures = [var.operators]
}
