//! A real Redis Cluster of three processes.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::{Redis, START_WITHIN};
use crate::process::free_port;

/// Three primaries, each with a third of the slots, and no replicas.
pub struct RedisCluster {
    pub nodes: Vec<Redis>,
}

const NODES: u16 = 3;
/// Source: Redis Cluster specification, "Key distribution model".
const SLOTS: u16 = 16_384;

impl RedisCluster {
    pub async fn start(dir: &Path) -> Result<Self> {
        let mut nodes = Vec::new();
        for _ in 0..NODES {
            let (port, bus) = (free_port()?, free_port()?.to_string());
            let nodes_file = format!("nodes-{port}.conf");
            let options = ["--cluster-enabled", "yes", "--cluster-config-file", &nodes_file, "--cluster-port", &bus];
            // A node that is lost takes its own slots with it and no others.
            let alone = ["--cluster-node-timeout", "2000", "--cluster-require-full-coverage", "no"];
            // One that has given its slots away stays what it is; else it obeys the taker as soon as it hears of it.
            let primary = ["--cluster-allow-replica-migration", "no"];
            nodes.push(Redis::start_with(dir, port, &[&options[..], &alone[..], &primary[..]].concat()).await?);
        }
        let cluster = Self { nodes };
        cluster.meet().await?;
        Ok(cluster)
    }

    async fn meet(&self) -> Result<()> {
        for (n, node) in (0..).zip(&self.nodes) {
            let (first, last) = share(n);
            node.done(&format!("CLUSTER ADDSLOTSRANGE {first} {last}")).await?;
            node.done(&format!("CLUSTER SET-CONFIG-EPOCH {}", n + 1)).await?;
        }
        for node in &self.nodes[1..] {
            let bus = bus_port(node).await?;
            self.nodes[0].done(&format!("CLUSTER MEET 127.0.0.1 {} {bus}", node.port())).await?;
        }
        let began = Instant::now();
        while !self.is_whole().await? {
            ensure!(began.elapsed() < START_WITHIN, "the nodes of the Redis Cluster did not meet");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    /// Every node knows the others, and that each slot has one.
    async fn is_whole(&self) -> Result<bool> {
        for node in &self.nodes {
            let told = node.text("CLUSTER INFO").await?;
            let lines = ["cluster_state:ok", "cluster_known_nodes:3", "cluster_size:3"];
            if !lines.iter().all(|line| told.lines().any(|told| told == *line)) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Gives the slots of the first node to the last one. What was in them is lost.
    pub async fn move_slots(&self) -> Result<()> {
        let (first, last) = share(0);
        let [giver, .., taker] = &self.nodes[..] else { return Ok(()) };
        let name = taker.text("CLUSTER MYID").await?;
        let words = (first..=last).map(|slot| format!("CLUSTER SETSLOT {slot} NODE {name}"));
        let words: Vec<String> = words.collect();
        giver.done("FLUSHALL").await?;
        // The taker has the greater epoch, so all believe it.
        for node in self.nodes.iter().rev() {
            node.all_done(&words).await?;
        }
        Ok(())
    }
}

/// The slots that a node has at the beginning.
fn share(node: u16) -> (u16, u16) {
    let share = SLOTS / NODES;
    (node * share, if node + 1 == NODES { SLOTS - 1 } else { (node + 1) * share - 1 })
}

async fn bus_port(node: &Redis) -> Result<String> {
    // `{id} 127.0.0.1:7000@17000 myself,master …`
    let told = node.text("CLUSTER NODES").await?;
    let bus = told.split('@').nth(1).and_then(|rest| rest.split([' ', ',']).next());
    Ok(bus.context("a node that has no bus")?.to_owned())
}
