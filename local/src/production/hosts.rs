//! What the services are called, and what stands for each here.

use crate::cloud::Cloud;
use crate::rds::REGION;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    pub name: String,
    /// `127.0.0.1:40123`
    pub(super) upstream: String,
    pub(super) protocol: Protocol,
}

/// What the service speaks with these clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protocol {
    /// AWS.
    Http1,
    /// Google's REST, which offers HTTP/2; the emulators behind it have HTTP/1.1 only.
    Http2,
    /// gRPC: HTTP/2 all the way, trailers too.
    Grpc,
}

impl Protocol {
    /// What the service offers, the better first.
    pub(super) fn alpn(self) -> &'static [&'static [u8]] {
        match self {
            Self::Http1 => &[b"http/1.1"],
            Self::Http2 => &[b"h2", b"http/1.1"],
            Self::Grpc => &[b"h2"],
        }
    }
}

impl Host {
    /// Every service that the programs of this cloud call.
    pub(super) fn of(cloud: &Cloud) -> Vec<Self> {
        let (aws, google) = (|service: &str| format!("{service}.{REGION}.amazonaws.com"), "googleapis.com");
        let host = |name: String, upstream: String, protocol| {
            let upstream = upstream.trim_start_matches("http://").trim_end_matches('/').to_owned();
            Self { name, upstream, protocol }
        };
        let s3 = |name: String| host(name, cloud.wires.s3.endpoint(), Protocol::Http1);
        let mut hosts: Vec<Self> = Self::buckets(&cloud.bucket, &cloud.app_bucket).map(s3).into();
        hosts.extend([
            s3(aws("s3")),
            host(aws("rds"), cloud.wires.rds.endpoint(), Protocol::Http1),
            host(aws("sts"), cloud.wires.sts.endpoint(), Protocol::Http1),
            host(aws("sns"), cloud.wires.sns.endpoint(), Protocol::Http1),
            host(format!("bigquery.{google}"), cloud.wires.bigquery.endpoint(), Protocol::Http2),
            host(format!("bigquerydatatransfer.{google}"), cloud.wires.transfer.endpoint(), Protocol::Http2),
            host(format!("bigquerystorage.{google}"), cloud.wires.bigquery_storage.endpoint(), Protocol::Grpc),
        ]);
        hosts
    }

    /// A bucket is a host, where its name can be one.
    fn buckets(export: &str, application: &str) -> [String; 2] {
        [export, application].map(|bucket| format!("{bucket}.{}", Self::s3()))
    }

    /// The part of a bucket's host that follows its name.
    pub fn s3() -> String {
        format!("s3.{REGION}.amazonaws.com")
    }

    /// For `/etc/hosts`; known before anything has started. The environment's name is in its buckets'.
    pub fn names(env: &str) -> Vec<String> {
        let mut names = Self::buckets(&format!("{env}-exports"), &format!("{env}-app")).to_vec();
        names.extend(["s3", "rds", "sts", "sns"].map(|service| format!("{service}.{REGION}.amazonaws.com")));
        names
            .extend(["bigquery", "bigquerydatatransfer", "bigquerystorage"].map(|api| format!("{api}.googleapis.com")));
        names.push("metadata.google.internal".to_owned());
        names
    }
}
