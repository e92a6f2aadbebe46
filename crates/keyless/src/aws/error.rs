use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::{Claims, RoleArn};

type BoxError = Box<dyn Error + Send + Sync>;

#[derive(Debug, thiserror::Error)]
pub enum KeylessError {
    /// The metadata server has no token for us. Permanent when it says so itself.
    #[error(
        "get a Google identity token for audience {audience:?} from the metadata server: \
         only a service account on Google Cloud has one"
    )]
    NoToken { audience: String, permanent: bool, source: BoxError },
    #[error(
        "assume {role_arn}: AWS refused the Google identity token, which says {claims}; the role's trust policy must \
         allow sts:AssumeRoleWithWebIdentity to the federated principal accounts.google.com with {}",
        claims.trust_conditions()
    )]
    Denied { role_arn: RoleArn, claims: Claims, source: BoxError },
    #[error("assume {role_arn}: AWS does not take the Google identity token, which says {claims}")]
    BadToken { role_arn: RoleArn, claims: Claims, source: BoxError },
    #[error("assume {role_arn}: AWS refused the request; check the role's maximum session duration and the region")]
    BadRequest { role_arn: RoleArn, source: BoxError },
    /// STS did not answer, or has a bad moment: it is asked again.
    #[error("assume {role_arn} at AWS STS")]
    Unavailable { role_arn: RoleArn, source: BoxError },
    #[error("waited {0:?} for AWS credentials")]
    Waited(Duration),
}

impl KeylessError {
    /// A human must change something before another try can succeed.
    pub fn is_permanent(&self) -> bool {
        match self {
            Self::NoToken { permanent, .. } => *permanent,
            Self::Denied { .. } | Self::BadToken { .. } | Self::BadRequest { .. } => true,
            Self::Unavailable { .. } | Self::Waited(_) => false,
        }
    }
}

/// What an answer of STS asks us to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The token is at fault: the same request with a new one may succeed.
    NewToken,
    Denied,
    BadRequest,
    Again,
}

impl Verdict {
    /// `None` where there was no answer, or one without a code.
    /// Source: AWS STS API reference, `AssumeRoleWithWebIdentity`, errors.
    pub(crate) fn of(code: Option<&str>) -> Self {
        match code {
            Some("InvalidIdentityToken" | "ExpiredTokenException" | "ExpiredToken") => Self::NewToken,
            Some("AccessDenied" | "AccessDeniedException" | "IDPRejectedClaim") => Self::Denied,
            Some(
                "ValidationError" | "RegionDisabledException" | "PackedPolicyTooLarge" | "MalformedPolicyDocument",
            ) => Self::BadRequest,
            // IDPCommunicationError, throttling, 5xx, time-outs, and whatever AWS thinks of next.
            _ => Self::Again,
        }
    }
}

/// `Arc<KeylessError>` is no error of its own; this lends it to callers that want one.
#[derive(Debug)]
pub(crate) struct Shared(pub(crate) Arc<KeylessError>);

impl fmt::Display for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Error for Shared {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_answer_of_sts_leads_to_one_thing_to_do() {
        for (code, verdict) in [
            (Some("IDPCommunicationError"), Verdict::Again),
            (Some("InvalidIdentityToken"), Verdict::NewToken),
            (Some("ExpiredTokenException"), Verdict::NewToken),
            (Some("AccessDenied"), Verdict::Denied),
            (Some("IDPRejectedClaim"), Verdict::Denied),
            (Some("ValidationError"), Verdict::BadRequest),
            (Some("RegionDisabledException"), Verdict::BadRequest),
            (Some("Throttling"), Verdict::Again),
            (Some("ServiceUnavailable"), Verdict::Again),
            (None, Verdict::Again),
        ] {
            assert_eq!(Verdict::of(code), verdict, "{code:?}");
        }
    }

    #[test]
    fn a_refusal_says_what_the_trust_policy_must_hold() {
        let claims = Claims {
            aud: Some("isthmus-prod".into()),
            azp: Some("1042".into()),
            sub: Some("1042".into()),
            email: None,
        };
        let role_arn = "arn:aws:iam::123456789012:role/isthmus".parse().unwrap();
        let error = KeylessError::Denied { role_arn, claims, source: "AccessDenied".into() };
        assert!(error.is_permanent());
        assert_eq!(
            error.to_string(),
            "assume arn:aws:iam::123456789012:role/isthmus: AWS refused the Google identity token, which says \
             aud = \"isthmus-prod\", azp = \"1042\", sub = \"1042\", email = none; the role's trust policy must allow \
             sts:AssumeRoleWithWebIdentity to the federated principal accounts.google.com with \
             accounts.google.com:aud = \"1042\", accounts.google.com:oaud = \"isthmus-prod\", \
             accounts.google.com:sub = \"1042\""
        );
    }
}
