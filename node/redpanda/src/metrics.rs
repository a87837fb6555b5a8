//! What the lanes count and measure, and the node publishes. Reading it costs nothing and asks no broker.
//!
//! Everything is a relaxed atomic: a number may be a moment older than another, and none is ever lost. What only
//! librdkafka knows (the ends of lanes, round trips, connections) is as old as its last statistics, a second at most.

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use crate::{
    producer::SubmitError,
    shard::{Offset, Shard},
};

/// Not known yet.
const UNKNOWN: u64 = u64::MAX;

/// Everything, at about one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// Records that the broker acknowledged.
    pub acknowledged: u64,
    /// Records that it did not, by reason.
    pub failed: Failures,
    /// Records that wait to be acknowledged.
    pub queued_records: u64,
    /// Bytes of them.
    pub queued_bytes: u64,
    /// From a request to its answer, over the newest second in which there were some.
    pub round_trip: Option<RoundTrip>,
    /// Brokers that submissions are connected to.
    pub brokers_connected: u64,
    /// Each lane that is read, by number.
    pub lanes: Vec<LaneSnapshot>,
}

/// Submissions that failed, by reason: see [`SubmitError`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Failures {
    /// The queue was full.
    pub queue_full: u64,
    /// Over the limit, ours or the broker's.
    pub too_large: u64,
    /// No broker could take it.
    pub unavailable: u64,
    /// No acknowledgement in time.
    pub timed_out: u64,
    /// The producer was fenced off.
    pub fenced: u64,
    /// The broker refused it.
    pub refused: u64,
    /// The lanes were closed.
    pub stopped: u64,
}

/// How long a broker took to answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RoundTrip {
    /// On average, at the slowest broker.
    pub mean: Duration,
    /// 99 of 100 were quicker, at the slowest broker.
    pub p99: Duration,
}

/// One lane as its reader has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LaneSnapshot {
    /// Which.
    pub shard: Shard,
    /// Where the next record is expected; none before a reader was placed.
    pub position: Option<Offset>,
    /// Behind the lane's last record, when the broker was last heard.
    pub end: Option<Offset>,
    /// Offsets between the two.
    pub lag: Option<u64>,
    /// Records that were read.
    pub records: u64,
    /// Bytes of them.
    pub bytes: u64,
    /// Of the records, those over the limit.
    pub oversize: u64,
}

/// Where it is counted.
#[derive(Debug)]
pub(crate) struct Metrics {
    acknowledged: AtomicU64,
    failed: [AtomicU64; 7],
    queued_records: AtomicU64,
    queued_bytes: AtomicU64,
    round_trip_mean_us: AtomicU64,
    round_trip_p99_us: AtomicU64,
    brokers_connected: AtomicU64,
    lanes: Box<[Lane]>,
}

#[derive(Debug)]
struct Lane {
    position: AtomicU64,
    end: AtomicU64,
    records: AtomicU64,
    bytes: AtomicU64,
    oversize: AtomicU64,
}

impl Metrics {
    pub(crate) fn new(lanes: usize) -> Self {
        let unknown = || AtomicU64::new(UNKNOWN);
        let lane = || Lane {
            position: unknown(),
            end: unknown(),
            records: AtomicU64::default(),
            bytes: AtomicU64::default(),
            oversize: AtomicU64::default(),
        };
        Self {
            acknowledged: AtomicU64::default(),
            failed: Default::default(),
            queued_records: AtomicU64::default(),
            queued_bytes: AtomicU64::default(),
            round_trip_mean_us: unknown(),
            round_trip_p99_us: unknown(),
            brokers_connected: AtomicU64::default(),
            lanes: (0..lanes).map(|_| lane()).collect(),
        }
    }

    /// A record enters the queue.
    pub(crate) fn queued(&self, bytes: usize) {
        self.queued_records.fetch_add(1, Relaxed);
        self.queued_bytes.fetch_add(bytes as u64, Relaxed);
    }

    /// It leaves it.
    pub(crate) fn unqueued(&self, bytes: usize) {
        self.queued_records.fetch_sub(1, Relaxed);
        self.queued_bytes.fetch_sub(bytes as u64, Relaxed);
    }

    pub(crate) fn acknowledged(&self) {
        self.acknowledged.fetch_add(1, Relaxed);
    }

    pub(crate) fn failed(&self, why: &SubmitError) {
        if let Some(counter) = self.failed.get(reason(why)) {
            counter.fetch_add(1, Relaxed);
        }
    }

    pub(crate) fn connected(&self, brokers: usize) {
        self.brokers_connected.store(brokers as u64, Relaxed);
    }

    pub(crate) fn round_trip(&self, mean_us: u64, p99_us: u64) {
        self.round_trip_mean_us.store(mean_us, Relaxed);
        self.round_trip_p99_us.store(p99_us, Relaxed);
    }

    /// A lane's reader is placed.
    pub(crate) fn placed(&self, shard: Shard, position: Offset) {
        if let Some(lane) = self.lanes.get(shard.index()) {
            lane.position.store(position.0, Relaxed);
        }
    }

    /// The broker told where a lane ends.
    pub(crate) fn ends(&self, shard: Shard, end: Offset) {
        if let Some(lane) = self.lanes.get(shard.index()) {
            lane.end.store(end.0, Relaxed);
        }
    }

    /// A record was read.
    pub(crate) fn read(&self, shard: Shard, offset: Offset, bytes: usize, is_oversize: bool) {
        let Some(lane) = self.lanes.get(shard.index()) else { return };
        lane.position.store(offset.next().0, Relaxed);
        lane.records.fetch_add(1, Relaxed);
        lane.bytes.fetch_add(bytes as u64, Relaxed);
        lane.oversize.fetch_add(is_oversize.into(), Relaxed);
    }

    pub(crate) fn snapshot(&self) -> Snapshot {
        let failed = |why: &SubmitError| self.failed.get(reason(why)).map_or(0, |counter| counter.load(Relaxed));
        let known = |value: u64| (value != UNKNOWN).then_some(value);
        let time = |value: &AtomicU64| known(value.load(Relaxed)).map(Duration::from_micros);
        let lanes = self.lanes.iter().enumerate().map(|(number, lane)| {
            let position = known(lane.position.load(Relaxed)).map(Offset);
            let end = known(lane.end.load(Relaxed)).map(Offset);
            LaneSnapshot {
                // There are no more lanes than a u32 counts.
                shard: Shard(number as u32),
                position,
                end,
                lag: position.zip(end).map(|(position, end)| end.0.saturating_sub(position.0)),
                records: lane.records.load(Relaxed),
                bytes: lane.bytes.load(Relaxed),
                oversize: lane.oversize.load(Relaxed),
            }
        });
        Snapshot {
            acknowledged: self.acknowledged.load(Relaxed),
            failed: Failures {
                queue_full: failed(&SubmitError::QueueFull),
                too_large: failed(&SubmitError::TooLarge { bytes: 0, limit: 0 }),
                unavailable: failed(&SubmitError::Unavailable),
                timed_out: failed(&SubmitError::TimedOut),
                fenced: failed(&SubmitError::Fenced),
                refused: failed(&SubmitError::NoSuchShard(Shard(0))),
                stopped: failed(&SubmitError::Stopped),
            },
            queued_records: self.queued_records.load(Relaxed),
            queued_bytes: self.queued_bytes.load(Relaxed),
            round_trip: time(&self.round_trip_mean_us)
                .zip(time(&self.round_trip_p99_us))
                .map(|(mean, p99)| RoundTrip { mean, p99 }),
            brokers_connected: self.brokers_connected.load(Relaxed),
            lanes: lanes.collect(),
        }
    }
}

/// Which counter counts a failure.
const fn reason(why: &SubmitError) -> usize {
    match why {
        SubmitError::QueueFull => 0,
        SubmitError::TooLarge { .. } => 1,
        SubmitError::Unavailable => 2,
        SubmitError::TimedOut => 3,
        SubmitError::Fenced => 4,
        SubmitError::Refused(_) | SubmitError::NoSuchShard(_) => 5,
        SubmitError::Stopped => 6,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lag_is_known_once_both_ends_are() {
        let metrics = Metrics::new(2);
        metrics.placed(Shard(1), Offset(3));
        assert_eq!(metrics.snapshot().lanes[1].lag, None);
        metrics.ends(Shard(1), Offset(9));
        metrics.read(Shard(1), Offset(4), 100, true);
        let lane = metrics.snapshot().lanes[1];
        assert_eq!((lane.lag, lane.position, lane.records, lane.bytes), (Some(4), Some(Offset(5)), 1, 100));
        assert_eq!(lane.oversize, 1);
        metrics.read(Shard(1), Offset(20), 1, false);
        assert_eq!(metrics.snapshot().lanes[1].lag, Some(0), "an end that is older than the position");
        assert_eq!(metrics.snapshot().lanes[0].position, None);
    }

    #[test]
    fn a_failure_is_counted_where_it_is_read() {
        let metrics = Metrics::new(0);
        metrics.failed(&SubmitError::TimedOut);
        assert_eq!(metrics.snapshot().failed, Failures { timed_out: 1, ..Failures::default() });
    }
}
