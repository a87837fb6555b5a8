//! The other nodes of a chain: who they are, and what is said to them beside consensus.
//!
//! ```text
//! chain ◄── exchange, desk ── peers ── classes Bodies and Sync ── network ── QUIC ── others
//!                              │ lanes          own records to validators, theirs to the log
//!                              │ bodies         what a block takes and is not here
//!                              │ forward        what a node without a lane is given
//!                              │ sync           final blocks, for whoever is behind
//!                              │ heads          where the others are, before this one votes
//!                              └ introductions  which validator a peer is
//! ```
//!
//! Nothing that comes from a peer is trusted: records are judged again, blocks are final by their certificate or not
//! at all, and a peer that says otherwise is reported.

mod bodies;
mod forward;
mod heads;
mod introductions;
mod lanes;
mod sync;
mod wire;

use std::{
    collections::BTreeMap,
    future::Future,
    sync::{Arc, PoisonError, RwLock},
};

use bytes::Bytes;
use rustorium_chain::{
    chain::Chain,
    cut::Rules,
    exchange::{self, Want},
    handle::Promise,
    log::LanePosition,
    storage::StoreError,
    submit::{Accepted, Refused},
};
use rustorium_consensus::Directory;
use rustorium_network::{Incoming, Message, Network, PeerId, Request};
<<<<<<< HEAD
use rustorium_types::{
    ed25519::SigningKey,
    id::{Epoch, Hash},
};
use tokio::{
    runtime::Handle,
    sync::{mpsc, watch},
=======
use rustorium_types::{ed25519::SigningKey, id::Hash};
use tokio::{
    runtime::Handle,
    sync::{mpsc, oneshot},
>>>>>>> next
    task::JoinSet,
};

pub(crate) use self::heads::{Comparison, Voted};
use self::{forward::Forward, lanes::News};

pub(crate) use self::sync::follow;

/// How a chain that is being opened speaks to others: what it says is heard once [`Peers::start`] is called.
pub(crate) struct Mouth {
    news: mpsc::UnboundedSender<News>,
    wants: mpsc::UnboundedSender<Want>,
    forwards: mpsc::UnboundedSender<Forward>,
}

/// The other end of a [`Mouth`].
pub(crate) struct Ear {
    own: mpsc::UnboundedSender<News>,
    news: mpsc::UnboundedReceiver<News>,
    wants: mpsc::UnboundedReceiver<Want>,
    forwards: mpsc::UnboundedReceiver<Forward>,
}

/// What comes in that is not consensus'.
pub(crate) struct Inbox {
    /// Records and how far they are stored.
    pub(crate) bodies: mpsc::Receiver<Message>,
    /// Introductions.
    pub(crate) sync: mpsc::Receiver<Message>,
    /// Requests for what a block takes.
    pub(crate) bodies_requests: mpsc::Receiver<Request>,
    /// Requests for final blocks.
    pub(crate) sync_requests: mpsc::Receiver<Request>,
}

/// The running tasks.
pub(crate) struct Peers {
    links: Arc<Links>,
    tasks: JoinSet<()>,
    /// Ends what waits for messages on a thread, when it is dropped.
    stop: oneshot::Sender<()>,
}

/// What the tasks share.
pub(crate) struct Links {
    network: Network,
    chain: Chain,
    genesis: Hash,
    /// This node's validator key; a follower has none.
    key: Option<SigningKey>,
    runtime: Handle,
    /// Which validator a peer is, as it proved.
    introduced: RwLock<BTreeMap<PeerId, [u8; 32]>>,
    /// The same, as consensus reads it.
    directory: Directory,
    /// What holds in the epoch of the next block.
    rules: RwLock<Rules>,
    /// That epoch, once `rules` says so.
    epochs: watch::Sender<Epoch>,
}

/// A mouth and its ear.
pub(crate) fn mouth() -> (Mouth, Ear) {
    let (to_news, news) = mpsc::unbounded_channel();
    let (to_wants, wants) = mpsc::unbounded_channel();
    let (to_forwards, forwards) = mpsc::unbounded_channel();
    let mouth = Mouth { news: to_news.clone(), wants: to_wants, forwards: to_forwards };
    (mouth, Ear { own: to_news, news, wants, forwards })
}

impl exchange::Peers for Mouth {
    fn appended(&self, from: LanePosition, records: Vec<Bytes>) {
        let _ = self.news.send(News::Appended { from, records });
    }

    fn wanted(&self, want: Want) {
        let _ = self.wants.send(want);
    }

    fn forward(&self, record: Bytes, answer: Promise<Result<Accepted, Refused>>) {
        // Where nobody listens any more, the promise is dropped, which says so.
        let _ = self.forwards.send(Forward { record, answer });
    }
}

impl Peers {
    /// Begins to speak for a chain, on the caller's tokio runtime.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) fn start(
        network: Network,
        chain: Chain,
        key: Option<SigningKey>,
        directory: Directory,
        ear: Ear,
        inbox: Inbox,
    ) -> Result<Self, StoreError> {
        let rules = chain.rules()?;
        let links = Arc::new(Links {
            genesis: rules.chain(),
            network,
            chain,
            key,
            runtime: Handle::current(),
            introduced: RwLock::default(),
            directory,
            epochs: watch::Sender::new(rules.epoch().epoch),
            rules: RwLock::new(rules),
        });
        let epochs = Arc::downgrade(&links);
        links.chain.on_publish(Box::new(move |published| {
            if let (Some(links), true) = (epochs.upgrade(), published.block.sealed.header.next_epoch.is_some()) {
                let header = &published.block.sealed.header;
                links.rules.write().unwrap_or_else(PoisonError::into_inner).pass(header);
                links.epochs.send_replace(links.rules().epoch().epoch);
            }
        }));
        let Ear { own, news, wants, forwards } = ear;
        let Inbox { bodies, sync, bodies_requests, sync_requests } = inbox;
        let mut tasks = JoinSet::new();
        tasks.spawn(introductions::run(Arc::clone(&links), sync));
        tasks.spawn(lanes::send(Arc::clone(&links), news));
        tasks.spawn(bodies::seek(Arc::clone(&links), wants));
        tasks.spawn(bodies::serve(Arc::clone(&links), bodies_requests));
        tasks.spawn(forward::run(Arc::clone(&links), forwards));
        tasks.spawn(sync::serve(Arc::clone(&links), sync_requests));
        let receiving = Arc::clone(&links);
        let (stop, stopped) = oneshot::channel();
        tasks.spawn_blocking(move || lanes::receive(&receiving, bodies, &own, stopped));
        Ok(Self { links, tasks, stop })
    }

    /// Compares what the other validators have with what this one voted for.
    pub(crate) fn compare(&mut self, comparison: Comparison) {
        // As the chain is now: what it gets meanwhile is to be looked at too.
        let Some(position) = self.links.position() else { return };
        self.tasks.spawn(heads::compare(Arc::clone(&self.links), position, comparison));
    }

    /// What the tasks share.
    pub(crate) const fn links(&self) -> &Arc<Links> {
        &self.links
    }

    /// Says goodbye to all, and ends.
    pub(crate) async fn shutdown(self) {
        let Self { links, mut tasks, stop } = self;
        drop(stop);
        tasks.abort_all();
        links.network.clone().shutdown().await;
        while tasks.join_next().await.is_some() {}
    }
}

impl Links {
    /// The network underneath.
    pub(crate) const fn network(&self) -> &Network {
        &self.network
    }

    /// The key that this node votes with, if it is a validator of this epoch.
    pub(crate) fn own_validator(&self) -> Option<[u8; 32]> {
        let key = self.key.as_ref()?.public_key().0;
        self.lane_of(&key).map(|_| key)
    }

    /// The validator that a peer proved to be.
    pub(crate) fn validator(&self, peer: &PeerId) -> Option<[u8; 32]> {
        self.introduced.read().unwrap_or_else(PoisonError::into_inner).get(peer).copied()
    }

    /// The peers that are validators of this epoch.
    fn validators(&self) -> Vec<PeerId> {
        let rules = self.rules();
        let introduced = self.introduced.read().unwrap_or_else(PoisonError::into_inner);
        let speaks = |key: &[u8; 32]| rules.lane_of(key).is_some();
        introduced.iter().filter(|(_, key)| speaks(key)).map(|(peer, _)| *peer).collect()
    }

    fn lane_of(&self, validator: &[u8; 32]) -> Option<u32> {
        self.rules().lane_of(validator)
    }

    /// The own lane, at its beginning.
    fn own_lane(&self) -> Option<LanePosition> {
        let rules = self.rules();
        let lane = rules.lane_of(&self.key.as_ref()?.public_key().0)?;
        Some(LanePosition { lane, generation: rules.epoch().generation, index: 0 })
    }

    /// The epoch of the next block; changes once everything here knows of it.
    pub(crate) fn epochs(&self) -> watch::Receiver<Epoch> {
        self.epochs.subscribe()
    }

    fn rules(&self) -> Rules {
        self.rules.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.runtime.spawn(task);
    }
}

/// Splits what comes in: the first is consensus', the second what [`Peers`] reads.
pub(crate) fn split(incoming: Incoming) -> (Consensus, Inbox) {
    // Consensus makes no requests: whoever sends one is told that nobody answers.
    let Incoming { votes, certificates, resolver, bodies, sync, bodies_requests, sync_requests, .. } = incoming;
    (Consensus { votes, certificates, resolver }, Inbox { bodies, sync, bodies_requests, sync_requests })
}

/// What comes in for consensus.
pub(crate) struct Consensus {
    /// Votes.
    pub(crate) votes: mpsc::Receiver<Message>,
    /// Certificates and blocks.
    pub(crate) certificates: mpsc::Receiver<Message>,
    /// What is asked for and answered.
    pub(crate) resolver: mpsc::Receiver<Message>,
}
