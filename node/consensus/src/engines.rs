//! One simplex engine at a time: that of the epoch in which the next block is.
//!
//! ```text
//!            vote ────► muxer ─┬─ sub-channel 4 ──► engine of epoch 4, ended at its last block
//!  network   certificate ► …   ├─ sub-channel 5 ──► engine of epoch 5
//!            resolver ───► …   └─ any other ──────► a peer is ahead: ask it for the last block of this epoch
//! ```
//!
//! A message's sub-channel is its epoch, so that an engine sees its own only. The engine of the next epoch starts once
//! the chain has the last block of this one in its log, and its own journal is another: what was voted for in an epoch
//! is known for as long as it can matter. A node that is no validator of an epoch runs an engine that listens, and so does
//! one that may not vote yet; once it may, an engine that votes takes over in the middle of the epoch.

use std::{num::NonZeroUsize, sync::Arc, time::Duration};

use commonware_consensus::{
    Reporters,
    simplex::{
        self,
        config::{Floor, ForwardPolicy, SkipBudget, SkipPolicy},
        elector::RoundRobin,
        scheme::ed25519::Scheme,
        types::Finalization,
    },
    types::{Epoch as ViewEpoch, Epocher, Height as BlockHeight, ViewDelta},
};
use commonware_cryptography::{
    Digested, Digestible, Sha256,
    certificate::{Membership, Scheme as _},
    ed25519::PublicKey,
};
use commonware_p2p::{
    Blocker, Manager, Receiver, Sender, TrackedPeers,
    utils::mux::{Builder, Error as MuxError, MuxHandle, Muxer, SubReceiver, SubSender},
};
use commonware_parallel::Sequential;
use commonware_runtime::{Handle, buffer::paged::CacheRef};
use commonware_utils::{NZUsize, NonZeroDuration, channel::mpsc, ordered::Set, vec::NonEmptyVec};
use rustorium_types::{
    block::Header,
    certificate::{ValidatorSet, View},
    id::{Epoch, Height, Timestamp},
};

use crate::{
    activity::Told,
    block::{Block, Digest},
    careful::Careful,
    committees::Committees,
    config::Timeouts,
    desk::{Desk, Marshal},
    epochs::Epochs,
    event::{Event, Failure, Observer},
    journal,
    runtime::Runtime,
};

/// Votes of epochs other than the engine's: who sent one, and of which.
pub(crate) type Strangers = mpsc::Receiver<(u64, (PublicKey, commonware_runtime::IoBuf))>;

/// Views behind the final ones whose votes are kept, as evidence and for those who ask.
const VIEWS_KEPT: ViewDelta = ViewDelta::new(256);
/// For an ended engine to let go of its sub-channels, and how often to look.
const LETTING_GO: (u32, Duration) = (500, Duration::from_millis(10));
/// Messages that wait inside an engine.
const MAILBOX: NonZeroUsize = NZUsize!(1024);

/// An epoch's engine.
type Engine<E, O> = simplex::Engine<
    E,
    Scheme,
    RoundRobin<Sha256>,
    O,
    Digest,
    Careful<E>,
    Careful<E>,
    Reporters<Careful<E>, Told<E>>,
    Sequential,
>;

/// What every epoch's engine is made of.
pub(crate) struct Parts<E: Runtime, O> {
    /// What the engines run in.
    pub(crate) context: E,
    /// Before the name of each journal.
    pub(crate) prefix: String,
    /// Which heights an epoch has.
    pub(crate) epochs: Epochs,
    /// Who signs.
    pub(crate) committees: Committees,
    /// The chain.
    pub(crate) desk: Desk,
    /// Blocks and certificates.
    pub(crate) marshal: Marshal,
    /// How long to wait for what.
    pub(crate) timeouts: Timeouts,
    /// Who hears of it.
    pub(crate) observer: Arc<dyn Observer>,
    /// Who the peers are, and who is shut out.
    pub(crate) oracle: O,
    /// Pages of journals in memory.
    pub(crate) cache: CacheRef,
}

/// What an engine goes on behind: a final block, and its time; none for height 0.
#[derive(Clone)]
pub(crate) struct Anchor {
    pub(crate) floor: Floor<Scheme, Digest>,
    pub(crate) time: Option<Timestamp>,
}

/// The channels of simplex.
pub(crate) struct Channels<N, R> {
    /// Votes.
    pub(crate) votes: (N, R),
    /// Certificates.
    pub(crate) certificates: (N, R),
    /// Requests for certificates, and answers.
    pub(crate) resolver: (N, R),
}

/// The engine of this epoch, and how to start the next.
pub(crate) struct Engines<E: Runtime, N: Sender<PublicKey = PublicKey>, O> {
    parts: Parts<E, O>,
    votes: MuxHandle<N>,
    certificates: MuxHandle<N>,
    resolver: MuxHandle<N>,
    running: Option<Running>,
    /// Whether engines vote, or listen.
    votes_allowed: bool,
}

/// An engine.
struct Running {
    epoch: u64,
    validators: ValidatorSet,
    scheme: Arc<Scheme>,
    task: Handle<()>,
}

impl<E, N, O> Engines<E, N, O>
where
    E: Runtime,
    N: Sender<PublicKey = PublicKey>,
    O: Manager<PublicKey = PublicKey> + Blocker<PublicKey = PublicKey>,
{
    /// No engine runs yet. Engines vote from the first on, or once [`Engines::vote`] is called.
    pub(crate) fn new<R: Receiver<PublicKey = PublicKey>>(
        parts: Parts<E, O>,
        channels: Channels<N, R>,
        votes_allowed: bool,
    ) -> (Self, Strangers) {
        let Channels { votes, certificates, resolver } = channels;
        let (muxer, votes, strangers) =
            Muxer::builder(parts.context.child("votes"), votes.0, votes.1).with_backup().build();
        muxer.start();
        let (muxer, certificates) = Muxer::new(parts.context.child("certificates"), certificates.0, certificates.1);
        muxer.start();
        let (muxer, resolver) = Muxer::new(parts.context.child("resolver"), resolver.0, resolver.1);
        muxer.start();
        (Self { parts, votes, certificates, resolver, running: None, votes_allowed }, strangers)
    }

    /// Whether engines vote.
    pub(crate) const fn votes(&self) -> bool {
        self.votes_allowed
    }

    /// The epoch whose engine runs.
    pub(crate) fn epoch(&self) -> Option<u64> {
        self.running.as_ref().map(|running| running.epoch)
    }

    /// Returns when the engine ended, which it does not by itself.
    pub(crate) async fn ended(&mut self) {
        match &mut self.running {
            Some(running) => {
                let _ = (&mut running.task).await;
            }
            None => std::future::pending().await,
        }
    }

    /// From now on, engines vote: one that does takes over from the one that listens, behind a final block of its epoch.
    ///
    /// # Errors
    /// As [`Engines::enter`].
    pub(crate) async fn vote(&mut self, floor: Floor<Scheme, Digest>) -> Result<(), Failure> {
        self.votes_allowed = true;
        match self.running.as_ref().map(|running| (running.epoch, running.validators.clone())) {
            Some((epoch, validators)) => self.enter(epoch, &validators, floor).await,
            None => Ok(()),
        }
    }

    /// Ends the engine before, and starts one that goes on from a final block.
    ///
    /// # Errors
    /// If the validators' keys are none, or the network is gone.
    pub(crate) async fn enter(
        &mut self,
        epoch: u64,
        validators: &ValidatorSet,
        floor: Floor<Scheme, Digest>,
    ) -> Result<(), Failure> {
        let last = self.parts.epochs.last(ViewEpoch::new(epoch)).ok_or(Failure::Engine)?;
        let committees = &self.parts.committees;
        let scheme =
            if self.votes_allowed { committees.enter(epoch, validators) } else { committees.listen(epoch, validators) };
        let scheme = scheme.ok_or(Failure::NextEpoch(Height(last.get())))?;
        let before = self.running.take();
        if let Some(before) = &before {
            before.task.abort();
        }
        if before.as_ref().is_none_or(|before| before.epoch != epoch) {
            self.meet(epoch, &scheme, before.as_ref());
        }
        if let Some(before) = before {
            // Ended, so that nothing of it votes on: its journal is closed.
            let _ = before.task.await;
        }
        let signed = self.signed(epoch, &scheme).await?;
        let context = &self.parts.context;
        let votes = register(context, &mut self.votes, epoch).await?;
        let certificates = register(context, &mut self.certificates, epoch).await?;
        let resolver = register(context, &mut self.resolver, epoch).await?;
        let task = self.engine(epoch, &scheme, signed, floor).start(votes, certificates, resolver);
        self.parts.observer.observe(Event::EpochEntered {
            epoch: Epoch(epoch),
            validators: scheme.participants().len(),
            votes: matches!(scheme.me(), Some(Membership::Signer(_))),
            signed,
        });
        self.running = Some(Running { epoch, validators: validators.clone(), scheme, task });
        self.remove_journals(epoch).await;
        Ok(())
    }

    /// Asks a peer that votes in a later epoch for the last block of this one: with it, marshal fetches the others.
    pub(crate) fn ask_ahead(&self, epoch: u64, peer: PublicKey) {
        let here = self.epoch().filter(|here| epoch > *here);
        if let Some(last) = here.and_then(|here| self.parts.epochs.last(ViewEpoch::new(here))) {
            self.parts.marshal.hint_finalized(last, NonEmptyVec::new(peer));
        }
    }

    /// Asks the validators of this epoch for a block, in case they have it. It is asked for until it is there.
    pub(crate) fn ask_all(&self, height: u64) {
        let Some(Running { scheme, .. }) = &self.running else { return };
        let peers: Vec<PublicKey> = scheme.participants().iter().cloned().collect();
        if let Ok(peers) = NonEmptyVec::try_from(peers) {
            self.parts.marshal.hint_finalized(BlockHeight::new(height), peers);
        }
    }

    /// How far the journal of votes of an epoch goes.
    async fn signed(&self, epoch: u64, scheme: &Scheme) -> Result<Option<View>, Failure> {
        let Parts { context, prefix, cache, committees, .. } = &self.parts;
        let context = context.child("journal").with_attribute("epoch", epoch);
        let validator = committees.place(scheme);
        let signed = journal::signed(context, journal::partition(prefix, epoch), scheme, validator, cache).await;
        signed.map_err(|error| {
            tracing::error!(epoch, %error, "the journal of votes cannot be read");
            Failure::Storage
        })
    }

    /// Tells the network who is to be heard: the epoch's validators, and those of the one before, who may be behind.
    fn meet(&mut self, epoch: u64, scheme: &Scheme, before: Option<&Running>) {
        let primary = scheme.participants().clone();
        let secondary = before.map(|before| before.scheme.participants().clone()).unwrap_or_default();
        let secondary = Set::from_iter_dedup(secondary.into_iter().filter(|peer| primary.position(peer).is_none()));
        self.parts.oracle.track(epoch, TrackedPeers::new(primary, secondary));
    }

    fn engine(
        &self,
        epoch: u64,
        scheme: &Arc<Scheme>,
        signed: Option<View>,
        floor: Floor<Scheme, Digest>,
    ) -> Engine<E, O> {
        let Parts { prefix, epochs, desk, marshal, timeouts, observer, oracle, cache, .. } = &self.parts;
        let (name, partition) = match self.votes_allowed {
            true => ("epoch", journal::partition(prefix, epoch)),
            false => ("listening", journal::heard(prefix, epoch)),
        };
        let context = self.parts.context.child(name).with_attribute("epoch", epoch);
        let careful = Careful::new(context.child("automaton"), desk.clone(), marshal.clone(), *epochs);
        let told = Told::new(context.child("activity"), Arc::clone(scheme), Arc::clone(observer), signed);
        let config = simplex::Config {
            scheme: Scheme::clone(scheme),
            elector: RoundRobin::<Sha256>::default(),
            blocker: oracle.clone(),
            automaton: careful.clone(),
            relay: careful.clone(),
            reporter: Reporters::from((careful, told)),
            // Who votes twice is to be found out after the certificate too.
            track_historical_votes: true,
            strategy: Sequential,
            partition,
            mailbox_size: MAILBOX,
            epoch: ViewEpoch::new(epoch),
            floor,
            replay_buffer: journal::BUFFER,
            write_buffer: journal::BUFFER,
            page_cache: cache.clone(),
            leader_timeout: timeouts.leader,
            certification_timeout: timeouts.certification,
            timeout_retry: timeouts.retry,
            view_retention: VIEWS_KEPT,
            skip: SkipPolicy::Enabled { timeout: timeouts.silence, budget: SkipBudget::Participants },
            fetch_timeout: positive(timeouts.fetch),
            fetch_retry_delay: timeouts.fetch_retry,
            forward: ForwardPolicy::SilentLeader,
        };
        simplex::Engine::new(context.child("simplex"), config)
    }

    /// Removes the journals of the epoch before the last: whoever could be asked to vote in it again is past it.
    async fn remove_journals(&self, epoch: u64) {
        let Some(old) = epoch.checked_sub(2) else { return };
        let Parts { context, prefix, .. } = &self.parts;
        for partition in [journal::partition(prefix, old), journal::heard(prefix, old)] {
            // Gone already, or never there: this node may have come later.
            let _ = context.remove(&partition, None).await;
        }
    }
}

impl Anchor {
    /// A block with its own certificate.
    pub(crate) const fn finalized(finalization: Finalization<Scheme, Digest>, header: &Header) -> Self {
        Self { floor: Floor::Finalized(finalization), time: Some(header.time) }
    }

    /// The last block of an epoch, or height 0: what an epoch begins on.
    pub(crate) fn block(block: &Digested<Block>) -> Self {
        Self { floor: Floor::Genesis(block.digest()), time: block.inner().header().map(|header| header.time) }
    }
}

/// Opens a sub-channel. The engine before may hold it for a moment after it ended.
async fn register<N: Sender<PublicKey = PublicKey>>(
    context: &impl Runtime,
    channel: &mut MuxHandle<N>,
    epoch: u64,
) -> Result<(SubSender<N>, SubReceiver<PublicKey>), Failure> {
    let (times, pause) = LETTING_GO;
    for _ in 0..times {
        match channel.register(epoch).await {
            Ok(registered) => return Ok(registered),
            Err(MuxError::AlreadyRegistered(_)) => context.sleep(pause).await,
            Err(_) => break,
        }
    }
    Err(Failure::Engine)
}

/// A duration as commonware wants it; the settings were checked.
pub(crate) fn positive(duration: Duration) -> NonZeroDuration {
    NonZeroDuration::new(duration).unwrap_or_else(|| NonZeroDuration::new_panic(Duration::from_millis(1)))
}
