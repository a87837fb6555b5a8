//! Executes the blocks of a log again: after a crash, for a replay, into a copy.
//!
//! Headers are read, never made. Each is held against the rules, against its records and against the results that
//! execution came to here, and a difference stops everything: it means that a file was altered, or that two versions
//! of this software do not execute alike.

use std::sync::Arc;

use bytes::Bytes;
use rustorium_runtime::ExecuteError;
use rustorium_types::{
    certificate::{self, CertificateError, ValidatorSet, ValidatorSetError},
    id::{Height, Timestamp},
};
use thiserror::Error;

use crate::{
    cut::{Block, Missing, Parent, Rejection, Rules, Verdict},
    engine::Engine,
    log::{LogError, LoggedBlock},
    pipeline::CommitPolicy,
    storage::{Store, StoreError},
    verify::Judge,
};

/// Why a logged block cannot be followed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum FollowError {
    /// The log cannot be read.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The database failed.
    #[error("the database failed")]
    Store(#[from] StoreError),
    /// The block could not be executed.
    #[error("block {height} could not be executed")]
    Execute {
        /// Which.
        height: Height,
        /// Why.
        #[source]
        source: ExecuteError,
    },
    /// The header in the log is not what the rules, its records and execution here give.
    #[error("block {height} of the log does not hold: {rejection}")]
    Diverged {
        /// Which.
        height: Height,
        /// Why.
        rejection: Rejection,
    },
    /// The header commits to results of blocks that come later.
    #[error("block {height} of the log does not hold: it commits to results that are not there yet")]
    TooEarly {
        /// Which.
        height: Height,
    },
    /// The database holds another header at this height.
    #[error("block {height} of the log is not the one that the database executed")]
    OtherHistory {
        /// Which.
        height: Height,
    },
    /// The certificate is not the validators' over this header.
    #[error("the certificate of block {height} does not hold: {error}")]
    Certificate {
        /// Which.
        height: Height,
        /// Why.
        error: CertificateError,
    },
    /// The validators of an epoch are no set.
    #[error(transparent)]
    Validators(#[from] ValidatorSetError),
    /// A header in the middle of the log has no certificate.
    #[error("block {height} of the log has no certificate, and is not the newest")]
    Unsigned {
        /// Which.
        height: Height,
    },
    /// The certificate is over another header.
    #[error("the certificate of block {height} is over another header")]
    OtherCertificate {
        /// Which.
        height: Height,
    },
}

/// Goes from block to block.
pub(crate) struct Follower {
    rules: Rules,
    judge: Judge,
    engine: Engine,
    store: Arc<Store>,
    commit: CommitPolicy,
    parent: Parent,
}

impl Follower {
    /// After the newest block of a store.
    pub(crate) fn new(rules: Rules, engine: Engine, store: Arc<Store>, commit: CommitPolicy) -> Self {
        let judge = Judge::new(rules.genesis());
        let parent = match store.snapshot().head() {
            Some(sealed) => Parent::of(sealed.hash, &sealed.header),
            None => rules.first_parent(),
        };
        Self { rules, judge, engine, store, commit, parent }
    }

    /// The rules of the next block.
    pub(crate) const fn rules(&self) -> &Rules {
        &self.rules
    }

    /// The newest block.
    pub(crate) const fn parent(&self) -> &Parent {
        &self.parent
    }

    /// Judges records as this chain's nodes do.
    pub(crate) const fn judge(&self) -> &Judge {
        &self.judge
    }

    /// Judges, executes and applies the next block, whose certificate the caller has seen to; answers how many
    /// receipts it has.
    pub(crate) fn follow(&mut self, block: &Block, certificate: Bytes) -> Result<usize, FollowError> {
        let height = block.header.height;
        let snapshot = self.store.snapshot();
        // Its time has passed: it was final once.
        let verdict = self.rules.validate(&self.parent, block, Timestamp(u64::MAX), |height| {
            // Above the newest executed there is no root; whatever else fails will be met by execution too.
            if height > snapshot.height() { None } else { snapshot.covered(height).ok() }
        });
        match verdict {
            Verdict::Accept => {}
            Verdict::Reject(rejection) => return Err(FollowError::Diverged { height, rejection }),
            Verdict::Wait(Missing::Time | Missing::Results) => return Err(FollowError::TooEarly { height }),
        }
        let state = Arc::new(self.store.head_state());
        let effects = self.engine.execute(state, &block.header, &self.rules.epoch().validators, &block.records);
        let effects = effects.map_err(|source| FollowError::Execute { height, source })?;
        let receipts = effects.receipts.len();
        self.store.apply(effects.into_block(block, certificate))?;
        self.parent = Parent::of(block.hash, &block.header);
        self.rules.pass(&block.header);
        let waiting = self.store.uncommitted();
        if waiting.bytes >= self.commit.bytes || waiting.blocks >= self.commit.blocks {
            self.store.commit()?;
        }
        Ok(receipts)
    }

    /// A block of the log, its records judged.
    pub(crate) fn read(&self, logged: LoggedBlock) -> Block {
        let records = self.judge.check(logged.records).into_iter().map(Arc::new).collect();
        Block { hash: logged.header.hash(), header: logged.header, records }
    }
}

/// The rules of the block behind a store's newest.
///
/// # Errors
/// When the database fails.
pub(crate) fn rules_behind(mut rules: Rules, store: &Store) -> Result<Rules, StoreError> {
    let snapshot = store.snapshot();
    let epoch = rules.genesis().epoch_of(snapshot.height().next());
    let last = Height(epoch.0 * rules.genesis().epoch_length);
    if last > Height::ZERO {
        let sealed = snapshot.header(last)?.ok_or(StoreError::NoBlock(last))?;
        rules.pass(&sealed.header);
    }
    Ok(rules)
}

/// Checks that a certificate is the validators' of these rules' epoch, over this block's header.
pub(crate) fn check_certificate(block: &Block, certificate: &[u8], rules: &Rules) -> Result<(), FollowError> {
    let height = block.header.height;
    let validators = ValidatorSet::new(&rules.epoch().validators)?;
    let proposal = certificate::verify(certificate, &validators, &rules.chain())
        .map_err(|error| FollowError::Certificate { height, error })?;
    if proposal.payload == block.hash && proposal.epoch == block.header.epoch {
        Ok(())
    } else {
        Err(FollowError::OtherCertificate { height })
    }
}
