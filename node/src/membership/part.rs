//! Which part a node has in making blocks final: it votes while its key is a validator's, and follows otherwise.
//!
//! ```text
//! epoch         e          e + 1      e + 2
//! who joins     follows    votes      votes …     named in the last header of e
//! who leaves    votes      follows    follows …   left out there
//! ```
//!
//! Whoever leaves still answers for a while: another validator may lack the last block of the epoch, and only those who
//! signed it have its certificate.

use std::{io, sync::Arc, time::Duration};

use rustorium_chain::{chain::Chain, desk::Asks};
use rustorium_consensus::{Config, Consensus, Directory, Observer, Ports, Start};
use rustorium_network::{Message, Network};
use tokio::sync::{mpsc, watch};

use super::MembershipError;
use crate::peers::{self, Links, follow};

/// Messages of a class that wait for consensus.
const CAPACITY: usize = 1_024;
/// How long a validator that was left out goes on answering: three times as long as others wait before they ask.
const LINGER: Duration = Duration::from_secs(30);

/// A node's part.
pub(super) struct Part {
    pub(super) chain: Chain,
    pub(super) links: Arc<Links>,
    pub(super) network: Network,
    pub(super) asks: Asks,
    /// Of a node with a validator's key.
    pub(super) vote: Option<Vote>,
}

/// What a node needs to vote.
pub(super) struct Vote {
    pub(super) config: Config,
    pub(super) directory: Directory,
    pub(super) inlets: Inlets,
    pub(super) observer: Arc<dyn Observer>,
}

/// What comes in for consensus, whenever it runs.
pub(super) struct Inlets {
    votes: Inlet,
    certificates: Inlet,
    resolver: Inlet,
}

/// A class of messages: handed to the consensus that runs, dropped while none does.
struct Inlet(watch::Sender<Option<mpsc::Sender<Message>>>);

impl Part {
    /// Starts to vote, if this node is a validator in the epoch of the next block.
    ///
    /// # Errors
    /// If consensus cannot be started.
    pub(super) fn begin(&self) -> Result<Option<Consensus>, MembershipError> {
        let Some(Vote { config, directory, inlets, observer }) = &self.vote else { return Ok(None) };
        if self.links.own_validator().is_none() {
            return Ok(None);
        }
        let ports = Ports {
            network: self.network.clone(),
            directory: directory.clone(),
            votes: inlets.votes.open(),
            certificates: inlets.certificates.open(),
            resolver: inlets.resolver.open(),
        };
        let start = Start::of(&self.chain)?.ok_or(MembershipError::Epoch)?;
        Ok(Some(Consensus::start(config.clone(), start, self.asks.clone(), ports, Arc::clone(observer))?))
    }

    /// Votes and follows, epoch by epoch, until it is told to stop.
    ///
    /// # Errors
    /// If consensus died, or cannot be started again.
    pub(super) async fn run(
        self,
        mut consensus: Option<Consensus>,
        mut stop: watch::Receiver<bool>,
    ) -> Result<(), MembershipError> {
        loop {
            let stopped = tokio::select! {
                _ = stop.wait_for(|stop| *stop) => true,
                () = self.until_another(consensus.is_some()) => false,
            };
            if let Some(running) = consensus.take() {
                end(running).await.map_err(MembershipError::Thread)?;
            }
            if stopped {
                return Ok(());
            }
            consensus = self.begin()?;
            let role = if consensus.is_some() { "a validator" } else { "a follower" };
            tracing::info!(role, "this node has another part from this epoch on");
        }
    }

    /// Waits until this node votes no more, or follows until it votes.
    async fn until_another(&self, votes: bool) {
        if !votes {
            follow(Arc::clone(&self.links), self.asks.clone()).await;
            // Only where the network or the chain ended is it no validator by now.
            return if self.links.own_validator().is_none() {
                std::future::pending().await
            };
        }
        let mut epochs = self.links.epochs();
        loop {
            if epochs.wait_for(|_| self.links.own_validator().is_none()).await.is_err() {
                return std::future::pending().await;
            }
            let back = epochs.wait_for(|_| self.links.own_validator().is_some());
            if tokio::time::timeout(LINGER, back).await.is_err() {
                return;
            }
        }
    }
}

impl Inlets {
    /// Of what consensus is sent, on the caller's tokio runtime.
    pub(super) fn new(incoming: peers::Consensus) -> Self {
        let peers::Consensus { votes, certificates, resolver } = incoming;
        Self { votes: Inlet::new(votes), certificates: Inlet::new(certificates), resolver: Inlet::new(resolver) }
    }
}

impl Inlet {
    fn new(mut from: mpsc::Receiver<Message>) -> Self {
        let (inlet, to) = watch::channel(None::<mpsc::Sender<Message>>);
        tokio::spawn(async move {
            while let Some(message) = from.recv().await {
                let open = to.borrow().clone();
                if let Some(open) = open {
                    // Full: dropped, as the network drops.
                    let _ = open.try_send(message);
                }
            }
        });
        Self(inlet)
    }

    fn open(&self) -> mpsc::Receiver<Message> {
        let (to, receiver) = mpsc::channel(CAPACITY);
        self.0.send_replace(Some(to));
        receiver
    }
}

/// Consensus takes up to two seconds to end.
async fn end(consensus: Consensus) -> io::Result<()> {
    tokio::task::spawn_blocking(move || consensus.stop()).await.unwrap_or(Ok(()))
}
