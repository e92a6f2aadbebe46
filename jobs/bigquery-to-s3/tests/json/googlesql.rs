//! What Google's own evaluator of GoogleSQL says: `googlesql.yaml` has the expressions. Their values go over the wire of
//! the Storage Read API, in messages that Arrow's own library wrote, through all that a row goes through in the job; each
//! body must be, byte by byte, the JSON that the same evaluator wrote of the value.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bigquery_to_s3::json::{JsonOptions, RowFormat};
use bigquery_to_s3::read::{Chunk, Patience, Reader};
use bigquery_to_s3::rows::{ChunkRows, Rendering};
use bytes::Bytes;
use google_cloud_auth::credentials::anonymous;
use handoff::sync::{Destination, Layout, ShardRange};
use local::bigquery::PROJECT;
use local::read::{StoredTable, StoredTables};
use local::tools;
use serde::Deserialize;

const PAGE: &str = include_str!("../../../../docs/spec/json.md");
const ALL: ShardRange = ShardRange { first: 0, last: 0 };

/// The values of one type.
#[derive(Deserialize)]
struct Evaluated {
    #[serde(rename = "type")]
    kind: String,
    schema: String,
    batch: String,
    expressions: Vec<String>,
    expected: Vec<String>,
}

fn evaluated() -> Vec<Evaluated> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python = tools::tool("googlesql", "python").unwrap();
    let output = Command::new(&python)
        .arg("-B") // no __pycache__ beside the sources
        .arg(here.join("../../xtask/googlesql/evaluate.py"))
        .arg(here.join("tests/json/googlesql.yaml"))
        .arg(python.ancestors().nth(2).unwrap())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

impl Evaluated {
    fn name(&self) -> String {
        format!("projects/{PROJECT}/datasets/d/tables/{}", self.kind)
    }

    fn stored(&self) -> StoredTable {
        let bytes = |text: &String| Bytes::from(STANDARD.decode(text).unwrap());
        let rows = i64::try_from(self.expressions.len()).unwrap();
        StoredTable { schema: bytes(&self.schema), batch: bytes(&self.batch), rows }
    }

    /// The body of each row, or why it has none, by the place of its expression.
    async fn published(&self, reader: &Reader) -> BTreeMap<usize, Result<String, String>> {
        let rows = self.expressions.len() as u64;
        let read = reader.read(0, &self.name(), Chunk { range: ALL, rows }, false).await.unwrap();
        let rendering = Rendering {
            destination: Destination { bucket: "acme".into(), prefix: "values".into() },
            layout: Layout::Packed,
            shards: 1,
            max_body_bytes: 1 << 20,
            format: RowFormat::new(&JsonOptions::default()),
        };
        let shard = ChunkRows::new(read, ALL, 1, &[rows]).unwrap().render(0, &rendering).unwrap();
        let body = |n: usize| Ok(String::from_utf8(shard.body(n).to_vec()).unwrap());
        let bodies = shard.keys.iter().enumerate().map(|(n, key)| (key.clone(), body(n)));
        let rejects = shard.rejects.iter().map(|reject| (reject.key.clone().unwrap(), Err(reject.reason.clone())));
        bodies.chain(rejects).map(|(key, row)| (key.parse().unwrap(), row)).collect()
    }
}

fn is_right(row: &Result<String, String>, expected: &str) -> bool {
    match row {
        Ok(body) => *body == format!(r#"{{"v":{expected}}}"#),
        Err(reason) => {
            expected.contains("refused") && reason.starts_with("column v") && reason.ends_with(", which JSON cannot")
        }
    }
}

#[tokio::test]
async fn every_value_is_published_as_googles_own_evaluator_writes_it() {
    let evaluated = evaluated();
    let stored =
        StoredTables::start(evaluated.iter().map(|each| (each.name(), each.stored())).collect()).await.unwrap();
    let patience = Patience { idle: Duration::from_secs(10), give_up_after: Duration::from_secs(10) };
    let credentials = anonymous::Builder::new().build();
    let reader = Reader::connect(Some(stored.endpoint()), &credentials, PROJECT, patience).await.unwrap();
    let (mut compared, mut wrong) = (0, Vec::new());
    for each in &evaluated {
        let published = each.published(&reader).await;
        assert_eq!(published.len(), each.expressions.len(), "{}", each.kind);
        for (n, row) in published {
            compared += 1;
            if !is_right(&row, &each.expected[n]) {
                wrong.push(format!("{}\n  wanted {}\n  is     {row:?}", each.expressions[n], each.expected[n]));
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {compared}:\n{}", wrong.len(), wrong.join("\n"));
    page_has_no_other_type(&evaluated);
}

/// The first column of the page's table: each type has values, or is named as one that cannot be evaluated.
fn page_has_no_other_type(evaluated: &[Evaluated]) {
    let table = PAGE.split("| BigQuery | JSON | notes |").nth(1).unwrap().split("\n\n").next().unwrap();
    let types = table.lines().skip(2).map(|line| line.split('|').nth(1).unwrap());
    let types = types.flat_map(|types| types.split(',').map(str::trim));
    let is_there = |of: &&str| evaluated.iter().any(|each| each.kind.split('<').next() == Some(of));
    let missing: Vec<&str> = types.filter(|of| !is_there(of)).collect();
    assert_eq!(missing, ["GEOGRAPHY", "NULL"], "the evaluator has no geography; NULL is no type");
}
