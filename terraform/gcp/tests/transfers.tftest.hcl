# What reaches BigQuery Data Transfer.

run "a_config_bears_the_name_that_load_export_looks_for" {
  command = plan

  assert {
    condition     = { for name, config in google_bigquery_data_transfer_config.table : name => config.display_name } == { "app.public.users" = "isthmus stg app.public.users", "shop.items" = "isthmus stg shop.items", "shop.orders" = "isthmus stg shop.orders" }
    error_message = "load-export finds a config by isthmus {env} {table}"
  }
}

run "a_table_of_mysql_is_read_from_database_dot_table" {
  command = plan

  assert {
    condition     = google_bigquery_data_transfer_config.table["shop.orders"].params.data_path == "s3://shop-export/stg-{run_time+9h|\"%Y%m%d\"}/shop/shop.orders/*.parquet"
    error_message = google_bigquery_data_transfer_config.table["shop.orders"].params.data_path
  }
}

run "a_table_of_postgresql_is_read_from_schema_dot_table" {
  command = plan

  assert {
    condition     = google_bigquery_data_transfer_config.table["app.public.users"].params.data_path == "s3://shop-export/stg-{run_time+9h|\"%Y%m%d\"}/app/public.users/*.parquet"
    error_message = google_bigquery_data_transfer_config.table["app.public.users"].params.data_path
  }
}

run "the_offset_follows_from_the_zone_and_may_be_negative" {
  command = plan
  variables {
    export_timezone = "America/Phoenix"
  }

  assert {
    condition     = alltrue([for config in google_bigquery_data_transfer_config.table : strcontains(config.params.data_path, "/stg-{run_time-7h|\"%Y%m%d\"}/")])
    error_message = "the path must name the export date of the zone"
  }
}

run "the_offset_may_have_minutes" {
  command = plan
  variables {
    export_timezone = "Asia/Kolkata"
  }

  assert {
    condition     = alltrue([for config in google_bigquery_data_transfer_config.table : strcontains(config.params.data_path, "/stg-{run_time+5h30m|\"%Y%m%d\"}/")])
    error_message = "the path must name the export date of the zone"
  }
}

run "utc_needs_no_offset" {
  command = plan
  variables {
    export_timezone = "UTC"
  }

  assert {
    condition     = alltrue([for config in google_bigquery_data_transfer_config.table : strcontains(config.params.data_path, "/stg-{run_time|\"%Y%m%d\"}/")])
    error_message = "the path must name the export date of the zone"
  }
}

# The same names and paths stand in crates/handoff/src/table_list/transfer.rs.
run "a_dot_in_a_name_is_what_the_engine_says" {
  command = plan
  variables {
    config_dir = "tests/config/dotted"
  }

  assert {
    condition = { for name, config in google_bigquery_data_transfer_config.table : config.display_name => config.params.data_path } == {
      "isthmus stg app.public.users" = "s3://shop-export/stg-{run_time+9h|\"%Y%m%d\"}/app/public.users/*.parquet"
      "isthmus stg crm.leads"        = "s3://shop-export/stg-{run_time+9h|\"%Y%m%d\"}/crm/crm.leads/*.parquet"
      "isthmus stg shop.`core.user`" = "s3://shop-export/stg-{run_time+9h|\"%Y%m%d\"}/shop/shop.core.user/*.parquet"
      "isthmus stg shop.orders"      = "s3://shop-export/stg-{run_time+9h|\"%Y%m%d\"}/shop/shop.orders/*.parquet"
    }
    error_message = jsonencode({ for name, config in google_bigquery_data_transfer_config.table : config.display_name => config.params.data_path })
  }
  assert {
    condition     = google_bigquery_data_transfer_config.table["shop.`core.user`"].params.destination_table_name_template == "core_user"
    error_message = "a destination has _ for each dot"
  }
}

run "a_proof_and_what_is_missing_are_load_exports" {
  command = plan
  variables {
    config_dir = "tests/config/proof"
  }
  assert {
    condition     = length(google_bigquery_table.raw) == 2
    error_message = "both settings may stand at every level"
  }
}

run "no_path_has_two_wildcards_or_one_within_a_name" {
  command = plan

  assert {
    condition     = alltrue([for config in google_bigquery_data_transfer_config.table : length(regexall("[*]", config.params.data_path)) == 1 && strcontains(config.params.data_path, "/*")])
    error_message = "exactly one *, after a slash"
  }
}

run "a_config_says_all_that_has_a_dangerous_default" {
  command = plan

  assert {
    condition = alltrue([for config in google_bigquery_data_transfer_config.table :
      config.params.file_format == "PARQUET" && config.params.write_disposition == "WRITE_TRUNCATE" &&
      config.params.max_bad_records == "0" && config.params.decimal_target_types == "NUMERIC,BIGNUMERIC,STRING" &&
      config.location == "asia-northeast1" && config.data_source_id == "amazon_s3"
    ])
    error_message = "file_format (default CSV), write_disposition (default append) and location (default US) must be set"
  }
  assert {
    condition     = alltrue([for config in google_bigquery_data_transfer_config.table : config.email_preferences[0].enable_failure_email == false])
    error_message = "a service account has no inbox"
  }
}

run "only_load_export_starts_a_run_unless_a_schedule_is_set" {
  command = plan

  assert {
    condition     = alltrue([for config in google_bigquery_data_transfer_config.table : config.schedule == null && config.schedule_options[0].disable_auto_scheduling])
    error_message = "runs by the clock load what is there, complete or not"
  }
}

run "a_schedule_in_utc_may_be_set" {
  command = plan
  variables {
    transfer_schedule = "every day 21:00"
  }

  assert {
    condition     = alltrue([for config in google_bigquery_data_transfer_config.table : config.schedule == "every day 21:00" && !config.schedule_options[0].disable_auto_scheduling])
    error_message = "the schedule must be the config's"
  }
}

run "the_secret_half_of_the_key_is_write_only" {
  command = plan

  assert {
    condition = alltrue([for config in google_bigquery_data_transfer_config.table :
      config.sensitive_params[0].secret_access_key == null && config.sensitive_params[0].secret_access_key_wo == null &&
      config.sensitive_params[0].secret_access_key_wo_version == "3" && !contains(keys(config.params), "secret_access_key")
    ])
    error_message = "nothing but the version's number may stand in a plan"
  }
  assert {
    condition     = alltrue([for config in google_bigquery_data_transfer_config.table : config.params.access_key_id == "AKIAEXAMPLEEXAMPLE12"])
    error_message = "the id of the key is a parameter"
  }
}

run "a_destination_table_is_there_before_and_has_the_names_of_the_list" {
  command = plan

  assert {
    condition     = { for name, table in google_bigquery_table.raw : name => "${table.dataset_id}.${table.table_id}" } == { "app.public.users" = "raw_app_v2.public_users", "shop.items" = "raw_shop.order_items", "shop.orders" = "raw_shop.orders" }
    error_message = "defaults must be those of crates/handoff/src/table_list.rs"
  }
  assert {
    condition     = { for name, config in google_bigquery_data_transfer_config.table : name => "${config.destination_dataset_id}.${config.params.destination_table_name_template}" } == { for name, table in google_bigquery_table.raw : name => "${table.dataset_id}.${table.table_id}" }
    error_message = "a config must write to the table that was made for it"
  }
}

run "a_star_for_each_folder_is_the_other_spelling" {
  command = plan
  variables {
    config_dir = "tests/config/two-stars"
  }
  assert {
    condition     = endswith(google_bigquery_data_transfer_config.table["shop.orders"].params.data_path, "/shop/shop.orders/*/*.parquet")
    error_message = "load-export takes it too"
  }
}

run "the_folder_of_one_batch_is_refused" {
  command = plan
  variables {
    config_dir = "tests/config/first-batch"
  }
  expect_failures = [google_bigquery_data_transfer_config.table["shop.orders"]]
}

run "a_star_after_half_a_name_is_refused" {
  command = plan
  variables {
    config_dir = "tests/config/half-name"
  }
  expect_failures = [google_bigquery_data_transfer_config.table["shop.orders"]]
}

run "two_tables_with_one_destination_are_refused" {
  command = plan
  variables {
    config_dir = "tests/config/shared-destination"
  }
  expect_failures = [google_bigquery_table.raw["shop.orders"], google_bigquery_table.raw["shop.old_orders"]]
}

run "a_name_that_bigquery_would_refuse_is_refused" {
  command = plan
  variables {
    config_dir = "tests/config/bad-name"
  }
  expect_failures = [google_bigquery_table.raw["shop.my orders"]]
}

run "an_unknown_setting_is_refused" {
  command = plan
  variables {
    config_dir = "tests/config/unknown-setting"
  }
  expect_failures = [google_bigquery_table.raw["shop.orders"]]
}

run "an_engine_that_is_none_is_refused" {
  command = plan
  variables {
    config_dir = "tests/config/bad-engine"
  }
  expect_failures = [google_bigquery_table.raw["shop.orders"]]
}
