//! Records that are in the log and in no final block yet, lane by lane.
//!
//! ```text
//! lane 0   final │ first … │ … │ … end      a block in flight takes from its parent's end on;
//! lane 1   final │ first … end              a final one moves `first`
//! ```
//!
//! Invariants: a lane's records have no gap, and what is handed out for a cut is what the log holds at its indexes.

use std::{collections::VecDeque, sync::Arc};

use bytes::Bytes;
use rustorium_types::{
    block::{Header, LaneCut},
    merkle,
    record::Control,
};

use crate::{
    cut::Rules,
    doubts::Doubts,
    exchange::Want,
    log::LanePosition,
    verify::{Checked, Meaning},
};

/// Bytes that are read of a lane at once.
const READ_BYTES: usize = 4 << 20;

/// The lanes of an epoch.
#[derive(Debug, Default)]
pub(crate) struct Waiting {
    /// By number: lanes are numbered from 0.
    lanes: Vec<Lane>,
}

/// A lane, and what waits in it.
#[derive(Debug)]
struct Lane {
    generation: u32,
    first: u64,
    records: VecDeque<Logged>,
    load: Load,
}

/// A record in the log.
#[derive(Clone, Debug)]
pub(crate) struct Logged {
    pub(crate) record: Arc<Checked>,
    /// The segment that it lies in.
    pub(crate) segment: u64,
}

/// What some records add up to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    /// How many.
    pub records: usize,
    /// Their bytes.
    pub bytes: usize,
    /// Gas that they may use.
    pub gas: u64,
    /// Those that ask for a block at once.
    pub mines: usize,
}

/// A record that is not the next of its lane: one before it is missing, or the lane has no such generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Gap;

impl Waiting {
    /// Goes on where the lanes of a new block begin; answers what waited in lanes that are no more, in order.
    pub(crate) fn enter(&mut self, begin: &[LaneCut]) -> Vec<(LanePosition, Logged)> {
        let mut before: Vec<Option<Lane>> = std::mem::take(&mut self.lanes).into_iter().map(Some).collect();
        for (number, cut) in begin.iter().enumerate() {
            let goes_on = |lane: &mut Lane| lane.generation == cut.generation && lane.first <= cut.end;
            let lane = before.get_mut(number).and_then(|lane| lane.take_if(goes_on));
            let mut lane = lane.unwrap_or_else(|| Lane::new(cut.generation, cut.end));
            lane.pass(cut.end);
            self.lanes.push(lane);
        }
        let left = (0_u32..).zip(before).filter_map(|(lane, left)| Some((lane, left?)));
        left.flat_map(|(lane, left)| {
            let generation = left.generation;
            (left.first..)
                .zip(left.records)
                .map(move |(index, logged)| (LanePosition { lane, generation, index }, logged))
        })
        .collect()
    }

    /// Where a lane's next record goes.
    pub(crate) fn end(&self, lane: u32) -> Option<LanePosition> {
        let queue = self.lanes.get(lane as usize)?;
        Some(LanePosition { lane, generation: queue.generation, index: queue.end() })
    }

    /// Whether a record may be logged at a position, which then supersedes what stands from there on: one that waits, or the
    /// lane's end.
    pub(crate) fn takes(&self, position: LanePosition) -> Result<(), Gap> {
        let lane = self.of(position).ok_or(Gap)?;
        if position.index <= lane.end() { Ok(()) } else { Err(Gap) }
    }

    /// Whether no final block takes the record at a position.
    pub(crate) fn waits(&self, position: LanePosition) -> bool {
        self.of(position).is_some()
    }

    /// Adds a record that was logged at a position.
    pub(crate) fn push(&mut self, position: LanePosition, logged: Logged) -> Result<(), Gap> {
        self.takes(position)?;
        let lane = &mut self.lanes[position.lane as usize];
        let at = position.index - lane.first;
        while lane.records.len() as u64 > at {
            lane.drop_last();
        }
        lane.load.add(&logged.record);
        lane.records.push_back(logged);
        Ok(())
    }

    /// What waits in a lane.
    pub(crate) fn load(&self, lane: u32) -> Load {
        self.lanes.get(lane as usize).map_or_else(Load::default, |lane| lane.load)
    }

    /// What waits in all lanes.
    pub(crate) fn total(&self) -> Load {
        self.lanes.iter().fold(Load::default(), |sum, lane| sum.and(lane.load))
    }

    /// What a block could take whose lanes begin there, but for those in doubt.
    pub(crate) fn beyond(&self, begin: &[LaneCut], doubts: &Doubts) -> Load {
        let lanes = self.lanes.iter().zip(begin).filter(|(_, cut)| !doubts.leaves_out(cut.lane));
        lanes.fold(Load::default(), |sum, (lane, cut)| sum.and(lane.beyond(cut.end)))
    }

    /// The lanes in which something waits behind where a block's begin.
    pub(crate) fn filled(&self, begin: &[LaneCut]) -> Vec<u32> {
        let filled = self.lanes.iter().zip(begin).filter(|(lane, cut)| lane.end() > cut.end);
        filled.map(|(_, cut)| cut.lane).collect()
    }

    /// What a block takes whose lanes begin there, of some of them.
    pub(crate) fn cut(&self, begin: &[LaneCut], lanes: &[u32], rules: &Rules) -> Vec<Vec<Arc<Checked>>> {
        let beyond = self.lanes.iter().zip(begin).map(|(lane, cut)| {
            let from = if lanes.contains(&cut.lane) { cut.end } else { u64::MAX };
            lane.from(from).map(|logged| &*logged.record)
        });
        let counts = rules.fill(beyond.collect());
        let taken = self.lanes.iter().zip(begin).zip(counts).map(|((lane, cut), count)| {
            lane.from(cut.end).take(count).map(|logged| Arc::clone(&logged.record)).collect()
        });
        taken.collect()
    }

    /// What a header's cuts take, lane by lane, whose lanes begin there; `None` while some of it is not here.
    pub(crate) fn gather(&self, begin: &[LaneCut], header: &Header) -> Option<Vec<Vec<Arc<Checked>>>> {
        let of = |(lane, (begin, cut)): (&Lane, (&LaneCut, &LaneCut))| {
            let count = usize::try_from(cut.end.checked_sub(begin.end)?).ok()?;
            let is_here = begin.end >= lane.first && cut.end <= lane.end();
            is_here.then(|| lane.from(begin.end).take(count).map(|logged| Arc::clone(&logged.record)).collect())
        };
        self.lanes.iter().zip(begin.iter().zip(&header.lanes)).map(of).collect()
    }

    /// The bytes of a lane's records from a position or the first of them on, as far as they are here and at most
    /// [`READ_BYTES`] and one record, and where the first stands.
    pub(crate) fn read(&self, from: LanePosition, end: u64) -> (LanePosition, Vec<Bytes>) {
        let lane = self.lanes.get(from.lane as usize).filter(|lane| lane.generation == from.generation);
        let Some(lane) = lane else { return (from, Vec::new()) };
        let from = LanePosition { index: from.index.max(lane.first), ..from };
        let count = usize::try_from(end.saturating_sub(from.index)).unwrap_or(usize::MAX);
        let mut bytes = 0;
        let records = lane.from(from.index).take(count).map(|logged| logged.record.entered.clone());
        let records = records.take_while(|record| {
            let fits = bytes < READ_BYTES;
            bytes += record.len();
            fits
        });
        (from, records.collect())
    }

    /// How many of these records stand in a lane from a position on, before the first that does not.
    pub(crate) fn same<'a>(&self, from: LanePosition, records: impl Iterator<Item = &'a Bytes>) -> usize {
        let Some(lane) = self.of(from) else { return 0 };
        let here = lane.from(from.index).map(|logged| &logged.record.entered);
        here.zip(records).take_while(|(here, record)| here == record).count()
    }

    /// What stands in a lane from a position on.
    pub(crate) fn behind(&self, from: LanePosition) -> Vec<(LanePosition, Logged)> {
        let Some(lane) = self.of(from) else { return Vec::new() };
        let at = |index| LanePosition { index, ..from };
        (from.index..).map(at).zip(lane.from(from.index).cloned()).collect()
    }

    /// What a header's cuts take, whose lanes begin there, that is not here; where all is here, what is not that.
    pub(crate) fn lacking(&self, begin: &[LaneCut], header: &Header, is_final: bool) -> Vec<Want> {
        let cuts = || self.lanes.iter().zip(begin.iter().zip(&header.lanes));
        let want = |(begin, cut): (&LaneCut, &LaneCut)| {
            let from = LanePosition { lane: cut.lane, generation: cut.generation, index: begin.end };
            Want { from, end: cut.end, root: cut.root, is_final }
        };
        let missing = cuts().filter(|(lane, (begin, cut))| begin.end < lane.first || lane.end() < cut.end);
        let missing: Vec<Want> = missing.map(|(_, cuts)| want(cuts)).collect();
        if !missing.is_empty() {
            return missing;
        }
        let differs = |(lane, (begin, cut)): &(&Lane, (&LaneCut, &LaneCut))| {
            let count = usize::try_from(cut.end.saturating_sub(begin.end)).unwrap_or(usize::MAX);
            merkle::root(lane.from(begin.end).take(count).map(|logged| &logged.record.entered)) != cut.root
        };
        cuts().filter(differs).map(|(_, cuts)| want(cuts)).collect()
    }

    /// The lane that a position is in, if it waits from there on.
    fn of(&self, position: LanePosition) -> Option<&Lane> {
        let lane = self.lanes.get(position.lane as usize)?;
        (lane.generation == position.generation && position.index >= lane.first).then_some(lane)
    }

    /// Drops what a final header takes.
    pub(crate) fn pass(&mut self, cuts: &[LaneCut]) {
        for (lane, cut) in self.lanes.iter_mut().zip(cuts) {
            lane.pass(cut.end);
        }
    }

    /// The first segment with a record that waits.
    pub(crate) fn oldest_segment(&self) -> Option<u64> {
        self.lanes.iter().filter_map(|lane| lane.records.front()).map(|logged| logged.segment).min()
    }
}

impl Lane {
    const fn new(generation: u32, first: u64) -> Self {
        Self { generation, first, records: VecDeque::new(), load: Load::NONE }
    }

    fn end(&self) -> u64 {
        self.first + self.records.len() as u64
    }

    /// From an index on, which is not before the first.
    fn from(&self, index: u64) -> impl Iterator<Item = &Logged> {
        let skip = usize::try_from(index.saturating_sub(self.first)).unwrap_or(usize::MAX);
        self.records.range(skip.min(self.records.len())..)
    }

    /// What lies from an index on. Mostly that is all, or little: blocks in flight are few.
    fn beyond(&self, index: u64) -> Load {
        let mut load = self.load;
        let before = usize::try_from(index.saturating_sub(self.first)).unwrap_or(usize::MAX);
        self.records.iter().take(before).for_each(|logged| load.remove(&logged.record));
        load
    }

    /// Drops what lies below an index; goes there if nothing does.
    fn pass(&mut self, end: u64) {
        while self.first < end {
            let Some(logged) = self.records.pop_front() else {
                self.first = end;
                return;
            };
            self.load.remove(&logged.record);
            self.first += 1;
        }
    }

    fn drop_last(&mut self) {
        if let Some(logged) = self.records.pop_back() {
            self.load.remove(&logged.record);
        }
    }
}

impl Load {
    pub(crate) const NONE: Self = Self { records: 0, bytes: 0, gas: 0, mines: 0 };

    /// Both together.
    pub(crate) const fn and(self, other: Self) -> Self {
        Self {
            records: self.records + other.records,
            bytes: self.bytes + other.bytes,
            gas: self.gas + other.gas,
            mines: self.mines + other.mines,
        }
    }

    pub(crate) fn add(&mut self, record: &Checked) {
        self.records += 1;
        self.bytes += record.entered.len();
        self.gas += record.gas.0;
        self.mines += usize::from(is_mine(record));
    }

    pub(crate) fn remove(&mut self, record: &Checked) {
        self.records -= 1;
        self.bytes -= record.entered.len();
        self.gas -= record.gas.0;
        self.mines -= usize::from(is_mine(record));
    }
}

const fn is_mine(record: &Checked) -> bool {
    matches!(record.meaning, Meaning::Control(Control::Mine))
}
