//! Where a driver in another runtime asks the chain: the chain's side of consensus among many.
//!
//! ```text
//! driver (its own runtime)                  chain (the thread that owns the log)
//! Asks::propose(parent)          ──ask──►   answered once a block on top of it is due
//! Asks::verify(parent, header)   ──ask──►   answered once it can be judged, and what it takes is on disk
//! Asks::finalised(header, …)     ──ask──►   answered once it is in the log: it need not be told again
//!                                ◄─handle─
//! ```
//!
//! Blocks are headers here: consensus agrees on cuts, and what they take from the lanes is the chain's business. An
//! ask whose handle is dropped is forgotten. Nothing here knows which driver asks, or in which runtime.

use bytes::Bytes;
use crossbeam_channel::{Receiver, Sender, unbounded};
use rustorium_types::block::Header;

use crate::{
    cut::Parent,
    handle::{self, Handle, Promise},
};

/// The driver's end; clones ask the same chain.
#[derive(Clone, Debug)]
pub struct Asks(Sender<Ask>);

/// What is asked.
#[derive(Debug)]
pub enum Ask {
    /// A block on top of `parent`: it need not be final yet, but it was proposed or verified here before.
    Propose {
        /// What to build on.
        parent: Parent,
        /// Answered once there should be one, and its records are on disk.
        answer: Promise<Header>,
    },
    /// Whether a block on top of `parent` may be voted for.
    Verify {
        /// What it builds on.
        parent: Parent,
        /// The block.
        header: Box<Header>,
        /// Answered *true* once its records are on disk and it holds, *false* if it never can; not at all while
        /// something is missing.
        answer: Promise<bool>,
    },
    /// A block is final. Told in order of height, at least once each.
    Finalised {
        /// The block.
        header: Box<Header>,
        /// Its certificate; none if it is final by a later one's.
        certificate: Option<Bytes>,
        /// Answered once the log has it with its records.
        answer: Promise<()>,
    },
}

/// A desk, and who asks there. Drivers have few asks open at a time, so that the queue needs no bound.
pub fn desk() -> (Asks, Receiver<Ask>) {
    let (to, asks) = unbounded();
    (Asks(to), asks)
}

impl Asks {
    /// A block on top of `parent`, once one is due. Drop the handle to give it up.
    pub fn propose(&self, parent: Parent) -> Handle<Header> {
        self.ask(|answer| Ask::Propose { parent, answer })
    }

    /// Whether a block on top of `parent` may be voted for; waits while that cannot be said.
    pub fn verify(&self, parent: Parent, header: Header) -> Handle<bool> {
        self.ask(|answer| Ask::Verify { parent, header: Box::new(header), answer })
    }

    /// Tells of a final block, in order of height. It need not be told again once the handle answers.
    pub fn finalised(&self, header: Header, certificate: Option<Bytes>) -> Handle<()> {
        self.ask(|answer| Ask::Finalised { header: Box::new(header), certificate, answer })
    }

    /// A chain that is gone answers by dropping the promise.
    fn ask<T>(&self, ask: impl FnOnce(Promise<T>) -> Ask) -> Handle<T> {
        let (answer, handle) = handle::promise();
        let _ = self.0.send(ask(answer));
        handle
    }
}
