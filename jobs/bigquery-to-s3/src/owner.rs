//! Whose a prefix is. Two syncs on one prefix would each take the other's rows for vanished ones.

use anyhow::{Context, Result, bail};
use handoff::sync::{Current, Owner, SyncKey};
use tracing::info;

use crate::bucket::Bucket;
use crate::claim::{Claimed, claim_unowned};
use crate::current::{current, generations, nonce, published};
use crate::leased::Put;
use crate::started::begun;
use crate::syncs::Sync;
use crate::{Clouds, RunError, Task};

pub fn owner(sync: &Sync, scratch: &str) -> Owner {
    Owner { sync: sync.name.to_string(), scratch: Some(scratch.to_owned()) }
}

/// The sync that has published here; before that, the one that has begun to.
async fn standing(bucket: &Bucket, sync: &Sync) -> Result<Option<Owner>> {
    let destination = &sync.destination;
    match current(bucket, destination).await? {
        Some((Current { owner: Some(owner), .. }, _)) => return Ok(Some(owner)),
        Some(_) => return Ok(published(bucket, destination).await?.map(|published| published.owner())),
        None => {}
    }
    let generations = generations(bucket, destination).await?;
    let newest = begun(bucket, destination, &generations).await?.into_iter().next();
    Ok(newest.map(|(_, started)| Owner { sync: started.sync, scratch: None }))
}

pub async fn ensure_ours(bucket: &Bucket, sync: &Sync, scratch: &str) -> Result<()> {
    let Some(theirs) = standing(bucket, sync).await? else { return Ok(()) };
    if is_same(&theirs, &owner(sync, scratch)) {
        return Ok(());
    }
    let (destination, name) = (&sync.destination, &sync.name);
    let of = theirs.scratch.map_or(String::new(), |scratch| format!(" of the list with scratch dataset {scratch}"));
    bail!(
        "{destination} belongs to sync {}{of}, not to {name}: give {name} another prefix. If it is the same sync, renamed \
         or moved: bigquery-to-s3 adopt --sync {name}",
        theirs.sync
    )
}

/// What an older version published says no scratch dataset.
fn is_same(one: &Owner, other: &Owner) -> bool {
    let scratch = one.scratch.as_ref().zip(other.scratch.as_ref());
    one.sync == other.sync && scratch.is_none_or(|(one, other)| one == other)
}

/// From now on the prefix is this sync's, with all that stands there. Readers follow at their next poll.
pub async fn adopt(sync: &Sync, clouds: &Clouds, task: &Task) -> Result<Option<Owner>, RunError> {
    let Claimed::Held(held) = claim_unowned(sync, clouds, task).await? else { return Ok(None) };
    let (destination, ours) = (&sync.destination, owner(sync, &clouds.scratch));
    let published = published(&held.bucket, destination).await?;
    let published = published.with_context(|| format!("{destination} holds nothing that could be adopted"))?;
    let before = published.owner();
    let adopted = Current { owner: Some(ours.clone()), nonce: nonce(), ..published.current };
    let json = serde_json::to_vec(&adopted).context("write CURRENT")?;
    let key = destination.key(&SyncKey::Current);
    if held.bucket.replace(&key, json, &published.etag).await? == Put::Lost {
        return Err(anyhow::anyhow!("CURRENT of {destination} was flipped meanwhile; adopt it again").into());
    }
    info!("{destination}, which was of sync {}, is of {} now", before.sync, ours.sync);
    held.end(false).await?;
    Ok(Some(before))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sync_of_another_name_or_list_is_another_one_and_an_old_manifest_names_no_list() {
        let owner =
            |sync: &str, scratch: Option<&str>| Owner { sync: sync.into(), scratch: scratch.map(str::to_owned) };
        let ours = owner("users", Some("acme.isthmus_stg"));
        assert!(is_same(&ours, &ours) && is_same(&owner("users", None), &ours));
        assert!(!is_same(&owner("orders", None), &ours));
        assert!(!is_same(&owner("users", Some("acme.isthmus_prod")), &ours));
    }
}
