//! When a validator alone seals a block.
//!
//! As soon as execution is idle and records wait, so blocks grow with load and a lone transaction waits for nothing;
//! once more, empty, after [`QUIET`], so that the newest state is certified; and twice on a new chain, so that there
//! always is a certified head. Then silence; a chain that is not for development seals one more each [`BEAT`].
//!
//! Deadlines are monotonic waits that order nothing in the chain.

use std::time::Duration;

use rustorium_types::id::Height;

use crate::waiting::Load;

/// Quiet after which an empty block certifies the newest state: longer than a client's next request takes.
pub const QUIET: Duration = Duration::from_millis(5);
/// Silence after which a chain that is not for development shows that it lives.
pub const BEAT: Duration = Duration::from_secs(10);

/// The pace of one validator.
#[derive(Debug)]
pub(super) struct Pace {
    /// The least time between two blocks with records.
    block_time: Duration,
    beats: bool,
    /// The newest block has records, so nothing certifies its result yet.
    is_open: bool,
    /// Since when execution has nothing to do.
    idle_since: Option<Duration>,
    next_cut: Duration,
}

impl Pace {
    pub(super) fn new(block_time: Duration, beats: bool, is_open: bool) -> Self {
        Self { block_time, beats, is_open, idle_since: None, next_cut: Duration::ZERO }
    }

    /// Notes whether execution has come to the newest block.
    pub(super) fn look(&mut self, is_idle: bool, now: Duration) {
        if is_idle {
            self.idle_since.get_or_insert(now);
        } else {
            self.idle_since = None;
        }
    }

    /// Notes that a block was sealed.
    pub(super) fn sealed(&mut self, is_empty: bool, now: Duration) {
        self.is_open = !is_empty;
        self.idle_since = None;
        self.next_cut = now + self.block_time;
    }

    /// Whether a block on top of this height is due.
    pub(super) fn is_due(&self, parent: Height, waiting: Load, now: Duration) -> bool {
        self.idle_since.is_some()
            && (parent < Height(2)
                || waiting.mines > 0
                || self.deadline(waiting).is_some_and(|deadline| deadline <= now))
    }

    /// How long until a block is due if nothing happens; none if never.
    pub(super) fn patience(&self, waiting: Load, now: Duration) -> Option<Duration> {
        Some(self.deadline(waiting)?.saturating_sub(now))
    }

    fn deadline(&self, waiting: Load) -> Option<Duration> {
        let idle_since = self.idle_since?;
        if waiting.records > 0 {
            return Some(self.next_cut);
        }
        let closing = self.is_open.then(|| idle_since + QUIET);
        closing.or_else(|| self.beats.then(|| idle_since + BEAT))
    }
}
