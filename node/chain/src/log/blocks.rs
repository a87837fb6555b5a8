//! The log read as blocks: a header, the records that its cut takes, and its certificate.
//!
//! ```text
//! record 7 │ record 8 │ header h (lane 0 ends at 8) │ certificate h │ record 9 …
//!   └───── block h ─────────────────────┘                             └─ waits for the next header
//! ```
//!
//! Only the newest header can lack its certificate: the process died between the sync and the signature.

use std::collections::VecDeque;

use borsh::BorshDeserialize;
use bytes::Bytes;
use rustorium_types::{block::Header, id::Height};

use super::{
    Damage, LogError,
    frame::Kind,
    reader::{Entries, Entry},
};

/// A block as the log has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoggedBlock {
    /// What was decided.
    pub header: Header,
    /// Its certificate, if it was signed.
    pub certificate: Option<Bytes>,
    /// The records of its cut.
    pub records: Vec<Bytes>,
}

/// Blocks above a height, in order; then [`Blocks::into_rest`] has what no block took.
pub struct Blocks {
    entries: Entries,
    /// Where the cut of the newest header that was taken ends.
    lane_end: u64,
    /// Heights up to here are skipped.
    from: Height,
    waiting: VecDeque<Bytes>,
    held: Option<LoggedBlock>,
    /// The header of the height that was asked for, for comparison.
    base: Option<Header>,
    /// The newest header that was passed or taken has its certificate.
    is_signed: bool,
}

impl Blocks {
    pub(crate) fn new(entries: Entries, height: Height, lane_end: u64) -> Self {
        Self { entries, lane_end, from: height, waiting: VecDeque::new(), held: None, base: None, is_signed: true }
    }

    /// The log's header at the height below the first block, once a block or the end was read.
    pub const fn base(&self) -> Option<&Header> {
        self.base.as_ref()
    }

    /// Whether the newest header has its certificate, once the end was read.
    pub const fn is_signed(&self) -> bool {
        self.is_signed
    }

    /// Records behind the last header, once the end was read.
    pub fn into_rest(self) -> VecDeque<Bytes> {
        self.waiting
    }

    fn advance(&mut self) -> Result<Option<LoggedBlock>, LogError> {
        loop {
            let Some(entry) = self.entries.next().transpose()? else {
                return Ok(self.held.take());
            };
            match entry.kind {
                Kind::Genesis => {}
                Kind::Record if entry.before.records >= self.lane_end => self.waiting.push_back(entry.body),
                Kind::Record => {}
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
        let end = header.lanes.first().ok_or_else(damaged)?.end;
        let count = end.checked_sub(self.lane_end).and_then(|count| usize::try_from(count).ok());
        let count = count.filter(|count| *count <= self.waiting.len()).ok_or_else(damaged)?;
        let records = self.waiting.drain(..count).collect();
        self.lane_end = end;
        self.held = Some(LoggedBlock { header, certificate: None, records });
        Ok(())
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
