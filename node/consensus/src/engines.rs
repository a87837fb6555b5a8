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
//! is known for as long as it can matter. A node that is no validator of an epoch runs an engine that listens.

use std::{num::NonZeroUsize, sync::Arc, time::Duration};

use commonware_consensus::{
    Reporters,
    simplex::{
        self,
        config::{Floor, ForwardPolicy, SkipBudget, SkipPolicy},
        elector::RoundRobin,
        scheme::ed25519::Scheme,
    },
    types::{Epoch as ViewEpoch, Epocher, Height as BlockHeight, ViewDelta},
};
use commonware_cryptography::{
    Sha256,
    certificate::{Membership, Scheme as _},
    ed25519::PublicKey,
};
use commonware_p2p::{
    Blocker, Manager, Receiver, Sender, TrackedPeers,
    utils::mux::{Builder, MuxHandle, Muxer},
};
use commonware_parallel::Sequential;
use commonware_runtime::{Handle, buffer::paged::CacheRef};
use commonware_utils::{NZUsize, NonZeroDuration, channel::mpsc, ordered::Set, vec::NonEmptyVec};
use rustorium_types::{
    certificate::{ValidatorSet, View},
    id::{Epoch, Height},
};

use crate::{
    activity::Told,
    block::Digest,
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
}

/// An engine.
struct Running {
    epoch: u64,
    scheme: Arc<Scheme>,
    task: Handle<()>,
}

impl<E, N, O> Engines<E, N, O>
where
    E: Runtime,
    N: Sender<PublicKey = PublicKey>,
    O: Manager<PublicKey = PublicKey> + Blocker<PublicKey = PublicKey>,
{
    /// No engine runs yet.
    pub(crate) fn new<R: Receiver<PublicKey = PublicKey>>(
        parts: Parts<E, O>,
        channels: Channels<N, R>,
    ) -> (Self, Strangers) {
        let Channels { votes, certificates, resolver } = channels;
        let (muxer, votes, strangers) =
            Muxer::builder(parts.context.child("votes"), votes.0, votes.1).with_backup().build();
        muxer.start();
        let (muxer, certificates) = Muxer::new(parts.context.child("certificates"), certificates.0, certificates.1);
        muxer.start();
        let (muxer, resolver) = Muxer::new(parts.context.child("resolver"), resolver.0, resolver.1);
        muxer.start();
        (Self { parts, votes, certificates, resolver, running: None }, strangers)
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

    /// Ends the engine of the epoch before, and starts one that goes on from a final block.
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
        let scheme = self.parts.committees.enter(epoch, validators).ok_or(Failure::NextEpoch(Height(last.get())))?;
        let before = self.running.take();
        if let Some(before) = &before {
            before.task.abort();
        }
        self.meet(epoch, &scheme, before.as_ref());
        if let Some(before) = before {
            // Ended, so that nothing of it votes on: its journal is closed.
            let _ = before.task.await;
        }
        let signed = self.signed(epoch, &scheme).await?;
        let votes = self.votes.register(epoch).await.map_err(|_| Failure::Engine)?;
        let certificates = self.certificates.register(epoch).await.map_err(|_| Failure::Engine)?;
        let resolver = self.resolver.register(epoch).await.map_err(|_| Failure::Engine)?;
        let task = self.engine(epoch, &scheme, signed, floor).start(votes, certificates, resolver);
        self.parts.observer.observe(Event::EpochEntered {
            epoch: Epoch(epoch),
            validators: scheme.participants().len(),
            votes: matches!(scheme.me(), Some(Membership::Signer(_))),
            signed,
        });
        self.running = Some(Running { epoch, scheme, task });
        self.remove_journal(epoch).await;
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

    /// How far the journal of an epoch goes.
    async fn signed(&self, epoch: u64, scheme: &Scheme) -> Result<Option<View>, Failure> {
        let Parts { context, prefix, cache, .. } = &self.parts;
        let context = context.child("journal").with_attribute("epoch", epoch);
        let signed = journal::signed(context, journal::partition(prefix, epoch), scheme, cache).await;
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
        let context = self.parts.context.child("epoch").with_attribute("epoch", epoch);
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
            partition: journal::partition(prefix, epoch),
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

    /// Removes the journal of the epoch before the last: whoever could be asked to vote in it again is past it.
    async fn remove_journal(&self, epoch: u64) {
        if let Some(old) = epoch.checked_sub(2) {
            // Gone already, or never there: this node may have come later.
            let _ = self.parts.context.remove(&journal::partition(&self.parts.prefix, old), None).await;
        }
    }
}

/// A duration as commonware wants it; the settings were checked.
pub(crate) fn positive(duration: Duration) -> NonZeroDuration {
    NonZeroDuration::new(duration).unwrap_or_else(|| NonZeroDuration::new_panic(Duration::from_millis(1)))
}
