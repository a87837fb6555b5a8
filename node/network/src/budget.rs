//! Budgets: how much of something is allowed in a time. Clocks are read by the callers.
//!
//! A [`Budget`] is a token bucket that can go into debt: a message larger than what is left passes, and what comes
//! after it waits until the debt is paid. So a limit in bytes a second holds for messages of any size. Crates at hand
//! refuse what exceeds a burst, or keep state in atomics for keys that we do not have.
//!
//! A [`Meter`] is what a class's incoming stream is read by: a budget of bytes and one of messages. It says how long to
//! wait before reading on, which flow control passes on to the sender. Whoever keeps it waiting without a pause for
//! long enough sends more than it may: that is a flood.

use std::time::Duration;

use tokio::time::Instant;

/// What a message costs besides its bytes: a task's turn, a queue's place.
const MESSAGE_OVERHEAD_BYTES: u64 = 64;

/// So much a second, and so much at once. Counted in units: bytes, messages, whatever is limited.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Budget {
    per_second: f64,
    burst: f64,
    /// What is left; below zero, what is owed.
    left: f64,
    at: Instant,
}

impl Budget {
    /// A full budget. A rate of 0 counts as 1 a second.
    pub(crate) fn new(per_second: u64, burst: u64, now: Instant) -> Self {
        let per_second = per_second.max(1) as f64;
        Self { per_second, burst: burst.max(1) as f64, left: burst.max(1) as f64, at: now }
    }

    /// Spends; answers how long to wait until nothing is owed.
    pub(crate) fn spend(&mut self, units: u64, now: Instant) -> Duration {
        self.refill(now);
        self.left -= units as f64;
        if self.left >= 0.0 { Duration::ZERO } else { Duration::from_secs_f64(-self.left / self.per_second) }
    }

    /// Spends if there is as much.
    pub(crate) fn try_spend(&mut self, units: u64, now: Instant) -> bool {
        self.refill(now);
        let is_enough = self.left >= units as f64;
        if is_enough {
            self.left -= units as f64;
        }
        is_enough
    }

    /// True when nothing of it was spent lately.
    pub(crate) fn is_full(&mut self, now: Instant) -> bool {
        self.refill(now);
        self.left >= self.burst
    }

    /// True when a quarter of it is left: whoever waits for each unit never gets there, whatever timers are late by.
    fn has_recovered(&mut self, now: Instant) -> bool {
        self.refill(now);
        self.left >= self.burst / 4.0
    }

    fn refill(&mut self, now: Instant) {
        let elapsed = now.saturating_duration_since(self.at);
        self.at = self.at.max(now);
        self.left = (self.left + elapsed.as_secs_f64() * self.per_second).min(self.burst);
    }
}

/// A limit on bytes and messages.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Meter {
    bytes: Budget,
    messages: Budget,
    /// When a message had to wait, and there was no pause since.
    waiting_since: Option<Instant>,
}

impl Meter {
    /// A second's worth may come at once.
    pub(crate) fn new(bytes_per_second: u64, messages_per_second: u64, now: Instant) -> Self {
        Self {
            bytes: Budget::new(bytes_per_second, bytes_per_second, now),
            messages: Budget::new(messages_per_second, messages_per_second, now),
            waiting_since: None,
        }
    }

    /// Charges a message; answers how long to wait before it is handled.
    pub(crate) fn charge(&mut self, bytes: usize, now: Instant) -> Duration {
        if self.bytes.has_recovered(now) && self.messages.has_recovered(now) {
            self.waiting_since = None;
        }
        let wait = self.bytes.spend(bytes as u64 + MESSAGE_OVERHEAD_BYTES, now).max(self.messages.spend(1, now));
        if !wait.is_zero() {
            self.waiting_since.get_or_insert(now);
        }
        wait
    }

    /// True, and counted anew, when there was no pause for as long as the patience.
    pub(crate) fn is_flood(&mut self, patience: Duration, now: Instant) -> bool {
        let is_flood = self.waiting_since.is_some_and(|since| now.saturating_duration_since(since) > patience);
        if is_flood {
            self.waiting_since = Some(now);
        }
        is_flood
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn a_budget_allows_a_burst_then_its_rate() {
        let start = Instant::now();
        let mut budget = Budget::new(10, 20, start);
        assert!((0..20).all(|_| budget.try_spend(1, start)));
        assert!(!budget.try_spend(1, start));
        assert!(budget.try_spend(10, start + SECOND));
        assert!(!budget.try_spend(1, start + SECOND));
        assert!(budget.is_full(start + 10 * SECOND));
        assert!(!budget.try_spend(21, start + 100 * SECOND));
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_larger_than_a_burst_is_paid_later() {
        let start = Instant::now();
        let mut budget = Budget::new(10, 10, start);
        assert_eq!(budget.spend(40, start), 3 * SECOND);
        assert_eq!(budget.spend(10, start + 3 * SECOND), SECOND);
        // A clock that stands or goes back gives nothing.
        assert_eq!(budget.spend(0, start), SECOND);
    }

    #[tokio::test(start_paused = true)]
    async fn over_ten_minutes_a_meter_lets_pass_what_it_says_and_no_more() {
        let (mut meter, mut passed) = (Meter::new(100_000, 1_000, Instant::now()), 0_u64);
        let end = Instant::now() + 600 * SECOND;
        while Instant::now() < end {
            tokio::time::sleep(meter.charge(100 - 64, Instant::now())).await;
            passed += 1;
        }
        // At the least: tokio's timers are a millisecond late.
        assert!((300_000..=601_000).contains(&passed), "{passed}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_burst_is_no_flood_and_no_pause_is() {
        let start = Instant::now();
        let mut meter = Meter::new(1 << 20, 10, start);
        // Everything at once, after the network stood still: it waits, then there is a pause.
        let waits: Vec<Duration> = (0..20).map(|_| meter.charge(1, start)).collect();
        assert!(waits[9].is_zero() && waits[19] == SECOND);
        assert!(!meter.is_flood(5 * SECOND, start + SECOND));
        assert!(meter.charge(1, start + 3 * SECOND).is_zero());
        assert!(!meter.is_flood(5 * SECOND, start + 20 * SECOND));
        // Two large ones, far apart.
        assert!(!meter.charge(4 << 20, start + 30 * SECOND).is_zero());
        assert!(!meter.charge(4 << 20, start + 60 * SECOND).is_zero());
        assert!(!meter.is_flood(5 * SECOND, start + 60 * SECOND));

        let mut now = start + 100 * SECOND;
        let (mut floods, mut messages) = (0, 0);
        while now < start + 130 * SECOND {
            now += meter.charge(1, now);
            messages += 1;
            floods += u32::from(meter.is_flood(5 * SECOND, now));
        }
        assert!(floods >= 4 && messages <= 320, "{floods} floods in {messages} messages");
    }
}
