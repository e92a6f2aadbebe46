//! What no account shows without a write: in one object below `doctor/` and one table, both of a name that nobody else has,
//! and both deleted at the end, whatever comes out.

use std::fmt::Display;
use std::time::Duration;

use aws_sdk_s3::error::SdkError;
use aws_sdk_s3::operation::put_object::PutObjectError;
use aws_sdk_s3::primitives::ByteStream;
use chrono::Utc;

use super::gather::modified;
use super::seen::{KeySeen, Written};
use crate::status::facts::Asked;
use crate::status::probe::{Questions, known};

/// A clock of BigQuery that moves by itself would have moved.
const PAUSE: Duration = Duration::from_secs(3);

pub async fn written(questions: &Questions<'_>, scratch: &str) -> Written {
    let name = format!("doctor_{}_{}", Utc::now().format("%Y%m%dT%H%M%S%6f"), std::process::id());
    let (objects, modified) = tokio::join!(objects(questions, &name), table(questions, scratch, &name));
    let (create_twice, replace_another, encryption) = match objects {
        Ok(found) => (found.0, found.1, found.2),
        Err(why) => (Err(why.clone()), Err(why.clone()), Err(why)),
    };
    Written { create_twice, replace_another, encryption, modified }
}

type Objects = (Asked<Option<u16>>, Asked<Option<u16>>, Asked<(String, KeySeen)>);

async fn objects(questions: &Questions<'_>, name: &str) -> Asked<Objects> {
    let (s3, bucket) = (questions.aws()?.s3(), known(&questions.names.app_bucket)?);
    let key = format!("doctor/{name}");
    let failed = |error: &dyn Display| format!("write s3://{bucket}/{key}: {error}");
    let put = || s3.put_object().bucket(bucket).key(&key).body(ByteStream::from_static(b"isthmus doctor"));
    let first = put().if_none_match("*").send().await.map_err(|error| failed(&startup::with_causes(&error)))?;
    let kind = first.server_side_encryption().map_or("none", |kind| kind.as_str()).to_owned();
    let encryption = (
        kind,
        KeySeen {
            of: format!("s3://{bucket}"),
            key: first.ssekms_key_id().map(str::to_owned),
            product: questions.names.kms_key.clone(),
        },
    );
    let twice = refusal(put().if_none_match("*").send().await.err());
    let another = refusal(put().if_match("\"00000000000000000000000000000000\"").send().await.err());
    let deleted = s3.delete_object().bucket(bucket).key(&key).send().await;
    deleted.map_err(|error| format!("delete s3://{bucket}/{key}: {}", startup::with_causes(&error)))?;
    Ok((twice, another, Ok(encryption)))
}

/// `None` where the write was taken.
fn refusal(error: Option<SdkError<PutObjectError>>) -> Asked<Option<u16>> {
    let Some(error) = error else { return Ok(None) };
    let status = error.raw_response().map(|response| response.status().as_u16());
    status.map(Some).ok_or_else(|| startup::with_causes(&error))
}

async fn table(
    questions: &Questions<'_>,
    scratch: &str,
    name: &str,
) -> Asked<(chrono::DateTime<Utc>, chrono::DateTime<Utc>)> {
    let (google, project, location) = questions.project()?;
    let quoted = format!("`{project}.{scratch}.{name}`");
    let looked = async {
        google.query(project, location, &format!("CREATE TABLE {quoted} AS SELECT 1 AS n")).await?;
        let before = modified(google, project, scratch, name).await?;
        tokio::time::sleep(PAUSE).await;
        google.query(project, location, &format!("SELECT n FROM {quoted}")).await?;
        Ok::<_, anyhow::Error>((before, modified(google, project, scratch, name).await?))
    };
    let found = looked.await;
    let dropped = google.query(project, location, &format!("DROP TABLE IF EXISTS {quoted}")).await;
    let found = found.map_err(|error| format!("a table in {scratch}: {error:#}"))?;
    dropped.map_err(|error| format!("drop {scratch}.{name}: {error:#}"))?;
    Ok(found)
}
