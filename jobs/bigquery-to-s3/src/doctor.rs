//! Whether everything that a run needs is in place, one line a thing, and what to do where it is not.

use std::path::Path;

use anyhow::{Context, Result};
use keyless::aws::{Claims, KeylessConfig};
use serde::Serialize;
use serde_json::Value;

use crate::Clouds;
use crate::run::source;
use crate::syncs::{Sync, Syncs};

#[derive(Debug, Clone, Serialize)]
pub struct Finding {
    pub check: String,
    pub ok: bool,
    pub message: String,
}

/// Goes on after a failure as far as there is something left to look at.
pub async fn examine(
    syncs: &Syncs,
    clouds: &Clouds,
    keyless: &KeylessConfig,
    trust_policy: Option<&Path>,
) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    let claims = keyless::aws::token_claims(&keyless.audience).await;
    let token = claims.as_ref().map(ToString::to_string).map_err(|error| startup::with_causes(error));
    findings.push(finding("Google identity token", token));
    if let (Some(file), Ok(claims)) = (trust_policy, &claims) {
        findings.extend(compare(claims, &read_policy(file)?));
    }
    let credentials = clouds.keyless.credentials().await;
    let assumed = credentials.map(|_| format!("assumed {}", keyless.role_arn));
    let assumed = assumed.map_err(|failure| startup::with_causes(&*failure));
    let has_credentials = assumed.is_ok();
    findings.push(finding("AWS role", assumed));
    for sync in syncs.iter() {
        if has_credentials {
            let looked = crate::current::published(&clouds.bucket(sync), &sync.destination).await;
            findings.push(finding(&format!("S3, sync {}", sync.name), s3_message(sync, looked)));
        }
        let bytes = clouds.bigquery.dry_run_bytes(&source(sync)).await;
        let said = bytes.map(|bytes| format!("the query is valid and reads {}", indicatif::HumanBytes(bytes)));
        findings.push(finding(&format!("BigQuery, sync {}", sync.name), said.map_err(|error| causes(&error))));
    }
    Ok(findings)
}

fn s3_message(sync: &Sync, looked: Result<Option<crate::current::Published>>) -> Result<String, String> {
    match looked {
        Ok(Some(published)) => Ok(format!("{} is at generation {}", sync.destination, published.manifest.generation)),
        Ok(None) => Ok(format!("{} can be read; nothing is published there yet", sync.destination)),
        Err(error) => Err(causes(&error)),
    }
}

fn causes(error: &anyhow::Error) -> String {
    startup::with_causes(error.as_ref())
}

fn finding(check: &str, result: Result<String, String>) -> Finding {
    let ok = result.is_ok();
    Finding { check: check.to_owned(), ok, message: result.unwrap_or_else(|message| message) }
}

/// What `aws iam get-role --query Role.AssumeRolePolicyDocument` prints.
fn read_policy(file: &Path) -> Result<Value> {
    let text = std::fs::read(file).with_context(|| format!("read {}", file.display()))?;
    serde_json::from_slice(&text).with_context(|| format!("{} is not a trust policy in JSON", file.display()))
}

/// Each condition that decides, beside what the token carries.
fn compare(claims: &Claims, policy: &Value) -> Vec<Finding> {
    let azp = claims.azp.as_ref().or(claims.aud.as_ref());
    let pairs = [("aud", "azp", azp), ("oaud", "aud", claims.aud.as_ref()), ("sub", "sub", claims.sub.as_ref())];
    let found = pairs.map(|(key, claim, carried)| {
        let expected = expected(policy, &format!("accounts.google.com:{key}"));
        let carried = carried.map_or("nothing", String::as_str);
        let ok = expected.iter().any(|expected| expected == carried);
        let expects = if expected.is_empty() {
            "does not pin it".to_owned()
        } else {
            format!("expects {}", expected.join(" or "))
        };
        let message = format!("the token's {claim} is {carried}; the role {expects}");
        Finding { check: format!("condition accounts.google.com:{key}"), ok, message }
    });
    found.into()
}

fn expected(policy: &Value, key: &str) -> Vec<String> {
    let statements = match &policy["Statement"] {
        Value::Array(statements) => statements.clone(),
        one => vec![one.clone()],
    };
    let values = statements.iter().map(|statement| statement["Condition"]["StringEquals"][key].clone());
    let texts = values.flat_map(|value| match value {
        Value::Array(values) => values,
        one => vec![one],
    });
    texts.filter_map(|value| value.as_str().map(str::to_owned)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn each_condition_stands_beside_what_the_token_carries() {
        let text = |text: &str| Some(text.to_owned());
        let claims = Claims { aud: text("isthmus-stg"), azp: text("117"), sub: text("117"), email: None };
        let conditions = json!({"accounts.google.com:aud": "117", "accounts.google.com:oaud": ["isthmus-prod"]});
        let policy = json!({"Statement": [{"Condition": {"StringEquals": conditions}}]});
        let said: Vec<_> = compare(&claims, &policy).into_iter().map(|found| (found.ok, found.message)).collect();
        assert_eq!(
            said,
            [
                (true, "the token's azp is 117; the role expects 117".to_owned()),
                (false, "the token's aud is isthmus-stg; the role expects isthmus-prod".to_owned()),
                (false, "the token's sub is 117; the role does not pin it".to_owned()),
            ]
        );
    }
}
