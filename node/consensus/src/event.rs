//! What consensus tells its node, besides the blocks: where it is, who was slow, who lied.
//!
//! Events are told from consensus' own threads: an observer counts, keeps or sends on, and does not wait.

use bytes::Bytes;
use rustorium_types::{
    certificate::View,
    ed25519::PublicKey,
    id::{Epoch, Hash, Height},
};

/// Hears of events.
pub trait Observer: Send + Sync {
    /// Something happened. Must not block.
    fn observe(&self, event: Event);
}

/// Something that happened in consensus.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// This node takes part in an epoch, as a validator or by listening.
    EpochEntered {
        /// Which.
        epoch: Epoch,
        /// How many validators it has.
        validators: usize,
        /// True if this node is one: it votes. False: it is none, or no longer, and follows.
        votes: bool,
        /// The highest view of the epoch that this node voted in before it started, by its journal.
        signed: Option<View>,
    },
    /// A header is known to be final. It reaches the chain once all before it have.
    Finalised {
        /// Its epoch.
        epoch: Epoch,
        /// The view whose certificate says so.
        view: View,
        /// Its hash.
        hash: Hash,
    },
    /// A quorum skipped a view: its leader proposed nothing in time that they could vote for.
    Nullified {
        /// The epoch.
        epoch: Epoch,
        /// The view.
        view: View,
        /// Who should have proposed.
        leader: PublicKey,
    },
    /// This node gave up a view.
    TimedOut {
        /// The epoch.
        epoch: Epoch,
        /// The view.
        view: View,
        /// Who should have proposed.
        leader: PublicKey,
    },
    /// This node voted in a view, the highest so far of its epoch. The vote is on disk.
    Signed {
        /// The epoch.
        epoch: Epoch,
        /// The view.
        view: View,
    },
    /// A validator signed what no honest one does.
    Evidence(Evidence),
    /// Consensus cannot go on: this node needs the attention of its operator.
    Failed(Failure),
}

/// Two votes of one validator that exclude each other, their signatures checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// What it did.
    pub offence: Offence,
    /// Who.
    pub signer: PublicKey,
    /// In which epoch.
    pub epoch: Epoch,
    /// In which view.
    pub view: View,
    /// Both votes, as commonware's simplex encodes them: proof for anyone who knows the epoch's validators.
    pub votes: Bytes,
}

/// What a validator did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Offence {
    /// Voted to notarise two proposals of one view.
    TwoNotarisations,
    /// Voted to finalise two proposals of one view.
    TwoFinalisations,
    /// Voted to skip a view and to finalise its proposal.
    SkippedAndFinalised,
}

impl Offence {
    /// The name in metrics and logs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::TwoNotarisations => "two_notarisations",
            Self::TwoFinalisations => "two_finalisations",
            Self::SkippedAndFinalised => "skipped_and_finalised",
        }
    }
}

/// Why consensus cannot go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// The chain dropped an ask: it stopped.
    #[error("the chain no longer answers")]
    Chain,
    /// An epoch ended without a usable record of the next one's validators.
    #[error("the header of height {} names no usable validators of the next epoch", .0.0)]
    NextEpoch(Height),
    /// The journals go on behind the chain's log: what is between was acknowledged, and the log has lost it.
    #[error("the chain's log ends at height {}, and consensus was told that it has all below {}", .chain.0, .next.0)]
    Gap {
        /// The newest height that the chain has.
        chain: Height,
        /// The next that consensus has for it.
        next: Height,
    },
    /// The archive has a final block that does not follow the chain's: one of the two is another chain's.
    #[error("the final block of height {} in consensus' archive does not follow the chain's", .0.0)]
    Contradiction(Height),
    /// The archives cannot be opened or read.
    #[error("consensus' archives cannot be read")]
    Storage,
    /// An engine ended by itself: its storage failed, or it is a bug.
    #[error("consensus ended: its storage failed, or it is a bug")]
    Engine,
}
