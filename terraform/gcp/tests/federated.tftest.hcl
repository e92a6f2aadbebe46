# Tables that BigQuery reads from another database by itself.
variables {
  config_dir = "tests/config/federated"
  federated = {
    pharmacy = { instance = "shop-isthmus-stg:asia-northeast1:pharmacy", database = "pharmacy", username = "bigquery", secret = "pharmacy-password", secret_version = 2 }
  }
}

run "a_connection_has_its_place_and_no_password_in_the_state" {
  command = apply

  assert {
    condition = alltrue([for sql in [google_bigquery_connection.federated["pharmacy"].cloud_sql[0]] :
      sql.instance_id == "shop-isthmus-stg:asia-northeast1:pharmacy" && sql.type == "POSTGRES" &&
      sql.credential[0].username == "bigquery" && sql.credential[0].password_wo_version == "2" && sql.credential[0].password == null
    ])
    error_message = "the password is write-only"
  }
}

run "dbt_may_use_it_and_its_agent_may_connect" {
  command = apply

  assert {
    condition     = google_bigquery_connection_iam_member.dbt["pharmacy"].role == "roles/bigquery.connectionUser" && startswith(google_bigquery_connection_iam_member.dbt["pharmacy"].member, "serviceAccount:isthmus-dbt@")
    error_message = "dbt runs the federated queries"
  }
  assert {
    condition     = google_project_iam_member.federated["pharmacy"].role == "roles/cloudsql.client"
    error_message = "the connection's own account connects"
  }
  assert {
    condition     = toset([for member in google_bigquery_dataset_iam_member.member : "${member.dataset_id} ${member.role}" if strcontains(member.member, "isthmus-dbt@") && contains(["raw_pharmacy", "isthmus_audit"], member.dataset_id)]) == toset(["raw_pharmacy roles/bigquery.dataEditor", "isthmus_audit roles/bigquery.dataEditor"])
    error_message = "dbt writes the tables and what became of them"
  }
}

run "dbt_is_told_of_the_list_where_there_is_one" {
  command = plan

  assert {
    condition     = [for env in google_cloud_run_v2_job.job["dbt"].template[0].template[0].containers[0].env : env.value if env.name == "FEDERATED_FILE"] == ["/config/federated.yaml"]
    error_message = "the file in the config bucket"
  }
}

run "a_connection_without_a_place_is_told" {
  command = plan
  variables {
    federated = {}
  }
  expect_failures = [check.every_connection_has_its_place]
}

run "an_instance_by_its_bare_name_is_refused" {
  command = plan
  variables {
    federated = {
      pharmacy = { instance = "pharmacy", database = "pharmacy", username = "bigquery", secret = "pharmacy-password", secret_version = 2 }
    }
  }
  expect_failures = [var.federated]
}

run "a_table_of_the_same_name_in_the_audit_is_refused" {
  command = plan
  variables {
    config_dir = "tests/config/federated-shared"
  }
  expect_failures = [google_storage_bucket_object.config]
}
