//! All lanes of a chain, as one node has them.

use std::{sync::Arc, time::Duration};

use rdkafka::{
    admin::AdminClient,
    config::{ClientConfig, FromClientConfigAndContext},
    types::RDKafkaErrorCode,
};

use crate::{
    broker_error::BrokerError,
    client,
    consumer::{ConsumeError, Consumer},
    link::{Change, Link, Role, Shared},
    metrics::Snapshot,
    producer::{Producer, SubmitError},
    retention::{self, RetentionError},
    settings::{Settings, SettingsError},
    shard::{Bounds, Offset, Shard},
    ticket::Ticket,
    topics::{self, TopicsError},
};

/// The lanes of a chain.
///
/// Everything here blocks for [`Timeouts::request`](crate::Timeouts::request) at the most, but for
/// [`submit`](Self::submit), which never does.
pub struct Lanes {
    settings: Settings,
    admin: ClientConfig,
    consumer: ClientConfig,
    shared: Arc<Shared>,
    producer: Producer,
}

impl Lanes {
    /// Checks the settings and starts what connects, without waiting for it. `observer` hears of every [`Change`].
    ///
    /// # Errors
    /// When a setting cannot be used; never because a broker is away.
    pub fn connect(
        settings: Settings,
        observer: impl Fn(Change) + Send + Sync + 'static,
    ) -> Result<Self, SettingsError> {
        settings.check()?;
        // Files are read here and not again: a node that runs does not stumble over one that is gone.
        let (admin, consumer) = (client::admin(&settings)?, client::consumer(&settings)?);
        let shared = Arc::new(Shared::new(&settings, Box::new(observer)));
        let producer = Producer::new(&settings, &shared)?;
        Ok(Self { settings, admin, consumer, shared, producer })
    }

    /// Makes the topics that are missing and checks all of them: to be called at every start, before anything else.
    /// Returns the lanes whose topics were missing: of a chain that has blocks, a lane that was lost.
    ///
    /// # Errors
    /// Says every setting that is not as it has to be, each with the command that mends it. Where
    /// [`TopicsError::is_transient`] holds, trying again is all it takes.
    pub fn prepare(&self) -> Result<Vec<Shard>, TopicsError> {
        let unavailable = |error| TopicsError::Unavailable { brokers: self.settings.bootstrap(), error, problem: None };
        let prepared = self.admin().map_err(unavailable).and_then(|admin| topics::prepare(&admin, &self.settings));
        prepared.map_err(|error| match error {
            TopicsError::Unavailable { brokers, error, .. } => {
                TopicsError::Unavailable { brokers, error, problem: self.shared.problem() }
            }
            other => other,
        })
    }

    /// Sends a record's bytes to a lane. Records of a lane are in the order in which this was called. Never blocks.
    ///
    /// # Errors
    /// When the record is refused at once: it is too large, or as many wait as may. The [`Ticket`] says everything
    /// else.
    pub fn submit(&self, shard: Shard, record: &[u8]) -> Result<Ticket, SubmitError> {
        self.producer.submit(shard, record)
    }

    /// Waits until everything that was submitted is answered, at most this long; false if something is not.
    pub fn flush(&self, timeout: Duration) -> bool {
        self.producer.flush(timeout)
    }

    /// A reader of all lanes, each from its position. Nothing is remembered at the broker: whoever reads keeps the
    /// positions, with what came of the records. Metrics and changes are of one reader: there should be one at a time.
    ///
    /// Behind [`prepare`](Self::prepare): a lane whose topic was never there, or is not for this reader to see, would only
    /// be silent.
    ///
    /// # Errors
    /// When there is not one position for each lane.
    pub fn consume(&self, positions: &[Offset]) -> Result<Consumer, ConsumeError> {
        Consumer::new(&self.settings, &self.consumer, &self.shared, positions)
    }

    /// What of a lane the broker has now.
    ///
    /// # Errors
    /// What the broker answers instead.
    pub fn bounds(&self, shard: Shard) -> Result<Bounds, BrokerError> {
        let topic = self.shared.topic(shard).ok_or(BrokerError(RDKafkaErrorCode::UnknownPartition))?;
        let (low, high) = self.producer.bounds(topic, self.settings.timeouts.request)?;
        Ok(Bounds { low, high })
    }

    /// Deletes a lane's records below a position, for good and for everybody. Returns the first offset that is left.
    /// Only what a quorum has finalised and keeps may be deleted: whoever calls this knows that.
    ///
    /// # Errors
    /// When the broker is away, refuses, or has no records up to there.
    pub fn delete_below(&self, shard: Shard, below: Offset) -> Result<Offset, RetentionError> {
        let topic = self.shared.topic(shard).ok_or_else(|| RetentionError::Refused {
            topic: self.settings.topic(shard),
            error: BrokerError(RDKafkaErrorCode::UnknownPartition),
        })?;
        let admin = self.admin().map_err(RetentionError::Unavailable)?;
        retention::delete_below(&admin, topic, below, self.settings.timeouts.request)
    }

    /// What was counted and measured.
    pub fn snapshot(&self) -> Snapshot {
        self.shared.metrics.snapshot()
    }

    /// The settings.
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// A client for a question or two. Kept, its log would fill memory: nobody reads it.
    fn admin(&self) -> Result<AdminClient<Link>, BrokerError> {
        let link = Link::new(Role::Producer, &self.shared);
        AdminClient::from_config_and_context(&self.admin, link).map_err(|error| BrokerError::of(&error))
    }
}

impl Drop for Lanes {
    /// What waits is answered [`SubmitError::Stopped`]. To have it acknowledged first, [`flush`](Self::flush).
    fn drop(&mut self) {
        self.shared.stop();
    }
}
