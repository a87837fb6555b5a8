//! What a consensus driver is to the chain, and the chain to a driver.
//!
//! ```text
//!            propose_block(parent) → Block           ┌──────────────────────────────┐
//! driver ──► validate_block(block) → Accept │ Reject │ Wait      the chain's side    │
//!            make_durable(block)                     └──────────────────────────────┘
//! driver ──► Finalised { block, certificate }  ──►  execution
//! ```
//!
//! There are two drivers: [`Sole`](crate::sole::Sole) signs alone, and [`Desk`](crate::desk::Desk) passes on what
//! consensus among many asks and decides, in a runtime of its own.
//!
//! Invariants of every driver: it signs nothing that was not made durable first, never two headers of one height,
//! and hands over finalised blocks in order of height.

use std::time::Duration;

use bytes::Bytes;
use crossbeam_channel::Receiver;
use rustorium_types::{
    block::Header,
    certificate::AssembleError,
    id::{Height, Timestamp},
};
use thiserror::Error;

use crate::{
    cut::{Block, Parent, Rejection, Results, Verdict},
    desk::Ask,
    log::LogError,
    waiting::Load,
};

/// Makes blocks final.
pub trait ConsensusEngine: Send {
    /// Gives the driver its turn: something may have changed. Answers the block that became final, if one did.
    ///
    /// # Errors
    /// When the driver cannot go on.
    fn turn(&mut self, application: &mut dyn Application) -> Result<Option<Finalised>, ConsensusError>;

    /// How long until it wants another turn even if nothing happens; none if it does not.
    fn patience(&self, application: &dyn Application) -> Option<Duration>;

    /// Where it is asked something between turns, if it is.
    fn asks(&self) -> Option<&Receiver<Ask>> {
        None
    }

    /// Notes what was asked there.
    fn hear(&mut self, ask: Ask) {
        drop(ask);
    }
}

/// What a driver asks of the chain.
pub trait Application {
    /// The newest final block.
    fn head(&self) -> &Parent;

    /// What a block on top of `parent` could take.
    fn waiting(&self, parent: &Parent) -> Load;

    /// The newest results of execution.
    fn results(&self) -> &Results;

    /// The clock's time, as this chain takes it.
    fn time(&self) -> Timestamp;

    /// A clock that only advances, to wait by.
    fn elapsed(&self) -> Duration;

    /// Whether execution is so far that a block on top of `parent` may be made.
    fn is_ready(&self, parent: &Parent) -> bool;

    /// A block on top of `parent`.
    fn propose_block(&mut self, parent: &Parent) -> Block;

    /// A header on top of `parent` with the records of its cuts, as they stand here; `None` while one is missing.
    fn gather(&mut self, parent: &Parent, header: &Header) -> Option<Block>;

    /// Whether a block on top of `parent` may be signed by a validator whose clock says `time`. A function of bytes:
    /// what is missing makes it wait.
    fn validate_block(&mut self, parent: &Parent, block: &Block, time: Timestamp) -> Verdict;

    /// Asks others for the records that a header on top of `parent` takes, where they are not here or are not those
    /// that it takes. Of a final header, what they have replaces what is here.
    fn seek(&mut self, parent: &Parent, header: &Header, is_final: bool);

    /// A header on top of `parent` takes other records than are here, and is not final.
    fn contradicted(&mut self, parent: &Parent, header: &Header);

    /// Returns once all records that are here are on disk.
    ///
    /// # Errors
    /// When the disk fails.
    fn sync(&mut self) -> Result<(), LogError>;

    /// Returns once the block's header and all its records are on disk, so that it may be signed. May be called again
    /// for the same block after an error, and for no other then.
    ///
    /// # Errors
    /// When the disk fails.
    fn make_durable(&mut self, block: &Block) -> Result<(), LogError>;
}

/// A block that will never be replaced, and what proves it.
#[derive(Clone, Debug)]
pub struct Finalised {
    /// The block.
    pub block: Block,
    /// The certificate, as [`rustorium_types::certificate`] reads it; empty if the block is final by a later one's.
    pub certificate: Bytes,
}

/// Why a driver cannot go on.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ConsensusError {
    /// A header could not be made durable.
    #[error("a header could not be made durable")]
    Log(#[from] LogError),
    /// A certificate could not be made.
    #[error("a certificate could not be made")]
    Certificate(#[from] AssembleError),
    /// The chain refuses its own proposal.
    #[error("the chain refuses its own proposal: {0}")]
    OwnProposal(Rejection),
    /// Others made a block final that this software refuses.
    #[error("block {height} is final, and does not hold here: {rejection}; is this the network's version?")]
    Finalised {
        /// Which.
        height: Height,
        /// Why it is refused.
        rejection: Rejection,
    },
}
