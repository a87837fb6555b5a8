//! The lanes of the transaction log on a broker that speaks Kafka's protocol: Redpanda, or Apache Kafka.
//!
//! ```text
//!             submit(shard, bytes)                                   next()
//! accepting ─────────────────────► transactions-0 ─┐                            ┌► every validator
//! node        idempotent, acks=all  transactions-1 ─┼──────────────────────────┤  assign + seek from
//!             ◄── offset, or why    transactions-2 ─┘  one partition each       └► positions of its own
//! ```
//!
//! A lane is one topic of one partition: an append-only sequence of records that all validators share. A sender's
//! shard is a hash of its id ([`Shard::of`]), so that all of its records are in one lane, in order.
//!
//! What the broker is trusted with is to keep bytes: it can stop a chain's intake and never fork it. Only the bytes
//! of records count. Keys, headers and timestamps are neither written nor read; offsets are hints by which a reader
//! finds its place again; what a broker says that contradicts what was read before is an [`Event`], and what follows
//! from it is the chain's business.
//!
//! [`Lanes::connect`] talks to nobody. [`Lanes::prepare`] makes the topics that are missing and checks the rest, at
//! every start. Then [`Lanes::submit`] and [`Lanes::consume`] work, and go on by themselves whenever a broker goes and
//! comes back.
//!
//! ```no_run
//! use std::{num::NonZeroU32, time::Duration};
//!
//! use rustorium_redpanda::{Delivery, Lanes, Offset, Settings, Shard};
//! use rustorium_types::id::AccountId;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let sender = AccountId([1; 32]);
//! let shards = NonZeroU32::MIN;
//! let settings = Settings::new(vec!["127.0.0.1:9092".to_owned()], shards);
//! let lanes = Lanes::connect(settings, |change| println!("{change:?}"))?;
//! lanes.prepare()?;
//!
//! let ticket = lanes.submit(Shard::of(sender, shards), b"the bytes of a record")?;
//! println!("acknowledged at {:?}", ticket.wait()?.offset);
//!
//! let mut consumer = lanes.consume(&[Offset(0)])?;
//! while let Some(delivery) = consumer.next(Duration::from_secs(1)) {
//!     match delivery {
//!         Delivery::Record(record) => println!("{}: {:?}", record.offset, record.body),
//!         Delivery::Event(event) => println!("{event:?}"),
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! **Invariants.** Nothing here reads a clock or draws a random number for anything but waiting and measuring.
//! Every queue is bounded. Every [`Ticket`] answers. rdkafka's types never leave this crate.

mod broker_error;
mod client;
mod consumer;
mod lanes;
mod link;
mod metrics;
mod producer;
mod retention;
mod settings;
mod shard;
mod ticket;
mod topics;
mod wait;

pub use broker_error::BrokerError;
pub use consumer::{Body, ConsumeError, Consumer, Delivery, Event, LaneRecord};
pub use lanes::Lanes;
pub use link::{Change, Role};
pub use metrics::{Failures, LaneSnapshot, RoundTrip, Snapshot};
pub use producer::SubmitError;
pub use retention::RetentionError;
pub use settings::{
    Settings, SettingsError, Timeouts,
    security::{Identity, Mechanism, Sasl, Security, Tls},
};
pub use shard::{Bounds, Offset, Shard};
pub use ticket::{Acknowledged, Ticket};
pub use topics::{
    TopicsError,
    wanted::{Cure, MAX_MESSAGE_BYTES, RECORD_OVERHEAD_BYTES, WrongSetting},
};
