//! When a validator may vote again after a start.
//!
//! What a validator voted for is in its journal. One that lost it, or was given an older copy, could vote twice in a
//! view. So it listens until it cannot any more:
//!
//! - **A new journal**, made at time *t* for a key that may have signed before ([`Caution::journal_since`]): it votes
//!   only behind a final block *b* whose header's time is *t* or later, some seconds added for clocks that differ. Then no
//!   view behind *b*'s is one that the key signed in, if whatever signed with it had stopped by *t*:
//!   - Had it signed in a view *w*, a certificate of view *w* − 1 existed by *t*, and so one of every view of the epoch
//!     before it: views are entered by certificates only.
//!   - *b* is final, so the certificate of its view *v* is no nullification; and *b*'s notarisation did not exist by *t*,
//!     since honest validators vote for no header that is ahead of their clocks. So *v* had no certificate by *t*, and
//!     *v* ≥ *w*.
//!   - For the same reason the key signed in no epoch after *b*'s: *b* would have to be older than its last block.
//! - **An older copy** of journal and chain: it votes once its chain is where the others' are ([`Caution::others`]). The
//!   node holds what they have meanwhile against its journal, and does not let it vote if its key signed more.
//!
//! A node that listens writes to no journal of votes.

use rustorium_types::id::{Height, Timestamp};
use tokio::sync::watch;

/// How far clocks of validators may differ, and a header's time be ahead, in milliseconds: far more than where clocks are
/// set by the network.
const CLOCKS_MS: u64 = 10_000;

/// What must be so before a validator votes. The default is nothing.
#[derive(Clone, Debug, Default)]
pub struct Caution {
    /// When the journal of votes was made, if it was made anew for a key that may have signed before.
    pub journal_since: Option<Timestamp>,
    /// Will hold the height that the chain must have. Nothing is voted for as long as it holds none.
    pub others: Option<watch::Receiver<Option<Height>>>,
}

impl Caution {
    /// Whether a block of this time may be from before the journal was made: that the key signed for it says nothing.
    pub fn may_precede_journal(&self, time: Timestamp) -> bool {
        self.journal_since.is_some_and(|since| time.0 < since.0.saturating_add(CLOCKS_MS))
    }

    /// Whether a validator may vote whose chain has a height, behind a certified block of this time.
    pub(crate) fn allows(&self, height: Height, floor: Option<Timestamp>) -> bool {
        let is_new = self.journal_since.is_some() && floor.is_none_or(|time| self.may_precede_journal(time));
        let is_behind = self.others.as_ref().is_some_and(|others| others.borrow().is_none_or(|at| height < at));
        !is_new && !is_behind
    }

    /// Returns when something else is told of the others.
    pub(crate) async fn told(&mut self) {
        let told = match &mut self.others {
            Some(others) => others.changed().await.is_ok(),
            None => false,
        };
        if !told {
            // Nobody will tell any more.
            std::future::pending().await
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_journal_waits_for_a_later_block_and_a_copy_for_the_others_height() {
        let (height, time) = (Height(5), |ms| Some(Timestamp(ms)));
        assert!(Caution::default().allows(Height(0), None));
        let new = Caution { journal_since: Some(Timestamp(1_000)), others: None };
        let allowed = [None, time(1_000), time(10_999), time(11_000)].map(|floor| new.allows(height, floor));
        assert_eq!(allowed, [false, false, false, true]);
        let never = Caution { journal_since: Some(Timestamp(u64::MAX)), others: None };
        assert!(!never.allows(height, time(u64::MAX - 1)));
        let (tell, others) = watch::channel(None);
        let copy = Caution { journal_since: None, others: Some(others) };
        assert!(!copy.allows(height, None));
        for (at, expected) in [(6, false), (5, true), (0, true)] {
            tell.send_replace(Some(Height(at)));
            assert_eq!(copy.allows(height, None), expected);
        }
    }
}
