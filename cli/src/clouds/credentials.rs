//! The operator's AWS credentials.

use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{self, ProvideCredentials, SharedCredentialsProvider, future};
use serde::Deserialize;
use tokio::process::Command;

/// The SDK's own chain, and where that has none the `aws` command: it knows every kind of login (SSO, `aws login`), each
/// of which would be a client more to compile here.
#[derive(Debug)]
pub(super) struct Operator {
    pub(super) chain: SharedCredentialsProvider,
}

impl ProvideCredentials for Operator {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.find())
    }
}

impl Operator {
    async fn find(&self) -> provider::Result {
        match self.chain.provide_credentials().await {
            Ok(credentials) => Ok(credentials),
            Err(none) => exported().await.map_err(|why| {
                CredentialsError::not_loaded(format!("{none}; and `aws configure export-credentials`: {why}"))
            }),
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Exported {
    access_key_id: String,
    secret_access_key: String,
    session_token: Option<String>,
}

async fn exported() -> Result<Credentials, String> {
    let mut command = Command::new("aws");
    let output = command.args(["configure", "export-credentials", "--format", "process"]).output().await;
    let output = output.map_err(|error| error.to_string())?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).trim().to_owned());
    }
    let exported: Exported = serde_json::from_slice(&output.stdout).map_err(|error| error.to_string())?;
    let Exported { access_key_id, secret_access_key, session_token } = exported;
    Ok(Credentials::new(access_key_id, secret_access_key, session_token, None, "aws configure export-credentials"))
}
