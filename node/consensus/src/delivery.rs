//! Final blocks to the chain, in order, and from epoch to epoch.
//!
//! ```text
//! marshal ── block, ack ──► Delivery ── Asks::finalised(header, certificate) ──► chain
//!    ▲                         │  ◄──────────── answered: in the log ───────────┘
//!    └──────── ack ────────────┤
//!                              └─ the last block of an epoch: start the next one's engine
//! ```
//!
//! Marshal tells of a block once it is on disk here, waits for the acknowledgement before it counts as processed, and
//! tells of it again after a crash in between: the chain hears of a block at least once, and always in order. Several
//! are told before the first is answered.

use std::{pin::pin, time::Duration};

use bytes::Bytes;
use commonware_actor::Feedback;
use commonware_codec::Encode;
use commonware_consensus::{
    Heightable, Reporter,
    marshal::Update,
    simplex::{config::Floor, scheme::ed25519::Scheme, types::Finalization},
    types::Height as BlockHeight,
};
use commonware_cryptography::{Digested, Digestible, ed25519::PublicKey};
use commonware_p2p::{Blocker, Manager, Sender};
use commonware_utils::{
    acknowledgement::{Acknowledgement, Exact},
    channel::mpsc,
};
use futures_util::{StreamExt, stream::FuturesOrdered};
use rustorium_chain::{
    desk::Asks,
    handle::{Handle, Stopped},
};
use rustorium_types::{certificate::ValidatorSet, id::Height};

use crate::{
    block::{Block, Digest},
    caution::Caution,
    committees::Committees,
    desk::{Desk, Marshal},
    engines::{Anchor, Engines, Strangers},
    epochs::Epochs,
    event::Failure,
    runtime::Runtime,
};

/// Blocks that the chain may have been told of without an answer; marshal counts them.
pub(crate) const PENDING: usize = 64;
/// Without a new block for so long, the validators are asked for it: they may have gone on to the next epoch, where
/// whoever could finish this one no longer votes.
const SILENCE: Duration = Duration::from_secs(10);
/// How often old blocks are removed, in blocks.
const PRUNING: u64 = 512;

/// Marshal's end: takes blocks off it without waiting.
#[derive(Clone)]
pub(crate) struct Blocks(mpsc::UnboundedSender<(Digested<Block>, Exact)>);

/// A block that the chain was told of.
struct Unanswered {
    block: Digested<Block>,
    finalization: Option<Finalization<Scheme, Digest>>,
    ack: Exact,
    answer: Handle<()>,
}

/// A block that the chain has.
struct Taken {
    block: Digested<Block>,
    finalization: Option<Finalization<Scheme, Digest>>,
    ack: Exact,
}

/// The way to the chain.
pub(crate) struct Delivery {
    /// What marshal tells; at most [`PENDING`] at once.
    pub(crate) blocks: mpsc::UnboundedReceiver<(Digested<Block>, Exact)>,
    /// Votes of other epochs.
    pub(crate) strangers: Strangers,
    /// Certificates.
    pub(crate) marshal: Marshal,
    /// The chain.
    pub(crate) asks: Asks,
    /// To tell how far it is.
    pub(crate) desk: Desk,
    /// Which heights an epoch has.
    pub(crate) epochs: Epochs,
    /// Who signs.
    pub(crate) committees: Committees,
    /// The newest height that the chain was told of.
    pub(crate) height: u64,
    /// The newest that it has.
    pub(crate) reached: u64,
    /// What must be so before this node votes.
    pub(crate) caution: Caution,
    /// What an engine may go on behind, as far as the chain is.
    pub(crate) anchor: Anchor,
    /// How many final blocks to keep.
    pub(crate) retained: u64,
}

impl Blocks {
    /// A way out of marshal.
    pub(crate) fn new() -> (Self, mpsc::UnboundedReceiver<(Digested<Block>, Exact)>) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (Self(sender), receiver)
    }
}

impl Reporter for Blocks {
    type Activity = Update<Block>;

    fn report(&mut self, update: Self::Activity) -> Feedback {
        let Update::Block(block, ack) = update else { return Feedback::Ok };
        if self.0.send((block, ack)).is_ok() { Feedback::Ok } else { Feedback::Closed }
    }
}

impl Delivery {
    /// Delivers for as long as it goes well; answers why it does not go on.
    pub(crate) async fn run<E, N, O>(mut self, context: E, mut engines: Engines<E, N, O>) -> Failure
    where
        E: Runtime,
        N: Sender<PublicKey = PublicKey>,
        O: Manager<PublicKey = PublicKey> + Blocker<PublicKey = PublicKey>,
    {
        let mut told = FuturesOrdered::new();
        let mut silence = pin!(context.sleep(SILENCE));
        let mut heard = self.height;
        loop {
            tokio::select! {
                // In a fixed order: a simulation replays exactly.
                biased;
                Some(taken) = told.next(), if !told.is_empty() => match taken {
                    Ok(taken) => if let Err(failure) = self.taken(taken, &mut engines).await {
                        return failure;
                    },
                    Err(Stopped) => return Failure::Chain,
                },
                block = self.blocks.recv() => match block {
                    Some((block, ack)) => match self.tell(block, ack).await {
                        Ok(None) => {}
                        Ok(Some(next)) => told.push_back(next.answered()),
                        Err(failure) => return failure,
                    },
                    None => return Failure::Engine,
                },
                Some((epoch, (peer, _))) = self.strangers.recv() => engines.ask_ahead(epoch, peer),
                () = &mut silence => {
                    if heard == self.height {
                        engines.ask_all(self.height + 1);
                    }
                    heard = self.height;
                    silence.set(context.sleep(SILENCE));
                }
                () = self.caution.told(), if !engines.votes() => if let Err(failure) = self.vote(&mut engines).await {
                    return failure;
                },
                () = engines.ended() => return Failure::Engine,
            }
        }
    }

    /// Tells the chain of a block, unless it is height 0.
    async fn tell(&mut self, block: Digested<Block>, ack: Exact) -> Result<Option<Unanswered>, Failure> {
        let Some(header) = block.inner().header() else {
            ack.acknowledge();
            return Ok(None);
        };
        let height = header.height;
        if height.0 > self.height + 1 {
            return Err(Failure::Gap { chain: Height(self.height), next: height });
        }
        self.height = self.height.max(height.0);
        let finalization = self.marshal.get_finalization(BlockHeight::new(height.0)).await;
        let answer = self.asks.finalised(header.clone(), finalization.as_ref().map(encode));
        Ok(Some(Unanswered { block, finalization, ack, answer }))
    }

    /// The chain has a block in its log.
    async fn taken<E, N, O>(
        &mut self,
        Taken { block, finalization, ack }: Taken,
        engines: &mut Engines<E, N, O>,
    ) -> Result<(), Failure>
    where
        E: Runtime,
        N: Sender<PublicKey = PublicKey>,
        O: Manager<PublicKey = PublicKey> + Blocker<PublicKey = PublicKey>,
    {
        let height = block.height().get();
        self.desk.reached(height, block.digest());
        ack.acknowledge();
        let next_validators = next_epoch(&block, self.epochs)?;
        // Told again, it is behind where the chain is.
        if height > self.reached {
            self.reached = height;
            match (finalization, block.inner().header()) {
                _ if next_validators.is_some() => self.anchor = Anchor::block(&block),
                (Some(finalization), Some(header)) => self.anchor = Anchor::finalized(finalization, header),
                _ => {}
            }
        }
        if let Some(validators) = next_validators {
            let next = self.epochs.of(height + 1);
            if engines.epoch().is_none_or(|epoch| epoch < next) {
                engines.enter(next, &validators, Floor::Genesis(block.digest())).await?;
                // Marshal may still fetch what the chain has not acknowledged.
                self.committees.forget_before(self.epochs.of(height.saturating_sub(PENDING as u64)).saturating_sub(1));
            }
        }
        if height.is_multiple_of(PRUNING) {
            self.marshal.prune(BlockHeight::new(height.saturating_sub(self.retained)));
        }
        self.vote(engines).await
    }

    /// Lets this node vote, if it does not and now may.
    async fn vote<E, N, O>(&self, engines: &mut Engines<E, N, O>) -> Result<(), Failure>
    where
        E: Runtime,
        N: Sender<PublicKey = PublicKey>,
        O: Manager<PublicKey = PublicKey> + Blocker<PublicKey = PublicKey>,
    {
        if engines.votes() || !self.caution.allows(Height(self.reached), self.anchor.time) {
            return Ok(());
        }
        engines.vote(self.anchor.floor.clone()).await
    }
}

impl Unanswered {
    async fn answered(self) -> Result<Taken, Stopped> {
        // Whoever drops an acknowledgement stops marshal, and so it should: the chain is gone.
        let Self { block, finalization, ack, answer } = self;
        answer.await.map(|()| Taken { block, finalization, ack })
    }
}

/// The validators of the next epoch, behind the last block of one.
///
/// # Errors
/// If the block does not name them, though it is the last: it was not final by our rules.
pub(crate) fn next_epoch(block: &Digested<Block>, epochs: Epochs) -> Result<Option<ValidatorSet>, Failure> {
    let Some(header) = block.inner().header().filter(|header| epochs.is_last(header.height.0)) else { return Ok(None) };
    let record = header.next_epoch.as_ref().ok_or(Failure::NextEpoch(header.height))?;
    ValidatorSet::new(&record.validators).map(Some).map_err(|_| Failure::NextEpoch(header.height))
}

/// A certificate as the chain keeps it, and `rustorium_types::certificate` reads it.
pub(crate) fn encode(finalization: &Finalization<Scheme, Digest>) -> Bytes {
    finalization.encode()
}
