//! lookup, where it runs as a server that we can reach.

use super::Questions;
use crate::clouds::fetched;
use crate::status::facts::{Asked, Served};

impl Questions<'_> {
    pub(super) async fn lookup(&self) -> Option<Asked<Served>> {
        let url = self.arguments.lookup_url.as_deref()?.trim_end_matches('/');
        Some(served(url, &self.syncs_listed()).await)
    }

    fn syncs_listed(&self) -> Vec<String> {
        let listed = lineage::syncs(&self.arguments.syncs).unwrap_or_default();
        listed.into_iter().map(|sync| sync.name).collect()
    }
}

async fn served(url: &str, syncs: &[String]) -> Asked<Served> {
    let (status, said) =
        fetched(&format!("{url}/healthz")).await.map_err(|error| format!("{url}/healthz: {error:#}"))?;
    let healthy = if status == 200 { Ok(()) } else { Err(format!("{status}: {said}")) };
    let mut generations = Vec::new();
    for sync in syncs {
        // A sync that this lookup does not serve is no fault of either.
        let Ok((200, answer)) = fetched(&format!("{url}/v1/{sync}")).await else { continue };
        let answer: serde_json::Value = serde_json::from_str(&answer).unwrap_or_default();
        if let Some(generation) = answer["generation"].as_str() {
            generations.push((sync.clone(), generation.to_owned()));
        }
    }
    Ok(Served { healthy, generations })
}
