//! A source that is a program: it gets a table's name as its last argument and writes the table's rows as an Arrow IPC
//! stream to its standard output. It has ended well when it says so, with exit code 0.

use std::io::BufReader;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail, ensure};
use arrow_array::RecordBatch;
use arrow_cast::cast;
use arrow_ipc::reader::StreamReader;
use arrow_schema::{DataType, Schema};
use chrono::Utc;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

use crate::columns::{Column, Selection, bigquery_name};
use crate::order::{Extract, Meter, Order, ReadError};
use crate::sheet::{Batches, Losses, arrow_schema};
use crate::types::{Read, Type};

/// For the program to end after its last row.
const LAST_WORDS: Duration = Duration::from_secs(10);
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// What the program is not told.
const SECRETS: [&str; 2] = ["DATABASE_PASSWORD_", "MASK_KEY"];

pub async fn extract(words: &[String], order: &Order<'_>) -> Result<Extract, ReadError> {
    let (began, snapshot_time) = (Instant::now(), Utc::now());
    let mut running = Running(start(words, order)?);
    let stdout = running.0.stdout.take().context("the program has no output")?;
    let read = timeout(order.table.max_time, rows(stdout, order)).await;
    let status = running.end(if read.is_ok() { LAST_WORDS } else { Duration::ZERO }).await?;
    let (batches, columns) = match (read, status) {
        (Err(_), _) => return Err(ReadError::TooLong),
        (_, Some(status)) if !status.success() => return Err(anyhow!("{} ended with {status}", words[0]).into()),
        (Ok(Err(error)), _) => return Err(error.into()),
        (Ok(Ok(_)), None) => return Err(anyhow!("{} wrote its rows and did not end", words[0]).into()),
        (Ok(Ok(read)), Some(_)) => read,
    };
    let rows = batches.close().await?;
    let selection = Selection { columns, secrets: Vec::new(), key: Vec::new(), cursor: None };
    let (losses, transaction) = (Losses::default(), began.elapsed());
    let (counted, keys, watermark) = (None, None, None);
    Ok(Extract { rows, counted, losses, keys, selection, snapshot_time, watermark, transaction })
}

/// Whoever gives the rows up ends the program that makes them.
struct Running(Child);

impl Running {
    /// How it ended by itself; none where it had to be killed.
    async fn end(&mut self, within: Duration) -> Result<Option<ExitStatus>> {
        let began = Instant::now();
        loop {
            if let Some(status) = self.0.try_wait().context("wait for the program")? {
                return Ok(Some(status));
            }
            if began.elapsed() >= within {
                let _ = self.0.kill();
                let _ = self.0.wait();
                return Ok(None);
            }
            sleep(LOOK_EVERY).await;
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
    }
}

fn start(words: &[String], order: &Order<'_>) -> Result<Child> {
    let (program, arguments) = words.split_first().context("no program is named")?;
    let mut command = Command::new(program);
    command.args(arguments).arg(order.table.source.table()).stdin(Stdio::null()).stdout(Stdio::piped());
    for (name, _) in std::env::vars_os() {
        if SECRETS.iter().any(|secret| name.to_string_lossy().starts_with(secret)) {
            command.env_remove(name);
        }
    }
    command.spawn().with_context(|| format!("start {program}"))
}

async fn rows(stdout: ChildStdout, order: &Order<'_>) -> Result<(Batches, Vec<Column>)> {
    let (sender, mut receiver) = mpsc::channel(1);
    let meter = Arc::clone(&order.meter);
    let reader = tokio::task::spawn_blocking(move || read(stdout, &sender, &meter));
    let mut begun: Option<(Batches, Vec<Column>)> = None;
    while let Some(message) = receiver.recv().await {
        match (message, &mut begun) {
            (Message::Columns(columns), _) => {
                begun = Some((Batches::start(arrow_schema(&columns), order.dir)?, columns));
            }
            (Message::Rows(batch), Some((batches, _))) => batches.write(batch).await?,
            (Message::Rows(_), None) => bail!("rows before the schema"),
        }
    }
    reader.await.context("the reader of the stream")??;
    begun.context("the program wrote no Arrow IPC stream")
}

enum Message {
    Columns(Vec<Column>),
    Rows(RecordBatch),
}

fn read(stdout: ChildStdout, sender: &mpsc::Sender<Message>, meter: &Meter) -> Result<()> {
    let reader = StreamReader::try_new(BufReader::new(stdout), None).context("read the program's Arrow IPC stream")?;
    let columns = columns(&reader.schema())?;
    let schema = arrow_schema(&columns);
    if sender.blocking_send(Message::Columns(columns)).is_err() {
        return Ok(()); // the other side has failed, and says why
    }
    for batch in reader {
        let batch = batch.context("read the program's Arrow IPC stream")?;
        let arrays = batch.columns().iter().zip(schema.fields()).map(|(array, field)| cast(array, field.data_type()));
        let batch = RecordBatch::try_new(Arc::clone(&schema), arrays.collect::<Result<_, _>>()?)?;
        meter.read.fetch_add(batch.num_rows() as u64, Ordering::Relaxed);
        if sender.blocking_send(Message::Rows(batch)).is_err() {
            return Ok(());
        }
    }
    Ok(())
}

fn columns(schema: &Schema) -> Result<Vec<Column>> {
    ensure!(!schema.fields().is_empty(), "the program's stream has no columns");
    let column = |field: &Arc<arrow_schema::Field>| {
        let (name, source_type) = (field.name(), field.data_type().to_string());
        let r#type = of_arrow(field.data_type()).with_context(|| {
            format!("column {name}: {source_type} has no place in a row of a table, give it as JSON text")
        })?;
        let (source, read, hmac, nullable) = (name.clone(), Read::Plain, false, field.is_nullable());
        Ok(Column { source, source_type, name: bigquery_name(name), r#type, read, hmac, nullable })
    };
    schema.fields().iter().map(column).collect()
}

#[allow(clippy::match_same_arms)] // each type of Arrow in its place
fn of_arrow(data_type: &DataType) -> Option<Type> {
    Some(match data_type {
        DataType::Boolean => Type::Bool,
        DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::Int64 => Type::Int64,
        DataType::UInt8 | DataType::UInt16 | DataType::UInt32 => Type::Int64,
        DataType::UInt64 => Type::Numeric { precision: 20, scale: 0 },
        DataType::Float16 | DataType::Float32 | DataType::Float64 => Type::Float64,
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Null => Type::String,
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => Type::Bytes,
        DataType::Date32 | DataType::Date64 => Type::Date,
        DataType::Timestamp(_, None) => Type::Datetime,
        DataType::Timestamp(_, Some(_)) => Type::Timestamp,
        DataType::Decimal128(precision, scale) | DataType::Decimal256(precision, scale) => {
            let scale = u32::try_from(*scale).ok()?;
            Some(Type::decimal((*precision).into(), scale)).filter(|r#type| *r#type != Type::String)?
        }
        DataType::Dictionary(_, values) => of_arrow(values)?,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use arrow_schema::{Field, TimeUnit};

    use super::*;

    #[test]
    fn a_column_is_what_arrow_says_and_a_list_is_told_what_to_be() {
        let field = |name: &str, data_type| Field::new(name, data_type, true);
        let schema = Schema::new(vec![
            field("id", DataType::UInt64),
            field("at", DataType::Timestamp(TimeUnit::Second, Some("Asia/Tokyo".into()))),
            field("plan", DataType::Dictionary(Box::new(DataType::Int8), Box::new(DataType::Utf8))),
        ]);
        let names: Vec<_> = columns(&schema).unwrap().iter().map(|column| column.r#type.name()).collect();
        assert_eq!(names, ["NUMERIC", "TIMESTAMP", "STRING"]);
        let items = DataType::List(Arc::new(field("item", DataType::Utf8)));
        let error = columns(&Schema::new(vec![field("tags", items)])).unwrap_err().to_string();
        assert!(error.starts_with("column tags: ") && error.ends_with("give it as JSON text"), "{error}");
    }
}
