//! Who waits for records of the own lane to be accepted.
//!
//! A record is accepted once as many validators have it on disk that one of them is honest, this node among them: of
//! n = 3f + 1 that is f + 1. A validator alone needs nobody else. A record that is in a final block is accepted
//! whoever has it.

use std::collections::{BTreeMap, VecDeque};

use crate::{
    handle::Promise,
    log::LanePosition,
    submit::{Accepted, Refused},
};

/// Whom to tell, and what.
pub(crate) type Ticket = (Promise<Result<Accepted, Refused>>, Accepted);

/// The tickets of records in the own lane, in order.
#[derive(Debug, Default)]
pub(crate) struct Tickets {
    /// Validators that must have a record besides this node.
    others: usize,
    waiting: VecDeque<Ticket>,
    /// The end of what this node has on disk.
    durable: u64,
    /// The end of what each other validator said to have on disk.
    held: BTreeMap<[u8; 32], u64>,
}

impl Tickets {
    /// Of a lane among so many validators, from an index on. Those who wait go on waiting.
    pub(crate) fn enter(&mut self, validators: usize, end: u64) {
        self.others = validators.saturating_sub(1) / 3;
        self.durable = end;
        self.held.clear();
    }

    /// A record was appended at its place; it becomes durable with the next sync.
    pub(crate) fn push(&mut self, answer: Promise<Result<Accepted, Refused>>, accepted: Accepted) {
        self.waiting.push_back((answer, accepted));
    }

    /// Takes out those of some places, in order, to be given others.
    pub(crate) fn take(&mut self, places: impl Fn(LanePosition) -> bool) -> VecDeque<Ticket> {
        let (taken, kept) = self.waiting.drain(..).partition(|(_, accepted)| places(accepted.position));
        self.waiting = kept;
        taken
    }

    /// How many wait.
    pub(crate) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// All records below an index are on this node's disk. Answers how many were accepted by that.
    pub(crate) fn durable(&mut self, end: u64) -> u64 {
        self.durable = self.durable.max(end);
        self.answer(self.safe())
    }

    /// A validator says that all records below an index are on its disk.
    pub(crate) fn held(&mut self, validator: [u8; 32], end: u64) -> u64 {
        let held = self.held.entry(validator).or_default();
        *held = end.max(*held);
        self.answer(self.safe())
    }

    /// All records below an index are in final blocks.
    pub(crate) fn is_final(&mut self, end: u64) -> u64 {
        self.answer(end)
    }

    /// The end of what enough validators have.
    fn safe(&self) -> u64 {
        let Some(least) = self.others.checked_sub(1) else { return self.durable };
        let mut ends: Vec<u64> = self.held.values().copied().collect();
        ends.sort_unstable_by(|a, b| b.cmp(a));
        ends.get(least).map_or(0, |end| self.durable.min(*end))
    }

    fn answer(&mut self, end: u64) -> u64 {
        let mut answered = 0;
        while self.waiting.front().is_some_and(|(_, accepted)| accepted.position.index < end) {
            if let Some((answer, accepted)) = self.waiting.pop_front() {
                answer.keep(Ok(accepted));
                answered += 1;
            }
        }
        answered
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::handle;

    fn wait_for(tickets: &mut Tickets, index: u64) -> handle::Handle<Result<Accepted, Refused>> {
        let (promise, handle) = handle::promise();
        tickets
            .push(promise, Accepted { transaction: None, position: LanePosition { index, ..LanePosition::default() } });
        handle
    }

    #[test]
    fn alone_a_disk_is_enough_and_among_seven_two_more_are_needed() {
        let mut alone = Tickets::default();
        alone.enter(1, 0);
        let first = wait_for(&mut alone, 0);
        assert_eq!((alone.durable(1), alone.len()), (1, 0));
        assert!(matches!(first.wait(), Ok(Ok(_))));

        let mut among = Tickets::default();
        among.enter(7, 0);
        let _handles: Vec<_> = (0..4).map(|index| wait_for(&mut among, index)).collect();
        assert_eq!(among.held([1; 32], 4), 0, "not on this disk");
        assert_eq!(among.durable(3), 0, "one other of two");
        assert_eq!(among.held([1; 32], 3), 0, "the same again");
        assert_eq!(among.held([2; 32], 2), 2);
        assert_eq!(among.held([3; 32], 9), 1, "as far as this disk and two others have it");
        assert_eq!(among.is_final(4), 1);
    }

    #[test]
    fn those_whose_places_stay_go_on_waiting() {
        let mut tickets = Tickets::default();
        tickets.enter(1, 0);
        let handles: Vec<_> = (0..4).map(|index| wait_for(&mut tickets, index)).collect();
        let moved = tickets.take(|position| position.index >= 2);
        assert_eq!((moved.len(), tickets.len()), (2, 2));
        assert_eq!(tickets.durable(2), 2);
        drop(moved);
        let answered: Vec<bool> = handles.into_iter().map(|handle| handle.wait().is_ok()).collect();
        assert_eq!(answered, [true, true, false, false]);
    }

    #[test]
    fn who_is_dropped_hears_that_it_stopped() {
        let mut tickets = Tickets::default();
        let handle = wait_for(&mut tickets, 0);
        drop(tickets);
        assert!(handle.wait().is_err());
    }
}
