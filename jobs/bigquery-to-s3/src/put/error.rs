use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use keyless::aws::KeylessError;
use lease::Lost;

use super::answer::Refusal;

/// Which object it was about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    pub bucket: Arc<str>,
    pub key: String,
}

#[derive(Debug, thiserror::Error)]
pub enum PutError {
    /// The gate says that this run may not write any more.
    #[error("put {place}: {lost}")]
    Lost { place: Place, lost: Lost },
    /// A human must change something before another try can succeed.
    #[error("put {place}: S3 answered {status} {code}: {message}{}", after_semicolon(.advice))]
    Refused { place: Place, status: u16, code: String, message: String, advice: String },
    #[error("put {place}: there are no AWS credentials")]
    NoCredentials { place: Place, source: Arc<KeylessError> },
    /// No S3 could take it: an empty key would name the bucket.
    #[error("put {place}: it cannot be sent")]
    Unsendable { place: Place, source: anyhow::Error },
    #[error("put {place}: gave up after {attempts} attempts in {elapsed:.0?}; the last one: {last}")]
    GaveUp { place: Place, attempts: u32, elapsed: Duration, last: String },
}

impl PutError {
    pub(super) fn refused(place: Place, refusal: Refusal) -> Self {
        let advice = refusal.advice(&place.bucket, &place.key);
        Self::Refused { place, status: refusal.status.as_u16(), code: refusal.code, message: refusal.message, advice }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s3://{}/{}", self.bucket, self.key)
    }
}

fn after_semicolon(advice: &str) -> String {
    if advice.is_empty() { String::new() } else { format!("; {advice}") }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, StatusCode};

    use super::*;

    fn text(code: &str, message: &str) -> String {
        let body = format!("<Error><Code>{code}</Code><Message>{message}</Message></Error>");
        let place = Place { bucket: "acme".into(), key: "users/1.json".into() };
        PutError::refused(place, Refusal::new(StatusCode::FORBIDDEN, &HeaderMap::new(), body.as_bytes())).to_string()
    }

    #[test]
    fn a_refusal_says_which_right_is_missing() {
        assert_eq!(
            text("AccessDenied", "Access Denied"),
            "put s3://acme/users/1.json: S3 answered 403 AccessDenied: Access Denied; the role needs s3:PutObject on \
             arn:aws:s3:::acme/users/1.json, and the bucket's policy must not deny it"
        );
        let of_kms = "User: arn:aws:sts::1:assumed-role/x is not authorized to perform: kms:GenerateDataKey on key";
        assert!(
            text("AccessDenied", of_kms).ends_with("needs kms:GenerateDataKey on the key that encrypts the bucket")
        );
        assert_eq!(text("Odd", "so"), "put s3://acme/users/1.json: S3 answered 403 Odd: so");
    }
}
