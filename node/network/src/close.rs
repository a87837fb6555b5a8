//! Why a node closes a connection, as its peer is told: an application error code of QUIC and a sentence.

use quinn::{Connection, ConnectionError, VarInt};
use thiserror::Error;

use crate::score::Misbehaviour;

/// Why one side ended a connection, or did not want it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Close {
    /// The node stops.
    #[error("the node shuts down")]
    Shutdown,
    /// The two are connected already, and keep the other connection.
    #[error("the peers are connected already")]
    Duplicate,
    /// It takes peers of its list only.
    #[error("only known peers are taken")]
    NotAllowed,
    /// All seats for unknown peers are taken, or all of the address.
    #[error("all seats are taken")]
    Full,
    /// The peer is banned, for now.
    #[error("the peer is banned")]
    Banned,
    /// The peer did what it should not have.
    #[error("{0}")]
    Misbehaved(Misbehaviour),
    /// The peer did not introduce itself, or took too long.
    #[error("no greeting")]
    NoGreeting,
    /// The user of the other node's network asked for it.
    #[error("disconnected on purpose")]
    Asked,
    /// A stream that lasts as long as the connection has ended.
    #[error("a stream has ended")]
    Ended,
    /// A code that this version does not know.
    #[error("for an unknown reason ({0})")]
    Unknown(u64),
}

/// Codes from here on are misbehaviours, in their order.
const MISBEHAVED: u64 = 0x100;

impl Close {
    pub(crate) fn code(self) -> VarInt {
        let code = match self {
            Self::Shutdown => 0,
            Self::Duplicate => 1,
            Self::NotAllowed => 2,
            Self::Full => 3,
            Self::Banned => 4,
            Self::NoGreeting => 5,
            Self::Asked => 6,
            Self::Ended => 7,
            Self::Misbehaved(misbehaviour) => MISBEHAVED + misbehaviour.index() as u64,
            Self::Unknown(code) => code,
        };
        VarInt::from_u64(code).unwrap_or(VarInt::MAX)
    }

    fn from_code(code: VarInt) -> Self {
        match code.into_inner() {
            0 => Self::Shutdown,
            1 => Self::Duplicate,
            2 => Self::NotAllowed,
            3 => Self::Full,
            4 => Self::Banned,
            5 => Self::NoGreeting,
            6 => Self::Asked,
            7 => Self::Ended,
            code => Misbehaviour::ALL
                .into_iter()
                .find(|misbehaviour| MISBEHAVED + misbehaviour.index() as u64 == code)
                .map_or(Self::Unknown(code), Self::Misbehaved),
        }
    }

    /// What the peer said when it closed the connection, if it did.
    pub(crate) fn of(error: &ConnectionError) -> Option<Self> {
        match error {
            ConnectionError::ApplicationClosed(close) => Some(Self::from_code(close.error_code)),
            _ => None,
        }
    }

    pub(crate) fn close(self, connection: &Connection) {
        connection.close(self.code(), self.to_string().as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_come_back() {
        let plain = [
            Close::Shutdown,
            Close::Duplicate,
            Close::NotAllowed,
            Close::Full,
            Close::Banned,
            Close::NoGreeting,
            Close::Asked,
            Close::Ended,
            Close::Unknown(77),
        ];
        for close in plain.into_iter().chain(Misbehaviour::ALL.map(Close::Misbehaved)) {
            assert_eq!(Close::from_code(close.code()), close);
        }
    }
}
