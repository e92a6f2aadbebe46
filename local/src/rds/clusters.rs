//! Clusters: what snapshots are of, and what can be exported alive.

use super::fault::Fault;
use super::snapshots::Snapshot;
use super::wire::{Parameters, Xml, parse_arn};
use super::{State, arn};
use crate::aurora::Engine;

impl State {
    pub(super) fn describe_clusters(&self, parameters: &Parameters) -> Result<Xml, Fault> {
        let id = parameters.get("DBClusterIdentifier").map(plain_id);
        if let Some(id) = &id {
            self.cluster(id)?;
        }
        let found: Vec<String> = self.lock().clusters.iter().cloned().collect();
        let found: Vec<String> = found.into_iter().filter(|name| id.as_ref().is_none_or(|id| id == name)).collect();
        let (page, marker) = parameters.page(&found, |name| name)?;
        let engine = self.engine();
        let clusters = page.iter().map(|name| xml(name, engine));
        Ok(Xml::default().maybe("Marker", marker).list("DBClusters", "DBCluster", clusters))
    }

    pub(super) fn cluster(&self, id: &str) -> Result<(), Fault> {
        if self.lock().clusters.contains(id) {
            return Ok(());
        }
        Err(Fault::new("DBClusterNotFoundFault", format!("DBCluster {id} not found.")))
    }

    /// RDS exports a live cluster out of a clone of it, which holds what the cluster holds now.
    /// Source: Aurora user guide, "Exporting DB cluster data to Amazon S3".
    pub(super) async fn clone_of(&self, cluster: &str) -> Result<Snapshot, Fault> {
        let source = self.contents().await.map_err(|error| Fault::new("InternalFailure", format!("{error:#}")))?;
        Ok(Snapshot {
            id: cluster.to_owned(),
            cluster: cluster.to_owned(),
            kind: "clone".into(),
            status: "available".into(),
            created: None,
            source: Some(source),
        })
    }
}

/// An identifier or an ARN; RDS does not mind its case.
fn plain_id(text: &str) -> String {
    parse_arn(text).map_or_else(|| text.to_owned(), |(_, id)| id).to_lowercase()
}

fn xml(id: &str, engine: Engine) -> Xml {
    Xml::default()
        .text("DBClusterIdentifier", id)
        .text("DBClusterArn", arn("cluster", id))
        .text("Engine", engine.name())
        .text("EngineVersion", engine.version())
        .text("Status", "available")
}
