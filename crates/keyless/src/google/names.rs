//! The names of Google's side, checked where they come in.

use std::fmt;
use std::str::FromStr;

/// The provider of a workload identity pool, as an audience:
/// `//iam.googleapis.com/projects/123456789012/locations/global/workloadIdentityPools/isthmus/providers/aws-account`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Audience(String);

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "{0:?} is not the provider of a workload identity pool, such as \
     //iam.googleapis.com/projects/123456789012/locations/global/workloadIdentityPools/POOL/providers/PROVIDER"
)]
pub struct InvalidAudience(String);

impl Audience {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// How an IAM policy on Google's side names everyone who comes through this pool with an AWS role.
    pub(crate) fn principals_of(&self, aws_role: &str) -> String {
        let pool = self.0.split("/providers/").next().unwrap_or_default();
        format!("principalSet:{pool}/attribute.aws_role/{aws_role}")
    }
}

impl FromStr for Audience {
    type Err = InvalidAudience;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let words: Vec<&str> = text.split('/').collect();
        let is_provider = match words[..] {
            [
                "",
                "",
                "iam.googleapis.com",
                "projects",
                number,
                "locations",
                "global",
                "workloadIdentityPools",
                pool,
                "providers",
                provider,
            ] => is_number(number) && is_id(pool) && is_id(provider),
            _ => false,
        };
        is_provider.then(|| Self(text.to_owned())).ok_or_else(|| InvalidAudience(text.to_owned()))
    }
}

impl fmt::Display for Audience {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The audience has the project's number, never its id.
fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

/// Of a pool and of a provider: 4 to 32 of `[a-z0-9-]`.
/// Source: IAM REST reference, `projects.locations.workloadIdentityPools.create` and `.providers.create`.
fn is_id(text: &str) -> bool {
    (4..=32).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

/// The e-mail address of a service account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceAccount(String);

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{0:?} is not a service account's e-mail address, such as name@project.iam.gserviceaccount.com")]
pub struct InvalidServiceAccount(String);

impl ServiceAccount {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ServiceAccount {
    type Err = InvalidServiceAccount;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let allowed = |part: &str| {
            !part.is_empty()
                && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-.:".contains(&b))
        };
        let valid = text
            .split_once('@')
            .is_some_and(|(name, domain)| allowed(name) && allowed(domain) && domain.ends_with(".gserviceaccount.com"));
        valid.then(|| Self(text.to_owned())).ok_or_else(|| InvalidServiceAccount(text.to_owned()))
    }
}

impl fmt::Display for ServiceAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "//iam.googleapis.com/projects/123456789012/locations/global/workloadIdentityPools/isthmus/providers/aws-account";

    #[test]
    fn only_the_full_name_of_a_provider_is_taken() {
        let audience: Audience = GOOD.parse().unwrap();
        assert_eq!(audience.as_str(), GOOD);
        for bad in [
            "",
            "isthmus-prod",
            &GOOD[2..],
            &format!("https:{GOOD}"),
            &GOOD.replace("123456789012", "acme-prod"),
            &GOOD.replace("aws-account", "aws"),
            &GOOD.replace("/providers/aws-account", ""),
            &format!("{GOOD}/"),
        ] {
            assert_eq!(bad.parse::<Audience>(), Err(InvalidAudience(bad.into())));
        }
    }

    #[test]
    fn a_policy_names_the_pool_and_the_role() {
        let audience: Audience = GOOD.parse().unwrap();
        assert_eq!(
            audience.principals_of("isthmus-prod-publish-export"),
            "principalSet://iam.googleapis.com/projects/123456789012/locations/global/workloadIdentityPools/isthmus\
             /attribute.aws_role/isthmus-prod-publish-export"
        );
    }

    #[test]
    fn only_the_address_of_a_service_account_is_taken() {
        for good in ["start-load@acme-prod.iam.gserviceaccount.com", "1042-compute@developer.gserviceaccount.com"] {
            assert_eq!(good.parse::<ServiceAccount>().unwrap().as_str(), good);
        }
        for bad in ["", "start-load", "someone@acme.com", "@a.gserviceaccount.com", "a/b@x.iam.gserviceaccount.com"] {
            assert_eq!(bad.parse::<ServiceAccount>(), Err(InvalidServiceAccount(bad.into())));
        }
    }
}
