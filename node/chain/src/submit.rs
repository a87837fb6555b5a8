//! The way in: a bounded queue of records, fair to those who send them, and the ticket that each record gets.
//!
//! ```text
//! connection ─┐
//! connection ─┼─► turns of connections ─► signatures ─► turns of senders ─► log
//! connection ─┘   (nobody is known yet)                 (proven)
//! ```
//!
//! Before its signatures are checked a record says who sends it, and anybody can say anything: so whose turn it is
//! goes by where it comes from, its [`Source`]. A flood of forgeries in somebody's name takes the forger's turns, not
//! theirs. Behind the check it goes by sender (`pipeline/intake.rs`).
//!
//! Invariants: the queue is bounded in records and in bytes, and a full one refuses at once instead of making
//! the caller wait; a ticket always answers, either with the record's place in the durable log or with why it
//! is not there.

mod fair;

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use crossbeam_channel::{Receiver, Sender, bounded};
use rustorium_types::{code::Code, id::Hash, transaction::MalformedTransaction};
use thiserror::Error;

pub(crate) use fair::{Bounds, Fair};

use crate::{
    handle::{self, Handle, Promise},
    log::LanePosition,
};

/// Records that wait to be checked: about a second of signature checks. One source may have half of them, which is
/// more than the largest batch.
pub const QUEUED_RECORDS: usize = 32_768;
/// Bytes of them.
pub const QUEUED_BYTES: usize = 64 << 20;
/// When to try again after [`Share::Source`]: half a full queue is checked by then.
const CHECKED_AFTER: Duration = Duration::from_millis(500);
/// When to try again after [`Share::Sender`]: a full block of gas takes about as long.
const EXECUTED_AFTER: Duration = Duration::from_secs(1);

/// Where a record comes from: whoever is told apart before a signature is checked, a connection for example. The
/// default is the node itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Source(pub u64);

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
    /// As many records wait as may.
    #[error("{0} has as many transactions waiting as it may; try again when some of them are through")]
    Busy(Share),
    /// The disk is full.
    #[error("the node's disk is full: it takes no transactions until there is room; try again later")]
    NoRoom,
    /// A node that is no validator, and no validator answers it.
    #[error("no validator takes the transaction from this node now; try again later, or ask another node")]
    NoValidator,
    /// The chain is stopping, or its log failed.
    #[error("the node is stopping and takes no transactions")]
    Stopped,
}

/// Whose share of the way in is used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Share {
    /// Of the records that wait to be checked: their source's.
    Source,
    /// Of the transactions that wait for the log: their sender's.
    Sender,
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Source => "this connection",
            Self::Sender => "the sender",
        })
    }
}

/// Who signs a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signer {
    /// The sender.
    Sender,
    /// The fee payer.
    FeePayer,
}

impl fmt::Display for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
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
            Self::Busy(_) => Code::RateLimited,
            Self::NoRoom | Self::NoValidator | Self::Stopped => Code::LogUnavailable,
        }
    }

    /// When to try again, where that is all it takes.
    pub const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Busy(Share::Source) => Some(CHECKED_AFTER),
            Self::Busy(Share::Sender) => Some(EXECUTED_AFTER),
            _ => None,
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

    /// The handle underneath.
    #[cfg(test)]
    pub(crate) fn into_handle(self) -> Handle<Result<Accepted, Refused>> {
        self.0
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
pub(crate) struct SubmitQueue(Arc<Mutex<State>>);

/// The receiving end.
#[derive(Debug)]
pub(crate) struct Submissions {
    state: Arc<Mutex<State>>,
    arrived: Receiver<()>,
}

#[derive(Debug)]
struct State {
    waiting: Fair<Source, Submission>,
    /// Holds one token while something waits. None once the queue is closed.
    arrived: Option<Sender<()>>,
}

/// A queue of [`QUEUED_RECORDS`] and [`QUEUED_BYTES`].
pub(crate) fn queue() -> (SubmitQueue, Submissions) {
    let bounds = Bounds { items: QUEUED_RECORDS, items_each: QUEUED_RECORDS, bytes: QUEUED_BYTES };
    let (token, arrived) = bounded(1);
    let state = Arc::new(Mutex::new(State { waiting: Fair::new(bounds), arrived: Some(token) }));
    (SubmitQueue(Arc::clone(&state)), Submissions { state, arrived })
}

impl SubmitQueue {
    /// Queues a record, or refuses it at once.
    pub(crate) fn submit(&self, source: Source, record: Bytes) -> Ticket {
        let length = record.len();
        tracing::trace!(bytes = length, "submit");
        let (answer, ticket) = handle::promise();
        let mut state = lock(&self.0);
        if state.arrived.is_none() {
            return Ticket::refused(Refused::Stopped);
        }
        match state.waiting.push(source, length, Submission { record, answer }) {
            Ok(()) => {
                state.signal();
                Ticket(ticket)
            }
            Err(_) => Ticket::refused(Refused::Busy(Share::Source)),
        }
    }

    /// Takes no more; what is queued goes on.
    pub(crate) fn close(&self) {
        lock(&self.0).arrived = None;
    }

    /// Records that wait.
    pub(crate) fn len(&self) -> usize {
        lock(&self.0).waiting.len()
    }
}

impl Submissions {
    /// Hears that there is something to [`take`](Self::take), or, by being disconnected, that the queue is closed.
    pub(crate) const fn arrived(&self) -> &Receiver<()> {
        &self.arrived
    }

    /// Takes at most `records` and about `bytes` of what waits, a record of each source in turn. None once the
    /// queue is closed and empty.
    pub(crate) fn take(&self, records: usize, bytes: usize) -> Option<Vec<Submission>> {
        let mut state = lock(&self.state);
        // The token stands for what is taken now.
        let _ = self.arrived.try_recv();
        let mut taken = Vec::new();
        let mut taken_bytes = 0;
        while taken.len() < records && taken_bytes < bytes {
            let Some((bytes, next)) = state.waiting.pop() else { break };
            taken_bytes += bytes;
            taken.push(next);
        }
        if !state.waiting.is_empty() {
            state.signal();
        }
        if taken.is_empty() && state.arrived.is_none() { None } else { Some(taken) }
    }
}

impl Drop for Submissions {
    /// Nobody takes any more: what waits is answered, and what comes is refused.
    fn drop(&mut self) {
        let mut state = lock(&self.state);
        state.arrived = None;
        state.waiting.clear();
    }
}

impl State {
    fn signal(&self) {
        if let Some(arrived) = &self.arrived {
            // A token that nobody has taken yet says the same.
            let _ = arrived.try_send(());
        }
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FLOOD: Source = Source(1);
    const HONEST: Source = Source(2);

    fn records(taken: Option<Vec<Submission>>) -> Vec<u8> {
        taken.unwrap_or_default().iter().map(|one| one.record[0]).collect()
    }

    #[test]
    fn a_full_queue_refuses_and_a_taken_record_makes_room() {
        let (queue, submissions) = queue();
        let large = Bytes::from(vec![0; QUEUED_BYTES / 2]);
        let waiting = queue.submit(FLOOD, large.clone());
        assert_eq!(queue.submit(FLOOD, large.clone()).wait(), Err(Refused::Busy(Share::Source)));
        assert_eq!(submissions.take(1, 1).map(|taken| taken.len()), Some(1));
        assert_eq!(queue.len(), 0);
        drop(queue.submit(FLOOD, large));
        queue.close();
        assert_eq!(queue.submit(FLOOD, Bytes::from_static(&[1])).wait(), Err(Refused::Stopped));
        assert_eq!(submissions.take(9, usize::MAX).map(|taken| taken.len()), Some(1), "what was queued goes on");
        assert!(submissions.take(1, 1).is_none());
        assert_eq!(waiting.wait(), Err(Refused::Stopped), "dropped unanswered");
    }

    #[test]
    fn a_flood_from_one_source_neither_shuts_out_nor_delays_another() {
        let (queue, submissions) = queue();
        let flood: Vec<_> = (0..QUEUED_RECORDS).map(|_| queue.submit(FLOOD, Bytes::from_static(&[0]))).collect();
        assert_eq!(queue.len(), QUEUED_RECORDS / 2, "the rest is refused");
        let honest = queue.submit(HONEST, Bytes::from_static(&[1]));
        assert_eq!(records(submissions.take(3, usize::MAX)), [0, 1, 0]);
        drop(submissions);
        assert!(flood.into_iter().chain([honest]).all(|ticket| ticket.wait().is_err()), "every ticket answers");
    }

    #[test]
    fn a_token_waits_as_long_as_a_record_does() {
        let (queue, submissions) = queue();
        for number in 0..3 {
            drop(queue.submit(HONEST, Bytes::copy_from_slice(&[number])));
        }
        for number in 0..3 {
            assert!(submissions.arrived().recv().is_ok());
            assert_eq!(records(submissions.take(1, 1)), [number]);
        }
        assert!(submissions.arrived().try_recv().is_err());
    }
}
