//! Google's STS for identities of AWS: it sends the signed request on to AWS, and believes what AWS answers.
//! <https://cloud.google.com/iam/docs/workload-identity-federation-with-other-clouds>, <https://google.aip.dev/auth/4117>
//! Google publishes no list of its errors; those whose text is known from reports have it, the others say what is wrong.

use std::collections::BTreeMap;

use percent_encoding::percent_decode_str;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde::Deserialize;

use super::condition::{Attributes, Value, evaluate};
use super::refused::Refused;

/// A workload identity pool's provider of the kind AWS.
#[derive(Debug, Clone)]
pub struct Provider {
    /// `//iam.googleapis.com/projects/NUMBER/locations/global/workloadIdentityPools/POOL/providers/PROVIDER`
    pub audience: String,
    pub aws_account: String,
    /// `google.subject`, `attribute.aws_role`: each with its expression.
    pub attribute_mapping: Vec<(String, String)>,
    pub attribute_condition: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Exchange {
    grant_type: String,
    audience: String,
    scope: String,
    requested_token_type: String,
    subject_token_type: String,
    subject_token: String,
}

/// The serialized request to AWS.
#[derive(Deserialize)]
struct Signed {
    url: String,
    method: String,
    headers: Vec<Header>,
    #[serde(default)]
    body: String,
}

#[derive(Deserialize)]
struct Header {
    key: String,
    value: String,
}

/// "at most 127 bytes". Source: IAM REST reference, `attributeMapping` of a provider.
const LONGEST_SUBJECT: usize = 127;

impl Provider {
    /// The attributes of whoever signed, where the provider lets them in.
    pub(super) async fn let_in(&self, exchange: &Exchange, aws_sts: &str) -> Result<Attributes, Refused> {
        self.check(exchange)?;
        let malformed = || Refused::exchange("invalid_grant", "AWS request has invalid format.");
        // Google's libraries write a space as `+`.
        let token = exchange.subject_token.replace('+', " ");
        let token = percent_decode_str(&token).decode_utf8().map_err(|_| malformed())?;
        let signed: Signed = serde_json::from_str(&token).map_err(|_| malformed())?;
        let request = self.request(&signed)?;
        let url = format!("{aws_sts}{}", signed.url.split_once(".amazonaws.com").unwrap_or_default().1);
        let answer = reqwest::Client::new().post(url).headers(request).body(signed.body).send().await;
        let answer = answer.map_err(|error| Refused::exchange("temporarily_unavailable", error.to_string()))?;
        let (status, text) = (answer.status(), answer.text().await.unwrap_or_default());
        if !status.is_success() {
            let told = format!("Received an invalid response from AWS: {status} {text}");
            return Err(Refused::exchange("invalid_grant", told));
        }
        self.mapped(&text)
    }

    fn check(&self, exchange: &Exchange) -> Result<(), Refused> {
        let wrong = |name: &str, value: &str| {
            Refused::exchange("invalid_request", format!("Invalid value for \"{name}\": {value}"))
        };
        if exchange.grant_type != "urn:ietf:params:oauth:grant-type:token-exchange" {
            return Err(Refused::exchange(
                "unsupported_grant_type",
                format!("Invalid grant type: {}", exchange.grant_type),
            ));
        }
        if exchange.requested_token_type != "urn:ietf:params:oauth:token-type:access_token" {
            return Err(wrong("requested_token_type", &exchange.requested_token_type));
        }
        if exchange.subject_token_type != "urn:ietf:params:aws:token-type:aws4_request" {
            return Err(wrong("subject_token_type", &exchange.subject_token_type));
        }
        if !exchange.scope.starts_with("https://www.googleapis.com/auth/") {
            return Err(Refused::exchange("invalid_scope", "A scope must be given."));
        }
        if exchange.audience != self.audience {
            let told = "The target service indicated by the \"audience\" parameters is invalid. This might either be \
                        because the pool or provider is disabled or deleted or because it doesn't exist.";
            return Err(Refused::exchange("invalid_target", told));
        }
        Ok(())
    }

    /// The headers to send on, where this is a request to AWS that was signed for this provider.
    fn request(&self, signed: &Signed) -> Result<HeaderMap, Refused> {
        let refused = |told: String| Err(Refused::exchange("invalid_grant", told));
        let host = signed.url.strip_prefix("https://").and_then(|rest| rest.split('/').next()).unwrap_or_default();
        let region = host.strip_prefix("sts.").and_then(|rest| rest.strip_suffix(".amazonaws.com"));
        let of_aws = host == "sts.amazonaws.com" || region.is_some_and(|region| !region.contains('.'));
        if !of_aws || signed.method != "POST" || !signed.url.contains("?Action=GetCallerIdentity&Version=2011-06-15") {
            return refused(format!("{} {} is not GetCallerIdentity of AWS STS.", signed.method, signed.url));
        }
        let mut headers = HeaderMap::new();
        for Header { key, value } in &signed.headers {
            let (Ok(name), Ok(value)) = (key.parse::<HeaderName>(), HeaderValue::from_str(value)) else {
                return refused("AWS request has invalid format.".into());
            };
            headers.append(name, value);
        }
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        if text("host") != host {
            return refused(format!("The host header {:?} is not the host of {}.", text("host"), signed.url));
        }
        if text("x-goog-cloud-target-resource") != self.audience {
            return refused("The header x-goog-cloud-target-resource is not the audience.".into());
        }
        let list = text("authorization").split("SignedHeaders=").nth(1).and_then(|rest| rest.split(',').next());
        if !list.unwrap_or_default().split(';').any(|name| name == "x-goog-cloud-target-resource") {
            return refused("The header x-goog-cloud-target-resource is not signed.".into());
        }
        Ok(headers)
    }

    fn mapped(&self, caller: &str) -> Result<Attributes, Refused> {
        let rejected =
            || Refused::exchange("unauthorized_client", "The given credential is rejected by the attribute condition.");
        let text = |tag: &str| {
            let (_, rest) = caller.split_once(&format!("<{tag}>"))?;
            rest.split('<').next().map(str::to_owned)
        };
        let mut attributes: Attributes = BTreeMap::new();
        for (name, tag) in [("assertion.arn", "Arn"), ("assertion.account", "Account"), ("assertion.userid", "UserId")]
        {
            attributes.insert(name.to_owned(), text(tag).unwrap_or_default());
        }
        if attributes["assertion.account"] != self.aws_account {
            return Err(Refused::exchange("invalid_grant", "The AWS account is not the one of the provider."));
        }
        for (name, expression) in &self.attribute_mapping {
            let value = evaluate(expression, &attributes);
            let Ok(Value::Text(value)) = value else {
                return Err(Refused::exchange("invalid_grant", format!("The mapping of {name}: {value:?}")));
            };
            attributes.insert(name.clone(), value);
        }
        let subject = attributes.get("google.subject").map_or(0, String::len);
        if !(1..=LONGEST_SUBJECT).contains(&subject) {
            return Err(Refused::exchange(
                "invalid_grant",
                format!("google.subject has {subject} bytes, not 1 to 127."),
            ));
        }
        match evaluate(&self.attribute_condition, &attributes) {
            Ok(Value::Bool(true)) => Ok(attributes),
            _ => Err(rejected()),
        }
    }
}
