//! What can be seen: counters for metrics, and a snapshot of who is connected.

use std::{
    net::SocketAddr,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use crate::{class::Class, identity::PeerId, score::Misbehaviour};

/// Who dialled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// This node.
    Outbound,
    /// The peer.
    Inbound,
}

/// What went over the network of a class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Bytes of payloads that came, requests and responses included.
    pub bytes_in: u64,
    /// Payloads that came.
    pub messages_in: u64,
    /// Bytes of payloads that were handed to QUIC.
    pub bytes_out: u64,
    /// Payloads that were handed to QUIC.
    pub messages_out: u64,
    /// Messages that were dropped or refused for want of room in a queue to a peer, or that came from a peer which has
    /// no say in the class.
    pub dropped: u64,
}

/// A connected peer.
#[derive(Clone, Debug)]
pub struct PeerSnapshot {
    /// Who.
    pub id: PeerId,
    /// Where.
    pub address: SocketAddr,
    /// Who dialled.
    pub direction: Direction,
    /// True for static and allowed peers.
    pub is_known: bool,
    /// A round trip, as QUIC measures it.
    pub rtt: Duration,
    /// How long it is connected.
    pub connected_for: Duration,
    /// Points of misbehaviour, of [`BAN_SCORE`](crate::BAN_SCORE).
    pub score: u32,
    /// Packets to it that were lost.
    pub lost_packets: u64,
    /// By class, in [`Class::ALL`]'s order.
    pub traffic: [Traffic; Class::COUNT],
    /// Messages that wait to be sent to it, by class.
    pub queued: [usize; Class::COUNT],
}

/// A banned peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BanSnapshot {
    /// Who.
    pub id: PeerId,
    /// For what.
    pub reason: Misbehaviour,
    /// For how much longer.
    pub remaining: Duration,
}

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident),*) => {
        /// Totals since the start.
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct Totals {
            $($(#[$doc])* pub $name: u64,)*
            /// Misbehaviours, in [`Misbehaviour::ALL`]'s order.
            pub misbehaviours: [u64; Misbehaviour::ALL.len()],
            /// Traffic by class, in [`Class::ALL`]'s order.
            pub traffic: [Traffic; Class::COUNT],
        }

        #[derive(Debug, Default)]
        pub(crate) struct Counters {
            $(pub(crate) $name: AtomicU64,)*
            pub(crate) misbehaviours: [AtomicU64; Misbehaviour::ALL.len()],
            pub(crate) traffic: [TrafficCounters; Class::COUNT],
        }

        impl Counters {
            pub(crate) fn totals(&self) -> Totals {
                Totals {
                    $($name: self.$name.load(Relaxed),)*
                    misbehaviours: std::array::from_fn(|at| self.misbehaviours[at].load(Relaxed)),
                    traffic: std::array::from_fn(|at| self.traffic[at].read()),
                }
            }
        }
    };
}

counters! {
    /// Connections that were taken up, either way.
    connections,
    /// Dials that led to none, duplicates apart.
    dials_failed,
    /// Handshakes of others that were gone into.
    handshakes,
    /// Attempts that were asked to prove their address.
    handshakes_proving,
    /// Attempts that were refused before a handshake.
    handshakes_refused,
    /// Handshakes of others that failed or took too long.
    handshakes_failed,
    /// Of these, those of another chain or protocol version.
    handshakes_other_chain,
    /// Peers that were not taken after their handshake: unknown, banned, or for want of seats.
    peers_refused,
    /// Bans.
    bans,
    /// Address records that were refused.
    records_refused,
    /// Requests of others that were refused because too many wait.
    requests_refused
}

/// Counts one more.
pub(crate) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Relaxed);
}

#[derive(Debug, Default)]
pub(crate) struct TrafficCounters {
    bytes_in: AtomicU64,
    messages_in: AtomicU64,
    bytes_out: AtomicU64,
    messages_out: AtomicU64,
    dropped: AtomicU64,
}

impl TrafficCounters {
    pub(crate) fn came(&self, bytes: usize) {
        self.bytes_in.fetch_add(bytes as u64, Relaxed);
        count(&self.messages_in);
    }

    pub(crate) fn went(&self, bytes: usize) {
        self.bytes_out.fetch_add(bytes as u64, Relaxed);
        count(&self.messages_out);
    }

    pub(crate) fn dropped(&self, messages: u64) {
        self.dropped.fetch_add(messages, Relaxed);
    }

    pub(crate) fn read(&self) -> Traffic {
        Traffic {
            bytes_in: self.bytes_in.load(Relaxed),
            messages_in: self.messages_in.load(Relaxed),
            bytes_out: self.bytes_out.load(Relaxed),
            messages_out: self.messages_out.load(Relaxed),
            dropped: self.dropped.load(Relaxed),
        }
    }
}
