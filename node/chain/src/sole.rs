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
//! Behind the last header of an epoch that hands the chain to others the driver does nothing any more: it is theirs.
//!
//! Invariant: a header is durable before it is signed, and there is one header of a height: after a crash the one in
//! the log is signed again, which gives the same certificate, because ed25519 signatures are deterministic.

mod pace;

use std::time::Duration;

use bytes::Bytes;
use rustorium_types::{
    block::Header,
    certificate::{self, AssembleError, Proposal, ValidatorSet, ValidatorSetError, View},
    ed25519::SigningKey,
    genesis::{EpochRecord, Genesis},
    id::{Epoch, Hash, Timestamp},
};
use thiserror::Error;

use self::pace::Pace;
use crate::{
    consensus::{Application, ConsensusEngine, ConsensusError, Finalised},
    cut::{Block, Rules, Verdict},
};

pub use pace::{BEAT, QUIET};

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
    pace: Pace,
    /// A block whose header may be on disk already: no other may take its height.
    begun: Option<Block>,
    /// The next epoch is others'.
    is_over: bool,
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
    /// Others took over.
    #[error(
        "from epoch {epoch} on this chain has {count} validators, and one alone cannot go on with it: `rustorium start` \
         runs one of several"
    )]
    HandedOver {
        /// Since when.
        epoch: Epoch,
        /// How many they are.
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

    /// Whether this is the only validator in the epoch of the next block.
    ///
    /// # Errors
    /// If it is not.
    pub fn check(&self, rules: &Rules) -> Result<(), NotSole> {
        let EpochRecord { epoch, validators, .. } = &**rules.epoch();
        if self.is_alone_in(validators) {
            return Ok(());
        }
        Err(NotSole::HandedOver { epoch: *epoch, count: validators.len() })
    }

    fn is_alone_in(&self, validators: &[[u8; 32]]) -> bool {
        validators.iter().eq(self.validators.keys().iter().map(|key| &key.0))
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
    /// Seals blocks with records at most each `block_time`. `is_open` if the newest block has records, `beats` if a
    /// silent chain shows that it lives.
    pub fn new(signer: Signer, block_time: Duration, beats: bool, is_open: bool) -> Self {
        Self { signer, pace: Pace::new(block_time, beats, is_open), begun: None, is_over: false }
    }

    /// The block to seal, if one is due.
    fn next(&mut self, application: &mut dyn Application) -> Result<Option<Block>, ConsensusError> {
        if self.begun.is_some() {
            return Ok(self.begun.clone());
        }
        let parent = application.head().clone();
        let now = application.elapsed();
        self.pace.look(application.results().height == parent.height, now);
        if !self.pace.is_due(parent.height, application.waiting(&parent), now) {
            return Ok(None);
        }
        let block = application.propose_block(&parent);
        // Its own time is never too early: it is its clock's, or just after the parent's.
        match application.validate_block(&parent, &block, Timestamp(u64::MAX)) {
            Verdict::Accept => Ok(Some(block)),
            Verdict::Reject(rejection) => Err(ConsensusError::OwnProposal(rejection)),
            Verdict::Wait(_) => Ok(None),
        }
    }
}

impl ConsensusEngine for Sole {
    fn turn(&mut self, application: &mut dyn Application) -> Result<Option<Finalised>, ConsensusError> {
        if self.is_over {
            return Ok(None);
        }
        let Some(block) = self.next(application)? else { return Ok(None) };
        self.begun = Some(block.clone());
        application.make_durable(&block)?;
        self.begun = None;
        let certificate = self.signer.certify(&block.header, block.hash)?;
        self.pace.sealed(block.records.is_empty(), application.elapsed());
        if let Some(next) = block.header.next_epoch.as_ref().filter(|next| !self.signer.is_alone_in(&next.validators)) {
            let (epoch, height) = (next.epoch.0, block.header.height.0);
            tracing::warn!(epoch, height, "the next epoch is other validators': `rustorium start` goes on from here");
            self.is_over = true;
        }
        Ok(Some(Finalised { block, certificate }))
    }

    fn patience(&self, application: &dyn Application) -> Option<Duration> {
        if self.is_over {
            return None;
        }
        self.pace.patience(application.waiting(application.head()), application.elapsed())
    }
}
