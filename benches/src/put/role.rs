//! Credentials as a job gets them: from a metadata server and an STS, on loopback.

use std::path::Path;

use anyhow::Result;
use local::metadata::{Metadata, ServiceAccount};
use local::moto::Moto;
use local::sts::{Sts, Trust};

pub const ARN: &str = "arn:aws:iam::123456789012:role/bench";
pub const AUDIENCE: &str = "isthmus-bench";
const UNIQUE_ID: &str = "117";

pub struct Role {
    metadata: Metadata,
    sts: Sts,
    _moto: Moto,
}

impl Role {
    /// `dir` is a folder for logs.
    pub async fn start(dir: &Path) -> Result<Self> {
        let account = ServiceAccount { email: "bench@local".into(), unique_id: UNIQUE_ID.into() };
        let metadata = Metadata::start(account).await?;
        let moto = Moto::start(dir).await?;
        let trust = Trust { role_arn: ARN.into(), aud: UNIQUE_ID.into(), oaud: AUDIENCE.into(), sub: UNIQUE_ID.into() };
        let sts = Sts::start(trust, &metadata, &moto).await?;
        Ok(Self { metadata, sts, _moto: moto })
    }

    /// For `GCE_METADATA_HOST`.
    pub fn metadata(&self) -> String {
        self.metadata.host()
    }

    pub fn sts(&self) -> String {
        self.sts.endpoint()
    }
}
