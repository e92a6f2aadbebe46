//! What can go wrong between a program and the Storage Read API.

use tonic::Status;

use super::record::ReadRequest;

#[derive(Debug, Clone)]
pub enum ReadFault {
    /// Answers the call with this status; the endpoint never sees it.
    Refuse(Status),
    /// The stream breaks off with this status.
    CutAfter { messages: usize, status: Status },
    /// The connection closes, under every stream that it carries.
    DropAfter { messages: usize },
    /// The stream ends as if it were complete.
    EndAfter { messages: usize },
    /// No message comes any more, and no error.
    HangAfter { messages: usize },
}

impl ReadFault {
    /// How many messages pass before it.
    pub(super) fn messages(&self) -> usize {
        match self {
            Self::Refuse(_) => 0,
            Self::CutAfter { messages, .. }
            | Self::DropAfter { messages }
            | Self::EndAfter { messages }
            | Self::HangAfter { messages } => *messages,
        }
    }
}

/// INTERNAL in the words of a broken HTTP/2 stream: the one INTERNAL that may be retried.
pub fn rst_stream() -> Status {
    Status::internal("Received RST_STREAM with error code 2")
}

type Matches = Box<dyn Fn(&ReadRequest) -> bool + Send + Sync>;

/// The faults that are still to come.
#[derive(Default)]
pub(super) struct Faults(Vec<Planned>);

struct Planned {
    times: usize,
    fault: ReadFault,
    matches: Matches,
}

impl Faults {
    pub(super) fn plan(&mut self, times: usize, fault: ReadFault, matches: Matches) {
        self.0.push(Planned { times, fault, matches });
    }

    pub(super) fn heal(&mut self) {
        self.0.clear();
    }

    pub(super) fn meet(&mut self, request: &ReadRequest) -> Option<ReadFault> {
        let planned = self.0.iter_mut().find(|planned| planned.times > 0 && (planned.matches)(request))?;
        planned.times -= 1;
        Some(planned.fault.clone())
    }
}
