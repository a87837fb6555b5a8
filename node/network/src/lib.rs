//! Validators and followers of a chain over QUIC: who is connected, what is sent, and how much of it.
//!
//! A peer is its ed25519 key: TLS 1.3 shows raw public keys on both sides (RFC 7250) and nothing else. Messages are
//! bytes in five [classes](Class), each with streams, queues and budgets of its own, so that votes never wait behind
//! bodies. What a message means is for its reader to say, and to [report](Network::report) if it means nothing.
//!
//! ```text
//!                  ┌───────────── Network ─────────────┐
//!  send, broadcast │ queues ─► streams ─┐   ┌─ dial     │   identity  tls  record      who is who
//!  request ◄──────►│ streams ───────────┼ quinn ─ gate  │   peers  exchange            who is connected
//!  Incoming ◄──────│ budgets ◄─ frames ─┘   └─ accept   │   frame  budget  score       what is allowed
//!                  └───────────────────────────────────┘
//! ```
//!
//! **Invariants.** Nothing that a peer sends makes this crate panic, or hold more than its limits add up to: sizes are
//! checked before memory is taken, rates before bytes are read. One peer delays another by no more than a queue's turn.
//! A pair has one connection. What decides reads no clock: times are handed in.
//!
//! There is no chain in here and no consensus, and nothing is delivered for certain: a message is lost with its
//! connection.

mod budget;
mod class;
mod close;
mod config;
mod control;
mod dial;
mod endpoint;
mod event;
mod exchange;
mod frame;
mod gate;
mod identity;
mod link;
mod message;
mod network;
mod peer;
mod peers;
mod queue;
mod record;
mod request;
mod score;
mod stats;
mod stream;
mod tls;

#[cfg(test)]
mod tests;

pub use class::{Class, ClassLimits, Overflow};
pub use close::Close;
pub use config::{Clock, Config};
pub use control::{Control, Hello};
pub use event::{DialError, Event, Lost};
pub use exchange::{RECORD_AGE_MS, RECORD_AHEAD_MS, RECORDS, RECORDS_ANSWERED, RECORDS_TOLD};
pub use frame::{Decoded, Decoder, FRAME_HEADER_BYTES, FrameError};
pub use identity::{Identity, ParsePeerError, PeerAddress, PeerId};
pub use message::{Incoming, Message, Request, RequestError, ResponseSize, SendError};
pub use network::{Audience, Network, StartError};
pub use record::{AddressRecord, RECORD_ADDRESSES, RecordError, SignedRecord};
pub use score::{BAN_SCORE, Ban, Misbehaviour};
pub use stats::{BanSnapshot, Direction, PeerSnapshot, Totals, Traffic};
pub use tls::{PROTOCOL_VERSION, TlsError};
