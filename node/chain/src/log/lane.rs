//! The embedded log as a lane of records: what submitters and readers see of it.

use std::sync::Arc;

use bytes::Bytes;

use super::{LanePosition, LogError, LogProgress, Reader, TransactionProcessor};
use crate::submit::{Source, SubmitQueue, Ticket};

/// The lane of this node's own.
#[derive(Clone)]
pub struct EmbeddedLog {
    queue: SubmitQueue,
    reader: Reader,
    progress: Arc<LogProgress>,
}

impl EmbeddedLog {
    pub(crate) fn new(queue: SubmitQueue, reader: Reader, progress: Arc<LogProgress>) -> Self {
        Self { queue, reader, progress }
    }

    /// Takes a record as [`submit_transaction`](TransactionProcessor::submit_transaction) does, in the turns of
    /// where it comes from.
    pub fn submit_from(&self, source: Source, record: Bytes) -> Ticket {
        self.queue.submit(source, record)
    }

    /// Records that wait to be checked.
    pub fn queued(&self) -> usize {
        self.queue.len()
    }

    /// How far the log got.
    pub fn progress(&self) -> &LogProgress {
        &self.progress
    }

    /// Takes no more records; those that are queued are still appended.
    pub(crate) fn close(&self) {
        self.queue.close();
    }
}

impl TransactionProcessor for EmbeddedLog {
    fn submit_transaction(&self, record: Bytes) -> Ticket {
        self.queue.submit(Source::default(), record)
    }

    fn get_transaction(&self, position: LanePosition) -> Result<Option<Bytes>, LogError> {
        if position.index >= self.progress.records() {
            return Ok(None);
        }
        self.reader.record(position)
    }
}
