//! The way out of the lanes: every record in order, and what the broker says that does not fit.
//!
//! ```text
//! lane 0  ▒▒▒▒▒▒▒ ┐ read ahead, bounded      ┌─ turns ─┐
//! lane 1  ▒▒▒     ├ each for itself  ────────┤         ├──► next() ──► Record │ Event
//! lane 2  ▒▒▒▒▒   ┘                          └─────────┘
//! ```
//!
//! There is no consumer group and nothing is committed: a reader is placed at positions handed in. Lanes take turns by
//! record, so a flood in one neither delays nor displaces another. Whoever does not call [`Consumer::next`] is read
//! ahead for up to a bound, and no further.
//!
//! A position that the broker does not have is never moved by itself (`auto.offset.reset=error`): the lane stops,
//! an [`Event`] says what the broker has, and [`Consumer::place`] goes on.
//!
//! Invariants: within a lane, offsets only rise between two places; a record is handed out once.

mod delivery;
mod signal;
mod verdict;

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use rdkafka::{
    TopicPartitionList,
    config::{ClientConfig, FromClientConfigAndContext},
    consumer::{BaseConsumer, Consumer as _, base_consumer::PartitionQueue},
    message::{BorrowedMessage, Message},
    topic_partition_list,
    types::RDKafkaErrorCode,
};
use thiserror::Error;

pub use delivery::{Body, Delivery, Event, LaneRecord};

use self::{
    signal::Signal,
    verdict::{Verdict, judge},
};
use crate::{
    broker_error::BrokerError,
    link::{Link, Role, Shared},
    settings::Settings,
    shard::{Bounds, Offset, Shard},
};

/// Records after which the client's own events are looked at, however many records wait.
const RECORDS_BETWEEN_EVENTS: u32 = 256;

/// Why lanes cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ConsumeError {
    /// Not one position for each lane.
    #[error("there are {lanes} lanes, and positions for {positions}")]
    Positions {
        /// Lanes.
        lanes: usize,
        /// Positions.
        positions: usize,
    },
    /// There is no such lane.
    #[error("there is no shard {0}")]
    NoSuchShard(Shard),
    /// The client library refuses.
    #[error("the client library cannot read the lanes: {0}")]
    Refused(BrokerError),
}

/// Reads all lanes. One thread does so at a time.
pub struct Consumer {
    /// Dropped before the consumer that they are of.
    lanes: Vec<Lane>,
    consumer: Arc<BaseConsumer<Link>>,
    shared: Arc<Shared>,
    signal: Arc<Signal>,
    record_bytes: usize,
    request: Duration,
    /// Whose turn it is.
    turn: usize,
    /// Records since the client's own events were looked at.
    records: u32,
    /// What one look brought beyond what it was for.
    waiting: VecDeque<Delivery>,
}

struct Lane {
    shard: Shard,
    topic: String,
    queue: PartitionQueue<Link>,
    /// The offset that is expected next.
    next: Offset,
    flow: Flow,
    /// Told already that there is no such topic.
    is_gone: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Flow {
    Open,
    /// By [`Consumer::pause`].
    Paused,
    /// The broker does not have the position.
    Stopped,
}

impl Consumer {
    pub(crate) fn new(
        settings: &Settings,
        config: &ClientConfig,
        shared: &Arc<Shared>,
        positions: &[Offset],
    ) -> Result<Self, ConsumeError> {
        let shards: Vec<_> = settings.all_shards().collect();
        if shards.len() != positions.len() {
            return Err(ConsumeError::Positions { lanes: shards.len(), positions: positions.len() });
        }
        shared.begins(Role::Consumer);
        let link = Link::new(Role::Consumer, shared);
        let mut consumer = BaseConsumer::from_config_and_context(config, link).map_err(refused)?;
        let signal = Arc::new(Signal::default());
        consumer.set_nonempty_callback(signal.raiser());
        let consumer = Arc::new(consumer);
        let mut lanes = Vec::with_capacity(shards.len());
        for (shard, next) in shards.into_iter().zip(positions) {
            let topic = settings.topic(shard);
            let mut queue = split(&consumer, &topic)?;
            queue.set_nonempty_callback(signal.raiser());
            shared.metrics.placed(shard, *next);
            lanes.push(Lane { shard, topic, queue, next: *next, flow: Flow::Open, is_gone: false });
        }
        // The queues are the lanes' own before the first record arrives.
        let mut assignment = TopicPartitionList::new();
        for lane in &lanes {
            add(&mut assignment, lane)?;
        }
        consumer.assign(&assignment).map_err(refused)?;
        Ok(Self {
            lanes,
            consumer,
            shared: Arc::clone(shared),
            signal,
            record_bytes: settings.record_bytes,
            request: settings.timeouts.request,
            turn: 0,
            records: 0,
            waiting: VecDeque::new(),
        })
    }

    /// The next record or event of any lane; none if there was none for so long.
    pub fn next(&mut self, timeout: Duration) -> Option<Delivery> {
        let deadline = Instant::now() + timeout;
        loop {
            if let Some(delivery) = self.waiting.pop_front() {
                return Some(delivery);
            }
            if self.records < RECORDS_BETWEEN_EVENTS && self.look() {
                continue;
            }
            self.records = 0;
            // Lowered before the look, so that what comes behind it is not slept through.
            self.signal.lower();
            self.serve();
            if self.look() {
                continue;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            self.signal.wait(left);
        }
    }

    /// Where the next record of a lane is expected: behind the last one that was handed out.
    pub fn position(&self, shard: Shard) -> Option<Offset> {
        self.lanes.get(shard.index()).map(|lane| lane.next)
    }

    /// Goes on with a lane from a position, whether it was stopped or not. What was read ahead of it is forgotten.
    ///
    /// # Errors
    /// When there is no such lane.
    pub fn place(&mut self, shard: Shard, position: Offset) -> Result<(), ConsumeError> {
        self.waiting.retain(|delivery| delivery.shard() != shard);
        let lane = self.lanes.get_mut(shard.index()).ok_or(ConsumeError::NoSuchShard(shard))?;
        lane.next = position;
        lane.is_gone = false;
        if lane.flow == Flow::Stopped {
            lane.flow = Flow::Open;
        }
        self.shared.metrics.placed(shard, position);
        let mut assignment = TopicPartitionList::new();
        add(&mut assignment, lane)?;
        // A partition that ran into an error can be moved by nothing less.
        self.consumer.incremental_unassign(&assignment).map_err(refused)?;
        // The old handle of the queue takes the callback with it when it goes.
        lane.queue = split(&self.consumer, &lane.topic)?;
        lane.queue.set_nonempty_callback(self.signal.raiser());
        self.consumer.incremental_assign(&assignment).map_err(refused)
    }

    /// Hands out nothing more of a lane until [`resume`](Self::resume). It is read ahead up to its bound.
    pub fn pause(&mut self, shard: Shard) {
        self.turn_to(shard, Flow::Open, Flow::Paused);
    }

    /// Undoes [`pause`](Self::pause).
    pub fn resume(&mut self, shard: Shard) {
        self.turn_to(shard, Flow::Paused, Flow::Open);
    }

    fn turn_to(&mut self, shard: Shard, from: Flow, to: Flow) {
        if let Some(lane) = self.lanes.get_mut(shard.index())
            && lane.flow == from
        {
            lane.flow = to;
        }
    }

    /// The client's own events: statistics, log, errors of connections.
    fn serve(&mut self) {
        let mut astray = None;
        while let Some(event) = self.consumer.poll(Duration::ZERO) {
            // The link has heard of errors.
            let Ok(message) = event else { continue };
            astray = self.lanes.iter().find(|lane| lane.topic == message.topic()).map(|lane| (lane.shard, lane.next));
        }
        if let Some((shard, position)) = astray {
            tracing::warn!(%shard, "records outside of their lane's queue: it is placed anew");
            self.again(shard, position);
        }
    }

    /// Looks at each lane once, from the one whose turn it is, until one has something. True if something came of it.
    fn look(&mut self) -> bool {
        for _ in 0..self.lanes.len() {
            let turn = self.turn;
            self.turn = if turn + 1 < self.lanes.len() { turn + 1 } else { 0 };
            let Some(lane) = self.lanes.get_mut(turn) else { return false };
            if lane.flow != Flow::Open {
                continue;
            }
            let found = match lane.queue.poll(Duration::ZERO) {
                None => continue,
                Some(Ok(message)) => Ok(delivery_of(&message, self.record_bytes)),
                Some(Err(error)) => Err(BrokerError::of(&error)),
            };
            match found {
                Ok((offset, body)) => {
                    self.records += 1;
                    self.take(turn, offset, body);
                }
                Err(error) => self.heed(turn, error),
            }
            return true;
        }
        false
    }

    fn take(&mut self, turn: usize, offset: Offset, body: Body) {
        let Some(lane) = self.lanes.get_mut(turn) else { return };
        // What the broker sends from the beginning of a batch, below the position.
        if offset < lane.next {
            return;
        }
        let (shard, expected) = (lane.shard, lane.next);
        lane.next = offset.next();
        lane.is_gone = false;
        if offset > expected {
            self.waiting.push_back(Delivery::Event(Event::Skipped { shard, expected, found: offset }));
        }
        self.shared.metrics.read(shard, offset, body.bytes(), matches!(body, Body::Oversize { .. }));
        self.waiting.push_back(Delivery::Record(LaneRecord { shard, offset, body }));
    }

    /// An error on a lane: what does it say about the lane's records?
    fn heed(&mut self, turn: usize, error: BrokerError) {
        let Some(lane) = self.lanes.get(turn) else { return };
        let (shard, position) = (lane.shard, lane.next);
        tracing::debug!(%shard, %error, "reading a lane");
        match judge(error, position, || self.bounds(&lane.topic)) {
            Verdict::Passing => {}
            Verdict::Again => self.again(shard, position),
            Verdict::Gone => {
                if let Some(lane) = self.lanes.get_mut(turn)
                    && !std::mem::replace(&mut lane.is_gone, true)
                {
                    self.waiting.push_back(Delivery::Event(Event::TopicGone { shard }));
                }
            }
            Verdict::Stop(stopped) => {
                if let Some(lane) = self.lanes.get_mut(turn) {
                    lane.flow = Flow::Stopped;
                }
                self.waiting.push_back(Delivery::Event(stopped.event(shard, position)));
            }
            Verdict::Rewritten => {
                self.again(shard, position);
                self.waiting.push_back(Delivery::Event(Event::Rewritten { shard, position }));
            }
            Verdict::Unreadable => {
                self.waiting.push_back(Delivery::Event(Event::Unreadable { shard, position, error }))
            }
        }
    }

    fn again(&mut self, shard: Shard, position: Offset) {
        if let Err(error) = self.place(shard, position) {
            tracing::error!(%shard, %position, %error, "a lane cannot be read on");
        }
    }

    fn bounds(&self, topic: &str) -> Result<Bounds, BrokerError> {
        let asked = self.consumer.client().fetch_watermarks(topic, 0, self.request);
        let (low, high) = asked.map_err(|error| BrokerError::of(&error))?;
        Ok(Bounds { low: Offset::from_native(low), high: Offset::from_native(high) })
    }
}

/// A lane's queue, apart from the others'.
fn split(consumer: &Arc<BaseConsumer<Link>>, topic: &str) -> Result<PartitionQueue<Link>, ConsumeError> {
    let queue = consumer.split_partition_queue(topic, 0);
    queue.ok_or(ConsumeError::Refused(BrokerError(RDKafkaErrorCode::UnknownPartition)))
}

fn add(assignment: &mut TopicPartitionList, lane: &Lane) -> Result<(), ConsumeError> {
    let offset = topic_partition_list::Offset::Offset(lane.next.native());
    assignment.add_partition_offset(&lane.topic, 0, offset).map_err(refused)
}

fn refused(error: rdkafka::error::KafkaError) -> ConsumeError {
    ConsumeError::Refused(BrokerError::of(&error))
}

fn delivery_of(message: &BorrowedMessage<'_>, limit: usize) -> (Offset, Body) {
    (Offset::from_native(message.offset()), Body::of(message.payload().unwrap_or_default(), limit))
}
