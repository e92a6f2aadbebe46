//! Google's token issuer: RS256-signed tokens of three parts, and the public key to check them with.

use anyhow::{Context, Result};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

pub(crate) const ISSUER: &str = "https://accounts.google.com";

pub struct Issuer {
    key: KeyPair,
    key_id: String,
}

/// Why a token is not one of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidToken {
    #[error("the token is not three parts of base64url, two of them JSON")]
    Shape,
    #[error("the token is not signed by this issuer")]
    Signature,
}

impl Issuer {
    pub(crate) fn generate() -> Result<Self> {
        let key = KeyPair::generate(KeySize::Rsa2048).context("generate a signing key")?;
        Ok(Self { key, key_id: uuid::Uuid::new_v4().simple().to_string() })
    }

    pub fn sign(&self, claims: &Value) -> Result<String> {
        let header = json!({"alg": "RS256", "kid": self.key_id, "typ": "JWT"});
        let signed = format!("{}.{}", encode(header.to_string()), encode(claims.to_string()));
        let mut signature = vec![0; self.key.public_modulus_len()];
        self.key
            .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature)
            .context("sign a token")?;
        Ok(format!("{signed}.{}", encode(signature)))
    }

    /// The claims of a token that this issuer signed. Whether they are still good is for the caller.
    pub fn verify(&self, token: &str) -> Result<Value, InvalidToken> {
        let (signed, signature) = token.rsplit_once('.').ok_or(InvalidToken::Shape)?;
        let (header, claims) = signed.split_once('.').ok_or(InvalidToken::Shape)?;
        let (header, claims) = (decode_json(header)?, decode_json(claims)?);
        let signature = decode(signature)?;
        let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, self.key.public_key().as_ref());
        let ours = header["alg"] == "RS256" && header["kid"] == self.key_id.as_str();
        match key.verify(signed.as_bytes(), &signature) {
            Ok(()) if ours => Ok(claims),
            _ => Err(InvalidToken::Signature),
        }
    }

    /// The public key as <https://www.googleapis.com/oauth2/v3/certs> would show it.
    pub fn jwks(&self) -> Value {
        let public = self.key.public_key();
        let modulus = encode(public.modulus().big_endian_without_leading_zero());
        let exponent = encode(public.exponent().big_endian_without_leading_zero());
        json!({"keys": [{"kty": "RSA", "alg": "RS256", "use": "sig", "kid": self.key_id, "n": modulus, "e": exponent}]})
    }
}

fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn decode(part: &str) -> Result<Vec<u8>, InvalidToken> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| InvalidToken::Shape)
}

fn decode_json(part: &str) -> Result<Value, InvalidToken> {
    serde_json::from_slice(&decode(part)?).map_err(|_| InvalidToken::Shape)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_issuer_itself_signs_its_tokens() {
        let (issuer, other) = (Issuer::generate().unwrap(), Issuer::generate().unwrap());
        let claims = json!({"sub": "1", "aud": "a"});
        let token = issuer.sign(&claims).unwrap();
        assert_eq!(token.split('.').count(), 3);
        assert_eq!(issuer.verify(&token), Ok(claims));
        assert_eq!(other.verify(&token), Err(InvalidToken::Signature));
    }

    #[test]
    fn a_token_with_other_claims_under_the_same_signature_is_refused() {
        let issuer = Issuer::generate().unwrap();
        let token = issuer.sign(&json!({"sub": "1"})).unwrap();
        let parts: Vec<&str> = token.split('.').collect();
        let forged = format!("{}.{}.{}", parts[0], encode(r#"{"sub":"2"}"#), parts[2]);
        assert_eq!(issuer.verify(&forged), Err(InvalidToken::Signature));
        for broken in ["", "a", "a.b", "a.b.c", "ya29.access-token", "e30.e30", &format!("{token}.x")] {
            assert_eq!(issuer.verify(broken), Err(InvalidToken::Shape), "{broken}");
        }
    }
}
