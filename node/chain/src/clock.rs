//! Time, which a node hands in: the chain reads no clock.
//!
//! A header's time is the wall clock's, and validators judge it by theirs. How long to wait for something is measured by a
//! clock that only advances; nothing in the chain is ordered by it. A simulation hands in its own two, and nothing in it
//! depends on the machine's.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use rustorium_types::id::Timestamp;

/// Tells the time. Clones tell the same.
#[derive(Clone)]
pub struct Clock {
    wall: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    elapsed: Arc<dyn Fn() -> Duration + Send + Sync>,
}

impl Clock {
    /// Whose wall clock is this one, and which waits by the system's monotonic clock.
    pub fn new(wall: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        let origin = Instant::now();
        Self::simulated(wall, move || origin.elapsed())
    }

    /// Both clocks are the caller's. `elapsed` never falls.
    pub fn simulated(
        wall: impl Fn() -> Timestamp + Send + Sync + 'static,
        elapsed: impl Fn() -> Duration + Send + Sync + 'static,
    ) -> Self {
        Self { wall: Arc::new(wall), elapsed: Arc::new(elapsed) }
    }

    /// The wall clock's time.
    pub fn time(&self) -> Timestamp {
        (self.wall)()
    }

    /// Time since some moment before the first question.
    pub fn elapsed(&self) -> Duration {
        (self.elapsed)()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Clock").finish_non_exhaustive()
    }
}
