//! Going back in layout objects publishes the older result once more, and what comes out has to be what was published then.
//! Its rows decide. Where the bytes of a shard's list differ, another version of this program may have written it.

use anyhow::Result;
use handoff::sync::{Generation, GenerationManifest};

use crate::lists::List;
use crate::rows::Rendered;
use crate::shard_file::Row;
use crate::standing::Standing;

/// Of a shard; found before anything is written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Otherwise {
    #[error(
        "it would not be what {0} was: json or max_body_bytes of the sync, or how this program writes JSON, changed \
         since; set them back, or run"
    )]
    Rows(Generation),
    #[error("its list of {0} is gone or damaged, so nobody can tell whether it would be what it was; run")]
    NoList(Generation),
}

/// `own_sha256`: of the list of these rows, where there are any.
pub async fn ensure_as_it_was(
    earlier: &GenerationManifest,
    standing: &Standing,
    shard: u32,
    rendered: &Rendered,
    own_sha256: Option<&str>,
) -> Result<()> {
    let file = earlier.records[shard as usize].file.as_ref();
    if file.map(|file| file.sha256.as_str()) == own_sha256 {
        return Ok(());
    }
    let generation = || earlier.generation.clone();
    let Some(file) = file else { return Err(Otherwise::Rows(generation()).into()) };
    let list = List { generation: &file.generation, shard, sha256: Some(&file.sha256) };
    let rows = standing.lists.rows(list).await?.ok_or_else(|| Otherwise::NoList(generation()))?;
    if are(&rows, rendered) { Ok(()) } else { Err(Otherwise::Rows(generation()).into()) }
}

fn are(rows: &[Row], rendered: &Rendered) -> bool {
    let alike = |(n, row): (usize, &Row)| row.key == rendered.keys[n] && row.value == rendered.hashes[n];
    rows.len() == rendered.keys.len() && rows.iter().enumerate().all(alike)
}
