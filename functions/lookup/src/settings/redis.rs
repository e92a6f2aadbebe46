//! Where Redis is, and how it lets us in.

use std::fmt;
use std::str::FromStr;

use startup::Vars;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedisPlace {
    pub url: RedisUrl,
    pub auth: Auth,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Auth {
    /// With what stands in the URL, if anything.
    Url,
    /// With a token that our own AWS credentials sign.
    Iam { user: String, cluster: String, serverless: bool },
}

/// `rediss://host:6379`; a password in it is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct RedisUrl(String);

/// ElastiCache takes a token over TLS only.
struct TlsUrl(RedisUrl);

#[derive(Clone, Copy, PartialEq, Eq)]
enum AuthWord {
    None,
    Iam,
}

/// The outer `None` is a problem that `vars` remembers; the inner one says that there is no Redis.
#[allow(clippy::option_option)] // as `Vars::optional`
pub(super) fn read(vars: &mut Vars) -> Option<Option<RedisPlace>> {
    match vars.or("REDIS_AUTH", AuthWord::None) {
        Some(AuthWord::Iam) => iam(vars).map(Some),
        auth => {
            let url = vars.optional::<RedisUrl>("REDIS_URL")?;
            auth.map(|_| url.map(|url| RedisPlace { url, auth: Auth::Url }))
        }
    }
}

fn iam(vars: &mut Vars) -> Option<RedisPlace> {
    let url = vars.required::<TlsUrl>("REDIS_URL");
    let (user, cluster) = (vars.required("REDIS_USER"), vars.required("REDIS_CLUSTER_NAME"));
    let serverless = vars.or("REDIS_SERVERLESS", false);
    Some(RedisPlace { url: url?.0, auth: Auth::Iam { user: user?, cluster: cluster?, serverless: serverless? } })
}

impl RedisUrl {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for RedisUrl {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let rest = text.strip_prefix("redis://").or_else(|| text.strip_prefix("rediss://"));
        let is_there = rest.is_some_and(|rest| !rest.is_empty());
        if is_there { Ok(Self(text.to_owned())) } else { Err("must be redis://HOST:PORT or rediss://HOST:PORT") }
    }
}

impl FromStr for TlsUrl {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let url: RedisUrl = text.parse()?;
        let tls = text.starts_with("rediss://");
        if tls { Ok(Self(url)) } else { Err("must begin with rediss:// where REDIS_AUTH is iam: a token needs TLS") }
    }
}

impl FromStr for AuthWord {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "none" => Ok(Self::None),
            "iam" => Ok(Self::Iam),
            _ => Err("must be none or iam"),
        }
    }
}

impl fmt::Debug for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, rest) = self.0.split_once("://").unwrap_or_default();
        write!(f, "{scheme}://{}", rest.rsplit_once('@').map_or(rest, |(_, host)| host))
    }
}
