//! The messages of one `ReadRows` call on their way to the program, and the fault that they run into.

use std::sync::Arc;

use crate::read::storage::ReadRowsResponse;
use futures_util::stream;
use tonic::{Status, Streaming};

use super::fault::ReadFault;
use super::service::{Line, Messages};
use super::{State, lock};

pub(super) struct Passing {
    pub(super) state: Arc<State>,
    pub(super) line: Line,
    /// Where the call stands in the record.
    pub(super) at: usize,
    pub(super) fault: Option<ReadFault>,
    pub(super) passed: usize,
    pub(super) messages: Streaming<ReadRowsResponse>,
}

impl Passing {
    pub(super) fn into_messages(self) -> Messages {
        Box::pin(stream::unfold(self, |mut passing| async move { Some((passing.next().await?, passing)) }))
    }

    async fn next(&mut self) -> Option<Result<ReadRowsResponse, Status>> {
        match self.fault.take_if(|fault| fault.messages() == self.passed) {
            None => {}
            Some(ReadFault::EndAfter { .. }) => return None,
            Some(ReadFault::Refuse(status) | ReadFault::CutAfter { status, .. }) => return Some(Err(status)),
            Some(ReadFault::DropAfter { .. }) => {
                self.line.cut();
                std::future::pending::<()>().await;
            }
            Some(ReadFault::HangAfter { .. }) => {
                self.state.held.notify_one();
                std::future::pending::<()>().await;
            }
        }
        let message = self.messages.message().await.transpose()?;
        if let Ok(message) = &message {
            self.passed += 1;
            lock(&self.state.record).passed(self.at, message.row_count);
        }
        Some(message)
    }
}
