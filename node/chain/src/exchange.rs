//! What validators tell each other of their lanes, and what a broker has of the shared ones; the chain's side of it.
//!
//! ```text
//! own lane ── Peers::appended ──►  other validators ── Exchange::store ──► their logs
//!          ◄── Exchange::held ───  "on my disk up to here" ◄──┘ answer, once durable
//! a block takes what is not here ── Peers::wanted ──► whoever has it ── Exchange::found ──► log
//!
//! a sender's record ── SharedLanes::offer ──► broker ──► every node ── Exchange::store ──► their logs
//! ```
//!
//! A record's index in a shared lane is its offset at the broker, in generation 0: so a log that ends at an index says
//! where to read on, and no position is kept beside it.
//!
//! Nothing here trusts what it is told: records are judged like any others, and what was sought is what the block's
//! lane root says or nothing. Whether a peer may speak for a lane is the caller's to know.

use std::time::Duration;

use bytes::Bytes;
use crossbeam_channel::{Receiver, Sender, bounded};
use rustorium_types::{id::Hash, merkle};

use crate::{
    handle::{self, Handle, Promise},
    log::LanePosition,
    submit::{Accepted, Refused},
    verify::{Checked, Judge},
};

/// Messages on their way to the log.
const MESSAGES: usize = 64;

/// How a chain speaks to other validators. Called on the thread that owns the log, so it must be quick.
pub trait Peers: Send {
    /// Records were appended to the own lane, from this position on. They are not durable yet.
    fn appended(&self, from: LanePosition, records: Vec<Bytes>);

    /// A block takes records that are not here. Asked again now and then for as long as that is so.
    fn wanted(&self, want: Want);

    /// This node has no lane: a validator is to take the record, and to answer.
    fn forward(&self, record: Bytes, answer: Promise<Result<Accepted, Refused>>);
}

/// The lanes that all nodes share, as a chain hands records to them: a broker. Called on the thread that owns the log,
/// so it must be quick.
pub trait SharedLanes: Send {
    /// Sends a record to a shared lane; false if that cannot be tried now. What was sent comes back by
    /// [`Exchange::store`], or is lost: whoever offered it waits for a while, and then does without.
    fn offer(&self, lane: u32, record: Bytes) -> bool;

    /// Whether what a lane was offered may still come back. It may all the same where this says no.
    fn is_up(&self, lane: u32) -> bool;

    /// How long a record has to come back.
    fn patience(&self) -> Duration;
}

/// Nobody to speak to.
#[derive(Clone, Copy, Debug, Default)]
pub struct Alone;

/// Records that a block takes of a lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Want {
    /// The first of them.
    pub from: LanePosition,
    /// Where the block's cut ends.
    pub end: u64,
    /// The root over them.
    pub root: Hash,
    /// The block is final, so they are what the lane has there, whatever else was heard.
    pub is_final: bool,
}

/// The way to the log for what comes from others. Clones share it.
#[derive(Clone, Debug)]
pub struct Exchange(Sender<Message>);

#[derive(Debug)]
pub(crate) enum Message {
    Store { from: LanePosition, records: Vec<Bytes>, answer: Promise<LanePosition> },
    Held { validator: [u8; 32], end: LanePosition },
    Found { want: Want, records: Vec<Bytes> },
    Read { from: LanePosition, end: u64, answer: Promise<(LanePosition, Vec<Bytes>)> },
}

/// A message whose records are judged.
#[derive(Debug)]
pub(crate) enum Arrival {
    Store { from: LanePosition, records: Vec<Checked>, answer: Promise<LanePosition> },
    Held { validator: [u8; 32], end: LanePosition },
    Found { want: Want, records: Vec<Checked> },
    Read { from: LanePosition, end: u64, answer: Promise<(LanePosition, Vec<Bytes>)> },
}

/// An exchange, and where its messages come out.
pub(crate) fn exchange() -> (Exchange, Receiver<Message>) {
    let (to, messages) = bounded(MESSAGES);
    (Exchange(to), messages)
}

impl Exchange {
    /// Records of another validator's lane or of a shared one, from a position on. Answers the lane's durable end here,
    /// from which whoever has the lane should go on. Blocks while the log is behind.
    pub fn store(&self, from: LanePosition, records: Vec<Bytes>) -> Handle<LanePosition> {
        self.ask(|answer| Message::Store { from, records, answer })
    }

    /// Another validator has the own lane on its disk, up to an end.
    pub fn held(&self, validator: [u8; 32], end: LanePosition) {
        let _ = self.0.send(Message::Held { validator, end });
    }

    /// Records that were wanted. Ignored unless they are just those.
    pub fn found(&self, want: Want, records: Vec<Bytes>) {
        let _ = self.0.send(Message::Found { want, records });
    }

    /// Records of a lane that are in no final block, as far as they are here, and where the first of them stands: not
    /// below `from`.
    pub fn read(&self, from: LanePosition, end: u64) -> Handle<(LanePosition, Vec<Bytes>)> {
        self.ask(|answer| Message::Read { from, end, answer })
    }

    /// A chain that is gone answers by dropping the promise.
    fn ask<T>(&self, message: impl FnOnce(Promise<T>) -> Message) -> Handle<T> {
        let (answer, handle) = handle::promise();
        let _ = self.0.send(message(answer));
        handle
    }
}

impl Want {
    /// Whether these are the records.
    pub fn is_for(&self, records: &[Bytes]) -> bool {
        self.end.checked_sub(self.from.index) == Some(records.len() as u64) && merkle::root(records) == self.root
    }
}

impl Message {
    /// Judges what it brings; `None` if that is not what was wanted.
    pub(crate) fn judged(self, judge: &Judge) -> Option<Arrival> {
        Some(match self {
            Self::Store { from, records, answer } => Arrival::Store { from, records: judge.check(records), answer },
            Self::Held { validator, end } => Arrival::Held { validator, end },
            Self::Found { want, records } if want.is_for(&records) => {
                Arrival::Found { want, records: judge.check(records) }
            }
            Self::Found { .. } => return None,
            Self::Read { from, end, answer } => Arrival::Read { from, end, answer },
        })
    }
}

impl Peers for Alone {
    fn appended(&self, _: LanePosition, _: Vec<Bytes>) {}

    fn wanted(&self, _: Want) {}

    fn forward(&self, _: Bytes, answer: Promise<Result<Accepted, Refused>>) {
        answer.keep(Err(Refused::Stopped));
    }
}

impl SharedLanes for Alone {
    fn offer(&self, _: u32, _: Bytes) -> bool {
        false
    }

    fn is_up(&self, _: u32) -> bool {
        false
    }

    fn patience(&self) -> Duration {
        Duration::ZERO
    }
}
