//! Reads the shared lanes into the log, on a thread of its own.
//!
//! ```text
//! each round   deliveries, as many as are there ─► a stretch of each lane
//!              the stretches ─► log; its answer says where each lane ends, on disk
//! now and then where lanes end that bring nothing; whether those that are set aside can go on
//! ```
//!
//! The log says where a lane is read on. A lane that has no room is held until it has. One whose end is elsewhere, since
//! blocks from peers brought other records or more of them, is placed there.
//!
//! A lane that the broker contradicts is set aside: it is not guessed what the broker means. It goes on by itself once
//! the log's end lies within what the broker has: because blocks brought the log there, or the topic is back.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use rustorium_chain::{chain::Chain, handle::Handle, log::LanePosition};
use rustorium_redpanda::{ConsumeError, Consumer, Delivery, Event, Offset, Shard};

use super::{
    Topics, place, retention,
    standing::Contradiction,
    stretch::{Stored, Stretch, TooManySkipped},
};

/// Records that go to the log at once, of all lanes.
const ROUND_RECORDS: usize = 1_024;
/// Bytes of them.
const ROUND_BYTES: usize = 2 << 20;
/// To wait for a delivery, before anything else is looked at.
const WAIT: Duration = Duration::from_millis(50);
/// Until a lane that the log had no room for is tried again.
const HOLD: Duration = Duration::from_millis(200);
/// Between looks at lanes that bring nothing.
const LOOK: Duration = Duration::from_secs(1);
/// Between tries to reach a broker, or to find the topics as they have to be.
const AGAIN: Duration = Duration::from_secs(2);

/// The thread's.
pub(super) struct Reader {
    topics: Arc<Topics>,
    chain: Chain,
    stop: Arc<AtomicBool>,
    deletes: bool,
}

/// One lane, as far as it is read.
struct Lane {
    shard: Shard,
    stretch: Stretch,
    /// Until when it is held, since the log has no room.
    held: Option<Instant>,
    /// Where the log has to be, at least, for a lane that is set aside to go on.
    aside: Option<Offset>,
}

/// A consumer and its lanes.
struct Round<'a> {
    reader: &'a Reader,
    consumer: Consumer,
    lanes: Vec<Lane>,
}

impl Reader {
    pub(super) const fn new(topics: Arc<Topics>, chain: Chain, stop: Arc<AtomicBool>, deletes: bool) -> Self {
        Self { topics, chain, stop, deletes }
    }

    /// Reads until it is told to stop, or the chain has stopped.
    pub(super) fn run(self) {
        let mut is_told = false;
        while !self.is_over() {
            if !self.topics.standing.are_checked()
                && let Err(error) = self.topics.prepare()
            {
                // That a broker is away was said when the node started, or when it went.
                if !error.is_transient() && !std::mem::replace(&mut is_told, true) {
                    tracing::error!(%error, "the broker's topics cannot be used: transactions go to own lanes");
                }
                self.pause(AGAIN);
                continue;
            }
            match self.begin() {
                Ok(Some(round)) => round.run(),
                Ok(None) => {}
                Err(error) => {
                    tracing::error!(%error, "the shared lanes cannot be read");
                    self.pause(AGAIN);
                }
            }
        }
    }

    /// Places a consumer where the log ends; none if that is not known, for the chain stops.
    fn begin(&self) -> Result<Option<Round<'_>>, ConsumeError> {
        let mut lanes = Vec::new();
        for shard in self.topics.lanes.settings().all_shards() {
            let Some(end) = self.end_of(shard) else { return Ok(None) };
            lanes.push((shard, place::offset(end)));
        }
        let positions: Vec<Offset> = lanes.iter().map(|(_, end)| end.unwrap_or_default()).collect();
        let consumer = self.topics.lanes.consume(&positions)?;
        let known: Vec<bool> = lanes.iter().map(|(_, end)| end.is_some()).collect();
        let lanes = lanes.into_iter().zip(positions).map(|((shard, _), position)| Lane::at(shard, position));
        let mut round = Round { reader: self, consumer, lanes: lanes.collect() };
        for (index, is_known) in known.into_iter().enumerate() {
            if !is_known {
                round.leave_generation(index);
            }
        }
        Ok(Some(round))
    }

    /// Where a lane ends here, on disk; none once the chain stops.
    fn end_of(&self, shard: Shard) -> Option<LanePosition> {
        self.answered(self.chain.exchange().store(place::position(shard, Offset(0)), Vec::new()))
    }

    /// The log's answer; none once this is over.
    fn answered(&self, mut handle: Handle<LanePosition>) -> Option<LanePosition> {
        loop {
            match handle.wait_timeout(WAIT) {
                Ok(answer) => return answer.ok(),
                Err(_) if self.is_over() => return None,
                Err(later) => handle = later,
            }
        }
    }

    fn is_over(&self) -> bool {
        self.stop.load(Ordering::Acquire) || self.chain.is_stopped()
    }

    fn pause(&self, time: Duration) {
        let until = Instant::now() + time;
        while Instant::now() < until && !self.is_over() {
            std::thread::sleep(WAIT);
        }
    }
}

impl Lane {
    fn at(shard: Shard, position: Offset) -> Self {
        Self { shard, stretch: Stretch::at(position), held: None, aside: None }
    }

    const fn index(&self) -> usize {
        self.shard.0 as usize
    }
}

impl Round<'_> {
    fn run(mut self) {
        let mut looked = Instant::now();
        let mut deletes = retention::Deletes::new(self.reader.deletes, Instant::now());
        while !self.reader.is_over() {
            self.read();
            self.store();
            let now = Instant::now();
            if now.duration_since(looked) >= LOOK {
                self.look();
                looked = now;
            }
            deletes.run(&self.reader.topics.lanes, &self.reader.chain, now);
        }
    }

    /// Takes what is there, and waits a moment for the first.
    fn read(&mut self) {
        let (mut records, mut bytes) = (0, 0);
        let mut wait = WAIT;
        while records < ROUND_RECORDS
            && bytes < ROUND_BYTES
            && let Some(delivery) = self.consumer.next(wait)
        {
            wait = Duration::ZERO;
            match delivery {
                Delivery::Record(record) => {
                    let Some(lane) = self.lanes.get_mut(record.shard.0 as usize) else { continue };
                    let before = (lane.stretch.len(), lane.stretch.bytes());
                    let pushed = lane.stretch.push(record.offset, record.body);
                    records += lane.stretch.len() - before.0;
                    bytes += lane.stretch.bytes() - before.1;
                    if let Err(TooManySkipped(skipped)) = pushed {
                        let index = lane.index();
                        let why = format!("it skips {skipped} offsets");
                        self.set_aside(index, Contradiction::Skipped, record.offset, &why);
                    }
                }
                Delivery::Event(event) => self.heed(&event),
            }
        }
    }

    /// What a broker says that does not fit what was read.
    fn heed(&mut self, event: &Event) {
        let shard = event.shard();
        let index = shard.0 as usize;
        let standing = &self.reader.topics.standing;
        match event {
            Event::Truncated { position, low, .. } => {
                let why = format!("it begins at {low}, and {position} is the next to be read");
                self.set_aside(index, Contradiction::Truncated, *low, &why);
            }
            Event::Shrunk { position, high, .. } => {
                let why = format!("it ends at {high}, and {position} is the next to be read");
                self.set_aside(index, Contradiction::Shrunk, Offset(0), &why);
            }
            Event::TopicGone { .. } => {
                self.set_aside(index, Contradiction::Gone, Offset(0), "there is no such topic any more");
            }
            Event::Rewritten { position, .. } => {
                standing.count(Contradiction::Rewritten);
                tracing::error!(%shard, %position, "the broker replaced records that were read: what is final stays");
            }
            Event::Unreadable { position, error, .. } => {
                standing.count(Contradiction::Unreadable);
                tracing::warn!(%shard, %position, %error, "the broker does not let a lane be read");
            }
            event => tracing::debug!(?event, "the broker says"),
        }
    }

    /// Gives the log what was read, and goes on from where it says that it is.
    fn store(&mut self) {
        let now = Instant::now();
        let exchange = self.reader.chain.exchange();
        let is_due = |lane: &&Lane| lane.stretch.len() > 0 && lane.held.is_none_or(|until| until <= now);
        let stored: Vec<_> = self
            .lanes
            .iter()
            .filter(is_due)
            .map(|lane| {
                let from = place::position(lane.shard, lane.stretch.from());
                (lane.index(), exchange.store(from, lane.stretch.records()))
            })
            .collect();
        for (index, answer) in stored {
            let Some(end) = self.reader.answered(answer) else { return };
            let Some(end) = place::offset(end) else {
                self.leave_generation(index);
                continue;
            };
            let lane = &mut self.lanes[index];
            match lane.stretch.stored(end) {
                Stored::All => {
                    if lane.held.take().is_some() && lane.aside.is_none() {
                        self.consumer.resume(lane.shard);
                    }
                }
                Stored::Part => {
                    lane.held = Some(Instant::now() + HOLD);
                    self.consumer.pause(lane.shard);
                }
                Stored::Elsewhere => self.place(index, end),
            }
        }
    }

    /// Looks after lanes that bring nothing.
    fn look(&mut self) {
        for index in 0..self.lanes.len() {
            let lane = &self.lanes[index];
            if lane.stretch.len() > 0 {
                continue;
            }
            let Some(end) = self.reader.end_of(lane.shard) else { return };
            let Some(end) = place::offset(end) else {
                self.leave_generation(index);
                continue;
            };
            match lane.aside {
                None if end != lane.stretch.next() => self.place(index, end),
                Some(from) if end >= from && self.has(lane.shard, end) => {
                    self.place(index, end);
                    self.go_on(index, end);
                }
                _ => {}
            }
        }
    }

    /// Whether a position is within what the broker has of a lane.
    fn has(&self, shard: Shard, position: Offset) -> bool {
        let topics = &self.reader.topics;
        let bounds = topics.standing.is_up().then(|| topics.lanes.bounds(shard).ok()).flatten();
        bounds.is_some_and(|bounds| (bounds.low..=bounds.high).contains(&position))
    }

    fn place(&mut self, index: usize, end: Offset) {
        let lane = &mut self.lanes[index];
        lane.stretch = Stretch::at(end);
        lane.held = None;
        if let Err(error) = self.consumer.place(lane.shard, end) {
            tracing::error!(shard = %lane.shard, %end, %error, "a lane cannot be read on");
        }
        self.consumer.resume(lane.shard);
    }

    fn go_on(&mut self, index: usize, end: Offset) {
        let lane = &mut self.lanes[index];
        lane.aside = None;
        if self.reader.topics.standing.set_aside(lane.shard.0, false) {
            tracing::info!(shard = %lane.shard, %end, "a shared lane goes on");
        }
    }

    /// Reads no more of a lane, and has records go other ways, until the log is where it can go on.
    fn set_aside(&mut self, index: usize, contradiction: Contradiction, from: Offset, why: &str) {
        let Some(lane) = self.lanes.get_mut(index) else { return };
        lane.aside = Some(from);
        let standing = &self.reader.topics.standing;
        standing.count(contradiction);
        if contradiction != Contradiction::Gone {
            self.consumer.pause(lane.shard);
        }
        if standing.set_aside(lane.shard.0, true) {
            let topic = self.reader.topics.lanes.settings().topic(lane.shard);
            tracing::error!(
                topic,
                why,
                "the broker contradicts what was read: the lane is set aside, the chain goes on"
            );
        }
    }

    /// What the lane goes on with is not what the broker has: see `place.rs`.
    fn leave_generation(&mut self, index: usize) {
        if self.lanes[index].aside.is_none() {
            self.set_aside(index, Contradiction::Generation, Offset(u64::MAX), "the lane is in another generation");
        }
    }
}
