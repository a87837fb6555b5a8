//! The log read as blocks: a header, the records that its cuts take, and its certificate.
//!
//! ```text
//! record 7 │ record 8 │ header h (lane 0 ends at 9) │ certificate h │ record 9 …
//!   └───── block h ─────────────────────┘                             └─ waits for the next header
//! ```
//!
//! A header may lack its certificate: of one validator's chain only the newest, where the process died between the
//! sync and the signature; of many's, one that is final by a later header's.

use std::collections::{BTreeMap, VecDeque};

use borsh::BorshDeserialize;
use bytes::Bytes;
use rustorium_types::{
    block::{Header, LaneCut},
    id::Height,
};

use super::{
    Damage, LanePosition, LogError,
    frame::Kind,
    reader::{Entries, Entry},
    record::split_record,
};
use crate::turns::interleave;

/// A block as the log has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoggedBlock {
    /// What was decided.
    pub header: Header,
    /// Its certificate, if it has one.
    pub certificate: Option<Bytes>,
    /// The records of its cuts, in execution order.
    pub records: Vec<Bytes>,
}

/// A record that no header takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoggedRecord {
    /// Where it stands.
    pub position: LanePosition,
    /// The segment that it lies in.
    pub segment: u64,
    /// The record.
    pub record: Bytes,
}

/// Blocks above a height, in order; then [`Blocks::into_rest`] has what no block took.
pub struct Blocks {
    entries: Entries,
    /// What waits, by lane and generation.
    lanes: BTreeMap<(u32, u32), Lane>,
    /// The generation of each lane in the newest header that was taken.
    generations: BTreeMap<u32, u32>,
    /// Heights up to here are skipped.
    from: Height,
    held: Option<LoggedBlock>,
    /// The header of the height that was asked for, for comparison.
    base: Option<Header>,
    /// The newest header that was passed or taken has its certificate.
    is_signed: bool,
}

/// What waits of a lane in one generation.
#[derive(Default)]
struct Lane {
    /// The index of the first of them.
    first: u64,
    records: VecDeque<(Bytes, u64)>,
}

impl Blocks {
    pub(crate) fn new(entries: Entries, height: Height, lanes: &[LaneCut]) -> Self {
        let begun =
            lanes.iter().map(|cut| ((cut.lane, cut.generation), Lane { first: cut.end, records: VecDeque::new() }));
        Self {
            entries,
            lanes: begun.collect(),
            generations: lanes.iter().map(|cut| (cut.lane, cut.generation)).collect(),
            from: height,
            held: None,
            base: None,
            is_signed: true,
        }
    }

    /// The log's header at the height below the first block, once a block or the end was read.
    pub const fn base(&self) -> Option<&Header> {
        self.base.as_ref()
    }

    /// Whether the newest header has its certificate, once the end was read.
    pub const fn is_signed(&self) -> bool {
        self.is_signed
    }

    /// Records that no header took, lane by lane, once the end was read.
    pub fn into_rest(self) -> Vec<LoggedRecord> {
        let of_lane = |((lane, generation), waiting): ((u32, u32), Lane)| {
            (waiting.first..).zip(waiting.records).map(move |(index, (record, segment))| {
                let position = LanePosition { lane, generation, index };
                LoggedRecord { position, segment, record }
            })
        };
        self.lanes.into_iter().flat_map(of_lane).collect()
    }

    fn advance(&mut self) -> Result<Option<LoggedBlock>, LogError> {
        loop {
            let Some(entry) = self.entries.next().transpose()? else {
                return Ok(self.held.take());
            };
            match entry.kind {
                Kind::Genesis => {}
                Kind::Record => self.record(&entry)?,
                Kind::Header => {
                    let complete = self.held.take();
                    self.header(&entry)?;
                    if complete.is_some() {
                        return Ok(complete);
                    }
                }
                Kind::Certificate => self.certificate(&entry)?,
            }
        }
    }

    fn record(&mut self, entry: &Entry) -> Result<(), LogError> {
        let damaged = || entry.damaged(Damage::Block);
        let (position, record) = split_record(&entry.body).ok_or_else(damaged)?;
        if self.generations.get(&position.lane).is_some_and(|newest| position.generation < *newest) {
            return Ok(());
        }
        let lane = self.lanes.entry((position.lane, position.generation)).or_default();
        let Some(at) = position.index.checked_sub(lane.first) else {
            // It is in a block that is passed over. What followed it until then is superseded all the same.
            lane.records.clear();
            return Ok(());
        };
        let at = usize::try_from(at).ok().filter(|at| *at <= lane.records.len()).ok_or_else(damaged)?;
        lane.records.truncate(at);
        lane.records.push_back((record, entry.file));
        Ok(())
    }

    fn header(&mut self, entry: &Entry) -> Result<(), LogError> {
        let damaged = || entry.damaged(Damage::Block);
        let header = Header::try_from_slice(&entry.body).map_err(|_| damaged())?;
        let height = Height(entry.before.headers).next();
        if header.height != height {
            return Err(damaged());
        }
        self.is_signed = false;
        if height <= self.from {
            if height == self.from {
                self.base = Some(header);
            }
            return Ok(());
        }
        let lanes: Option<Vec<Vec<Bytes>>> = header.lanes.iter().map(|cut| self.take(cut)).collect();
        let records = interleave(lanes.ok_or_else(damaged)?);
        self.held = Some(LoggedBlock { header, certificate: None, records });
        Ok(())
    }

    /// Takes what a cut takes of its lane; `None` if it is not there.
    fn take(&mut self, cut: &LaneCut) -> Option<Vec<Bytes>> {
        let before = self.generations.insert(cut.lane, cut.generation);
        if before.is_some_and(|before| before > cut.generation) {
            return None;
        }
        if before != Some(cut.generation) {
            // What is left of older generations is in no block any more.
            self.lanes.retain(|(lane, generation), _| *lane != cut.lane || *generation >= cut.generation);
        }
        let lane = self.lanes.entry((cut.lane, cut.generation)).or_default();
        let count = usize::try_from(cut.end.checked_sub(lane.first)?).ok()?;
        if count > lane.records.len() {
            return None;
        }
        lane.first = cut.end;
        Some(lane.records.drain(..count).map(|(record, _)| record).collect())
    }

    /// A certificate is `height 8, little-endian │ certificate`.
    fn certificate(&mut self, entry: &Entry) -> Result<(), LogError> {
        let damaged = || entry.damaged(Damage::Block);
        let (height, _) = entry.body.split_first_chunk().ok_or_else(damaged)?;
        let height = Height(u64::from_le_bytes(*height));
        if height.0 != entry.before.headers {
            return Err(damaged());
        }
        self.is_signed = true;
        if let Some(held) = &mut self.held {
            held.certificate = Some(entry.body.slice(8..));
        }
        Ok(())
    }
}

/// The body of a certificate's entry.
pub(crate) fn certificate_entry(height: Height, certificate: &[u8]) -> Vec<u8> {
    let mut body = Vec::with_capacity(8 + certificate.len());
    body.extend_from_slice(&height.0.to_le_bytes());
    body.extend_from_slice(certificate);
    body
}

impl Iterator for Blocks {
    type Item = Result<LoggedBlock, LogError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.advance().transpose()
    }
}
