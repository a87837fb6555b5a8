//! The way in: a bounded queue of records, and the ticket that each of them gets.
//!
//! Invariants: the queue is bounded in records and in bytes, and a full one refuses at once instead of making
//! the caller wait; a ticket always answers, either with the record's place in the durable log or with why it
//! is not there.

use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
};

use bytes::Bytes;
use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use rustorium_types::{code::Code, id::Hash, transaction::MalformedTransaction};
use thiserror::Error;

use crate::{
    handle::{self, Handle, Promise},
    log::LanePosition,
};

/// Records that wait to be checked: some tenths of a second of signature checks.
pub const QUEUED_RECORDS: usize = 16_384;
/// Bytes of them.
pub const QUEUED_BYTES: usize = 64 << 20;

/// What a submitter waits on: answers once the record is durable.
#[derive(Debug)]
pub struct Ticket(Handle<Result<Accepted, Refused>>);

/// A record is durable, and will be executed once, dropped with a receipt, or void.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// The transaction's hash; none for a control record.
    pub transaction: Option<Hash>,
    /// Where it lies.
    pub position: LanePosition,
}

/// Why a record is not in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Refused {
    /// Not a record.
    #[error("not the encoding of a record")]
    NotARecord,
    /// A transaction that could never run on this chain.
    #[error(transparent)]
    Malformed(#[from] MalformedTransaction),
    /// A signature that is not its account's over this transaction.
    #[error("the {0}'s signature is not valid for this transaction")]
    Signature(Signer),
    /// Over the chain's limit.
    #[error("a transaction has at most {limit} bytes on this chain, this one has {bytes}")]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// A control record on a chain that takes none.
    #[error("only a dev chain takes control records")]
    NotADevChain,
    /// The queue is full.
    #[error("the node takes in as many transactions as it can; try again")]
    Busy,
    /// The chain is stopping, or its log failed.
    #[error("the node is stopping and takes no transactions")]
    Stopped,
}

/// Who signs a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signer {
    /// The sender.
    Sender,
    /// The fee payer.
    FeePayer,
}

impl std::fmt::Display for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Sender => "sender",
            Self::FeePayer => "fee payer",
        })
    }
}

impl Refused {
    /// The code that users see.
    pub const fn code(&self) -> Code {
        match self {
            Self::NotARecord => Code::BadUserInput,
            Self::Malformed(MalformedTransaction::WrongChain) => Code::WrongChain,
            Self::Malformed(_) => Code::BadUserInput,
            Self::Signature(_) => Code::InvalidSignature,
            Self::TooLarge { .. } => Code::TooLarge,
            Self::NotADevChain => Code::Forbidden,
            Self::Busy | Self::Stopped => Code::LogUnavailable,
        }
    }
}

impl Ticket {
    /// Blocks until the record is durable or refused.
    ///
    /// # Errors
    /// Why it is not in the log.
    pub fn wait(self) -> Result<Accepted, Refused> {
        self.0.wait().unwrap_or(Err(Refused::Stopped))
    }

    fn refused(why: Refused) -> Self {
        Self(Handle::ready(Err(why)))
    }
}

impl Future for Ticket {
    type Output = Result<Accepted, Refused>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(context).map(|answer| answer.unwrap_or(Err(Refused::Stopped)))
    }
}

/// A record on its way, and whom to tell.
#[derive(Debug)]
pub(crate) struct Submission {
    /// The record.
    pub(crate) record: Bytes,
    /// Its ticket's other side.
    pub(crate) answer: Promise<Result<Accepted, Refused>>,
}

/// The sending end of the queue; clones share it.
#[derive(Clone, Debug)]
pub(crate) struct SubmitQueue {
    sender: Arc<RwLock<Option<Sender<Submission>>>>,
    bytes: Arc<AtomicUsize>,
}

/// The receiving end.
#[derive(Debug)]
pub(crate) struct Submissions {
    receiver: Receiver<Submission>,
    bytes: Arc<AtomicUsize>,
}

/// A queue of [`QUEUED_RECORDS`] and [`QUEUED_BYTES`].
pub(crate) fn queue() -> (SubmitQueue, Submissions) {
    let (sender, receiver) = bounded(QUEUED_RECORDS);
    let bytes = Arc::new(AtomicUsize::new(0));
    let queue = SubmitQueue { sender: Arc::new(RwLock::new(Some(sender))), bytes: Arc::clone(&bytes) };
    (queue, Submissions { receiver, bytes })
}

impl SubmitQueue {
    /// Queues a record, or refuses it at once.
    pub(crate) fn submit(&self, record: Bytes) -> Ticket {
        let sender = self.sender.read().unwrap_or_else(PoisonError::into_inner);
        let Some(sender) = sender.as_ref() else { return Ticket::refused(Refused::Stopped) };
        let length = record.len();
        tracing::trace!(bytes = length, "submit");
        if self.bytes.fetch_add(length, Ordering::Relaxed) + length > QUEUED_BYTES {
            self.bytes.fetch_sub(length, Ordering::Relaxed);
            return Ticket::refused(Refused::Busy);
        }
        let (answer, ticket) = handle::promise();
        match sender.try_send(Submission { record, answer }) {
            Ok(()) => Ticket(ticket),
            Err(error) => {
                self.bytes.fetch_sub(length, Ordering::Relaxed);
                Ticket::refused(match error {
                    TrySendError::Full(_) => Refused::Busy,
                    TrySendError::Disconnected(_) => Refused::Stopped,
                })
            }
        }
    }

    /// Takes no more; what is queued goes on.
    pub(crate) fn close(&self) {
        self.sender.write().unwrap_or_else(PoisonError::into_inner).take();
    }

    /// Records that wait.
    pub(crate) fn len(&self) -> usize {
        self.sender.read().unwrap_or_else(PoisonError::into_inner).as_ref().map_or(0, Sender::len)
    }
}

impl Submissions {
    /// Waits for a submission and takes at most `records` and about `bytes` of what is queued; none when the
    /// queue is closed and empty.
    pub(crate) fn take(&self, records: usize, bytes: usize) -> Vec<Submission> {
        let Ok(first) = self.receiver.recv() else { return Vec::new() };
        let mut taken_bytes = first.record.len();
        let mut taken = vec![first];
        while taken.len() < records && taken_bytes < bytes {
            let Ok(next) = self.receiver.try_recv() else { break };
            taken_bytes += next.record.len();
            taken.push(next);
        }
        self.bytes.fetch_sub(taken_bytes, Ordering::Relaxed);
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_queue_refuses_and_a_taken_record_makes_room() {
        let (queue, submissions) = queue();
        let large = Bytes::from(vec![0; QUEUED_BYTES / 2]);
        let waiting = [queue.submit(large.clone()), queue.submit(large.clone())];
        assert_eq!(queue.submit(Bytes::from_static(&[1])).wait(), Err(Refused::Busy));
        assert_eq!(submissions.take(1, 1).len(), 1);
        assert_eq!(queue.len(), 1);
        drop(queue.submit(Bytes::from_static(&[1])));
        queue.close();
        assert_eq!(queue.submit(Bytes::from_static(&[1])).wait(), Err(Refused::Stopped));
        assert_eq!(submissions.take(9, usize::MAX).len(), 2, "what was queued goes on");
        assert!(submissions.take(1, 1).is_empty());
        for ticket in waiting {
            assert_eq!(ticket.wait(), Err(Refused::Stopped), "dropped unanswered");
        }
    }
}
