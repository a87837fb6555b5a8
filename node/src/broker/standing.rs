//! How the shared lanes stand: whether they take records, and what the broker said that does not fit.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// What a broker can say that does not fit what was read before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Contradiction {
    /// Records are gone that were not read.
    Truncated,
    /// Records are gone that were read.
    Shrunk,
    /// Records that were read are replaced.
    Rewritten,
    /// There is no such topic.
    Gone,
    /// More offsets without records than there can be.
    Skipped,
    /// It cannot be read.
    Unreadable,
    /// The lane goes on in a generation that is not the broker's.
    Generation,
}

impl Contradiction {
    /// All, in their order.
    pub(super) const ALL: [(Self, &'static str); 7] = [
        (Self::Truncated, "truncated"),
        (Self::Shrunk, "shrunk"),
        (Self::Rewritten, "rewritten"),
        (Self::Gone, "gone"),
        (Self::Skipped, "skipped"),
        (Self::Unreadable, "unreadable"),
        (Self::Generation, "generation"),
    ];
}

/// What the reader and the client library tell, and the chain's port and metrics read.
#[derive(Debug)]
pub(super) struct Standing {
    /// A broker takes records.
    is_up: AtomicBool,
    /// The topics are as they have to be.
    is_checked: AtomicBool,
    lanes: Box<[Lane]>,
    contradictions: [AtomicU64; Contradiction::ALL.len()],
}

#[derive(Debug, Default)]
struct Lane {
    is_aside: AtomicBool,
}

impl Standing {
    pub(super) fn new(shards: u32) -> Self {
        Self {
            is_up: AtomicBool::new(false),
            is_checked: AtomicBool::new(false),
            lanes: (0..shards).map(|_| Lane::default()).collect(),
            contradictions: Default::default(),
        }
    }

    /// Whether a lane takes records that come back.
    pub(super) fn takes(&self, lane: u32) -> bool {
        self.is_up.load(Ordering::Acquire) && self.are_checked() && !self.is_aside(lane)
    }

    /// Whether a broker takes records.
    pub(super) fn is_up(&self) -> bool {
        self.is_up.load(Ordering::Acquire)
    }

    pub(super) fn set_up(&self, is_up: bool) {
        self.is_up.store(is_up, Ordering::Release);
    }

    /// Whether the topics were found as they have to be.
    pub(super) fn are_checked(&self) -> bool {
        self.is_checked.load(Ordering::Acquire)
    }

    /// They are as they have to be.
    pub(super) fn set_checked(&self) {
        self.is_checked.store(true, Ordering::Release);
    }

    /// Whether a lane is set aside: nothing of it is read, and nothing goes to it. There is no lane beyond the last.
    pub(super) fn is_aside(&self, lane: u32) -> bool {
        self.lanes.get(lane as usize).is_none_or(|lane| lane.is_aside.load(Ordering::Acquire))
    }

    /// Sets a lane aside, or goes on with it; true if that is news.
    pub(super) fn set_aside(&self, lane: u32, is_aside: bool) -> bool {
        let lane = self.lanes.get(lane as usize);
        lane.is_some_and(|lane| lane.is_aside.swap(is_aside, Ordering::AcqRel) != is_aside)
    }

    /// Counts a contradiction.
    pub(super) fn count(&self, contradiction: Contradiction) {
        self.contradictions[contradiction as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// Contradictions so far, by their name.
    pub(super) fn contradictions(&self) -> Vec<(&'static str, u64)> {
        let counted = Contradiction::ALL.iter().zip(&self.contradictions);
        counted.map(|((_, name), count)| (*name, count.load(Ordering::Relaxed))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lane_takes_records_while_the_broker_is_there_and_it_is_not_set_aside() {
        let standing = Standing::new(2);
        standing.set_up(true);
        assert!(!standing.takes(0), "not checked");
        standing.set_checked();
        assert!(standing.takes(0) && standing.takes(1) && !standing.takes(2));
        assert!(standing.set_aside(1, true) && !standing.set_aside(1, true));
        assert!(standing.takes(0) && !standing.takes(1));
        standing.set_up(false);
        assert!(!standing.takes(0));
    }

    #[test]
    fn contradictions_are_counted_under_their_names() {
        let standing = Standing::new(1);
        for (contradiction, _) in Contradiction::ALL {
            standing.count(contradiction);
        }
        assert!(standing.contradictions().iter().all(|(_, count)| *count == 1));
    }
}
