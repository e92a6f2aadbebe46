//! Who calls: the sessions of roles, and `GetCallerIdentity`, which says whose a signature is.
//! <https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html>

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};

use super::signature::{Authorization, Request};

/// What AWS gives to a Lambda or to an ECS task for its role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionCredentials {
    pub access_key_id: String,
    pub secret_access_key: String,
    pub session_token: String,
}

struct Session {
    credentials: SessionCredentials,
    /// `arn:aws:sts::123456789012:assumed-role/ROLE/SESSION`
    arn: String,
    expires: DateTime<Utc>,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refused {
    #[error("Request is missing Authentication Token")]
    MissingAuthenticationToken,
    #[error("The security token included in the request is invalid")]
    InvalidClientTokenId,
    #[error("The security token included in the request is expired")]
    ExpiredToken,
    #[error("{0}")]
    SignatureDoesNotMatch(String),
}

impl Refused {
    pub(super) fn code(&self) -> &'static str {
        match self {
            Self::MissingAuthenticationToken => "MissingAuthenticationToken",
            Self::InvalidClientTokenId => "InvalidClientTokenId",
            Self::ExpiredToken => "ExpiredToken",
            Self::SignatureDoesNotMatch(_) => "SignatureDoesNotMatch",
        }
    }
}

/// By access key.
#[derive(Default)]
pub(super) struct Callers(Mutex<BTreeMap<String, Session>>);

impl Callers {
    fn sessions(&self) -> MutexGuard<'_, BTreeMap<String, Session>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn assume(&self, role_arn: &str, session: &str, lifetime: TimeDelta) -> SessionCredentials {
        let random = || uuid::Uuid::new_v4().simple().to_string();
        let credentials = SessionCredentials {
            access_key_id: format!("ASIA{}", &random().to_uppercase()[..16]),
            secret_access_key: random(),
            session_token: format!("{}+/{}==", random(), random()),
        };
        self.remember(credentials.clone(), role_arn, session, Utc::now() + lifetime);
        credentials
    }

    /// What moto has handed out.
    pub(super) fn learn(&self, answer: &str, role_arn: &str, session: &str) {
        let text = |tag: &str| {
            let (_, rest) = answer.split_once(&format!("<{tag}>"))?;
            rest.split('<').next().map(str::to_owned)
        };
        let credentials = || {
            let (access_key_id, secret_access_key) = (text("AccessKeyId")?, text("SecretAccessKey")?);
            Some(SessionCredentials { access_key_id, secret_access_key, session_token: text("SessionToken")? })
        };
        if let (Some(credentials), Some(expires)) = (credentials(), text("Expiration").and_then(|t| t.parse().ok())) {
            self.remember(credentials, role_arn, session, expires);
        }
    }

    fn remember(&self, credentials: SessionCredentials, role_arn: &str, session: &str, expires: DateTime<Utc>) {
        let arn = role_arn.replacen(":iam:", ":sts:", 1).replacen(":role/", ":assumed-role/", 1);
        let arn = format!("{arn}/{session}");
        self.sessions().insert(credentials.access_key_id.clone(), Session { credentials, arn, expires });
    }

    pub(super) fn secret_of(&self, access_key: &str, now: DateTime<Utc>) -> Option<String> {
        let sessions = self.sessions();
        let session = sessions.get(access_key).filter(|session| session.expires > now)?;
        Some(session.credentials.secret_access_key.clone())
    }

    /// The ARN of whoever signed the request.
    pub(super) fn who_signed(&self, request: &Request<'_>, now: DateTime<Utc>) -> Result<String, Refused> {
        let header = |name: &str| request.headers.get(name).and_then(|value| value.to_str().ok());
        let authorization = header("authorization").and_then(Authorization::parse);
        let authorization = authorization.ok_or(Refused::MissingAuthenticationToken)?;
        let sessions = self.sessions();
        let session = sessions.get(authorization.access_key_id).ok_or(Refused::InvalidClientTokenId)?;
        if header("x-amz-security-token") != Some(&session.credentials.session_token) {
            return Err(Refused::InvalidClientTokenId);
        }
        let signed = authorization.check(request, &session.credentials.secret_access_key, now);
        signed.map_err(Refused::SignatureDoesNotMatch)?;
        if session.expires <= now {
            return Err(Refused::ExpiredToken);
        }
        Ok(session.arn.clone())
    }
}

pub(super) fn answer(arn: &str) -> String {
    let account = arn.split(':').nth(4).unwrap_or_default();
    let session = arn.rsplit('/').next().unwrap_or_default();
    format!(
        "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><GetCallerIdentityResult>\
         <Arn>{arn}</Arn><UserId>AROALOCALLOCALLOCAL00:{session}</UserId><Account>{account}</Account>\
         </GetCallerIdentityResult><ResponseMetadata><RequestId>{}</RequestId></ResponseMetadata>\
         </GetCallerIdentityResponse>",
        uuid::Uuid::new_v4()
    )
}
