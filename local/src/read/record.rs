//! What a program asked of the Storage Read API.

use std::collections::BTreeMap;

use crate::read::storage::read_session::TableReadOptions;
use crate::read::storage::read_session::table_read_options::OutputFormatSerializationOptions;
use crate::read::storage::{CreateReadSessionRequest, ReadRowsRequest};

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReadRequest {
    Session(SessionRequest),
    Rows(RowsRequest),
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SessionRequest {
    /// `projects/{project}/datasets/{dataset}/tables/{table}`
    pub table: String,
    pub row_restriction: String,
    pub selected_fields: Vec<String>,
    /// `ARROW`, `AVRO`
    pub data_format: String,
    /// `LZ4_FRAME`, `ZSTD`, `COMPRESSION_UNSPECIFIED`
    pub compression: String,
    pub max_stream_count: i32,
    pub preferred_min_stream_count: i32,
    /// The session that was made.
    pub session: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RowsRequest {
    pub stream: String,
    pub offset: i64,
    /// What has passed to the program until now.
    pub messages: usize,
    pub rows: i64,
}

/// Every request, in the order of their coming; a call adds to its own while it goes on.
#[derive(Default)]
pub(super) struct Record {
    next: usize,
    requests: BTreeMap<usize, ReadRequest>,
}

impl Record {
    pub(super) fn push(&mut self, request: ReadRequest) -> usize {
        self.next += 1;
        self.requests.insert(self.next, request);
        self.next
    }

    pub(super) fn requests(&self) -> Vec<ReadRequest> {
        self.requests.values().cloned().collect()
    }

    pub(super) fn clear(&mut self) {
        self.requests.clear();
    }

    pub(super) fn made(&mut self, at: usize, name: &str) {
        if let Some(ReadRequest::Session(request)) = self.requests.get_mut(&at) {
            request.session = Some(name.to_owned());
        }
    }

    pub(super) fn passed(&mut self, at: usize, rows: i64) {
        if let Some(ReadRequest::Rows(request)) = self.requests.get_mut(&at) {
            request.messages += 1;
            request.rows += rows;
        }
    }
}

impl ReadRequest {
    pub fn session(&self) -> Option<&SessionRequest> {
        match self {
            Self::Session(session) => Some(session),
            Self::Rows(_) => None,
        }
    }

    pub fn rows(&self) -> Option<&RowsRequest> {
        match self {
            Self::Rows(rows) => Some(rows),
            Self::Session(_) => None,
        }
    }

    pub fn is_session(&self) -> bool {
        self.session().is_some()
    }

    pub fn is_rows(&self) -> bool {
        self.rows().is_some()
    }
}

impl From<&CreateReadSessionRequest> for SessionRequest {
    fn from(request: &CreateReadSessionRequest) -> Self {
        let session = request.read_session.clone().unwrap_or_default();
        let options = session.read_options.clone().unwrap_or_default();
        Self {
            data_format: session.data_format().as_str_name().to_owned(),
            compression: compression(&options),
            table: session.table,
            row_restriction: options.row_restriction,
            selected_fields: options.selected_fields,
            max_stream_count: request.max_stream_count,
            preferred_min_stream_count: request.preferred_min_stream_count,
            session: None,
        }
    }
}

impl From<&ReadRowsRequest> for RowsRequest {
    fn from(request: &ReadRowsRequest) -> Self {
        Self { stream: request.read_stream.clone(), offset: request.offset, ..Self::default() }
    }
}

fn compression(options: &TableReadOptions) -> String {
    match &options.output_format_serialization_options {
        Some(OutputFormatSerializationOptions::ArrowSerializationOptions(arrow)) => {
            arrow.buffer_compression().as_str_name().to_owned()
        }
        _ => "COMPRESSION_UNSPECIFIED".to_owned(),
    }
}
