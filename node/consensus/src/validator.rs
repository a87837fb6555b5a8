//! A validator put together: archives, marshal, engines, and the way to the chain. The same for a real network and a
//! simulated one.
//!
//! ```text
//! 5 channels   votes, certificates, resolver ──► Engines (simplex)        blocks ──► buffer ─┐
//!              backfill ───────────────────────► resolver ──► marshal ◄──────────────────────┘
//!                                                               └─► Delivery ──► chain
//! ```
//!
//! **Start.** The chain says which final block its log ends at. What the archives have beyond, the chain is told first,
//! so that the epoch to vote in is known before anything is voted for. Then marshal takes the last certified block as
//! its floor, unless its own journal is further, and simplex the newest certificate of the epoch as its. Where the node
//! may not vote yet ([`Caution`]), simplex listens.

use std::{
    num::{NonZeroU64, NonZeroUsize},
    sync::Arc,
};

use commonware_broadcast::buffered;
use commonware_consensus::{
    Block as _, Heightable,
    marshal::{self, core::Actor, resolver::p2p as backfill},
    simplex::{scheme::ed25519::Scheme, types::Finalization},
    types::ViewDelta,
};
use commonware_cryptography::{Digested, Digestible, certificate::Verifier as _, ed25519::PublicKey};
use commonware_p2p::{Blocker, Manager, Provider, Receiver, Sender};
use commonware_parallel::Sequential;
use commonware_runtime::buffer::paged::CacheRef;
use commonware_storage::{
    archive::{Archive as _, Identifier, prunable},
    translator::TwoCap,
};
use commonware_utils::{NZU16, NZU64, NZUsize};
use rustorium_chain::desk::Asks;
use rustorium_types::{
    certificate::ValidatorSet,
    id::{Hash, Height},
};

use crate::{
    block::{Block, Digest},
    caution::Caution,
    committees::Committees,
    config::{Origin, Timeouts},
    delivery::{Blocks, Delivery, PENDING, encode, next_epoch},
    desk::Desk,
    engines::{Anchor, Channels, Engines, Parts, positive},
    epochs::Epochs,
    event::{Failure, Observer},
    runtime::Runtime,
};

/// Blocks of a peer that are kept until they are needed, or the newest of as many push them out.
const BUFFERED: usize = 64;
/// Messages that wait inside an actor.
const MAILBOX: NonZeroUsize = NZUsize!(1024);
/// Missing blocks that are fetched at a time.
const REPAIRED: NonZeroUsize = NZUsize!(64);
/// Bytes of an archive's buffers.
const BUFFER: NonZeroUsize = NZUsize!(64 << 10);
/// Blocks of an archive's file: what is removed at a time.
const SECTION: NonZeroU64 = NZU64!(512);
/// Bytes that are read at once when an archive is opened.
const REPLAY: NonZeroUsize = NZUsize!(1 << 20);

/// What a validator is made with.
pub(crate) struct Setup {
    /// Before the name of each journal and archive.
    pub(crate) prefix: String,
    /// The genesis hash.
    pub(crate) chain: Hash,
    /// Which heights an epoch has.
    pub(crate) epochs: Epochs,
    /// This node's key.
    pub(crate) me: PublicKey,
    /// Nobody is known yet.
    pub(crate) committees: Committees,
    /// Where to go on.
    pub(crate) origin: Origin,
    /// How long to wait for what.
    pub(crate) timeouts: Timeouts,
    /// What must be so before this node votes.
    pub(crate) caution: Caution,
    /// How many final blocks to keep.
    pub(crate) retained: u64,
    /// The chain.
    pub(crate) asks: Asks,
    /// Who hears of events.
    pub(crate) observer: Arc<dyn Observer>,
}

/// The five channels.
pub(crate) struct Network<N, R> {
    /// Simplex' own.
    pub(crate) simplex: Channels<N, R>,
    /// Blocks that are proposed.
    pub(crate) blocks: (N, R),
    /// Blocks and certificates for whoever lacks them.
    pub(crate) backfill: (N, R),
}

/// Final blocks, and why they are.
struct Archives<E: Runtime> {
    finalizations: prunable::Archive<TwoCap, E, Digest, Finalization<Scheme, Digest>>,
    blocks: prunable::Archive<TwoCap, E, Digest, Arc<Block>>,
}

/// How far the chain is, and what follows.
struct Position {
    block: Digested<Block>,
    epoch: u64,
    validators: ValidatorSet,
    anchor: Anchor,
    /// What the chain has, from the block that it named on.
    finals: Vec<(u64, Digest)>,
}

/// Runs a validator; answers why it does not go on. Ends with the runtime.
pub(crate) async fn run<E, N, R, O>(context: E, setup: Setup, network: Network<N, R>, oracle: O) -> Failure
where
    E: Runtime,
    N: Sender<PublicKey = PublicKey>,
    R: Receiver<PublicKey = PublicKey>,
    O: Manager<PublicKey = PublicKey> + Blocker<PublicKey = PublicKey> + Sync,
{
    let Setup { prefix, chain, epochs, me, committees, origin, timeouts, caution, retained, asks, observer } = setup;
    let cache = CacheRef::new(NZU16!(4096), NZUsize!(1024));
    let Some(archives) = Archives::open(&context, &prefix, chain, &cache, &origin).await else {
        return Failure::Storage;
    };
    let start = match origin.finalization.clone() {
        Some(finalization) => marshal::Start::Floor(finalization),
        None => marshal::Start::Genesis(origin.block.clone()),
    };
    let first = origin.first.clone();
    let position = match archives.catch_up(origin, epochs, &committees, &asks).await {
        Ok(position) => position,
        Err(failure) => return failure,
    };
    let height = position.block.height().get();

    let resolver =
        backfill::init(context.child("backfill"), backfill_config(&me, &oracle, &timeouts), network.backfill);
    let (buffer, buffered) = buffered::Engine::new(context.child("blocks"), buffer_config(me, &oracle, chain));
    let config = marshal_config(prefix.clone(), chain, epochs, committees.clone(), start, &cache);
    let (actor, marshal, _) =
        Actor::init(context.child("marshal"), archives.finalizations, archives.blocks, config).await;
    let desk = Desk::new(asks.clone(), marshal.clone(), epochs, first);
    position.finals.iter().for_each(|(height, digest)| desk.reached(*height, *digest));
    let (blocks, told) = Blocks::new();
    let parts = Parts {
        context: context.child("engines"),
        prefix,
        epochs,
        committees: committees.clone(),
        desk: desk.clone(),
        marshal: marshal.clone(),
        timeouts,
        observer,
        oracle,
        cache,
    };
    let votes = caution.allows(Height(height), position.anchor.time);
    let (mut engines, strangers) = Engines::new(parts, network.simplex, votes);
    let buffering = buffer.start(network.blocks);
    let marshalling = actor.start(blocks, buffered, resolver);
    if let Err(failure) = engines.enter(position.epoch, &position.validators, position.anchor.floor.clone()).await {
        return failure;
    }
    let delivery = Delivery {
        blocks: told,
        strangers,
        marshal,
        asks,
        desk,
        epochs,
        committees,
        height,
        reached: height,
        caution,
        anchor: position.anchor,
        retained,
    };
    let delivering = delivery.run(context.child("delivery"), engines);
    tokio::select! {
        biased;
        _ = context.stopped() => Failure::Engine,
        failure = delivering => failure,
        _ = buffering => Failure::Engine,
        _ = marshalling => Failure::Engine,
    }
}

impl<E: Runtime> Archives<E> {
    /// Opens the archives; the block to go on from is in them, so that marshal finds it without asking a peer.
    async fn open(context: &E, prefix: &str, chain: Hash, cache: &CacheRef, origin: &Origin) -> Option<Self> {
        let unbounded = Scheme::certificate_codec_config_unbounded();
        let config = archive(prefix, "finalizations", cache, unbounded);
        let finalizations = prunable::Archive::init(context.child("finalizations"), config).await.ok()?;
        let config = archive(prefix, "blocks", cache, chain);
        let blocks = prunable::Archive::init(context.child("archive"), config).await.ok()?;
        let mut archives = Self { finalizations, blocks };
        if origin.finalization.is_some() {
            let (height, digest) = (origin.block.height().get(), origin.block.digest());
            archives.blocks = archives.blocks.put_sync(height, digest, &origin.block.inner_shared()).await.ok()?;
        }
        Some(archives)
    }

    /// Tells the chain of the final blocks that are here behind its last, and finds out where to vote.
    async fn catch_up(
        &self,
        origin: Origin,
        epochs: Epochs,
        committees: &Committees,
        asks: &Asks,
    ) -> Result<Position, Failure> {
        let mut at = Position::new(origin, epochs, committees)?;
        loop {
            let height = at.block.height().next().get();
            let block = self.blocks.get(Identifier::Index(height)).await.map_err(|_| Failure::Storage)?;
            let Some(block) = block else { return Ok(at) };
            let finalization = self.finalizations.get(Identifier::Index(height)).await;
            let finalization = finalization.map_err(|_| Failure::Storage)?;
            let Some(header) = block.header().filter(|_| block.parent() == at.block.digest()) else {
                return Err(Failure::Contradiction(Height(height)));
            };
            let certificate = finalization.as_ref().map(encode);
            asks.finalised(header.clone(), certificate).await.map_err(|_| Failure::Chain)?;
            at.block = Block::new(header.clone());
            at.finals.push((height, at.block.digest()));
            if let Some(finalization) = finalization {
                at.anchor = Anchor::finalized(finalization, header);
            }
            at.turn(epochs, committees)?;
        }
    }
}

impl Position {
    fn new(origin: Origin, epochs: Epochs, committees: &Committees) -> Result<Self, Failure> {
        let Origin { block, finalization, validators, .. } = origin;
        let epoch = epochs.of(block.height().get());
        committees.listen(epoch, &validators).ok_or(Failure::NextEpoch(Height(0)))?;
        let anchor = match (finalization, block.inner().header()) {
            (Some(finalization), Some(header)) => Anchor::finalized(finalization, header),
            _ => Anchor::block(&block),
        };
        let finals = vec![(block.height().get(), block.digest())];
        let mut position = Self { block, epoch, validators, anchor, finals };
        position.turn(epochs, committees)?;
        Ok(position)
    }

    /// Behind the last block of an epoch, the next begins.
    fn turn(&mut self, epochs: Epochs, committees: &Committees) -> Result<(), Failure> {
        let Some(validators) = next_epoch(&self.block, epochs)? else { return Ok(()) };
        let height = self.block.height().get();
        self.epoch = epochs.of(height + 1);
        committees.listen(self.epoch, &validators).ok_or(Failure::NextEpoch(Height(height)))?;
        self.validators = validators;
        self.anchor = Anchor::block(&self.block);
        Ok(())
    }
}

fn backfill_config<O>(me: &PublicKey, oracle: &O, timeouts: &Timeouts) -> backfill::Config<PublicKey, O, O>
where
    O: Manager<PublicKey = PublicKey> + Blocker<PublicKey = PublicKey>,
{
    backfill::Config {
        public_key: me.clone(),
        peer_provider: oracle.clone(),
        blocker: oracle.clone(),
        mailbox_size: MAILBOX,
        fetch_timeout: positive(timeouts.fetch),
        fetch_retry_delay: timeouts.fetch_retry,
        priority_requests: false,
        priority_responses: false,
    }
}

fn buffer_config<O: Provider<PublicKey = PublicKey>>(
    me: PublicKey,
    oracle: &O,
    chain: Hash,
) -> buffered::Config<PublicKey, Hash, O, Sequential> {
    buffered::Config {
        public_key: me,
        mailbox_size: MAILBOX,
        deque_size: BUFFERED,
        priority: true,
        codec_config: chain,
        peer_provider: oracle.clone(),
        strategy: Sequential,
    }
}

fn marshal_config(
    partition_prefix: String,
    chain: Hash,
    epocher: Epochs,
    provider: Committees,
    start: marshal::Start<Scheme, Digest, Digested<Block>>,
    cache: &CacheRef,
) -> marshal::Config<Committees, Epochs, Sequential, Block, Digested<Block>> {
    marshal::Config {
        provider,
        epocher,
        start,
        partition_prefix,
        mailbox_size: MAILBOX,
        view_retention: ViewDelta::new(256),
        prunable_items_per_section: SECTION,
        page_cache: cache.clone(),
        replay_buffer: REPLAY,
        key_write_buffer: BUFFER,
        value_write_buffer: BUFFER,
        block_codec_config: chain,
        max_repair: REPAIRED,
        max_pending_acks: NZUsize!(PENDING),
        strategy: Sequential,
    }
}

fn archive<C>(prefix: &str, name: &str, cache: &CacheRef, codec_config: C) -> prunable::Config<TwoCap, C> {
    prunable::Config {
        translator: TwoCap,
        metadata_partition: format!("{prefix}-{name}-meta"),
        key_partition: format!("{prefix}-{name}-keys"),
        key_page_cache: cache.clone(),
        value_partition: format!("{prefix}-{name}-values"),
        compression: None,
        codec_config,
        items_per_section: SECTION,
        key_write_buffer: BUFFER,
        value_write_buffer: BUFFER,
        replay_buffer: REPLAY,
    }
}
