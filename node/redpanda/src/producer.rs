//! The way into the lanes: one idempotent producer for all of them.
//!
//! `acks=all` and idempotence: a record that is acknowledged is in as many copies as have to be in sync, once,
//! and records of a lane are in the order in which they were submitted, whatever the client library had to send again.
//! No transactions: nothing here spans records.
//!
//! A producer that the broker fences off for good (a *fatal* error, after which idempotence could not be promised any
//! more) is replaced by a new one. What it had under way is answered [`SubmitError::Fenced`]: perhaps in the lane,
//! perhaps not.

use std::{
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use rdkafka::{
    config::{ClientConfig, FromClientConfigAndContext},
    error::{KafkaError, RDKafkaErrorCode},
    message::{DeliveryResult, Message},
    producer::{BaseRecord, Producer as _, ProducerContext, ThreadedProducer},
};
use thiserror::Error;

use crate::{
    broker_error::BrokerError,
    client,
    link::{Change, Link, Role, Shared},
    settings::{Settings, SettingsError},
    shard::{Offset, Shard},
    ticket::{Acknowledged, Answer, Ticket, ticket},
};

/// Why a record is not known to be in its lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SubmitError {
    /// As many records wait for the broker as may.
    #[error("as many records wait for the broker as may; try again when some of them are through")]
    QueueFull,
    /// Over the limit.
    #[error("a record has at most {limit} bytes, this one has {bytes}")]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// There is no such lane.
    #[error("there is no shard {0}")]
    NoSuchShard(Shard),
    /// No broker that may take it could be reached, or too few copies are in sync.
    #[error("the broker is away: the record may or may not be in the lane")]
    Unavailable,
    /// The broker was there, and did not acknowledge it in time.
    #[error("the broker did not answer in time: the record may or may not be in the lane")]
    TimedOut,
    /// The broker fenced this producer off; a new one takes its place.
    #[error("the broker fenced this producer off: the record may or may not be in the lane")]
    Fenced,
    /// The broker does not take it.
    #[error("the broker refuses the record: {0}")]
    Refused(BrokerError),
    /// The lanes were closed while it waited.
    #[error("the lanes were closed: the record may or may not be in the lane")]
    Stopped,
}

impl SubmitError {
    /// The record surely is not in the lane. Otherwise it may be, or come to be: whoever submits it again must not
    /// mind if it is there twice.
    pub const fn is_settled(&self) -> bool {
        matches!(self, Self::QueueFull | Self::TooLarge { .. } | Self::NoSuchShard(_) | Self::Refused(_))
    }

    /// What a broker's refusal of a record of so many bytes comes to.
    fn of(error: BrokerError, bytes: usize, limit: usize, shared: &Shared) -> Self {
        use RDKafkaErrorCode as Code;
        match error.0 {
            Code::QueueFull => Self::QueueFull,
            Code::MessageSizeTooLarge | Code::InvalidMessageSize | Code::MessageBatchTooLarge => {
                Self::TooLarge { bytes, limit }
            }
            Code::PurgeQueue | Code::PurgeInflight if shared.is_stopping() => Self::Stopped,
            Code::PurgeQueue
            | Code::PurgeInflight
            | Code::Fatal
            | Code::Fenced
            | Code::ProducerFenced
            | Code::InvalidProducerEpoch
            | Code::UnknownProducerId
            | Code::OutOfOrderSequenceNumber => Self::Fenced,
            Code::MessageTimedOut if shared.is_down(Role::Producer) => Self::Unavailable,
            Code::MessageTimedOut => Self::TimedOut,
            // A broker that failed in a way that it has no code for may have written it.
            Code::Unknown => Self::Unavailable,
            _ if error.is_unavailable() => Self::Unavailable,
            _ => Self::Refused(error),
        }
    }
}

/// The producer, and the one that replaces it.
pub(crate) struct Producer {
    config: ClientConfig,
    shared: Arc<Shared>,
    record_bytes: usize,
    current: RwLock<ThreadedProducer<Link>>,
}

/// A record on its way, and whom to tell.
pub(crate) struct Pending {
    answer: Answer,
    bytes: usize,
}

impl Producer {
    pub(crate) fn new(settings: &Settings, shared: &Arc<Shared>) -> Result<Self, SettingsError> {
        let config = client::producer(settings)?;
        let current = Self::start(&config, shared).map_err(client::refused)?;
        Ok(Self {
            config,
            shared: Arc::clone(shared),
            record_bytes: settings.record_bytes,
            current: RwLock::new(current),
        })
    }

    fn start(config: &ClientConfig, shared: &Arc<Shared>) -> Result<ThreadedProducer<Link>, KafkaError> {
        shared.begins(Role::Producer);
        ThreadedProducer::from_config_and_context(config, Link::new(Role::Producer, shared))
    }

    pub(crate) fn submit(&self, shard: Shard, record: &[u8]) -> Result<Ticket, SubmitError> {
        let topic = self.shared.topic(shard).ok_or(SubmitError::NoSuchShard(shard));
        let queued = topic.and_then(|topic| self.queue(topic, record));
        queued.inspect_err(|error| self.shared.metrics.failed(error))
    }

    fn queue(&self, topic: &str, record: &[u8]) -> Result<Ticket, SubmitError> {
        if record.len() > self.record_bytes {
            return Err(SubmitError::TooLarge { bytes: record.len(), limit: self.record_bytes });
        }
        let (answer, ticket) = ticket();
        // Before it can be answered.
        self.shared.metrics.queued(record.len());
        let mut pending = Box::new(Pending { answer, bytes: record.len() });
        // A second try, behind a producer that was replaced.
        for _ in 0..2 {
            match self.send(topic, record, pending) {
                Ok(()) => return Ok(ticket),
                Err((error, back)) if error.0 == RDKafkaErrorCode::Fatal => {
                    self.renew();
                    pending = back;
                }
                Err((error, back)) => {
                    self.shared.metrics.unqueued(back.bytes);
                    return Err(SubmitError::of(error, record.len(), self.record_bytes, &self.shared));
                }
            }
        }
        self.shared.metrics.unqueued(record.len());
        Err(SubmitError::Fenced)
    }

    fn send(&self, topic: &str, record: &[u8], pending: Box<Pending>) -> Result<(), (BrokerError, Box<Pending>)> {
        let record = BaseRecord::<(), [u8], _>::with_opaque_to(topic, pending).partition(0).payload(record);
        self.current().send(record).map_err(|(error, record)| (BrokerError::of(&error), record.delivery_opaque))
    }

    /// The producer of now. The lock is not held while it is used: nobody who submits waits for somebody who asks.
    fn current(&self) -> ThreadedProducer<Link> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Replaces a producer that can send nothing more.
    fn renew(&self) {
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        let Some((code, reason)) = current.client().fatal_error() else { return };
        match Self::start(&self.config, &self.shared) {
            Ok(new) => {
                let old = std::mem::replace(&mut *current, new);
                drop(current);
                self.shared.tell(Change::ProducerRenewed { error: BrokerError(code), reason });
                // What it had under way is answered here, behind the lock: those who submit do not wait for it.
                drop(old);
            }
            Err(error) => tracing::error!(%error, "no producer can be made in place of one that was fenced off"),
        }
    }

    /// Waits until everything that was submitted is answered; false if that took longer.
    pub(crate) fn flush(&self, timeout: Duration) -> bool {
        self.current().flush(timeout).is_ok()
    }

    /// Where a lane begins and ends.
    pub(crate) fn bounds(&self, topic: &str, timeout: Duration) -> Result<(Offset, Offset), BrokerError> {
        let asked = self.current().client().fetch_watermarks(topic, 0, timeout);
        let (low, high) = asked.map_err(|error| BrokerError::of(&error))?;
        Ok((Offset::from_native(low), Offset::from_native(high)))
    }
}

impl ProducerContext for Link {
    type DeliveryOpaque = Box<Pending>;

    fn delivery(&self, result: &DeliveryResult<'_>, pending: Box<Pending>) {
        let shared = self.shared();
        let Pending { answer, bytes } = *pending;
        let result = match result {
            Ok(message) => {
                shared.metrics.acknowledged();
                Ok(Acknowledged { offset: u64::try_from(message.offset()).ok().map(Offset) })
            }
            Err((error, _)) => Err(SubmitError::of(BrokerError::of(error), bytes, shared.record_bytes(), shared)),
        };
        if let Err(error) = &result {
            shared.metrics.failed(error);
        }
        shared.metrics.unqueued(bytes);
        // Nobody waits any more: nobody is told.
        let _ = answer.send(result);
    }
}
