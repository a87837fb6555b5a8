//! What a consensus driver is to the chain, and the chain to a driver.
//!
//! ```text
//!            propose_block(parent) → Block           ┌──────────────────────────────┐
//! driver ──► validate_block(block) → Accept │ Reject │ Wait      the chain's side    │
//!            make_durable(block)                     └──────────────────────────────┘
//! driver ──► Finalised { block, certificate }  ──►  execution
//! ```
//!
//! Invariants of every driver: it signs nothing that was not made durable first, never two headers of one height,
//! and hands over finalised blocks in order of height.

use bytes::Bytes;
use rustorium_types::certificate::AssembleError;
use thiserror::Error;

use crate::{
    cut::{Block, Parent, Rejection, Verdict},
    log::LogError,
};

/// Makes blocks final. [`Sole`](crate::sole::Sole) does for one validator.
pub trait ConsensusEngine: Send {
    /// Gives the driver its turn: something may have changed. Answers the block that became final, if one did.
    ///
    /// # Errors
    /// When the driver cannot go on.
    fn turn(&mut self, application: &mut dyn Application) -> Result<Option<Finalised>, ConsensusError>;
}

/// What a driver asks of the chain.
pub trait Application {
    /// A block on top of `parent`, if there should be one now.
    fn propose_block(&mut self, parent: &Parent) -> Option<Block>;

    /// Whether a block on top of `parent` may be signed. A function of bytes: what is missing makes it wait.
    fn validate_block(&mut self, parent: &Parent, block: &Block) -> Verdict;

    /// Returns once the block's header and all its records are on disk, so that it may be signed.
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
    /// The certificate, as [`rustorium_types::certificate`] reads it.
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
}
