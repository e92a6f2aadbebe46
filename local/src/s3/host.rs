//! Which bucket a request is for: the first word of the host, `shop-exports.s3.ap-northeast-1.amazonaws.com`, or else the
//! first word of the path. <https://docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html>

use s3s::S3Result;
use s3s::host::{S3Host, VirtualHost};

use crate::rds::REGION;

pub(super) struct BucketInHost;

impl S3Host for BucketInHost {
    fn parse_host_header<'a>(&'a self, host: &'a str) -> S3Result<VirtualHost<'a>> {
        let name = host.split(':').next().unwrap_or(host);
        let bucket = name.strip_suffix(&format!(".s3.{REGION}.amazonaws.com"));
        Ok(match bucket {
            Some(bucket) => VirtualHost::new(name).with_bucket(bucket),
            None => VirtualHost::new(host),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bucket(host: &str) -> Option<String> {
        BucketInHost.parse_host_header(host).unwrap().bucket().map(str::to_owned)
    }

    #[test]
    fn a_bucket_is_what_stands_before_the_name_of_the_service() {
        assert_eq!(bucket("shop-exports.s3.ap-northeast-1.amazonaws.com").as_deref(), Some("shop-exports"));
        assert_eq!(bucket("dotted.name.s3.ap-northeast-1.amazonaws.com:443").as_deref(), Some("dotted.name"));
        assert_eq!(bucket("s3.ap-northeast-1.amazonaws.com"), None);
        assert_eq!(bucket("127.0.0.1:40123"), None);
    }
}
