//! A CSV file with a header line, as both servers take it: the names of its columns, and the rest in chunks.

use std::io;
use std::path::Path;

use bytes::{Bytes, BytesMut};
use futures_util::stream::{self, BoxStream, StreamExt};
use tokio::fs::File;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};

const CHUNK: usize = 64 * 1024;

pub(super) struct Csv {
    pub(super) columns: Vec<String>,
    /// Behind the header.
    reader: BufReader<File>,
}

impl Csv {
    pub(super) async fn open(file: &Path) -> io::Result<Self> {
        let mut reader = BufReader::new(File::open(file).await?);
        let mut header = String::new();
        reader.read_line(&mut header).await?;
        Ok(Self { columns: columns(&header), reader })
    }

    pub(super) fn rows(self) -> BoxStream<'static, io::Result<Bytes>> {
        let chunks = stream::unfold(self.reader, |mut reader| async {
            let mut chunk = BytesMut::with_capacity(CHUNK);
            match reader.read_buf(&mut chunk).await {
                Ok(0) => None,
                read => Some((read.map(|_| chunk.freeze()), reader)),
            }
        });
        chunks.boxed()
    }
}

fn columns(header: &str) -> Vec<String> {
    header.trim().split(',').map(|column| column.trim_matches('"').to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_names_the_columns_with_or_without_quotes() {
        assert_eq!(columns("carrier,\"name\"\r\n"), ["carrier", "name"]);
    }
}
