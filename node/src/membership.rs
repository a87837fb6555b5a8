//! A node's part in a chain of several: its chain, its network, consensus where it is a validator, and what is said
//! beside consensus.
//!
//! ```text
//! validator   chain ◄─ desk ─ consensus ─┐
//!               ▲                        ├─ network
//!               └──── exchange ─ peers ──┘
//! follower    chain ◄─ desk ─ peers ────── network      final blocks come from peers, held against certificates
//! ```
//!
//! A node with a validator's key is the one or the other, as the epoch's validators say ([`part`]).

mod part;

mod voter;

use std::{collections::BTreeSet, io, sync::Arc};

use rustorium_chain::{
    chain::{Chain, ChainConfig, Consensus as Finality, Network as Others, OpenError},
    desk::desk,
    exchange::SharedLanes,
    storage::StoreError,
};
<<<<<<< HEAD
use rustorium_consensus::{Directory, Event, Observer};
use rustorium_network::{Clock, Identity, Network};
use rustorium_types::{ed25519::SigningKey, genesis::Genesis};
use thiserror::Error;
use tokio::{sync::watch, task::JoinHandle};

use self::part::{Inlets, Part, Vote};
=======
use rustorium_consensus::{Caution, Directory, Event, Failure, Observer};
use rustorium_network::{Clock, Identity, Network};
use rustorium_types::{ed25519::SigningKey, genesis::Genesis};
use thiserror::Error;
use tokio::sync::{mpsc, watch};

use self::voter::{Parts, Voter};
>>>>>>> next
use crate::{
    config::{self, ConfigError},
    journal::{self, Journal, JournalError},
    node::now,
    peers::{self, Comparison, Links, Peers, Voted},
};

/// The keys of a node, each for one purpose.
#[derive(Clone)]
pub struct Keys {
    /// What it votes with, if it is a validator.
    pub validator: Option<SigningKey>,
    /// What other nodes know it by.
    pub network: [u8; 32],
    /// Whether a new journal of votes may be made for the validator's key: nothing else signs with it any more.
    pub new_journal: bool,
}

/// A node's part in a chain of several, while it runs.
pub(crate) struct Membership {
<<<<<<< HEAD
    part: JoinHandle<()>,
    stop: watch::Sender<bool>,
    peers: Peers,
    failed: watch::Receiver<Option<String>>,
=======
    voter: Option<Voter>,
    peers: Peers,
    failed: watch::Receiver<Option<Arc<Ended>>>,
}

/// Why a node's part in its chain ended.
#[derive(Debug, Error)]
pub(crate) enum Ended {
    /// Consensus cannot go on.
    #[error("consensus stopped: {0}")]
    Consensus(Failure),
    /// The journal is older than what its key signed.
    #[error(transparent)]
    Journal(JournalError),
>>>>>>> next
}

/// Why a node does not take part.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum MembershipError {
    /// A peer's address.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The journal of votes.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The chain.
    #[error(transparent)]
    Chain(#[from] OpenError),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The network.
    #[error("the network cannot be started")]
    Network(#[from] rustorium_network::StartError),
    /// Consensus.
    #[error("consensus cannot be started")]
    Consensus(#[from] rustorium_consensus::StartError),
    /// Consensus died.
    #[error("consensus ended by itself")]
    Thread(#[source] io::Error),
    /// Something of an epoch that the chain must have is not there.
    #[error("the chain has no validators of its newest certified epoch: is the data directory whole?")]
    Epoch,
}

/// Opens a chain of several, whose shared lanes are reached by `shared`, and takes part in it, on the caller's tokio
/// runtime.
///
/// # Errors
/// Why not.
pub(crate) fn join(
    config: &config::Config,
    genesis: &Genesis,
    keys: &Keys,
    chain_config: ChainConfig,
    shared: Box<dyn SharedLanes>,
) -> Result<(Chain, Membership), MembershipError> {
    let identity = Identity::from_seed(keys.network);
    let listen = config.network.listen.unwrap_or_else(|| ([127, 0, 0, 1], 0).into());
    let mut settings = rustorium_network::Config::new(genesis.hash(), listen, Clock::new(now));
    settings.static_peers = config.network.addresses()?;
    settings.static_peers.retain(|peer| peer.id != identity.id());
    settings.advertised.clone_from(&config.network.advertised);
    settings.allowed = BTreeSet::new();

    let (asks, asked) = desk();
    let (mouth, ear) = peers::mouth();
    let others = Others { consensus: Finality::Desk(asked), peers: Box::new(mouth), shared };
    let chain = Chain::open_among(chain_config, others)?;
    // Under the directory's lock, which the chain has.
    let home = &config.data_dir;
    let journal = match (&keys.validator, keys.new_journal) {
        (None, _) => None,
        (Some(_), false) => Some(journal::open(home)?),
        (Some(_), true) => Some(journal::open_or_renew(home, now())?),
    };
    let (network, incoming) = Network::start(identity, settings)?;
    let (for_consensus, inbox) = peers::split(incoming);
    let who = Directory::default();

    let (to_failed, failed) = watch::channel(None);
<<<<<<< HEAD
    let log = Log { failed: to_failed.clone() };
    let vote = keys.validator.as_ref().map(|key| Vote {
        config: rustorium_consensus::Config::new(genesis, key.clone(), directory),
        directory: who.clone(),
        inlets: Inlets::new(for_consensus),
        observer: Arc::new(log),
    });
    let peers = Peers::start(network.clone(), chain.clone(), keys.validator.clone(), who, ear, inbox)?;
    let part = Part { chain: chain.clone(), links: Arc::clone(peers.links()), network, asks, vote };
    let consensus = part.begin()?;
    let (stop, stopping) = watch::channel(false);
    let part = tokio::spawn(async move {
        if let Err(error) = part.run(consensus, stopping).await {
            to_failed.send_replace(Some(error.to_string()));
        }
    });
    Ok((chain, Membership { part, stop, peers, failed }))
=======
    let (to_voted, voted) = watch::channel(None);
    let (height, others) = watch::channel(None);
    let mut caution = Caution { journal_since: None, others: Some(others) };
    let (voter, follows) = match (&keys.validator, journal) {
        (Some(key), Some(Journal { directory, since })) => {
            caution.journal_since = since;
            let mut settings = rustorium_consensus::Config::new(genesis, key.clone(), directory);
            settings.caution = caution.clone();
            let (to_failures, failures) = mpsc::unbounded_channel();
            let parts = Parts {
                settings,
                chain: chain.clone(),
                asks,
                network: network.clone(),
                directory: who.clone(),
                inbox: for_consensus,
                observer: Arc::new(Log { failures: to_failures, voted: to_voted }),
            };
            let to_failed = to_failed.clone();
            let stands = move |failure| {
                to_failed.send_replace(Some(Arc::new(Ended::Consensus(failure))));
            };
            (Some(Voter::start(parts, failures, stands)?), None)
        }
        _ => (None, Some(asks)),
    };
    let mut peers = Peers::start(network, chain.clone(), keys.validator.clone(), who, ear, inbox, follows)?;
    if voter.is_some() {
        let home = home.clone();
        let older = Box::new(move |signed| {
            let refused = journal::refuse(&home, signed);
            tracing::error!(%refused, "not voting");
            to_failed.send_replace(Some(Arc::new(Ended::Journal(refused))));
        });
        peers.compare(Comparison { voted, caution, height, older });
    }
    Ok((chain, Membership { voter, peers, failed }))
>>>>>>> next
}

impl Membership {
    /// Who else there is.
    pub(crate) const fn links(&self) -> &Arc<Links> {
        self.peers.links()
    }

<<<<<<< HEAD
    /// Ends when consensus cannot go on, and says why.
    pub(crate) fn failed(&self) -> impl Future<Output = String> + Send + 'static {
        let mut failed = self.failed.clone();
        async move {
            // Of a follower nobody ever says so.
            match failed.wait_for(Option::is_some).await.map(|failure| failure.clone()) {
                Ok(Some(failure)) => failure,
=======
    /// Ends when this node cannot take part any more, and says why.
    pub(crate) fn failed(&self) -> impl Future<Output = Arc<Ended>> + Send + 'static {
        let mut failed = self.failed.clone();
        async move {
            // Of a follower nobody ever says so.
            match failed.wait_for(Option::is_some).await.map(|ended| ended.clone()) {
                Ok(Some(ended)) => ended,
>>>>>>> next
                _ => std::future::pending().await,
            }
        }
    }

    /// Votes no more, says goodbye, and ends.
<<<<<<< HEAD
    pub(crate) async fn leave(self) {
        let Self { part, stop, peers, .. } = self;
        stop.send_replace(true);
        if let Err(error) = part.await {
            tracing::warn!(%error, "consensus did not end well");
        }
        peers.shutdown().await;
=======
    pub(crate) async fn leave(self) -> io::Result<()> {
        let Self { voter, peers, .. } = self;
        let stopped = match voter {
            Some(voter) => voter.stop().await,
            None => Ok(()),
        };
        peers.shutdown().await;
        stopped
>>>>>>> next
    }
}

/// Writes what consensus says to the log, and hands on why it failed and how far its journal went.
struct Log {
<<<<<<< HEAD
    failed: watch::Sender<Option<String>>,
=======
    failures: mpsc::UnboundedSender<Failure>,
    voted: watch::Sender<Option<Voted>>,
>>>>>>> next
}

impl Observer for Log {
    fn observe(&self, event: Event) {
        match event {
            Event::EpochEntered { epoch, validators, votes, signed } => {
                let first =
                    |voted: &mut Option<Voted>| voted.replace(voted.unwrap_or(Voted { epoch, view: signed })).is_none();
                self.voted.send_if_modified(first);
                tracing::info!(epoch = epoch.0, validators, votes, "entered an epoch");
            }
            Event::Nullified { view, leader, .. } => {
                tracing::debug!(view = view.0, leader = ?leader, "a view was skipped");
            }
            Event::Evidence(evidence) => {
                tracing::error!(signer = ?evidence.signer, offence = ?evidence.offence, "a validator broke the rules");
            }
            Event::Failed(failure) => {
                tracing::error!(%failure, "consensus cannot go on");
<<<<<<< HEAD
                self.failed.send_replace(Some(failure.to_string()));
=======
                let _ = self.failures.send(failure);
>>>>>>> next
            }
            event => tracing::trace!(?event, "consensus"),
        }
    }
}
