//! Reads the log from any point, checking every frame and link on the way.
//!
//! A reader needs no writer: `replay` and `db check` read the log of a node that does not run. It cuts nothing:
//! a torn tail is where the entries end.

use std::sync::Arc;

use borsh::BorshDeserialize;
use bytes::Bytes;
use rustorium_types::{block::LaneCut, genesis::Genesis, id::Height};

use super::{
    Damage, Disk, LanePosition, LogError,
    blocks::Blocks,
    frame::{FRAME_HEADER, Kind},
    record::split_record,
    segment::{self, LogPosition, Rest, SEGMENT_HEADER, Segment, SegmentStart},
};

/// Bytes of a segment that are read at the most, whatever the file's length says.
const LARGEST_SEGMENT: usize = 64 << 20;

/// The reading end.
#[derive(Clone)]
pub struct Reader {
    disk: Arc<dyn Disk>,
}

/// An entry, and where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What lies before it.
    pub before: LogPosition,
    /// What it is.
    pub kind: Kind,
    /// Its bytes.
    pub body: Bytes,
    /// Its file.
    pub file: u64,
    /// Where in the file.
    pub offset: usize,
}

impl Entry {
    /// An error that points here.
    pub(crate) fn damaged(&self, damage: Damage) -> LogError {
        LogError::damaged(&segment::name(self.file), self.offset, damage)
    }
}

impl Reader {
    /// A reader of the log on a disk.
    pub fn new(disk: Arc<dyn Disk>) -> Self {
        Self { disk }
    }

    /// The chain that this log is of, from its first entry.
    ///
    /// # Errors
    /// When there is no log, or its beginning is damaged.
    pub fn genesis(&self) -> Result<Genesis, LogError> {
        let first = *self.numbers()?.first().ok_or(LogError::Empty)?;
        let segment = self.segment(first)?;
        let damaged = || LogError::damaged(&segment::name(first), SEGMENT_HEADER, Damage::Genesis);
        let frame = segment.frames.first().filter(|frame| frame.kind == Kind::Genesis).ok_or_else(damaged)?;
        let genesis = Genesis::try_from_slice(&segment.body(frame)).map_err(|_| damaged())?;
        if genesis.hash() == segment.start.genesis { Ok(genesis) } else { Err(damaged()) }
    }

    /// All entries, from the first.
    ///
    /// # Errors
    /// When the log cannot be listed or a file is missing.
    pub fn entries(&self) -> Result<Entries, LogError> {
        Ok(Entries { reader: self.clone(), numbers: self.numbers()?, at: 0, open: None })
    }

    /// The blocks above a height whose header's cuts end at `lanes`: what a database that has executed `height` still
    /// lacks.
    ///
    /// # Errors
    /// When the log cannot be listed or a file is missing or broken.
    pub fn blocks_above(&self, height: Height, lanes: &[LaneCut]) -> Result<Blocks, LogError> {
        let numbers = self.numbers()?;
        // The header of `height` itself is read too, so that it can be compared.
        let at = self.last_where(&numbers, |start| start.before.headers < height.0.max(1))?;
        let oldest = match numbers.get(at) {
            Some(number) => self.start(*number)?.oldest,
            None => 1,
        };
        // Numbers are consecutive from 1.
        let at = usize::try_from(oldest - 1).unwrap_or(at).min(at);
        Ok(Blocks::new(Entries { reader: self.clone(), numbers, at, open: None }, height, lanes))
    }

    /// The record at a position, as it was logged last. Looked for from the newest segment backwards: for questions
    /// about single records, of which the chain itself asks none.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn record(&self, position: LanePosition) -> Result<Option<Bytes>, LogError> {
        for number in self.numbers()?.into_iter().rev() {
            let segment = self.segment(number)?;
            let records = segment.frames.iter().rev().filter(|frame| frame.kind == Kind::Record);
            let mut labelled = records.filter_map(|frame| split_record(&segment.body(frame)));
            if let Some((_, record)) = labelled.find(|(at, _)| *at == position) {
                return Ok(Some(record));
            }
        }
        Ok(None)
    }

    /// The numbers of all segments, which are consecutive from 1.
    pub(crate) fn numbers(&self) -> Result<Vec<u64>, LogError> {
        let names = self.disk.names().map_err(LogError::io("the log's directory"))?;
        let mut numbers: Vec<u64> = names.iter().filter_map(|name| segment::number(name)).collect();
        numbers.sort_unstable();
        match (1..).zip(&numbers).find(|(expected, number)| expected != *number) {
            Some((missing, _)) => Err(LogError::Missing(segment::name(missing))),
            None => Ok(numbers),
        }
    }

    /// Reads and checks a segment.
    pub(crate) fn segment(&self, number: u64) -> Result<Segment, LogError> {
        let name = segment::name(number);
        let file = self.disk.open(&name).map_err(LogError::io(&name))?;
        let extent = file.extent().map_err(LogError::io(&name))?;
        let bytes = file.read(0, usize::try_from(extent).unwrap_or(usize::MAX).min(LARGEST_SEGMENT));
        let bytes = bytes.map_err(LogError::io(&name))?;
        let segment = Segment::parse(bytes).filter(|segment| segment.start.may_be_of(number));
        segment.ok_or_else(|| LogError::damaged(&name, 0, Damage::Start))
    }

    fn start(&self, number: u64) -> Result<SegmentStart, LogError> {
        let name = segment::name(number);
        let file = self.disk.open(&name).map_err(LogError::io(&name))?;
        let bytes = file.read(0, SEGMENT_HEADER).map_err(LogError::io(&name))?;
        let start = SegmentStart::decode(&bytes).filter(|start| start.may_be_of(number));
        start.ok_or_else(|| LogError::damaged(&name, 0, Damage::Start))
    }

    /// The index of the last segment whose start answers yes; they answer yes, then no.
    fn last_where(&self, numbers: &[u64], yes: impl Fn(&SegmentStart) -> bool) -> Result<usize, LogError> {
        let (mut low, mut high) = (0, numbers.len());
        while low + 1 < high {
            let middle = usize::midpoint(low, high);
            if yes(&self.start(numbers[middle])?) { low = middle } else { high = middle }
        }
        Ok(low)
    }
}

/// Entries one after the other, a segment in memory at a time.
pub struct Entries {
    reader: Reader,
    numbers: Vec<u64>,
    /// Which of the numbers is next, or open.
    at: usize,
    open: Option<Open>,
}

struct Open {
    segment: Segment,
    frame: usize,
    before: LogPosition,
}

impl Entries {
    fn advance(&mut self) -> Result<Option<Entry>, LogError> {
        loop {
            let Some(number) = self.numbers.get(self.at).copied() else { return Ok(None) };
            let open = match &mut self.open {
                Some(open) => open,
                None => {
                    let segment = self.reader.segment(number)?;
                    let before = segment.start.before;
                    self.open.insert(Open { segment, frame: 0, before })
                }
            };
            if let Some(frame) = open.segment.frames.get(open.frame) {
                let (before, kind) = (open.before, frame.kind);
                let offset = frame.body.start - FRAME_HEADER;
                let body = open.segment.body(frame);
                open.frame += 1;
                open.before = before.after(kind);
                return Ok(Some(Entry { before, kind, body, file: number, offset }));
            }
            self.leave(number)?;
        }
    }

    /// Checks that the segment ended as it must, and goes on to the next.
    fn leave(&mut self, number: u64) -> Result<(), LogError> {
        let Some(Open { segment, .. }) = self.open.take() else { return Ok(()) };
        let name = segment::name(number);
        self.at += 1;
        let Some(next) = self.numbers.get(self.at) else {
            return match segment.rest {
                Rest::Nothing | Rest::Torn => Ok(()),
                Rest::Damaged => Err(LogError::damaged(&name, segment.end, Damage::Frame)),
            };
        };
        let start = self.reader.start(*next)?;
        if start.before == segment.after && start.link == segment.link && start.genesis == segment.start.genesis {
            return Ok(());
        }
        // A segment is begun when the one before is durable: what this one lacks is damage.
        Err(match segment.rest {
            Rest::Nothing if segment.after.entries >= start.before.entries => {
                LogError::damaged(&segment::name(*next), 0, Damage::Order)
            }
            _ => LogError::damaged(&name, segment.end, Damage::Frame),
        })
    }
}

impl Iterator for Entries {
    type Item = Result<Entry, LogError>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = self.advance().transpose();
        if matches!(next, Some(Err(_))) {
            self.at = self.numbers.len();
            self.open = None;
        }
        next
    }
}
