//! The chain as consensus asks it: what to propose, what may be voted for.
//!
//! ```text
//! simplex ── propose ──► marshal's Inline ──► Desk ── Asks::propose ──► chain
//!         ── verify  ──►        │              │   ── Asks::verify  ──►
//!         ── certify ──► Careful┘  hold ──────►│      unless it said yes before
//! ```
//!
//! The chain is asked about a block only once it has said yes to the block's parent in this process, or has the parent
//! in its log: after a restart, blocks that simplex remembers and the chain does not are put to it again, the oldest
//! first.
//!
//! Invariants: this node casts no vote, to notarise or to finalise, for a block that the chain has not said yes to; the
//! chain says yes once the block's records are on disk. What the chain cannot say yet stays pending, and simplex gives
//! it up with the view.

use std::{
    collections::{BTreeMap, BTreeSet},
    future::pending,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use commonware_consensus::{
    Application, Block as _, Heightable,
    marshal::{
        ancestry::Ancestry,
        core::{CommitmentFallback, Mailbox},
        standard::Standard,
    },
    simplex::{scheme::ed25519::Scheme, types::Context},
};
use commonware_cryptography::{Digested, Digestible, ed25519::PublicKey};
use commonware_runtime::Clock;
use futures_util::StreamExt;
use rustorium_chain::{cut::Parent, desk::Asks};
use rustorium_types::{block::Header, certificate::ValidatorSet};

use crate::{
    block::{Block, Digest, MAX_HEADER_BYTES, hash},
    epochs::Epochs,
};

/// Marshal, as this crate asks it.
pub(crate) type Marshal = Mailbox<Scheme, Standard<Block>>;

/// Blocks above the final ones, at the most: many more than are ever undecided at once. As many of the final ones are
/// remembered.
const UNDECIDED: usize = 1_024;

/// The chain, as consensus asks it. Clones ask the same chain.
#[derive(Clone)]
pub(crate) struct Desk {
    asks: Asks,
    marshal: Marshal,
    epochs: Epochs,
    /// What the first block builds on, if the chain begins here.
    first: Option<Arc<Parent>>,
    known: Arc<Known>,
}

/// What the chain has.
#[derive(Default)]
struct Known(Mutex<Blocks>);

#[derive(Default)]
struct Blocks {
    /// Those of its log, the newest of them, by height.
    finals: BTreeMap<u64, Digest>,
    /// Those above that it said yes to; several of a height may be.
    accepted: BTreeSet<(u64, Digest)>,
}

/// What a block is to the chain.
enum Standing {
    /// In its log, or said yes to.
    Known,
    /// To be asked about.
    Undecided,
    /// Of a height that is final with another block, or long ago: no vote for it can matter.
    Past,
}

impl Desk {
    /// Asks a chain whose first block, if it is to come, builds on `first`.
    pub(crate) fn new(asks: Asks, marshal: Marshal, epochs: Epochs, first: Option<Parent>) -> Self {
        Self { asks, marshal, epochs, first: first.map(Arc::new), known: Arc::default() }
    }

    /// The chain's log has a block, and all below.
    pub(crate) fn reached(&self, height: u64, digest: Digest) {
        let mut blocks = self.known.blocks();
        blocks.finals.insert(height, digest);
        if blocks.finals.len() > UNDECIDED {
            blocks.finals.pop_first();
        }
        blocks.accepted.retain(|(accepted, _)| *accepted > height);
    }

    /// Returns once the chain has said yes to a block and all below it: true. False if it never will.
    pub(crate) async fn hold(&self, block: &Digested<Block>) -> bool {
        let mut undecided = vec![block.clone()];
        while let Some(lowest) = undecided.last() {
            let below = match self.known.standing(lowest) {
                Standing::Known => break,
                Standing::Undecided if undecided.len() <= UNDECIDED => self.below(lowest).await,
                Standing::Undecided | Standing::Past => None,
            };
            let Some(below) = below else { return pending().await };
            undecided.push(below);
        }
        for pair in undecided.windows(2).rev() {
            if let [block, parent] = pair
                && !self.judge(block, parent).await
            {
                return false;
            }
        }
        true
    }

    /// The parent of a block. Nothing if marshal stopped, or for height 0.
    async fn below(&self, block: &Digested<Block>) -> Option<Digested<Block>> {
        let fallback = CommitmentFallback::FetchByCommitment { height: block.height().previous()? };
        self.marshal.subscribe_by_commitment(block.parent(), fallback).await.ok()
    }

    async fn judge(&self, block: &Digested<Block>, parent: &Digested<Block>) -> bool {
        let (Some(header), Some(on)) = (block.inner().header(), self.parent(parent)) else { return false };
        if !self.follows(header, parent) {
            return false;
        }
        match self.asks.verify(on, header.clone()).await {
            Ok(true) => {
                self.known.accept(block);
                true
            }
            Ok(false) => false,
            // The chain stopped; so will consensus. Until then nobody is told that the block is bad.
            Err(_) => pending().await,
        }
    }

    fn parent(&self, block: &Digested<Block>) -> Option<Parent> {
        match block.inner() {
            Block::Genesis(_) => self.first.as_deref().cloned(),
            Block::Header(header) => Some(Parent::of(hash(block.digest()), header)),
        }
    }

    /// What every block must be whatever the chain's rules, or consensus itself could not go on after it.
    fn follows(&self, header: &Header, parent: &Digested<Block>) -> bool {
        let height = parent.height().get() + 1;
        let record = match &header.next_epoch {
            Some(record) => {
                self.epochs.is_last(height)
                    && record.epoch.0 == header.epoch.0 + 1
                    && ValidatorSet::new(&record.validators).is_ok()
            }
            None => !self.epochs.is_last(height),
        };
        record
            && header.height.0 == height
            && header.epoch.0 == self.epochs.of(height)
            && header.parent == hash(parent.digest())
            && borsh::object_length(header).is_ok_and(|length| length <= MAX_HEADER_BYTES)
    }
}

impl Known {
    fn standing(&self, block: &Digested<Block>) -> Standing {
        let (height, digest) = (block.height().get(), block.digest());
        let blocks = self.blocks();
        let newest = blocks.finals.last_key_value().map_or(0, |(height, _)| *height);
        if height > newest {
            let is_accepted = blocks.accepted.contains(&(height, digest));
            return if is_accepted { Standing::Known } else { Standing::Undecided };
        }
        let is_final = height == 0 || blocks.finals.get(&height) == Some(&digest);
        if is_final { Standing::Known } else { Standing::Past }
    }

    fn accept(&self, block: &Digested<Block>) {
        let mut blocks = self.blocks();
        blocks.accepted.insert((block.height().get(), block.digest()));
        if blocks.accepted.len() > UNDECIDED {
            blocks.accepted.pop_first();
        }
    }

    fn blocks(&self) -> MutexGuard<'_, Blocks> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<E: Clock + Send + Sync + 'static> Application<E> for Desk {
    type SigningScheme = Scheme;
    type Context = Context<Digest, PublicKey>;
    type Block = Block;
    type Input = ();

    async fn propose(
        &mut self,
        _: (E, Self::Context),
        mut ancestry: impl Ancestry<Block>,
        (): (),
    ) -> Option<Digested<Block>> {
        let parent = ancestry.next().await?;
        if !self.hold(&parent).await {
            return None;
        }
        let header = self.asks.propose(self.parent(&parent)?).await.ok()?;
        if !self.follows(&header, &parent) {
            tracing::error!(height = header.height.0, "the chain proposed a block that cannot follow its parent");
            return None;
        }
        let block = Block::new(header);
        self.known.accept(&block);
        Some(block)
    }

    async fn verify(&mut self, _: (E, Self::Context), mut ancestry: impl Ancestry<Block>) -> bool {
        match ancestry.next().await {
            Some(block) => self.hold(&block).await,
            // Marshal stops.
            None => pending().await,
        }
    }
}
