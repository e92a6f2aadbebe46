//! A table by the Storage Read API, as the job reads it.

use arrow_array::RecordBatch;
use arrow_buffer::Buffer;
use arrow_ipc::reader::StreamDecoder;
use google_cloud_auth::credentials::anonymous;
use google_cloud_bigquery::client::Read;
use google_cloud_bigquery::model::{DataFormat, ReadSession};
use local::bigquery::{BigQuery, PROJECT};

/// The emulator ends its schema message as if the stream ended there.
const END_OF_STREAM: &[u8] = &[0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0];

pub async fn read(bigquery: &BigQuery, dataset: &str, table: &str) -> Vec<RecordBatch> {
    let credentials = anonymous::Builder::new().build();
    let client = Read::builder().with_endpoint(bigquery.grpc_endpoint()).with_credentials(credentials);
    let client = client.build().await.unwrap();
    let path = format!("projects/{PROJECT}/datasets/{dataset}/tables/{table}");
    let asked = ReadSession::new().set_table(path).set_data_format(DataFormat::Arrow);
    let parent = format!("projects/{PROJECT}");
    let session = client.create_read_session().set_parent(parent).set_read_session(asked).send().await.unwrap();
    let schema = &session.arrow_schema().unwrap().serialized_schema;
    let mut decoder = StreamDecoder::new();
    assert!(decode(&mut decoder, schema.strip_suffix(END_OF_STREAM).unwrap_or(schema)).is_none());
    let mut batches = Vec::new();
    for stream in &session.streams {
        let mut answers = client.read_rows().set_read_stream(&stream.name).into_reader();
        while let Some(answer) = answers.next().await.transpose().unwrap() {
            let message = &answer.arrow_record_batch().unwrap().serialized_record_batch;
            batches.extend(decode(&mut decoder, message));
        }
    }
    batches
}

/// One message: the schema gives nothing, the others a batch each.
fn decode(decoder: &mut StreamDecoder, message: &[u8]) -> Option<RecordBatch> {
    let mut message = Buffer::from(message);
    let batch = decoder.decode(&mut message).unwrap();
    assert!(message.is_empty());
    batch
}
