//! What the deployment says.

mod redis;

use std::net::{IpAddr, Ipv4Addr};
use std::num::NonZeroU32;

use handoff::Environment;
use startup::{InvalidVars, Vars};

use crate::syncs::Syncs;

pub use redis::{Auth, RedisPlace, RedisUrl};

const POLL_SECONDS: NonZeroU32 = NonZeroU32::new(10).unwrap();
const MEMORY_MB: NonZeroU32 = NonZeroU32::new(32).unwrap();
const PORT: u16 = 8080;

#[derive(Debug, Clone)]
pub struct Settings {
    /// The name of the metrics' namespace.
    pub environment: Environment,
    pub syncs: Syncs,
    pub redis: Option<RedisPlace>,
    /// How often each sync's `CURRENT` is looked at.
    pub poll_seconds: NonZeroU32,
    /// For the rows that this process keeps.
    pub memory_mb: NonZeroU32,
    /// Where the server listens; a Lambda listens nowhere.
    pub host: IpAddr,
    pub port: u16,
}

impl Settings {
    pub fn read(mut vars: Vars) -> Result<Self, InvalidVars> {
        let (environment, syncs) = (vars.required("ENV"), vars.required("SYNCS"));
        let redis = redis::read(&mut vars);
        let (poll, memory) = (vars.or("POLL_SECONDS", POLL_SECONDS), vars.or("MEMORY_MB", MEMORY_MB));
        let (host, port) = (vars.or("HOST", IpAddr::V4(Ipv4Addr::UNSPECIFIED)), vars.or("PORT", PORT));
        let (Some(environment), Some(syncs), Some(redis), Some(poll_seconds), Some(memory_mb), Some(host), Some(port)) =
            (environment, syncs, redis, poll, memory, host, port)
        else {
            return Err(vars.invalid());
        };
        Ok(Self { environment, syncs, redis, poll_seconds, memory_mb, host, port })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(more: &[(&'static str, &'static str)]) -> Result<Settings, String> {
        let required = [("ENV", "prod"), ("SYNCS", "users=s3://app/users")];
        let vars = Vars::from_pairs(required.into_iter().chain(more.iter().copied()));
        Settings::read(vars).map_err(|error| error.to_string())
    }

    #[test]
    fn two_variables_are_enough_and_empty_ones_read_as_not_set() {
        let settings = read(&[("REDIS_URL", ""), ("REDIS_AUTH", ""), ("REDIS_USER", "")]).unwrap();
        assert_eq!((settings.redis, settings.port), (None, 8080));
        assert_eq!((settings.poll_seconds.get(), settings.memory_mb.get()), (10, 32));
        assert_eq!(settings.host.to_string(), "0.0.0.0");
    }

    #[test]
    fn all_that_is_wrong_is_told_at_once() {
        let wrong = [("SYNCS", "users"), ("POLL_SECONDS", "0"), ("PORT", "http"), ("REDIS_URL", "cache:6379")];
        let told = Settings::read(Vars::from_pairs(wrong)).unwrap_err().to_string();
        assert_eq!(
            told,
            "environment: ENV is not set; SYNCS: \"users\" is not NAME=s3://BUCKET/PREFIX; \
             REDIS_URL: must be redis://HOST:PORT or rediss://HOST:PORT; \
             POLL_SECONDS: number would be zero for non-zero type; PORT: invalid digit found in string"
        );
        let told = read(&[("REDIS_AUTH", "password"), ("REDIS_URL", "x")]).unwrap_err();
        assert!(told.contains("REDIS_AUTH: must be none or iam; REDIS_URL: must be"), "{told}");
    }

    #[test]
    fn a_login_by_iam_needs_tls_and_three_names() {
        assert_eq!(
            read(&[("REDIS_AUTH", "iam"), ("REDIS_URL", "redis://cache:6379")]).unwrap_err(),
            "environment: REDIS_URL: must begin with rediss:// where REDIS_AUTH is iam: a token needs TLS; \
             REDIS_USER is not set; REDIS_CLUSTER_NAME is not set"
        );
        let names = [("REDIS_AUTH", "iam"), ("REDIS_USER", "lookup"), ("REDIS_CLUSTER_NAME", "isthmus-prod")];
        let told = read(&names).unwrap_err();
        assert_eq!(told, "environment: REDIS_URL is not set");
        let redis = read(&[&names[..], &[("REDIS_URL", "rediss://cache:6379")]].concat()).unwrap().redis.unwrap();
        let (user, cluster) = ("lookup".to_owned(), "isthmus-prod".to_owned());
        assert_eq!(redis.auth, Auth::Iam { user, cluster, serverless: false });
    }

    #[test]
    fn a_password_is_not_shown() {
        let settings = read(&[("REDIS_URL", "redis://me:s@cret@cache:6379/0")]).unwrap();
        let shown = format!("{settings:?}");
        assert!(shown.contains("redis://cache:6379/0") && !shown.contains("cret"), "{shown}");
    }
}
