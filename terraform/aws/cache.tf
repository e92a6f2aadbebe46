# Redis for lookup, off unless var.cache is set. ElastiCache can be reached only inside its network, and what runs there
# needs a way to S3 that does not cost a NAT gateway: an endpoint.
locals {
  has_cache = var.cache != null
  # Named, not asked for: a zone that AWS adds must not move a subnet.
  cache_zones = local.has_cache ? [for letter in var.cache.zones : "${var.region}${letter}"] : []
  cache_name  = "isthmus-${var.env}"
}

resource "aws_vpc" "cache" {
  count = local.has_cache ? 1 : 0

  cidr_block           = var.cache.cidr
  enable_dns_support   = true
  enable_dns_hostnames = true
  tags                 = { Name = local.cache_name }
}

# Whatever is not given a group of its own can talk to nobody.
resource "aws_default_security_group" "cache" {
  count  = local.has_cache ? 1 : 0
  vpc_id = aws_vpc.cache[0].id
}

resource "aws_subnet" "cache" {
  for_each = { for index, zone in local.cache_zones : zone => index }

  vpc_id            = aws_vpc.cache[0].id
  availability_zone = each.key
  cidr_block        = cidrsubnet(var.cache.cidr, 2, each.value)
  tags              = { Name = "${local.cache_name}-${each.key}" }
}

resource "aws_route_table" "cache" {
  count  = local.has_cache ? 1 : 0
  vpc_id = aws_vpc.cache[0].id
  tags   = { Name = local.cache_name }
}

resource "aws_route_table_association" "cache" {
  for_each = aws_subnet.cache

  subnet_id      = each.value.id
  route_table_id = aws_route_table.cache[0].id
}

resource "aws_vpc_endpoint" "s3" {
  count = local.has_cache ? 1 : 0

  vpc_id            = aws_vpc.cache[0].id
  service_name      = "com.amazonaws.${var.region}.s3"
  vpc_endpoint_type = "Gateway"
  route_table_ids   = [aws_route_table.cache[0].id]
  policy            = local.s3_endpoint_policy
  tags              = { Name = local.cache_name }
}

locals {
  # Through this network only the application bucket can be read, whatever a role may say.
  s3_endpoint_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "ReadApplicationBucket"
      Effect    = "Allow"
      Action    = ["s3:GetObject", "s3:ListBucket"]
      Resource  = [local.bucket_arns.app, "${local.bucket_arns.app}/*"]
      Principal = { AWS = "arn:${local.partition}:iam::${local.account}:root" }
    }]
  })
}

data "aws_prefix_list" "s3" {
  count = local.has_cache ? 1 : 0
  name  = "com.amazonaws.${var.region}.s3"
}

resource "aws_security_group" "lookup" {
  count = local.has_cache ? 1 : 0

  name        = "${local.cache_name}-lookup"
  description = "lookup: out to Redis and S3, nothing in"
  vpc_id      = aws_vpc.cache[0].id
}

resource "aws_security_group" "redis" {
  count = local.has_cache ? 1 : 0

  name        = "${local.cache_name}-redis"
  description = "Redis: in from lookup"
  vpc_id      = aws_vpc.cache[0].id
}

resource "aws_vpc_security_group_egress_rule" "lookup_to_redis" {
  count = local.has_cache ? 1 : 0

  security_group_id            = aws_security_group.lookup[0].id
  referenced_security_group_id = aws_security_group.redis[0].id
  description                  = "Redis"
  ip_protocol                  = "tcp"
  from_port                    = 6379
  to_port                      = 6379
}

resource "aws_vpc_security_group_egress_rule" "lookup_to_s3" {
  count = local.has_cache ? 1 : 0

  security_group_id = aws_security_group.lookup[0].id
  prefix_list_id    = data.aws_prefix_list.s3[0].id
  description       = "S3, through the endpoint"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}

resource "aws_vpc_security_group_ingress_rule" "redis_from_lookup" {
  count = local.has_cache ? 1 : 0

  security_group_id            = aws_security_group.redis[0].id
  referenced_security_group_id = aws_security_group.lookup[0].id
  description                  = "lookup"
  ip_protocol                  = "tcp"
  from_port                    = 6379
  to_port                      = 6379
}

resource "aws_elasticache_subnet_group" "this" {
  count = local.has_cache ? 1 : 0

  name       = local.cache_name
  subnet_ids = [for subnet in aws_subnet.cache : subnet.id]
}

# No password anywhere: lookup signs a token with its role.
resource "aws_elasticache_user" "lookup" {
  count = local.has_cache ? 1 : 0

  # With IAM the two must be the same.
  user_id   = "${local.cache_name}-lookup"
  user_name = "${local.cache_name}-lookup"
  engine    = "valkey"
  # Its own keys, the two commands of a cache, and who has which slots should it become a cluster; neither FLUSHALL nor KEYS.
  access_string = "on ~isthmus:* -@all +@connection +get +set +cluster|slots"

  authentication_mode {
    type = "iam"
  }
}

resource "aws_elasticache_user_group" "this" {
  count = local.has_cache ? 1 : 0

  user_group_id = local.cache_name
  engine        = "valkey"
  user_ids      = [aws_elasticache_user.lookup[0].user_id]
}

resource "aws_elasticache_parameter_group" "this" {
  count = local.has_cache ? 1 : 0

  name   = local.cache_name
  family = "valkey8"

  # A full cache drops what was read longest ago, instead of refusing writes.
  parameter {
    name  = "maxmemory-policy"
    value = "allkeys-lru"
  }
}

resource "aws_elasticache_replication_group" "this" {
  count = local.has_cache ? 1 : 0

  replication_group_id       = local.cache_name
  description                = "isthmus ${var.env}: rows that lookup has read"
  engine                     = "valkey"
  engine_version             = "8.0"
  node_type                  = var.cache.node_type
  num_cache_clusters         = var.cache.nodes
  automatic_failover_enabled = var.cache.nodes > 1
  multi_az_enabled           = var.cache.nodes > 1
  parameter_group_name       = aws_elasticache_parameter_group.this[0].name
  subnet_group_name          = aws_elasticache_subnet_group.this[0].name
  security_group_ids         = [aws_security_group.redis[0].id]
  user_group_ids             = [aws_elasticache_user_group.this[0].user_group_id]
  transit_encryption_enabled = true
  at_rest_encryption_enabled = true
  kms_key_id                 = aws_kms_key.this.arn
}
