//! Records that were offered to shared lanes and have not come back yet.
//!
//! ```text
//! offered ─► broker ─► … ─► in the lane here ─► synced ─► accepted, at the lane's place
//!    └── not back in time, or the lane is down ─► another way: the own lane, another validator
//! ```
//!
//! What comes back came through the broker, which has therefore acknowledged it, and is on this disk. What goes another
//! way may come back all the same: its nonce is used once, so the second is a no-op.
//!
//! A lane from which something did not come back in time rests, so that not every record waits in vain; one record
//! each [`REST`] is offered all the same, and if it comes back, so are all.
//!
//! Time is handed in.

use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

use bytes::Bytes;

use crate::{
    handle::Promise,
    log::LanePosition,
    submit::{Accepted, Refused},
    tickets::Ticket,
    verify::{Checked, Meaning},
    waiting::Load,
};

/// How long a lane rests.
pub(crate) const REST: Duration = Duration::from_secs(5);
/// Records that may be under way, of all lanes.
const RECORDS: usize = 32_768;
/// Bytes of them.
const BYTES: usize = 64 << 20;
/// Who may wait for the same bytes: more than a client has reasons to submit them again.
const ANSWERS: usize = 64;

/// Whom to tell what became of a record.
pub(crate) type Answer = Promise<Result<Accepted, Refused>>;

/// A record that was offered to a lane.
pub(crate) struct Offer {
    pub(crate) record: Checked,
    pub(crate) answers: Vec<Answer>,
    lane: u32,
    deadline: Duration,
}

/// What is under way to shared lanes and back.
#[derive(Default)]
pub(crate) struct Offers {
    /// By their bytes.
    offers: HashMap<Bytes, Offer>,
    /// Deadlines in order; those of what came back meanwhile are passed over.
    deadlines: VecDeque<(Duration, Bytes)>,
    /// By number.
    lanes: Vec<Lane>,
    total: Load,
    /// Back, and not synced yet.
    back: Vec<Ticket>,
}

#[derive(Clone, Default)]
struct Lane {
    load: Load,
    /// Until when it rests, if something did not come back.
    rests: Option<Duration>,
}

impl Offers {
    /// Has the answer wait with those that wait for the same bytes; gives it back if there are none, or as many as may.
    pub(crate) fn join(&mut self, record: &Bytes, answer: Answer) -> Option<Answer> {
        match self.offers.get_mut(record) {
            Some(offer) if offer.answers.len() < ANSWERS => {
                offer.answers.push(answer);
                None
            }
            _ => Some(answer),
        }
    }

    /// Whether a record is under way.
    pub(crate) fn contains(&self, record: &Bytes) -> bool {
        self.offers.contains_key(record)
    }

    /// What a lane was offered.
    pub(crate) fn load(&self, lane: u32) -> Load {
        self.lanes.get(lane as usize).map_or(Load::NONE, |lane| lane.load)
    }

    /// How many records are under way.
    pub(crate) fn len(&self) -> usize {
        self.offers.len()
    }

    /// Whether a lane may be offered a record now. Of a lane that rests, whoever hears yes should offer one.
    pub(crate) fn is_open(&mut self, lane: u32, now: Duration) -> bool {
        if self.offers.len() >= RECORDS || self.total.bytes >= BYTES {
            return false;
        }
        let lane = self.lane(lane);
        if lane.rests.is_some_and(|until| now < until) {
            return false;
        }
        lane.rests = lane.rests.map(|_| now + REST);
        true
    }

    /// A record that was not under way was offered to a lane, to be back at a time that is not before any other's.
    pub(crate) fn add(&mut self, lane: u32, record: Checked, answer: Answer, deadline: Duration) {
        let bytes = record.entered.clone();
        self.total.add(&record);
        self.lane(lane).load.add(&record);
        self.deadlines.push_back((deadline, bytes.clone()));
        self.offers.insert(bytes, Offer { record, answers: vec![answer], lane, deadline });
    }

    /// A record stands in a shared lane here, and becomes durable with the next sync. True if it was offered there.
    pub(crate) fn came_back(&mut self, position: LanePosition, record: &Bytes) -> bool {
        if self.offers.get(record).is_none_or(|offer| offer.lane != position.lane) {
            return false;
        }
        let Some(offer) = self.remove(record) else { return false };
        self.lane(position.lane).rests = None;
        let transaction = match &offer.record.meaning {
            Meaning::Transaction(transaction) => Some(transaction.hash),
            _ => None,
        };
        let accepted = Accepted { transaction, position };
        self.back.extend(offer.answers.into_iter().map(|answer| (answer, accepted)));
        true
    }

    /// What came back is durable. Answers how many records were accepted by that.
    pub(crate) fn durable(&mut self) -> u64 {
        let accepted = self.back.len() as u64;
        for (answer, accepted) in self.back.drain(..) {
            answer.keep(Ok(accepted));
        }
        accepted
    }

    /// Takes out those who wait for records at some places to become durable.
    pub(crate) fn take_back(&mut self, places: impl Fn(LanePosition) -> bool) -> Vec<Ticket> {
        let (taken, kept) = self.back.drain(..).partition(|(_, accepted)| places(accepted.position));
        self.back = kept;
        taken
    }

    /// When the next record has to be back.
    pub(crate) fn deadline(&self) -> Option<Duration> {
        self.deadlines.front().map(|(deadline, _)| *deadline)
    }

    /// The next record that did not come back in time, or whose lane is down.
    pub(crate) fn overdue(&mut self, now: Duration, is_up: impl Fn(u32) -> bool) -> Option<Offer> {
        loop {
            let (deadline, bytes) = self.deadlines.front()?;
            let offer = self.offers.get(bytes).filter(|offer| offer.deadline == *deadline);
            let Some(lane) = offer.map(|offer| offer.lane) else {
                self.deadlines.pop_front();
                continue;
            };
            let is_late = *deadline <= now;
            if !is_late && is_up(lane) {
                return None;
            }
            let (_, bytes) = self.deadlines.pop_front()?;
            if is_late {
                self.lane(lane).rests = Some(now + REST);
            }
            return self.remove(&bytes);
        }
    }

    fn remove(&mut self, record: &Bytes) -> Option<Offer> {
        let offer = self.offers.remove(record)?;
        self.total.remove(&offer.record);
        self.lane(offer.lane).load.remove(&offer.record);
        // Mostly the oldest comes back first.
        while self.deadlines.front().is_some_and(|(_, bytes)| !self.offers.contains_key(bytes)) {
            self.deadlines.pop_front();
        }
        Some(offer)
    }

    /// Lanes are few: a genesis has at most `cut::MAX_SHARDS` of them.
    fn lane(&mut self, lane: u32) -> &mut Lane {
        let index = lane as usize;
        if self.lanes.len() <= index {
            self.lanes.resize(index + 1, Lane::default());
        }
        &mut self.lanes[index]
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use rustorium_types::id::Gas;

    use super::*;
    use crate::handle::{self, Handle};

    const PATIENCE: Duration = Duration::from_secs(2);

    type Told = Handle<Result<Accepted, Refused>>;

    fn record(bytes: &'static [u8]) -> Checked {
        let entered = Bytes::from_static(bytes);
        Checked { entered, gas: Gas(7), meaning: Meaning::Junk(Refused::NotARecord) }
    }

    fn offer(offers: &mut Offers, lane: u32, bytes: &'static [u8], now: Duration) -> Told {
        let (promise, told) = handle::promise();
        if let Some(promise) = offers.join(&Bytes::from_static(bytes), promise) {
            assert!(offers.is_open(lane, now));
            offers.add(lane, record(bytes), promise, now + PATIENCE);
        }
        told
    }

    fn at(lane: u32, index: u64) -> LanePosition {
        LanePosition { lane, generation: 0, index }
    }

    fn position(told: Told) -> LanePosition {
        told.wait().unwrap().unwrap().position
    }

    #[test]
    fn what_came_back_is_accepted_where_it_stands_once_it_is_synced() {
        let (mut offers, now) = (Offers::default(), Duration::from_secs(100));
        let first = offer(&mut offers, 1, b"a", now);
        let again = offer(&mut offers, 1, b"a", now);
        let other = offer(&mut offers, 1, b"b", now);
        assert_eq!((offers.len(), offers.load(1).gas), (2, 14), "the same bytes are offered once");
        let stranger = Bytes::from_static(b"c");
        assert!(!offers.came_back(at(1, 0), &stranger), "somebody else's");
        assert!(!offers.came_back(at(0, 0), &Bytes::from_static(b"a")), "in another lane than it was offered");
        assert!(offers.came_back(at(1, 1), &Bytes::from_static(b"a")));
        assert!(!offers.came_back(at(1, 2), &Bytes::from_static(b"a")), "the second time it is anybody's");
        let Err(first) = first.wait_timeout(Duration::ZERO) else { panic!("not durable yet") };
        assert_eq!(offers.durable(), 2);
        assert_eq!((position(first), position(again)), (at(1, 1), at(1, 1)));
        assert_eq!((offers.len(), offers.load(1).records), (1, 1));
        drop(offers);
        assert!(other.wait().is_err(), "who is dropped hears that it stopped");
    }

    #[test]
    fn what_is_late_goes_another_way_and_its_lane_rests_but_for_one_record_at_a_time() {
        let (mut offers, start) = (Offers::default(), Duration::from_secs(100));
        let up = |_| true;
        let _first = offer(&mut offers, 0, b"a", start);
        let _second = offer(&mut offers, 0, b"b", start + PATIENCE / 2);
        assert_eq!(offers.deadline(), Some(start + PATIENCE));
        assert!(offers.overdue(start + PATIENCE - Duration::from_nanos(1), up).is_none());
        let late = offers.overdue(start + PATIENCE, up).unwrap();
        assert_eq!(late.record.entered, Bytes::from_static(b"a"));
        assert!(offers.overdue(start + PATIENCE, up).is_none(), "the second has time left");
        let now = start + PATIENCE;
        assert!(!offers.is_open(0, now) && offers.is_open(1, now), "one lane rests, another does not");
        assert!(offers.is_open(0, now + REST), "one is tried");
        assert!(!offers.is_open(0, now + REST), "and no other");
        let _third = offer(&mut offers, 0, b"c", now + REST + REST);
        assert!(offers.came_back(at(0, 0), &Bytes::from_static(b"c")));
        assert!(offers.is_open(0, now + REST + REST), "it came back");
    }

    #[test]
    fn what_was_offered_to_a_lane_that_is_down_does_not_wait() {
        let (mut offers, now) = (Offers::default(), Duration::from_secs(100));
        let _first = offer(&mut offers, 0, b"a", now);
        let _second = offer(&mut offers, 1, b"b", now);
        let is_up = |lane| lane == 1;
        assert_eq!(offers.overdue(now, is_up).unwrap().lane, 0);
        assert!(offers.overdue(now, is_up).is_none());
        assert!(offers.is_open(0, now), "that it is down is for the lane itself to say");
    }

    #[test]
    fn the_same_bytes_may_be_offered_again_and_have_a_time_of_their_own() {
        let (mut offers, start) = (Offers::default(), Duration::from_secs(100));
        let up = |_| true;
        let _other = offer(&mut offers, 0, b"z", start);
        let _first = offer(&mut offers, 0, b"a", start);
        assert!(offers.came_back(at(0, 0), &Bytes::from_static(b"a")));
        let later = start + PATIENCE / 2;
        let _again = offer(&mut offers, 0, b"a", later);
        assert_eq!(offers.overdue(start + PATIENCE, up).unwrap().record.entered, Bytes::from_static(b"z"));
        assert!(offers.overdue(start + PATIENCE, up).is_none());
        assert!(offers.overdue(later + PATIENCE, up).is_some());
        assert_eq!((offers.len(), offers.deadline()), (0, None));
    }

    #[test]
    fn what_is_under_way_is_bounded() {
        let (mut offers, now) = (Offers::default(), Duration::from_secs(100));
        let large = Checked { entered: Bytes::from(vec![0; BYTES]), ..record(b"") };
        let (promise, _told) = handle::promise();
        offers.add(0, large, promise, now + PATIENCE);
        assert!(!offers.is_open(1, now));
        let _late = offers.overdue(now + PATIENCE, |_| true).unwrap();
        assert!(offers.is_open(1, now));
        let _waiting: Vec<Told> = (0..ANSWERS).map(|_| offer(&mut offers, 1, b"a", now)).collect();
        let (promise, _told) = handle::promise();
        assert!(offers.join(&Bytes::from_static(b"a"), promise).is_some());
    }
}
