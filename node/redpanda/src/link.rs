//! What librdkafka's threads tell between records: its log, its errors, its statistics. From them come metrics, and
//! whether a broker is there.
//!
//! A connection is up while at least one broker is connected, as of the last statistics. The library's own word that all
//! brokers are down says less: it comes while some still seem connected, and when none was needed.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use rdkafka::{
    ClientContext, Statistics,
    config::RDKafkaLogLevel,
    consumer::ConsumerContext,
    error::{KafkaError, RDKafkaErrorCode},
};

use crate::{
    broker_error::BrokerError,
    metrics::Metrics,
    settings::Settings,
    shard::{Offset, Shard},
};

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Submitting.
    Producer,
    /// Reading.
    Consumer,
}

/// Something about the connections changed. Told on a thread of the client library, which waits for the hearer: it must
/// not submit, flush or close from there.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Change {
    /// A broker is there, first or again.
    Up(Role),
    /// No broker is there any more. Not told of one that never was.
    Down(Role),
    /// The broker fenced the producer off, and a new one took its place.
    ProducerRenewed {
        /// The broker's code.
        error: BrokerError,
        /// In the client library's words.
        reason: String,
    },
}

/// Whoever hears of changes.
pub(crate) type Observer = Box<dyn Fn(Change) + Send + Sync>;

/// What all clients of the lanes share.
pub(crate) struct Shared {
    pub(crate) metrics: Metrics,
    topics: Vec<String>,
    record_bytes: usize,
    observer: Observer,
    stopping: AtomicBool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Not before the first broker answered.
    producer_up: bool,
    consumer_up: bool,
    /// The newest one, since a connection last came up.
    problem: Option<String>,
}

impl State {
    fn up(&mut self, role: Role) -> &mut bool {
        match role {
            Role::Producer => &mut self.producer_up,
            Role::Consumer => &mut self.consumer_up,
        }
    }
}

impl Shared {
    pub(crate) fn new(settings: &Settings, observer: Observer) -> Self {
        let topics: Vec<_> = settings.all_shards().map(|shard| settings.topic(shard)).collect();
        Self {
            metrics: Metrics::new(topics.len()),
            topics,
            record_bytes: settings.record_bytes,
            observer,
            stopping: AtomicBool::new(false),
            state: Mutex::default(),
        }
    }

    pub(crate) fn topic(&self, shard: Shard) -> Option<&str> {
        self.topics.get(shard.index()).map(String::as_str)
    }

    pub(crate) const fn record_bytes(&self) -> usize {
        self.record_bytes
    }

    pub(crate) fn tell(&self, change: Change) {
        (self.observer)(change);
    }

    pub(crate) fn stop(&self) {
        self.stopping.store(true, Ordering::Release);
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    pub(crate) fn is_down(&self, role: Role) -> bool {
        !*self.state().up(role)
    }

    /// The newest problem of a connection.
    pub(crate) fn problem(&self) -> Option<String> {
        self.state().problem.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new client takes the place of an older one, and is not connected yet: nothing went down.
    pub(crate) fn begins(&self, role: Role) {
        *self.state().up(role) = false;
    }

    fn is_now(&self, role: Role, up: bool) {
        let mut state = self.state();
        let before = std::mem::replace(state.up(role), up);
        if up {
            state.problem = None;
        }
        drop(state);
        if before != up {
            self.tell(if up { Change::Up(role) } else { Change::Down(role) });
        }
    }
}

/// One client's end of it.
pub(crate) struct Link {
    role: Role,
    shared: Arc<Shared>,
}

impl Link {
    pub(crate) fn new(role: Role, shared: &Arc<Shared>) -> Self {
        Self { role, shared: Arc::clone(shared) }
    }

    pub(crate) fn shared(&self) -> &Shared {
        &self.shared
    }
}

impl ClientContext for Link {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        use RDKafkaLogLevel as Level;
        match level {
            Level::Emerg | Level::Alert | Level::Critical => tracing::error!(facility, "librdkafka: {message}"),
            Level::Error | Level::Warning => tracing::warn!(facility, "librdkafka: {message}"),
            Level::Notice | Level::Info => tracing::info!(facility, "librdkafka: {message}"),
            Level::Debug => tracing::debug!(facility, "librdkafka: {message}"),
        }
    }

    fn stats(&self, statistics: Statistics) {
        let metrics = &self.shared.metrics;
        let is_up = |state: &str| matches!(state, "UP" | "UPDATE");
        let connected = statistics.brokers.values().filter(|broker| is_up(&broker.state)).count();
        match self.role {
            Role::Producer => {
                metrics.connected(connected);
                let heard = statistics.brokers.values().filter_map(|broker| broker.rtt.as_ref());
                let slowest = heard.filter(|window| window.cnt > 0).max_by_key(|window| window.avg);
                if let Some(window) = slowest {
                    let us = |value: i64| u64::try_from(value).unwrap_or_default();
                    metrics.round_trip(us(window.avg), us(window.p99));
                }
            }
            Role::Consumer => {
                for (number, topic) in self.shared.topics.iter().enumerate() {
                    let lane = statistics.topics.get(topic).and_then(|topic| topic.partitions.get(&0));
                    if let Some(end) = lane.and_then(|lane| u64::try_from(lane.hi_offset).ok()) {
                        // There are no more lanes than a u32 counts.
                        metrics.ends(Shard(number as u32), Offset(end));
                    }
                }
            }
        }
        self.shared.is_now(self.role, connected > 0);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        let code = BrokerError::of(&error);
        tracing::debug!(role = ?self.role, %code, reason, "the connection to the broker");
        // That all brokers are down says nothing beyond what each of them said.
        if code.is_unavailable() && code.0 != RDKafkaErrorCode::AllBrokersDown {
            self.shared.state().problem = Some(reason.to_owned());
        }
    }
}

impl ConsumerContext for Link {}
