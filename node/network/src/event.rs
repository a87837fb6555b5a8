//! What happens to connections, as it is told and as it is known.

use std::net::SocketAddr;

use quinn::{ConnectError, ConnectionError, TransportErrorCode};
use thiserror::Error;

use crate::{
    close::Close,
    identity::PeerId,
    score::{Ban, Misbehaviour},
    stats::Direction,
};

/// Something about a peer. Whoever reads too slowly misses some; [`Network::peers`](crate::Network::peers) is the
/// truth.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// A peer is connected.
    Connected {
        /// Who.
        peer: PeerId,
        /// Where.
        address: SocketAddr,
        /// Who dialled.
        direction: Direction,
    },
    /// A peer is no longer connected.
    Disconnected {
        /// Who.
        peer: PeerId,
        /// Why.
        reason: Lost,
    },
    /// A peer did something that it should not have.
    Misbehaved {
        /// Who.
        peer: PeerId,
        /// What.
        misbehaviour: Misbehaviour,
        /// Its points now.
        score: u32,
    },
    /// A peer is banned.
    Banned {
        /// Who.
        peer: PeerId,
        /// For what, until when.
        ban: Ban,
    },
    /// A peer could not be connected to; it will be tried again.
    DialFailed {
        /// Who was dialled.
        peer: PeerId,
        /// Why.
        error: DialError,
    },
}

/// Why a connection ended.
#[derive(Clone, Debug, Error)]
#[non_exhaustive]
pub enum Lost {
    /// The peer closed it.
    #[error("the peer closed the connection: {0}")]
    ByPeer(Close),
    /// This node closed it.
    #[error("this node closed the connection: {0}")]
    ByUs(Close),
    /// Nothing was heard of the peer for the idle timeout.
    #[error("nothing was heard of the peer for too long")]
    TimedOut,
    /// The peer restarted and knows nothing of the connection.
    #[error("the peer has restarted")]
    Restarted,
    /// The peer broke QUIC's rules, or the network did.
    #[error("the connection broke")]
    Broken(#[source] ConnectionError),
}

/// Why a dial led to no connection.
#[derive(Clone, Debug, Error)]
#[non_exhaustive]
pub enum DialError {
    /// Somebody else answered.
    #[error("at {address} is {found}, not {expected}")]
    WrongIdentity {
        /// Where.
        address: SocketAddr,
        /// Who was dialled.
        expected: PeerId,
        /// Who answered.
        found: PeerId,
    },
    /// It is of another chain.
    #[error("the peer at {address} is of another chain or speaks another protocol version; compare genesis hashes")]
    OtherChain {
        /// Where.
        address: SocketAddr,
    },
    /// It does not want the connection.
    #[error("the peer at {address} refuses: {reason}")]
    Refused {
        /// Where.
        address: SocketAddr,
        /// Why.
        reason: Close,
    },
    /// Nobody answered, or not in time.
    #[error("no answer from {address} in time")]
    NoAnswer {
        /// Where.
        address: SocketAddr,
    },
    /// What answered did not greet as a peer does.
    #[error("what answers at {address} does not greet as a peer does")]
    NoGreeting {
        /// Where.
        address: SocketAddr,
    },
    /// The address cannot be dialled from here.
    #[error("{address} cannot be dialled")]
    Address {
        /// Where.
        address: SocketAddr,
        /// What QUIC says.
        #[source]
        source: ConnectError,
    },
    /// The handshake failed otherwise.
    #[error("the handshake with {address} failed")]
    Handshake {
        /// Where.
        address: SocketAddr,
        /// What QUIC says.
        #[source]
        source: ConnectionError,
    },
}

/// TLS's alert `no_application_protocol`.
const NO_APPLICATION_PROTOCOL: u8 = 120;

/// True when a handshake ended because the two are of different chains.
pub(crate) fn is_other_chain(error: &ConnectionError) -> bool {
    let code = match error {
        ConnectionError::TransportError(error) => error.code,
        ConnectionError::ConnectionClosed(close) => close.error_code,
        _ => return false,
    };
    code == TransportErrorCode::crypto(NO_APPLICATION_PROTOCOL)
}

impl Lost {
    pub(crate) fn new(error: ConnectionError, by_us: Option<Close>) -> Self {
        match (&error, Close::of(&error)) {
            (_, Some(close)) => Self::ByPeer(close),
            (ConnectionError::LocallyClosed, _) => Self::ByUs(by_us.unwrap_or(Close::Shutdown)),
            (ConnectionError::TimedOut, _) => Self::TimedOut,
            (ConnectionError::Reset, _) => Self::Restarted,
            _ => Self::Broken(error),
        }
    }
}

impl DialError {
    pub(crate) fn new(address: SocketAddr, expected: PeerId, found: Option<PeerId>, source: ConnectionError) -> Self {
        match (found, Close::of(&source)) {
            (Some(found), _) => Self::WrongIdentity { address, expected, found },
            (None, Some(reason)) => Self::Refused { address, reason },
            (None, None) if is_other_chain(&source) => Self::OtherChain { address },
            (None, None) if matches!(source, ConnectionError::TimedOut) => Self::NoAnswer { address },
            (None, None) => Self::Handshake { address, source },
        }
    }
}
