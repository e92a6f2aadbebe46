output "aws" {
  description = "Variable aws of terraform/gcp. Only the account and the region are needed where names follow from them."
  value = {
    account_id              = local.account
    region                  = var.region
    export_bucket           = aws_s3_bucket.this["export"].id
    app_bucket              = aws_s3_bucket.this["app"].id
    load_export_role_arn    = aws_iam_role.google["load-export"].arn
    bigquery_to_s3_role_arn = aws_iam_role.google["bigquery-to-s3"].arn
    # template.yaml makes it, under this name.
    publish_export_role_arn = "arn:${local.partition}:iam::${local.account}:role/isthmus-${var.env}-publish-export"
    # Where there is an extractor.
    extractor_role_arn = var.extractor == null ? null : local.extractor_role_arns.task
  }
}

output "transfer_user" {
  description = "Whose key terraform/rotate-transfer-key.sh makes"
  value       = aws_iam_user.transfer.name
}

output "lookup" {
  description = "Parameters of template.yaml that let lookup serve every sync of the application bucket"
  value = merge(
    {
      LookupSyncs      = join(",", [for name, prefix in local.syncs_here : "${name}=s3://${local.bucket_names.app}/${prefix}"])
      LookupObjectArns = join(",", [for prefix in values(local.syncs_here) : "${local.bucket_arns.app}/${prefix}/*"])
      LookupBucketArns = local.bucket_arns.app
      LookupKmsKeyArn  = aws_kms_key.this.arn
    },
    local.has_cache ? {
      LookupRedisUrl         = "rediss://${aws_elasticache_replication_group.this[0].primary_endpoint_address}:6379"
      LookupRedisAuth        = "iam"
      LookupRedisUser        = aws_elasticache_user.lookup[0].user_name
      LookupRedisClusterName = local.cache_name
      LookupSubnetIds        = join(",", [for zone in local.cache_zones : aws_subnet.cache[zone].id])
      LookupSecurityGroupIds = aws_security_group.lookup[0].id
    } : {},
  )
}

output "extractor_image" {
  description = "Where the image of database-to-bigquery is pushed: {this}:{image_tag}; null where there is no extractor"
  value       = one([for repository in aws_ecr_repository.extractor : repository.repository_url])
}
