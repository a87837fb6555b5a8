//! Nodes on loopback, over real sockets, and peers that do what they should not (`raw.rs`).
//!
//! Nothing here is asserted about how long something takes: tests wait for what is to happen, and give up after a
//! minute.

mod crowd;
mod delivery;
mod hostile;
mod meeting;
mod raw;
mod told;

use std::time::Duration;

use rustorium_types::id::{Hash, Timestamp};
use tokio::{sync::broadcast, time::timeout};

use crate::{Clock, Config, Event, Identity, Incoming, Network, PeerAddress, PeerId};

pub(crate) const CHAIN: Hash = Hash([9; 32]);
const NOW: Timestamp = Timestamp(1_700_000_000_000);
/// When a test that waits has failed.
const MINUTE: Duration = Duration::from_secs(60);

struct Node {
    network: Network,
    incoming: Incoming,
    events: broadcast::Receiver<Event>,
}

fn identity(seed: u32) -> Identity {
    let mut bytes = [0; 32];
    bytes[..4].copy_from_slice(&seed.to_le_bytes());
    Identity::from_seed(bytes)
}

/// The defaults, but dialling again soon, and nobody of hearsay.
fn config() -> Config {
    let config = Config::new(CHAIN, "127.0.0.1:0".parse().expect("an address"), Clock::new(|| NOW));
    let redial = (Duration::from_millis(20), Duration::from_millis(200));
    Config { redial, wanted_peers: 0, handshakes_per_ip_per_second: 10_000, ..config }
}

fn start(seed: u32, config: Config) -> Node {
    let (network, incoming) = Network::start(identity(seed), config).expect("it starts");
    Node { events: network.events(), network, incoming }
}

/// A node that dials another.
fn start_with(seed: u32, peer: &Node, config: Config) -> Node {
    start(seed, Config { static_peers: vec![peer.address()], ..config })
}

impl Node {
    fn id(&self) -> PeerId {
        self.network.id()
    }

    fn address(&self) -> PeerAddress {
        PeerAddress { id: self.network.id(), address: self.network.address() }
    }

    /// Waits for an event of a kind.
    async fn event<T>(&mut self, what: &str, mut is_it: impl FnMut(&Event) -> Option<T>) -> T {
        let wait = async {
            loop {
                match self.events.recv().await {
                    Ok(event) => {
                        if let Some(found) = is_it(&event) {
                            return found;
                        }
                    }
                    Err(broadcast::error::RecvError::Lagged(_)) => {}
                    Err(closed) => panic!("{closed} while waiting for: {what}"),
                }
            }
        };
        timeout(MINUTE, wait).await.unwrap_or_else(|_| panic!("waited in vain for: {what}"))
    }

    async fn connected(&mut self, peer: PeerId) {
        if !self.network.is_connected(&peer) {
            self.event("a connection", |event| match event {
                Event::Connected { peer: found, .. } => (*found == peer).then_some(()),
                _ => None,
            })
            .await;
        }
    }
}

/// Waits until something holds, looking now and then.
async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let wait = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(MINUTE, wait).await.unwrap_or_else(|_| panic!("waited in vain until: {what}"));
}
