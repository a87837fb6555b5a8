//! What a network is started with.

use std::{collections::BTreeSet, fmt, net::SocketAddr, sync::Arc, time::Duration};

use rustorium_types::id::{Hash, Timestamp};

use crate::{
    class::{Class, ClassLimits},
    identity::{PeerAddress, PeerId},
};

/// Where the time of day comes from: milliseconds since the Unix epoch.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Timestamp + Send + Sync>);

/// The settings of a network. [`Config::new`] has the defaults.
#[derive(Clone, Debug)]
pub struct Config {
    /// The chain's genesis hash. Peers of another chain are refused in the handshake.
    pub chain: Hash,
    /// Where to listen, over UDP. Port 0 is any.
    pub listen: SocketAddr,
    /// Addresses that others reach this node by, at most four; they are signed and told. Empty: the one that it listens
    /// at, unless that is all of the machine's.
    pub advertised: Vec<SocketAddr>,
    /// Peers to be connected to, always, wherever else they say they listen.
    pub static_peers: Vec<PeerAddress>,
    /// Peers that have a seat whoever else is connected, besides the static ones: the validators.
    pub allowed: BTreeSet<PeerId>,
    /// Seats for peers that are neither: followers. 0: known peers only. Default 64.
    pub unknown_peers: usize,
    /// Of these, seats of one IP address (IPv6: one /64), which bans keep taken. Default 8.
    pub unknown_peers_per_ip: usize,
    /// Dials peers of the exchange while fewer than this are connected. Default 8.
    pub wanted_peers: usize,
    /// Handshakes under way that others began. Default 64.
    pub handshakes: usize,
    /// Above this many, whoever dials proves first that it has its address (QUIC's Retry, one more round trip).
    /// Default 16; 0: always.
    pub handshakes_unproven: usize,
    /// Handshakes a second from one IP address, and four times as many at once. Default 8.
    pub handshakes_per_ip_per_second: u64,
    /// Time for a handshake and a greeting. Default 5 s.
    pub handshake_timeout: Duration,
    /// A connection of which nothing is heard for so long is lost. Default 5 s.
    pub idle_timeout: Duration,
    /// How often a connection shows that it is alive. Default 1 s.
    pub keep_alive: Duration,
    /// Time for a frame that was begun, besides a second for each 64 KiB of it. Default 10 s.
    pub frame_timeout: Duration,
    /// How long a peer may send more than it may, before that is a flood. Default 10 s.
    pub flood_patience: Duration,
    /// The first ban's length. Default 10 min.
    pub ban: Duration,
    /// Time before a peer is dialled again: from the first failure, doubling up to the second. Default 100 ms to 30 s.
    pub redial: (Duration, Duration),
    /// How often peers are asked for others. Default 60 s.
    pub exchange_interval: Duration,
    /// The limits of each class, in [`Class::ALL`]'s order: what all nodes of a chain agree on.
    pub classes: [ClassLimits; Class::COUNT],
    /// The time of day, for address records.
    pub clock: Clock,
}

impl Config {
    /// The defaults for a chain, an address to listen at and a clock.
    pub fn new(chain: Hash, listen: SocketAddr, clock: Clock) -> Self {
        Self {
            chain,
            listen,
            advertised: Vec::new(),
            static_peers: Vec::new(),
            allowed: BTreeSet::new(),
            unknown_peers: 64,
            unknown_peers_per_ip: 8,
            wanted_peers: 8,
            handshakes: 64,
            handshakes_unproven: 16,
            handshakes_per_ip_per_second: 8,
            handshake_timeout: Duration::from_secs(5),
            idle_timeout: Duration::from_secs(5),
            keep_alive: Duration::from_secs(1),
            frame_timeout: Duration::from_secs(10),
            flood_patience: Duration::from_secs(10),
            ban: Duration::from_secs(600),
            redial: (Duration::from_millis(100), Duration::from_secs(30)),
            exchange_interval: Duration::from_secs(60),
            classes: Class::ALL.map(Class::limits),
            clock,
        }
    }

    pub(crate) const fn limits(&self, class: Class) -> &ClassLimits {
        &self.classes[class.index()]
    }
}

impl Clock {
    /// A clock.
    pub fn new(now: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    pub(crate) fn now(&self) -> Timestamp {
        (self.0)()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}
