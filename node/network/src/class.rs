//! The classes of messages, and what a peer may send of each.
//!
//! Each class has a stream, queues and budgets of its own, so that a body of four megabytes never stands before a
//! vote. The limits are part of the protocol: a peer keeps to [`ClassLimits::bytes_per_second`] and
//! [`ClassLimits::messages_per_second`], whoever receives allows twice that, and no honest peer is ever near it.

use std::time::Duration;

use rustorium_types::limits;

/// What a message is about. The order is that of urgency: votes go first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// Votes of consensus: small, many, worthless when late.
    Vote,
    /// Certificates and what announces a block: small, worthless when late.
    Certificate,
    /// What consensus asks for when it lacks a certificate or a block.
    Resolver,
    /// Bytes of records that a block takes.
    Bodies,
    /// Blocks and state for whoever catches up.
    Sync,
}

/// What becomes of a message for which a peer's outgoing queue has no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overflow {
    /// The oldest in the queue is dropped, and counted: a newer vote is worth more.
    DropOldest,
    /// The new one is refused with [`SendError::Full`](crate::SendError::Full): its sender is to wait, or to ask
    /// somebody else.
    Refuse,
}

/// The limits of a class, for each peer unless said otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClassLimits {
    /// Bytes of a message at the most.
    pub message_bytes: usize,
    /// Bytes of a request; 0: the class has none.
    pub request_bytes: usize,
    /// Bytes of a response.
    pub response_bytes: usize,
    /// Requests under way at once, each way.
    pub requests: usize,
    /// Messages that wait to be sent to a peer.
    pub outgoing_messages: usize,
    /// Bytes that wait to be sent to a peer.
    pub outgoing_bytes: usize,
    /// What becomes of one too many of them.
    pub overflow: Overflow,
    /// Messages of all peers that wait for the user of this crate. When there are as many, reading stops, and QUIC's
    /// flow control stops the senders; each of them is next once in a round.
    pub incoming_messages: usize,
    /// Bytes that a peer sends in a second, responses included.
    pub bytes_per_second: u64,
    /// Messages and requests that a peer sends in a second.
    pub messages_per_second: u64,
}

impl Class {
    /// All of them, the most urgent first.
    pub const ALL: [Self; Self::COUNT] = [Self::Vote, Self::Certificate, Self::Resolver, Self::Bodies, Self::Sync];
    /// How many there are.
    pub const COUNT: usize = 5;

    /// The name in metrics and logs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Vote => "vote",
            Self::Certificate => "certificate",
            Self::Resolver => "resolver",
            Self::Bodies => "bodies",
            Self::Sync => "sync",
        }
    }

    /// The limits that every node has unless its chain's operators agree on others.
    pub const fn limits(self) -> ClassLimits {
        match self {
            // A vote has some 200 bytes. A validator casts three a view; a thousand a second is far from that.
            Self::Vote => ClassLimits {
                message_bytes: 4 << 10,
                request_bytes: 0,
                response_bytes: 0,
                requests: 0,
                outgoing_messages: 1_024,
                outgoing_bytes: 1 << 20,
                overflow: Overflow::DropOldest,
                incoming_messages: 2_048,
                bytes_per_second: 1 << 20,
                messages_per_second: 1_000,
            },
            // 33 KB is the certificate of 512 validators.
            Self::Certificate => ClassLimits {
                message_bytes: 64 << 10,
                request_bytes: 0,
                response_bytes: 0,
                requests: 0,
                outgoing_messages: 256,
                outgoing_bytes: 4 << 20,
                overflow: Overflow::DropOldest,
                incoming_messages: 512,
                bytes_per_second: 4 << 20,
                messages_per_second: 1_000,
            },
            Self::Resolver => ClassLimits {
                message_bytes: 256 << 10,
                request_bytes: 4 << 10,
                response_bytes: 256 << 10,
                requests: 16,
                outgoing_messages: 128,
                outgoing_bytes: 4 << 20,
                overflow: Overflow::Refuse,
                incoming_messages: 128,
                bytes_per_second: 8 << 20,
                messages_per_second: 500,
            },
            // A message or a request holds the largest transaction, a response a whole block.
            Self::Bodies => ClassLimits {
                message_bytes: limits::TRANSACTION_BYTES as usize + (64 << 10),
                request_bytes: limits::TRANSACTION_BYTES as usize + (64 << 10),
                response_bytes: limits::BLOCK_BYTES as usize + (1 << 20),
                requests: 8,
                outgoing_messages: 4_096,
                outgoing_bytes: 8 << 20,
                overflow: Overflow::Refuse,
                incoming_messages: 64,
                bytes_per_second: 64 << 20,
                messages_per_second: 20_000,
            },
            Self::Sync => ClassLimits {
                message_bytes: 64 << 10,
                request_bytes: 4 << 10,
                response_bytes: limits::BLOCK_BYTES as usize + (1 << 20),
                requests: 4,
                outgoing_messages: 64,
                outgoing_bytes: 1 << 20,
                overflow: Overflow::Refuse,
                incoming_messages: 64,
                bytes_per_second: 64 << 20,
                messages_per_second: 200,
            },
        }
    }

    pub(crate) const fn index(self) -> usize {
        self as usize
    }

    /// The byte that a stream of the class begins with.
    pub(crate) const fn mark(self) -> u8 {
        self as u8 + 1
    }

    pub(crate) fn from_mark(mark: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.mark() == mark)
    }

    /// QUIC's priority: streams of a higher one are sent first.
    pub(crate) const fn priority(self) -> i32 {
        -(self as i32)
    }
}

/// How long a frame of so many bytes may be on its way, once it is begun: ten seconds, and a second for each 64 KiB.
/// Slower than that is no network on which consensus runs, or somebody who keeps memory in use on purpose.
pub(crate) fn patience(base: Duration, bytes: usize) -> Duration {
    base + Duration::from_millis(bytes as u64 * 1_000 / (64 << 10))
}
