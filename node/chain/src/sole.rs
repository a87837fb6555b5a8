//! The consensus of one: a driver that signs what simplex with one validator would have signed.
//!
//! So certificates have one format from height 1, and a chain that one validator began can be opened to many:
//!
//! ```text
//! epoch   ⌊(height − 1) / epoch length⌋
//! view    the height's place in its epoch, from 1; nothing fails, so a view is never skipped
//! parent  the view before; 0 is the epoch's genesis, the last block of the epoch before
//! ```
//!
//! Invariant: a header is durable before it is signed, and there is one header of a height: after a crash the one in
//! the log is signed again, which gives the same certificate, because ed25519 signatures are deterministic.

use bytes::Bytes;
use rustorium_types::{
    block::Header,
    certificate::{self, AssembleError, Proposal, ValidatorSet, ValidatorSetError, View},
    ed25519::SigningKey,
    genesis::Genesis,
    id::Hash,
};
use thiserror::Error;

use crate::{
    consensus::{Application, ConsensusEngine, ConsensusError, Finalised},
    cut::{Parent, Verdict},
};

/// Signs the headers of a chain with one validator.
#[derive(Clone, Debug)]
pub struct Signer {
    key: SigningKey,
    chain: Hash,
    epoch_length: u64,
    validators: ValidatorSet,
}

/// The driver.
#[derive(Debug)]
pub struct Sole {
    signer: Signer,
    parent: Parent,
}

/// Why a key cannot sign a chain's headers alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum NotSole {
    /// The genesis names others, or another.
    #[error("the genesis names {count} validators, and this node's key is not the only one")]
    OtherValidators {
        /// How many.
        count: usize,
    },
    /// The genesis' validators are no set.
    #[error(transparent)]
    Validators(#[from] ValidatorSetError),
}

impl Signer {
    /// Of a chain whose one validator has this key.
    ///
    /// # Errors
    /// If the genesis says otherwise.
    pub fn new(key: SigningKey, genesis: &Genesis) -> Result<Self, NotSole> {
        let validators = ValidatorSet::new(&genesis.validators)?;
        if validators.keys() != [key.public_key()] {
            return Err(NotSole::OtherValidators { count: validators.keys().len() });
        }
        Ok(Self { key, chain: genesis.hash(), epoch_length: genesis.epoch_length.max(1), validators })
    }

    /// The certificate of a header.
    ///
    /// # Errors
    /// Never, for a signer that could be made.
    pub fn certify(&self, header: &Header, hash: Hash) -> Result<Bytes, AssembleError> {
        let proposal = proposal(header, hash, self.epoch_length);
        let share = certificate::sign(&self.key, &self.chain, &proposal);
        certificate::assemble(&proposal, &[share], &self.validators).map(Bytes::from)
    }
}

/// What a sole validator finalises with a header.
pub fn proposal(header: &Header, hash: Hash, epoch_length: u64) -> Proposal {
    let before = header.height.0.saturating_sub(1) % epoch_length.max(1);
    Proposal { epoch: header.epoch, view: View(before + 1), parent_view: View(before), payload: hash }
}

impl Sole {
    /// Goes on after `parent`.
    pub const fn new(signer: Signer, parent: Parent) -> Self {
        Self { signer, parent }
    }
}

impl ConsensusEngine for Sole {
    fn turn(&mut self, application: &mut dyn Application) -> Result<Option<Finalised>, ConsensusError> {
        let Some(block) = application.propose_block(&self.parent) else { return Ok(None) };
        match application.validate_block(&self.parent, &block) {
            Verdict::Accept => {}
            Verdict::Reject(rejection) => return Err(ConsensusError::OwnProposal(rejection)),
            Verdict::Wait(_) => return Ok(None),
        }
        application.make_durable(&block)?;
        let certificate = self.signer.certify(&block.header, block.hash)?;
        self.parent = Parent::of(block.hash, &block.header);
        Ok(Some(Finalised { block, certificate }))
    }
}
