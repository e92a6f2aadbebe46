# What the tests of this root share; each says what it has beside it.
env        = "stg"
project    = "shop-isthmus-stg"
config_dir = "tests/config/shop"
image_tag  = "abc1234"
aws = {
  region                  = "ap-northeast-1"
  export_bucket           = "shop-export"
  app_bucket              = "shop-app"
  load_export_role_arn    = "arn:aws:iam::123456789012:role/load"
  bigquery_to_s3_role_arn = "arn:aws:iam::123456789012:role/sync"
}
transfer_key = { access_key_id = "AKIAEXAMPLEEXAMPLE12", secret_version = 3 }
