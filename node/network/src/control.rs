//! The control stream: greetings and peer exchange.
//!
//! Each side opens one, before any other stream. It begins with the byte 0; then come frames of borsh:
//!
//! ```text
//! dialer                                   acceptor
//!   │ Hello { instance, record? } ──────────► │  decides whether to take the peer
//!   │ ◄────────── Hello { instance, record? } │  or closes with a reason
//!   │ Ask ──────────────────────────────────► │
//!   │ ◄──────────────────── Records(0 to 32)  │  and so the other way round
//! ```
//!
//! An instance is drawn at random by each start of a node. A connection with another instance is not a second one
//! beside the first: the peer has restarted, and the first is dead.

use borsh::{BorshDeserialize, BorshSerialize};
use bytes::Bytes;

use crate::record::SignedRecord;

/// The byte that the stream begins with.
pub(crate) const CONTROL_MARK: u8 = 0;
/// Bytes of a control message: 32 records have 6 KiB.
pub(crate) const CONTROL_BYTES: usize = 16 << 10;
/// Control messages a second: one every minute is what is said.
pub(crate) const CONTROL_PER_SECOND: u64 = 4;

/// A message of the control stream.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum Control {
    /// The first message each way.
    Hello(Hello),
    /// Asks for records.
    Ask,
    /// Answers: those that the peer knows, its own first.
    Records(Vec<SignedRecord>),
}

/// A greeting. Who greets is known from the handshake.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Hello {
    /// Of the node's start.
    pub instance: u64,
    /// Where it listens, if it wants to be dialled.
    pub record: Option<SignedRecord>,
}

impl Control {
    /// Decodes exactly one message, or `None`.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        borsh::from_slice(bytes).ok()
    }

    pub(crate) fn encode(&self) -> Bytes {
        // Writing to memory does not fail.
        borsh::to_vec(self).unwrap_or_default().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_format_is_this() {
        let hello = Control::Hello(Hello { instance: 0x0102, record: None });
        assert_eq!(hello.encode()[..], [0, 2, 1, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(Control::Ask.encode()[..], [1]);
        assert_eq!(Control::Records(Vec::new()).encode()[..], [2, 0, 0, 0, 0]);
        assert_eq!(Control::decode(&hello.encode()), Some(hello));
        assert_eq!(Control::decode(&[1, 0]), None);
        // Four thousand million records in five bytes.
        assert_eq!(Control::decode(&[2, 255, 255, 255, 255]), None);
    }
}
