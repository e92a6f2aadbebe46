//! Cluster snapshots: taking and describing them.

use chrono::{DateTime, Utc};

use super::fault::Fault;
use super::wire::{Parameters, Xml};
use super::{State, arn};
use crate::export::Source;

#[derive(Clone)]
pub struct Snapshot {
    pub id: String,
    pub cluster: String,
    /// automated, manual, shared, public, awsbackup
    pub kind: String,
    /// available, creating, deleting, …
    pub status: String,
    pub created: Option<DateTime<Utc>>,
    /// `None`: nothing was ever in it.
    pub source: Option<Source>,
}

impl Snapshot {
    /// An empty one, available.
    pub fn new(id: &str, cluster: &str, kind: &str, created: DateTime<Utc>) -> Self {
        let (id, cluster, kind) = (id.to_owned(), cluster.to_owned(), kind.to_owned());
        Self { id, cluster, kind, status: "available".into(), created: Some(created), source: None }
    }

    #[must_use]
    pub fn with_status(mut self, status: &str) -> Self {
        status.clone_into(&mut self.status);
        self
    }

    pub fn arn(&self) -> String {
        arn("cluster-snapshot", &self.id)
    }

    fn xml(&self) -> Xml {
        let engine = self.source.as_ref().map(Source::engine).unwrap_or_default();
        let percent = if self.status == "creating" { "42" } else { "100" };
        Xml::default()
            .text("DBClusterSnapshotIdentifier", &self.id)
            .text("DBClusterIdentifier", &self.cluster)
            .time("SnapshotCreateTime", self.created)
            .text("Engine", engine.name())
            .text("EngineVersion", engine.version())
            .text("Status", &self.status)
            .text("SnapshotType", &self.kind)
            .text("PercentProgress", percent)
            .text("StorageEncrypted", "true")
            .text("DBClusterSnapshotArn", self.arn())
    }
}

impl State {
    pub(super) fn describe_snapshots(&self, parameters: &Parameters) -> Result<Xml, Fault> {
        let id = parameters.get("DBClusterSnapshotIdentifier");
        let id = id.map(|id| super::wire::parse_arn(id).map_or_else(|| id.to_owned(), |(_, id)| id));
        let (cluster, kind) = (parameters.get("DBClusterIdentifier"), parameters.get("SnapshotType"));
        if id.is_some() && cluster.is_some() {
            let message = "DBClusterIdentifier and DBClusterSnapshotIdentifier can't be used together.";
            return Err(Fault::new("InvalidParameterCombination", message));
        }
        // An automated one is found by its name only where its type is given too. Source: RDS API reference,
        // `DescribeDBClusterSnapshots`; what it answers otherwise is [unverified].
        let named = |snapshot: &Snapshot, id: &str| id == snapshot.id && (snapshot.kind == "manual" || kind.is_some());
        let wanted = |snapshot: &Snapshot| {
            id.as_ref().is_none_or(|id| named(snapshot, id))
                && cluster.is_none_or(|cluster| cluster == snapshot.cluster)
                && kind.map_or(["automated", "manual"].contains(&snapshot.kind.as_str()), |kind| kind == snapshot.kind)
        };
        let mut found: Vec<Snapshot> =
            self.lock().snapshots.values().filter(|snapshot| wanted(snapshot)).cloned().collect();
        if let Some(id) = id.filter(|_| found.is_empty()) {
            return Err(Fault::new("DBClusterSnapshotNotFoundFault", format!("DBClusterSnapshot {id} not found.")));
        }
        // RDS promises no order. This one is stable, and surely not that of time.
        found.sort_by_cached_key(|snapshot| snapshot.id.bytes().rev().collect::<Vec<_>>());
        let (page, marker) = parameters.page(&found, |snapshot| &snapshot.id)?;
        let snapshots = page.iter().map(Snapshot::xml);
        Ok(Xml::default().maybe("Marker", marker).list("DBClusterSnapshots", "DBClusterSnapshot", snapshots))
    }

    pub(super) async fn create_snapshot(&self, parameters: &Parameters) -> Result<Xml, Fault> {
        let id = parameters.required("DBClusterSnapshotIdentifier")?;
        let cluster = parameters.required("DBClusterIdentifier")?;
        self.cluster(&cluster)?;
        if self.lock().snapshots.contains_key(&id) {
            let message =
                format!("Cannot create the cluster snapshot because one with the identifier {id} already exists.");
            return Err(Fault::new("DBClusterSnapshotAlreadyExistsFault", message));
        }
        let source = self.contents().await.map_err(|error| Fault::new("InternalFailure", format!("{error:#}")))?;
        let mut snapshot = Snapshot::new(&id, &cluster, "manual", Utc::now());
        snapshot.source = Some(source);
        let xml = snapshot.clone().with_status("creating").xml();
        let arn = snapshot.arn();
        self.lock().snapshots.insert(id.clone(), snapshot);
        self.tell("RDS-EVENT-0075", "backup", "Manual cluster snapshot created", &id, &arn);
        Ok(xml.wrapped("DBClusterSnapshot"))
    }
}
