use super::*;
use crate::json::JsonOptions;
use arrow_array::{ArrayRef, Float64Array};
use std::sync::Arc;

const SHARDS: u32 = 4;

fn batch(rows: &[(Option<&str>, f64)]) -> RecordBatch {
    let keys: ArrayRef = Arc::new(rows.iter().map(|(key, _)| *key).collect::<StringArray>());
    let scores: ArrayRef = Arc::new(Float64Array::from_iter_values(rows.iter().map(|(_, score)| *score)));
    let shard = |key: Option<&str>| key.map_or(0, |key| i64::from(KeyHash::of(key).shard(SHARDS)));
    let shards: ArrayRef = Arc::new(Int64Array::from_iter_values(rows.iter().map(|(key, _)| shard(*key))));
    let columns = [("id", Arc::clone(&keys)), ("score", scores), (KEY_COLUMN, keys), (SHARD_COLUMN, shards)];
    RecordBatch::try_from_iter(columns).unwrap()
}

fn counted(batches: &[RecordBatch]) -> [u64; SHARDS as usize] {
    let mut counted = [0; SHARDS as usize];
    for batch in batches {
        let shards = batch.column_by_name(SHARD_COLUMN).unwrap().as_primitive::<Int64Type>();
        shards.values().iter().for_each(|shard| counted[usize::try_from(*shard).unwrap()] += 1);
    }
    counted
}

const ALL: ShardRange = ShardRange { first: 0, last: SHARDS - 1 };

fn read(batches: Vec<RecordBatch>) -> ReadRows {
    ReadRows { batches, ..ReadRows::default() }
}

fn rendering(layout: Layout) -> Rendering {
    let destination = Destination { bucket: "acme".into(), prefix: "users".into() };
    let format = RowFormat::new(&JsonOptions::default());
    Rendering { destination, layout, shards: SHARDS, max_body_bytes: 40, format }
}

fn rendered(batches: Vec<RecordBatch>) -> Vec<Rendered> {
    let counted = counted(&batches);
    let rows = ChunkRows::new(read(batches), ALL, SHARDS, &counted).unwrap();
    (0..SHARDS).map(|shard| rows.render(shard, &rendering(Layout::Objects)).unwrap()).collect()
}

#[test]
fn rows_of_several_batches_come_sorted_with_their_own_columns_and_hashes() {
    let shards =
        rendered(vec![batch(&[(Some("b"), 2.0), (Some("d"), 4.0)]), batch(&[(Some("c"), 3.0), (Some("a"), 1.0)])]);
    let mut bodies = Vec::new();
    for shard in shards {
        assert!(shard.keys.is_sorted() && shard.rejects.is_empty());
        for n in 0..shard.keys.len() {
            assert_eq!(shard.hashes[n], sha256(shard.body(n)));
            bodies.push(String::from_utf8(shard.body(n).to_vec()).unwrap());
        }
    }
    bodies.sort();
    let expected = [("a", "1.0"), ("b", "2.0"), ("c", "3.0"), ("d", "4.0")];
    assert_eq!(bodies, expected.map(|(id, score)| format!("{{\"id\":\"{id}\",\"score\":{score}}}")));
}

#[test]
fn a_row_that_cannot_be_published_is_set_aside_and_leaves_no_trace_in_the_others() {
    let long = "k".repeat(30);
    let rows = [(Some("x"), 1.0), (Some("nan"), f64::NAN), (Some("x"), 2.0), (Some(&long), 1.0), (Some("y"), 3.0)];
    let shards = rendered(vec![batch(&rows)]);
    let rejects: Vec<_> = shards.iter().flat_map(|shard| shard.rejects.clone()).collect();
    let why = |key: Option<&str>| {
        rejects.iter().filter(|reject| reject.key.as_deref() == key).map(|r| r.reason.as_str()).collect::<Vec<_>>()
    };
    assert_eq!(why(Some("x")), ["2 rows have this key"]);
    assert_eq!(why(Some("nan")), ["column score holds NaN, which JSON cannot"]);
    assert_eq!(why(Some(&long)), ["the body has 51 bytes, 40 is the limit (max_body_bytes)"]);
    let kept: Vec<_> = shards.iter().flat_map(|shard| (0..shard.keys.len()).map(|n| shard.body(n))).collect();
    assert_eq!(kept, [Bytes::from(r#"{"id":"y","score":3.0}"#)]);
}

#[test]
fn what_is_judged_is_what_is_rendered() {
    let long = "k".repeat(30);
    let rows = [(Some("x"), 1.0), (Some("nan"), f64::NAN), (Some("x"), 2.0), (Some(&long), 1.0), (Some("y"), 3.0)];
    let batches = vec![batch(&rows), batch(&[(Some("z"), 0.25), (Some("a"), 7.0)])];
    let counted = counted(&batches);
    let rows = ChunkRows::new(read(batches), ALL, SHARDS, &counted).unwrap();
    for (shard, layout) in (0..SHARDS).flat_map(|shard| [(shard, Layout::Objects), (shard, Layout::Packed)]) {
        let rendered = rows.render(shard, &rendering(layout)).unwrap();
        let (keys, bytes) = (rendered.keys.len() as u64, rendered.bodies.len() as u64);
        let expected = Judged { rows: keys, bytes, rejects: rendered.rejects };
        assert_eq!(rows.judge(shard, &rendering(layout)).unwrap(), expected);
    }
}

#[test]
fn a_key_of_many_rows_is_one_reject_of_as_many() {
    let mut sieve = crate::sieve::Sieve::default();
    let batches = vec![batch(&[(Some("x"), 1.0); 5]), batch(&[(Some("y"), 1.0), (Some("x"), 1.0)])];
    let counted = counted(&batches);
    let kept = batches.iter().map(|batch| sieve.pass(batch).unwrap()).collect();
    let rows = ChunkRows::new(ReadRows { batches: kept, repeated: sieve.repeated() }, ALL, SHARDS, &counted).unwrap();
    let shard = rows.render(KeyHash::of("x").shard(SHARDS), &rendering(Layout::Packed)).unwrap();
    let reject = Reject { key: Some("x".into()), reason: "6 rows have this key".into(), rows: 6 };
    assert_eq!(shard.rejects, [reject]);
}

#[test]
fn a_shard_that_comes_short_and_a_row_of_another_shard_are_noticed() {
    let batches = vec![batch(&[(Some("a"), 1.0), (Some("b"), 2.0)])];
    let mut more = counted(&batches);
    more[3] += 1;
    let error = ChunkRows::new(read(batches.clone()), ALL, SHARDS, &more).err().unwrap().to_string();
    assert!(error.ends_with(&format!("BigQuery counted {}", more[3])), "{error}");

    let shard = KeyHash::of("a").shard(SHARDS);
    let other = (shard + 1) % SHARDS;
    let range = ShardRange { first: other, last: other };
    let error = ChunkRows::new(read(vec![batch(&[(Some("a"), 1.0)])]), range, SHARDS, &[1]).err().unwrap().to_string();
    assert_eq!(error, format!("a row of shard {shard} came with shards {range}"));
}

#[test]
fn a_hash_that_bigquery_computes_otherwise_is_no_row_of_ours() {
    let wrong = rendering(Layout::Packed);
    let batches = vec![batch(&[(Some("1"), 1.0)])];
    let counted = counted(&batches);
    let rows = ChunkRows::new(read(batches), ALL, SHARDS, &counted).unwrap();
    let shard = KeyHash::of("1").shard(SHARDS);
    let error = rows.render(shard, &Rendering { shards: 8, ..wrong }).err().unwrap().to_string();
    assert_eq!(error, format!("key \"1\" is of shard {}, BigQuery says {shard}", KeyHash::of("1").shard(8)));
}
