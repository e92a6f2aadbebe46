//! IAM Credentials: a service account's token for whoever may act as it.
//! <https://cloud.google.com/iam/docs/reference/credentials/rest/v1/projects.serviceAccounts/generateAccessToken>

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde_json::{Value, json};

use super::condition::Attributes;
use super::refused::Refused;

/// "By default, the maximum allowed value is 1 hour."
const LONGEST_LIFETIME: i64 = 3600;

#[derive(Default)]
pub(super) struct Accounts {
    /// Who gave `roles/iam.workloadIdentityUser` to whom: account and `principalSet://…`.
    pub(super) bindings: BTreeSet<(String, String)>,
    federated: BTreeMap<String, Attributes>,
    tokens: BTreeMap<String, (String, DateTime<Utc>)>,
}

impl Accounts {
    /// The answer of the token exchange.
    pub(super) fn federate(&mut self, attributes: Attributes) -> Value {
        let token = format!("ya29.d.{}", uuid::Uuid::new_v4().simple());
        self.federated.insert(token.clone(), attributes);
        json!({"access_token": token, "issued_token_type": "urn:ietf:params:oauth:token-type:access_token",
            "token_type": "Bearer", "expires_in": 3600})
    }

    pub(super) fn generate(
        &mut self,
        bearer: &str,
        email: &str,
        audience: &str,
        body: &[u8],
    ) -> Result<Value, Refused> {
        let attributes = self.federated.get(bearer).ok_or_else(Refused::unauthenticated)?;
        let pool = audience.split("/providers/").next().unwrap_or_default();
        let sets = attributes.iter().filter(|(name, _)| name.starts_with("attribute."));
        let mut sets = sets.map(|(name, value)| format!("principalSet:{pool}/{name}/{value}"));
        let allowed = sets.any(|set| self.bindings.contains(&(email.to_owned(), set)));
        if !allowed {
            let resource = format!("projects/-/serviceAccounts/{email}");
            return Err(Refused::denied("iam.serviceAccounts.getAccessToken", &resource));
        }
        let body: Value = serde_json::from_slice(body).map_err(|error| Refused::invalid(error.to_string()))?;
        if body["scope"].as_array().is_none_or(Vec::is_empty) {
            return Err(Refused::invalid("scope: at least one scope is required"));
        }
        let lifetime = match body.get("lifetime").and_then(Value::as_str) {
            None => Some(LONGEST_LIFETIME),
            Some(text) => text.strip_suffix('s').and_then(|seconds| seconds.parse().ok()),
        };
        let lifetime = lifetime.filter(|seconds| (1..=LONGEST_LIFETIME).contains(seconds));
        let lifetime = lifetime.ok_or_else(|| Refused::invalid("lifetime must be 1s to 3600s"))?;
        let (token, expires) =
            (format!("ya29.c.{}", uuid::Uuid::new_v4().simple()), Utc::now() + TimeDelta::seconds(lifetime));
        self.tokens.insert(token.clone(), (email.to_owned(), expires));
        Ok(json!({"accessToken": token, "expireTime": expires.to_rfc3339_opts(SecondsFormat::Secs, true)}))
    }

    /// Whose token this is.
    pub(super) fn account(&self, bearer: &str) -> Result<String, Refused> {
        let known = self.tokens.get(bearer).filter(|(_, expires)| Utc::now() < *expires);
        known.map(|(email, _)| email.clone()).ok_or_else(Refused::unauthenticated)
    }

    /// From now on nobody takes the tokens that were given out.
    pub(super) fn forget(&mut self) {
        self.federated.clear();
        self.tokens.clear();
    }
}
