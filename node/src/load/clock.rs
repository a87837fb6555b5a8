//! When batches are due, and how long they took.

use std::time::Duration;

use serde::Serialize;
use tokio::time::{Instant, sleep_until};

/// The run's clock.
#[derive(Clone, Copy)]
pub(super) struct Clock {
    start: Instant,
    /// Seconds from one batch to the next; none in a closed loop.
    interval: Option<f64>,
}

impl Clock {
    pub(super) fn start(interval: Option<f64>) -> Self {
        Self { start: Instant::now(), interval }
    }

    /// Waits until batch `number` is due, and answers when that was: now, in a closed loop.
    pub(super) async fn due(&self, number: usize) -> Instant {
        let Some(interval) = self.interval else { return Instant::now() };
        let due = self.start + Duration::from_secs_f64(interval * number as f64);
        sleep_until(due).await;
        due
    }

    pub(super) fn seconds(&self) -> f64 {
        self.start.elapsed().as_secs_f64()
    }
}

/// How long things took.
#[derive(Debug, Default)]
pub struct Latencies(Vec<Duration>);

/// A summary, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Latency {
    /// Half took at most this long.
    pub p50: f64,
    /// 99 of 100 took at most this long.
    pub p99: f64,
    /// The longest.
    pub max: f64,
}

impl Latencies {
    /// Adds one.
    pub fn add(&mut self, latency: Duration) {
        self.0.push(latency);
    }

    /// Adds those of another.
    pub fn append(&mut self, mut other: Self) {
        self.0.append(&mut other.0);
    }

    /// All of them, summed up by rank.
    pub fn summary(mut self) -> Latency {
        self.0.sort_unstable();
        let at = |share: f64| {
            let rank = (self.0.len() as f64 * share).ceil() as usize;
            self.0.get(rank.saturating_sub(1)).map_or(0.0, |latency| latency.as_secs_f64() * 1e3)
        };
        Latency { p50: at(0.5), p99: at(0.99), max: at(1.0) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_ranks() {
        let mut latencies = Latencies::default();
        (1..=100).rev().for_each(|milliseconds| latencies.add(Duration::from_millis(milliseconds)));
        assert_eq!(latencies.summary(), Latency { p50: 50.0, p99: 99.0, max: 100.0 });
        assert_eq!(Latencies::default().summary(), Latency::default());
    }
}
