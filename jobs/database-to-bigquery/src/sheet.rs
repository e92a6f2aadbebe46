//! Rows on their way into a Parquet file: collected into batches of bounded size, written by a thread of their own while
//! the next batch is read. The file has no name, so nothing is left of it when the program is killed.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use anyhow::{Context, Result, anyhow, bail};
use arrow_array::{BooleanArray, RecordBatch};
use arrow_schema::{Field, Schema, SchemaRef};
use arrow_select::filter::filter_record_batch;
use aws_lc_rs::hmac;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::cells::{Cells, Refused};
use crate::columns::Column;
use crate::order::Meter;

/// A batch is full at so many rows, or bytes of values: a row of a megabyte is possible.
const BATCH_ROWS: usize = 8192;
const BATCH_BYTES: usize = 4 << 20;
/// What the writer holds before it ends a row group.
const ROW_GROUP_BYTES: usize = 16 << 20;
const ZSTD_LEVEL: i32 = 1;
/// So many refused values are told one by one.
const TOLD: usize = 5;

/// A finished file.
#[derive(Debug)]
pub struct ParquetFile {
    pub file: Arc<File>,
    pub rows: u64,
    pub bytes: u64,
}

/// What of the rows BigQuery did not get, or not as it was.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Losses {
    /// Rows that are not in the file.
    pub rejected: u64,
    /// The first of them: the column, and why.
    pub reasons: Vec<String>,
    /// Values that are null in the file, by column.
    pub nulled: Vec<(String, u64)>,
}

impl Losses {
    pub fn all_nulled(&self) -> u64 {
        self.nulled.iter().map(|(_, count)| count).sum()
    }
}

pub struct Sheet {
    columns: Vec<Column>,
    cells: Vec<Cells>,
    rejected: Vec<bool>,
    losses: Losses,
    bytes: usize,
    batches: Batches,
    meter: Arc<Meter>,
}

impl Sheet {
    pub fn new(columns: &[Column], key: Option<&hmac::Key>, dir: &Path, meter: Arc<Meter>) -> Result<Self> {
        Ok(Self {
            cells: columns.iter().map(|column| Cells::new(column, key)).collect(),
            columns: columns.to_vec(),
            rejected: Vec::new(),
            losses: Losses::default(),
            bytes: 0,
            batches: Batches::start(arrow_schema(columns), dir)?,
            meter,
        })
    }

    /// Takes a row: `fill` appends one value to each column.
    pub async fn row(&mut self, fill: impl FnMut(usize, &mut Cells) -> Result<usize, Refused>) -> Result<()> {
        self.fill(fill)?;
        if self.rejected.len() >= BATCH_ROWS || self.bytes >= BATCH_BYTES {
            self.flush().await?;
        }
        Ok(())
    }

    fn fill(&mut self, mut fill: impl FnMut(usize, &mut Cells) -> Result<usize, Refused>) -> Result<()> {
        let mut good = true;
        for (index, cells) in self.cells.iter_mut().enumerate() {
            match fill(index, cells) {
                Ok(bytes) => self.bytes += bytes,
                Err(refused) => {
                    let column = &self.columns[index].source;
                    let why = match refused {
                        Refused::Unexpected(what) => bail!("column {column}: {what}"),
                        Refused::NotUtf8 => "text that is not UTF-8",
                        Refused::OutOfRange => "a number beyond the column's type in BigQuery",
                    };
                    if self.losses.reasons.len() < TOLD {
                        self.losses.reasons.push(format!("column {column}: {why}"));
                    }
                    cells.null();
                    good = false;
                }
            }
        }
        self.rejected.push(!good);
        Ok(())
    }

    async fn flush(&mut self) -> Result<()> {
        if self.rejected.is_empty() {
            return Ok(());
        }
        let arrays = self.cells.iter_mut().map(Cells::finish).collect();
        let mut batch = RecordBatch::try_new(Arc::clone(&self.batches.schema), arrays)?;
        let read = self.rejected.len() as u64;
        if self.rejected.contains(&true) {
            let good: BooleanArray = self.rejected.iter().map(|rejected| Some(!rejected)).collect();
            batch = filter_record_batch(&batch, &good)?;
        }
        self.losses.rejected += read - batch.num_rows() as u64;
        self.rejected.clear();
        self.bytes = 0;
        self.meter.read.fetch_add(read, Ordering::Relaxed);
        self.batches.write(batch).await
    }

    /// Ends the rows; the file may still be in the making.
    pub async fn end(mut self) -> Result<(Batches, Losses)> {
        self.flush().await?;
        let nulled = self.columns.iter().zip(&self.cells).filter(|(_, cells)| cells.nulled > 0);
        self.losses.nulled = nulled.map(|(column, cells)| (column.source.clone(), cells.nulled)).collect();
        Ok((self.batches, self.losses))
    }
}

pub fn arrow_schema(columns: &[Column]) -> SchemaRef {
    // Nullable all: BigQuery's columns are, and a column that became nullable is no other table.
    let fields = columns.iter().map(|column| Field::new(&column.name, column.r#type.arrow(), true));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// Batches on their way into a file.
pub struct Batches {
    schema: SchemaRef,
    sender: mpsc::Sender<RecordBatch>,
    writer: JoinHandle<Result<ParquetFile>>,
}

impl Batches {
    pub fn start(schema: SchemaRef, dir: &Path) -> Result<Self> {
        let file = tempfile::tempfile_in(dir).with_context(|| format!("make a file in {}", dir.display()))?;
        let (sender, receiver) = mpsc::channel(1);
        let (given, dir) = (Arc::clone(&schema), dir.to_owned());
        let writer =
            tokio::task::spawn_blocking(move || write(file, given, receiver).map_err(|error| explained(error, &dir)));
        Ok(Self { schema, sender, writer })
    }

    pub async fn write(&mut self, batch: RecordBatch) -> Result<()> {
        if self.sender.send(batch).await.is_ok() {
            return Ok(());
        }
        // The writer has ended, and says why.
        match (&mut self.writer).await.context("the writer of the Parquet file")? {
            Ok(_) => bail!("the writer of the Parquet file ended early"),
            Err(error) => Err(error),
        }
    }

    pub async fn close(self) -> Result<ParquetFile> {
        drop(self.sender);
        self.writer.await.context("the writer of the Parquet file")?
    }
}

fn write(file: File, schema: SchemaRef, mut batches: mpsc::Receiver<RecordBatch>) -> Result<ParquetFile> {
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(ZSTD_LEVEL)?))
        .set_statistics_enabled(EnabledStatistics::None)
        .build();
    let kept = Arc::new(file.try_clone()?);
    let mut writer = ArrowWriter::try_new(io::BufWriter::with_capacity(1 << 20, file), schema, Some(properties))?;
    let mut rows = 0;
    while let Some(batch) = batches.blocking_recv() {
        rows += batch.num_rows() as u64;
        writer.write(&batch)?;
        if writer.in_progress_size() > ROW_GROUP_BYTES {
            writer.flush()?;
        }
    }
    writer.into_inner()?.into_inner().map_err(io::IntoInnerError::into_error)?;
    let bytes = kept.metadata()?.len();
    Ok(ParquetFile { file: kept, rows, bytes })
}

/// A full disk is the deployment's matter, and said so.
fn explained(error: anyhow::Error, dir: &Path) -> anyhow::Error {
    let full = error.chain().any(|cause| {
        let direct = cause.downcast_ref::<io::Error>().map(io::Error::kind);
        direct == Some(io::ErrorKind::StorageFull) || cause.to_string().contains("No space left on device")
    });
    let dir = dir.display();
    if full {
        anyhow!("the disk of {dir} is full: give the task more (ephemeral storage), or load fewer tables at once")
    } else {
        error.context(format!("write the Parquet file in {dir}"))
    }
}

#[cfg(test)]
mod tests {
    use arrow_array::Int64Array;
    use arrow_schema::DataType;

    use super::*;

    #[tokio::test]
    async fn a_full_disk_is_told_with_what_helps() {
        let schema: SchemaRef = Arc::new(Schema::new(vec![Field::new("n", DataType::Int64, true)]));
        let full = File::options().write(true).open("/dev/full").unwrap();
        let (sender, receiver) = mpsc::channel(1);
        let rows = RecordBatch::try_new(Arc::clone(&schema), vec![Arc::new(Int64Array::from(vec![1, 2, 3]))]).unwrap();
        sender.send(rows).await.unwrap();
        drop(sender);
        let written = tokio::task::spawn_blocking(move || write(full, schema, receiver)).await.unwrap();
        let told = explained(written.unwrap_err(), Path::new("/work")).to_string();
        assert_eq!(
            told,
            "the disk of /work is full: give the task more (ephemeral storage), or load fewer tables at once"
        );
    }

    #[test]
    fn another_error_keeps_its_cause() {
        let told = explained(anyhow!("denied"), Path::new("/work"));
        assert_eq!(format!("{told:#}"), "write the Parquet file in /work: denied");
    }
}
