//! What AWS demands of `AssumeRoleWithWebIdentity` before it hands out credentials: a pure decision.

use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::metadata::{ISSUER, InvalidToken, Issuer};

/// The conditions of a role's trust policy for the principal `accounts.google.com`.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_iam-condition-keys.html#condition-keys-wif>
#[derive(Debug, Clone)]
pub struct Trust {
    pub role_arn: String,
    /// `accounts.google.com:aud`, which is the token's `azp` (and its `aud` only where it has no `azp`).
    pub aud: String,
    /// `accounts.google.com:oaud`, which is the token's `aud`.
    pub oaud: String,
    /// `accounts.google.com:sub`
    pub sub: String,
}

#[derive(Debug, Clone, Default, serde::Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Asked {
    pub(super) action: String,
    pub(super) role_arn: String,
    pub(super) role_session_name: String,
    web_identity_token: String,
    duration_seconds: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refused {
    #[error("{0}")]
    Validation(String),
    #[error("{0}")]
    InvalidIdentityToken(String),
    #[error("Token expired: current date/time {now} must be before the expiration date/time {expired}")]
    Expired { now: i64, expired: i64 },
    #[error("Not authorized to perform sts:AssumeRoleWithWebIdentity")]
    AccessDenied,
}

impl Refused {
    pub(super) fn status(&self) -> StatusCode {
        if *self == Self::AccessDenied { StatusCode::FORBIDDEN } else { StatusCode::BAD_REQUEST }
    }

    pub(super) fn code(&self) -> &'static str {
        match self {
            Self::Validation(_) => "ValidationError",
            Self::InvalidIdentityToken(_) => "InvalidIdentityToken",
            Self::Expired { .. } => "ExpiredTokenException",
            Self::AccessDenied => "AccessDenied",
        }
    }
}

/// What `DurationSeconds` means when it is not given, and its bounds.
/// Source: STS API reference, `AssumeRoleWithWebIdentity`.
const DURATION_DEFAULT: u32 = 3600;
const DURATION_MIN: u32 = 900;
const DURATION_MAX: u32 = 43_200;

/// How many seconds the credentials are good for.
pub(super) fn decide(
    asked: &Asked,
    roles: &[Trust],
    max_session_seconds: u32,
    issuer: &Issuer,
    now: DateTime<Utc>,
) -> Result<u32, Refused> {
    let seconds = duration(asked, max_session_seconds)?;
    if !session_name_fits(&asked.role_session_name) {
        return Err(Refused::Validation(format!(
            "1 validation error detected: Value '{}' at 'roleSessionName' failed to satisfy constraint: \
             Member must satisfy regular expression pattern: [\\w+=,.@-]{{2,64}}",
            asked.role_session_name
        )));
    }
    let claims = issuer.verify(&asked.web_identity_token).map_err(invalid)?;
    check_expiry(&claims, now)?;
    let allowed = roles.iter().any(|role| asked.role_arn == role.role_arn && trusts(role, &claims));
    if allowed { Ok(seconds) } else { Err(Refused::AccessDenied) }
}

fn duration(asked: &Asked, max_session_seconds: u32) -> Result<u32, Refused> {
    let seconds = match &asked.duration_seconds {
        None => Some(DURATION_DEFAULT),
        Some(text) => text.parse().ok().filter(|seconds| (DURATION_MIN..=DURATION_MAX).contains(seconds)),
    };
    let seconds = seconds.ok_or_else(|| {
        Refused::Validation(format!(
            "1 validation error detected: Value '{}' at 'durationSeconds' failed to satisfy constraint: \
             Member must have value between {DURATION_MIN} and {DURATION_MAX}",
            asked.duration_seconds.as_deref().unwrap_or_default()
        ))
    })?;
    if seconds > max_session_seconds {
        return Err(Refused::Validation(
            "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.".into(),
        ));
    }
    Ok(seconds)
}

/// `[\w+=,.@-]{2,64}`
fn session_name_fits(name: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"_+=,.@-".contains(&b);
    (2..=64).contains(&name.len()) && name.bytes().all(allowed)
}

fn invalid(error: InvalidToken) -> Refused {
    let message = match error {
        InvalidToken::Shape => {
            "The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)"
        }
        InvalidToken::Signature => {
            "Couldn't retrieve verification key from your identity provider, \
             please reference AssumeRoleWithWebIdentity documentation for requirements"
        }
    };
    Refused::InvalidIdentityToken(message.into())
}

fn check_expiry(claims: &Value, now: DateTime<Utc>) -> Result<(), Refused> {
    if claims["iss"] != ISSUER {
        return Err(Refused::InvalidIdentityToken("No OpenIDConnect provider found in your account".into()));
    }
    let missing = || Refused::InvalidIdentityToken("Missing a required claim: exp".into());
    let expired = claims["exp"].as_i64().ok_or_else(missing)?;
    let now = now.timestamp();
    if now >= expired { Err(Refused::Expired { now, expired }) } else { Ok(()) }
}

fn trusts(trust: &Trust, claims: &Value) -> bool {
    let claim = |name: &str| claims[name].as_str();
    claim("azp").or(claim("aud")) == Some(&trust.aud)
        && claim("aud") == Some(&trust.oaud)
        && claim("sub") == Some(&trust.sub)
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use serde_json::json;

    use super::*;

    /// A key takes a while to make: one for the tokens, one of somebody else.
    static ISSUERS: LazyLock<[Issuer; 2]> = LazyLock::new(|| [(); 2].map(|()| Issuer::generate().unwrap()));

    const NOW: i64 = 1_800_000_000;
    const ROLE: &str = "arn:aws:iam::123456789012:role/load-export";

    fn trust() -> Trust {
        Trust { role_arn: ROLE.into(), aud: "117".into(), oaud: "isthmus-prod".into(), sub: "117".into() }
    }

    fn claims() -> Value {
        json!({"iss": ISSUER, "aud": "isthmus-prod", "azp": "117", "sub": "117", "exp": NOW + 1})
    }

    fn asked(token: &str) -> Asked {
        let text = str::to_owned;
        Asked {
            role_arn: text(ROLE),
            role_session_name: text("load-export"),
            web_identity_token: text(token),
            ..Asked::default()
        }
    }

    fn decide_on(change: impl FnOnce(&mut Value), also: impl FnOnce(&mut Asked)) -> Result<u32, Refused> {
        let [issuer, _] = &*ISSUERS;
        let mut claims = claims();
        change(&mut claims);
        let mut asked = asked(&issuer.sign(&claims).unwrap());
        also(&mut asked);
        decide(&asked, &[trust()], 3600, issuer, DateTime::from_timestamp(NOW, 0).unwrap())
    }

    #[test]
    fn the_trusted_account_gets_an_hour() {
        assert_eq!(decide_on(|_| (), |_| ()), Ok(3600));
        assert_eq!(decide_on(|_| (), |asked| asked.duration_seconds = Some("900".into())), Ok(900));
    }

    #[test]
    fn each_condition_of_the_trust_policy_is_needed() {
        for (claim, other) in [("azp", "118"), ("aud", "isthmus-stg"), ("sub", "118")] {
            assert_eq!(decide_on(|claims| claims[claim] = other.into(), |_| ()), Err(Refused::AccessDenied), "{claim}");
        }
        let other_role = |asked: &mut Asked| asked.role_arn.push('x');
        assert_eq!(decide_on(|_| (), other_role), Err(Refused::AccessDenied));
    }

    #[test]
    fn a_token_of_a_key_file_carries_the_email_as_azp_and_is_refused() {
        let refused = decide_on(|claims| claims["azp"] = "loader@p.iam.gserviceaccount.com".into(), |_| ());
        assert_eq!(refused, Err(Refused::AccessDenied));
    }

    #[test]
    fn without_azp_the_audience_itself_is_compared() {
        let refused = decide_on(|claims| _ = claims.as_object_mut().unwrap().remove("azp"), |_| ());
        assert_eq!(refused, Err(Refused::AccessDenied));
    }

    #[test]
    fn an_expired_token_is_told_from_an_invalid_one() {
        assert_eq!(
            decide_on(|claims| claims["exp"] = NOW.into(), |_| ()),
            Err(Refused::Expired { now: NOW, expired: NOW })
        );
        let foreign = ISSUERS[1].sign(&claims()).unwrap();
        for token in ["ya29.a", &foreign] {
            let refused = decide_on(|_| (), |asked| asked.web_identity_token = token.into());
            assert_eq!(refused.unwrap_err().code(), "InvalidIdentityToken", "{token}");
        }
        let elsewhere = decide_on(|claims| claims["iss"] = "https://example.com".into(), |_| ());
        assert_eq!(elsewhere.unwrap_err().code(), "InvalidIdentityToken");
    }

    #[test]
    fn the_session_is_held_to_its_bounds() {
        for seconds in ["899", "43201", "3601", "soon", "-1"] {
            let refused = decide_on(|_| (), |asked| asked.duration_seconds = Some(seconds.into()));
            assert_eq!(refused.unwrap_err().code(), "ValidationError", "{seconds}");
        }
        for name in ["", "a", "a b", "a/b", "本番", &"a".repeat(65)] {
            let refused = decide_on(|_| (), |asked| asked.role_session_name = name.into());
            assert_eq!(refused.unwrap_err().code(), "ValidationError", "{name}");
        }
    }
}
