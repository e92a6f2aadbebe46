use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;

/// What a Google identity token says about its bearer. Safe to print: it is not the token.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Claims {
    pub aud: Option<String>,
    pub azp: Option<String>,
    pub sub: Option<String>,
    pub email: Option<String>,
}

impl Claims {
    /// Reads the middle part of a token. The signature is for AWS to check; a token that cannot be read has no claims.
    pub fn of(token: &str) -> Self {
        let payload = token.split('.').nth(1).unwrap_or_default();
        let decoded = URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).unwrap_or_default();
        serde_json::from_slice(&decoded).unwrap_or_default()
    }

    /// The conditions of a trust policy that lets exactly this token in.
    ///
    /// For AWS, `accounts.google.com:aud` is the token's `azp` (its `aud` where there is no `azp`), and
    /// `accounts.google.com:oaud` is the token's `aud`.
    /// Source: IAM user guide, "IAM and AWS STS condition context keys", AWS web identity federation.
    pub fn trust_conditions(&self) -> String {
        let of = |claim: &Option<String>| claim.clone().unwrap_or_default();
        let aud = of(if self.azp.is_some() { &self.azp } else { &self.aud });
        format!(
            "accounts.google.com:aud = {aud:?}, accounts.google.com:oaud = {:?}, accounts.google.com:sub = {:?}",
            of(&self.aud),
            of(&self.sub)
        )
    }
}

impl fmt::Display for Claims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of = |claim: &Option<String>| claim.as_ref().map_or("none".to_owned(), |text| format!("{text:?}"));
        let (aud, azp, sub, email) = (of(&self.aud), of(&self.azp), of(&self.sub), of(&self.email));
        write!(f, "aud = {aud}, azp = {azp}, sub = {sub}, email = {email}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(claims: &str) -> String {
        format!("e30.{}.c2lnbmF0dXJl", URL_SAFE_NO_PAD.encode(claims))
    }

    #[test]
    fn the_claims_are_read_beside_those_that_we_do_not_know() {
        let claims = Claims::of(&token(
            r#"{"iss":"https://accounts.google.com","aud":"isthmus-prod","azp":"1042","sub":"1042",
                "email":"load@acme.iam.gserviceaccount.com","email_verified":true,"exp":1795000000}"#,
        ));
        assert_eq!(
            claims.to_string(),
            r#"aud = "isthmus-prod", azp = "1042", sub = "1042", email = "load@acme.iam.gserviceaccount.com""#
        );
        assert_eq!(
            claims.trust_conditions(),
            r#"accounts.google.com:aud = "1042", accounts.google.com:oaud = "isthmus-prod", accounts.google.com:sub = "1042""#
        );
    }

    #[test]
    fn without_azp_the_audience_stands_in_both_places() {
        let claims = Claims::of(&token(r#"{"aud":"isthmus-prod","sub":"1042"}"#));
        assert!(claims.trust_conditions().starts_with(r#"accounts.google.com:aud = "isthmus-prod", "#));
    }

    #[test]
    fn what_is_not_a_token_has_no_claims() {
        for text in ["", "abc", "a.b.c", "a.!!.c", &token("[]"), &token("{\"aud\":1}")] {
            assert_eq!(Claims::of(text), Claims::default(), "{text}");
        }
        assert_eq!(Claims::default().to_string(), "aud = none, azp = none, sub = none, email = none");
    }
}
