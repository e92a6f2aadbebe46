# Every policy of this root in one place, for the tests that look at all of them.
locals {
  identity_policies = merge({
    export         = local.export_policy
    load-export    = local.load_export_policy
    bigquery-to-s3 = local.bigquery_to_s3_policy
    transfer       = local.transfer_policy
  }, { for name, policy in local.extractor_policies : "extractor-${name}" => policy })

  all_policies = concat(
    values(local.identity_policies),
    values(local.google_trust),
    values(local.extractor_trust),
    values(local.tls_only_policies),
    [local.key_policy, local.export_trust, local.topic_policy, local.s3_endpoint_policy],
  )
}
