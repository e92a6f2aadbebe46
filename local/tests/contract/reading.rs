//! Reads a table as isthmus does: with Google's client, over gRPC, in Arrow.

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_ipc::reader::StreamDecoder;
use google_cloud_auth::credentials::anonymous;
use google_cloud_bigquery::builder::read::ReadRows;
use google_cloud_bigquery::client::Read;
use google_cloud_bigquery::model::arrow_serialization_options::CompressionCodec;
use google_cloud_bigquery::model::read_session::TableReadOptions;
use google_cloud_bigquery::model::{ArrowSerializationOptions, DataFormat, ReadRowsResponse, ReadSession};
use local::bigquery::PROJECT;

pub async fn client(endpoint: &str) -> Read {
    let credentials = anonymous::Builder::new().build();
    Read::builder().with_endpoint(endpoint).with_credentials(credentials).build().await.unwrap()
}

/// What a session is asked for; the rest is left out.
#[derive(Clone, Default)]
pub struct Ask {
    pub restriction: &'static str,
    pub fields: &'static [&'static str],
    pub streams: i32,
    pub compression: CompressionCodec,
}

pub async fn session(client: &Read, table: &str, ask: Ask) -> google_cloud_bigquery::Result<ReadSession> {
    let (dataset, table) = table.split_once('.').unwrap();
    let options = TableReadOptions::new()
        .set_row_restriction(ask.restriction)
        .set_selected_fields(ask.fields.iter().copied())
        .set_arrow_serialization_options(ArrowSerializationOptions::new().set_buffer_compression(ask.compression));
    let session = ReadSession::new()
        .set_data_format(DataFormat::Arrow)
        .set_table(format!("projects/{PROJECT}/datasets/{dataset}/tables/{table}"))
        .set_read_options(options);
    let request = client.create_read_session().set_parent(format!("projects/{PROJECT}")).set_read_session(session);
    request.set_max_stream_count(ask.streams).send().await
}

pub fn stream(client: &Read, session: &ReadSession, index: usize) -> ReadRows {
    client.read_rows().set_read_stream(&session.streams[index].name)
}

/// Every message of a stream, with the client's own resuming.
pub async fn messages(stream: ReadRows) -> google_cloud_bigquery::Result<Vec<ReadRowsResponse>> {
    let (mut reader, mut messages) = (stream.into_reader(), Vec::new());
    while let Some(message) = reader.next().await {
        messages.push(message?);
    }
    Ok(messages)
}

pub fn batches(session: &ReadSession, messages: &[ReadRowsResponse]) -> Vec<RecordBatch> {
    let schema = session.arrow_schema().unwrap().serialized_schema.clone();
    let mut decoder = StreamDecoder::new();
    assert!(decoder.decode(&mut schema.into()).unwrap().is_none());
    let batch = |message: &ReadRowsResponse| {
        let bytes = message.arrow_record_batch().unwrap().serialized_record_batch.clone();
        let batch = decoder.decode(&mut bytes.into()).unwrap().unwrap();
        assert_eq!(i64::try_from(batch.num_rows()).unwrap(), message.row_count);
        batch
    };
    messages.iter().map(batch).collect()
}

/// The values of an INT64 column, message after message.
pub fn numbers(session: &ReadSession, messages: &[ReadRowsResponse], column: &str) -> Vec<i64> {
    let of = |batch: RecordBatch| batch.column_by_name(column).unwrap().as_primitive::<Int64Type>().values().to_vec();
    batches(session, messages).into_iter().flat_map(of).collect()
}
