//! The emulator's Storage Read API, and the wire that stands before it.

use google_cloud_bigquery::model::arrow_serialization_options::CompressionCodec;
use local::bigquery::PROJECT;
use local::emulator_pool::PooledBigQuery;
use local::read::{ReadFault, ReadWire, Status, StoredTable, StoredTables};

use crate::reading::{Ask, client, messages, numbers, session, stream};

#[tokio::test]
async fn the_emulator_sends_small_messages_and_a_cut_stream_goes_on_at_its_offset() {
    let bigquery = PooledBigQuery::take().await.unwrap();
    bigquery.create_dataset("app").await.unwrap();
    bigquery.query("CREATE TABLE app.many AS SELECT n FROM UNNEST(GENERATE_ARRAY(0, 122999)) AS n").await.unwrap();
    let wire = ReadWire::start(&bigquery.grpc_endpoint()).await.unwrap();
    let client = client(&wire.endpoint()).await;

    let ask = Ask { restriction: "n >= 1000", fields: &["n"], streams: 4, ..Ask::default() };
    let made = session(&client, "app.many", ask).await.unwrap();
    let asked = &wire.sessions()[0];
    assert_eq!(asked.table, format!("projects/{PROJECT}/datasets/app/tables/many"));
    assert_eq!(
        (asked.row_restriction.as_str(), asked.selected_fields.as_slice()),
        ("n >= 1000", ["n".into()].as_slice())
    );
    assert_eq!((asked.max_stream_count, asked.session.as_ref()), (4, Some(&made.name)));
    assert_eq!(made.streams.len(), 2, "one for each 100,000 rows");

    let whole = messages(stream(&client, &made, 0)).await.unwrap();
    let sizes: Vec<i64> = whole.iter().map(|message| message.row_count).collect();
    assert_eq!(sizes, [vec![5_000; 12], vec![1_000]].concat());
    assert_eq!(numbers(&made, &whole, "n"), (1_000..62_000).collect::<Vec<_>>());

    wire.forget();
    let cut = ReadFault::CutAfter { messages: 3, status: Status::unavailable("the server is going away") };
    wire.fault(2, cut, local::read::ReadRequest::is_rows);
    let resumed = messages(stream(&client, &made, 1)).await.unwrap();
    assert_eq!(numbers(&made, &resumed, "n"), (62_000..123_000).collect::<Vec<_>>());
    let calls: Vec<(i64, usize)> = wire.rows().iter().map(|call| (call.offset, call.messages)).collect();
    assert_eq!(calls, [(0, 3), (15_000, 3), (30_000, 7)]);
}

/// They are not evaluated, so a kinder answer would be a wrong one.
#[tokio::test]
async fn stored_tables_answer_the_jobs_own_question_and_no_other() {
    let table = StoredTable { schema: "schema".into(), batch: "batch".into(), rows: 3 };
    let name = format!("projects/{PROJECT}/datasets/d/tables/t");
    let stored = StoredTables::start([(name, table)].into()).await.unwrap();
    let client = client(stored.endpoint()).await;
    let whole = "isthmus_shard >= 0 AND isthmus_shard < 1 AND isthmus_key IS NOT NULL";
    let ask = Ask { restriction: whole, compression: CompressionCodec::Lz4Frame, ..Ask::default() };

    let made = session(&client, "d.t", ask.clone()).await.unwrap();
    let sent = messages(stream(&client, &made, 0)).await.unwrap();
    assert_eq!(sent.iter().map(|message| message.row_count).collect::<Vec<_>>(), [3]);
    let batch = sent[0].arrow_record_batch().unwrap().serialized_record_batch.clone();
    assert_eq!(
        (made.arrow_schema().unwrap().serialized_schema.as_ref(), batch.as_ref()),
        (&b"schema"[..], &b"batch"[..])
    );

    let others = [
        ("d.other", ask.clone(), "Not found: Table"),
        ("d.t", Ask { restriction: "isthmus_shard >= 0", ..ask.clone() }, "these tables are sent whole"),
        ("d.t", Ask { fields: &["v"], ..ask.clone() }, "these tables are sent whole"),
        ("d.t", Ask { compression: CompressionCodec::Zstd, ..ask }, "these tables are sent whole"),
    ];
    for (table, ask, refusal) in others {
        let refused = session(&client, table, ask).await.unwrap_err().to_string();
        assert!(refused.contains(refusal), "{refused}");
    }
}
