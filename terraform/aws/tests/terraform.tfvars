# What the tests of this root share; each says what it has beside it.
env                        = "prod"
google_service_account_ids = { load_export = "104200000000000000001", bigquery_to_s3 = "104200000000000000002" }
config_dir                 = "tests/config"
