//! The network's peers, who are all of them in every epoch.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use commonware_actor::Feedback;
use commonware_cryptography::ed25519::PublicKey;
use commonware_p2p::{BlockedSubscription, Blocker, Manager, PeerSetSubscription, Provider, TrackedPeers, simulated};
use commonware_runtime::deterministic;

#[derive(Clone)]
pub(super) struct Peers {
    manager: simulated::Manager<PublicKey, deterministic::Context>,
    control: simulated::Control<PublicKey, deterministic::Context>,
    /// Whom this node shut out.
    blocked: Arc<Mutex<Vec<PublicKey>>>,
}

impl Peers {
    pub(super) const fn new(
        manager: simulated::Manager<PublicKey, deterministic::Context>,
        control: simulated::Control<PublicKey, deterministic::Context>,
        blocked: Arc<Mutex<Vec<PublicKey>>>,
    ) -> Self {
        Self { manager, control, blocked }
    }
}

impl fmt::Debug for Peers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Peers")
    }
}

impl Provider for Peers {
    type PublicKey = PublicKey;

    async fn peer_set(&mut self, index: u64) -> Option<TrackedPeers<PublicKey>> {
        self.manager.peer_set(index).await
    }

    async fn subscribe(&mut self) -> PeerSetSubscription<PublicKey> {
        self.manager.subscribe().await
    }
}

impl Manager for Peers {
    fn track<R: Into<TrackedPeers<PublicKey>> + Send>(&mut self, _: u64, _: R) -> Feedback {
        Feedback::Ok
    }
}

impl Blocker for Peers {
    type PublicKey = PublicKey;

    fn block(&mut self, peer: PublicKey) -> Feedback {
        self.blocked.lock().unwrap_or_else(PoisonError::into_inner).push(peer.clone());
        self.control.block(peer)
    }

    fn blocked(&mut self) -> BlockedSubscription<PublicKey> {
        self.control.blocked()
    }
}
