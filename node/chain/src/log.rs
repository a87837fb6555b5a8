//! The embedded log: what was accepted and what was decided, in one durable order.
//!
//! ```text
//! log/00000001.segment   genesis │ record │ record │ header 1 │ certificate 1 │ header 2 │ record │ …
//! log/00000002.segment   record │ header 3 │ certificate 3 │ …
//! ```
//!
//! Records of all lanes (`record.rs`) and the headers over them share one stream of frames (`frame.rs`) in preallocated segments
//! (`segment.rs`). So one sync makes a transaction and the header that takes it durable together, and a header can
//! never survive without the records below it. Its first entry is the genesis: the log alone is enough to execute
//! the chain again.
//!
//! Group commit: [`Log::append`] only buffers; one [`Log::sync`] writes and syncs for everyone who waits. A
//! header is synced before it is signed, and its certificate follows without a sync of its own: it can be made
//! again from the header.
//!
//! Recovery: a tail that was never durable is cut, and said. Anything else that is broken is an error that names
//! the file and the offset, for a log that lost what was acknowledged must not be continued. What is left behind the
//! last mark of durability is written again before it is synced: after a sync that failed, the system may show bytes
//! that it has given up writing, and a second sync would answer for nothing.
//!
//! A full disk ([`LogError::is_full`]) is no such failure. Segments are reserved whole, so it is met where the next
//! one is begun, and what did not fit is not in the log at all. Where a file system only finds out when it writes or
//! syncs, the bytes stay in memory and are written again. Either way [`Log::resume`] tries again.

mod blocks;
mod disk;
mod frame;
mod lane;
mod reader;
mod record;
mod segment;

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use rustorium_types::id::{Hash, Height};
use thiserror::Error;

use self::{
    frame::{Link, framed},
    segment::{Rest, SEGMENT_HEADER, SegmentStart},
};

pub use blocks::{Blocks, LoggedBlock};
pub use disk::{Directory, Disk, DiskFile};
pub use frame::Kind;
pub use lane::EmbeddedLog;
pub use reader::{Entries, Entry, Reader};
pub use segment::LogPosition;

pub(crate) use blocks::certificate_entry;
pub(crate) use frame::MAX_BODY;
pub(crate) use record::{RECORD_HEADER, record_entry};

use crate::{room, storage::Durability, submit::Ticket};

/// Bytes of a segment: small enough to be read in some milliseconds when a node starts.
pub const SEGMENT_BYTES: usize = 8 << 20;

/// A lane that takes records: the design's name for a transaction log.
///
/// The embedded log implements it, and has shared lanes too: what they bring is logged in it.
pub trait TransactionProcessor: Send + Sync {
    /// Takes a record's bytes. The ticket answers once they are durable, or says why they are refused.
    fn submit_transaction(&self, record: Bytes) -> Ticket;

    /// The durable record at a position, or `None` where there is none yet.
    ///
    /// # Errors
    /// When the log cannot be read.
    fn get_transaction(&self, position: LanePosition) -> Result<Option<Bytes>, LogError>;
}

/// Where a record lies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct LanePosition {
    /// The lane.
    pub lane: u32,
    /// The lane's generation.
    pub generation: u32,
    /// Records before it in the lane and generation.
    pub index: u64,
}

/// How a log is kept.
#[derive(Clone, Copy, Debug)]
pub struct LogOptions {
    /// Whether a sync reaches the disk.
    pub durability: Durability,
    /// Bytes of a segment; [`SEGMENT_BYTES`] but for tests.
    pub segment_bytes: usize,
}

impl Default for LogOptions {
    fn default() -> Self {
        Self { durability: Durability::Fsync, segment_bytes: SEGMENT_BYTES }
    }
}

/// The writing end. There is one, on one thread.
pub struct Log {
    disk: Arc<dyn Disk>,
    options: LogOptions,
    genesis: Hash,
    file: Box<dyn DiskFile>,
    number: u64,
    /// Frames that may have to be written, or written again.
    buffer: Vec<u8>,
    /// Where the buffer belongs in the segment.
    start: usize,
    /// How much of the buffer is written.
    written: usize,
    /// Bytes of the segment that are synced.
    durable: usize,
    /// The last entry did not fit, and there was no room for a segment that would take it.
    is_outgrown: bool,
    link: Link,
    position: LogPosition,
    /// The first segment with a record that no header took, as far as was told.
    oldest: u64,
    progress: Arc<LogProgress>,
}

/// How far a log got, for readers and metrics.
#[derive(Debug, Default)]
pub struct LogProgress {
    records: AtomicU64,
    bytes: AtomicU64,
}

impl LogProgress {
    /// Records that are durable.
    pub fn records(&self) -> u64 {
        self.records.load(Ordering::Acquire)
    }

    /// Bytes of the used part of all segments.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }
}

/// What opening a log found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovered {
    /// How much the log holds.
    pub position: LogPosition,
    /// The torn tail that was cut: file and offset.
    pub cut: Option<(String, u64)>,
}

/// Why the log cannot be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum LogError {
    /// The disk failed.
    #[error("the log's disk failed at {file}")]
    Io {
        /// Which file.
        file: String,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// Something that was durable is no longer what it was.
    #[error("the log is damaged: {damage}, in {file} at byte {offset}; restore the file from a copy")]
    Damaged {
        /// Which file.
        file: String,
        /// Where in it.
        offset: u64,
        /// What is wrong.
        damage: Damage,
    },
    /// A file between the first and the last is missing.
    #[error("the log is damaged: {0} is missing; restore the file from a copy")]
    Missing(String),
    /// Another chain's log.
    #[error("the log in this directory is of chain {found}, not of {expected}")]
    OtherChain {
        /// Its genesis hash.
        found: Hash,
        /// The one that was asked for.
        expected: Hash,
    },
    /// There is no log.
    #[error("there is no log in this directory")]
    Empty,
    /// The log lacks what the database executed.
    #[error(
        "the log ends at block {log}, and the database has executed block {executed}: the log lost blocks; restore it from a copy"
    )]
    Shorter {
        /// The newest header of the log.
        log: Height,
        /// The newest that the database has.
        executed: Height,
    },
    /// An entry is empty or over the limit.
    #[error("an entry of the log has 1 to {MAX_BODY} bytes, this one has {0}")]
    EntrySize(usize),
}

/// What is wrong with a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Damage {
    /// The first bytes of a file.
    #[error("the file's header is broken or of another format")]
    Start,
    /// A checksum or link.
    #[error("an entry that was durable is broken")]
    Frame,
    /// A file does not continue the one before it.
    #[error("the file does not continue the one before it")]
    Order,
    /// The first entry is not the genesis that the files name.
    #[error("the first entry is not the chain's genesis")]
    Genesis,
    /// A header or certificate that does not decode or does not follow.
    #[error("a header or certificate does not follow what is before it")]
    Block,
}

impl LogError {
    pub(crate) fn io(file: &str) -> impl FnOnce(io::Error) -> Self {
        let file = file.to_owned();
        move |source| Self::Io { file, source }
    }

    /// The disk is full: nothing is broken, and it can be tried again.
    pub fn is_full(&self) -> bool {
        matches!(self, Self::Io { source, .. } if room::is_full(source))
    }

    pub(crate) fn damaged(file: &str, offset: usize, damage: Damage) -> Self {
        Self::Damaged { file: file.to_owned(), offset: offset as u64, damage }
    }
}

impl Log {
    /// Opens the log of a chain whose blocks up to `executed` the database has, cutting a torn tail; makes a new one
    /// that starts with `genesis` (`borsh(Genesis)`) where there is none.
    ///
    /// # Errors
    /// When the disk fails, or the log is damaged or another chain's, or lacks a block that was executed: nothing is
    /// changed then.
    pub fn open(
        disk: Arc<dyn Disk>,
        genesis: &[u8],
        genesis_hash: Hash,
        executed: Height,
        options: LogOptions,
    ) -> Result<(Self, Recovered), LogError> {
        let reader = Reader::new(Arc::clone(&disk));
        let numbers = reader.numbers()?;
        let holds = |headers: u64| match headers < executed.0 {
            true => Err(LogError::Shorter { log: Height(headers), executed }),
            false => Ok(()),
        };
        let Some(number) = numbers.last().copied() else {
            holds(0)?;
            let mut log = Self::begin(disk, SegmentStart::first(genesis_hash), 1, options)?;
            log.append(Kind::Genesis, genesis)?;
            log.sync()?;
            let position = log.position;
            return Ok((log, Recovered { position, cut: None }));
        };
        let last = reader.segment(number)?;
        let name = segment::name(number);
        if last.start.genesis != genesis_hash {
            return Err(LogError::OtherChain { found: last.start.genesis, expected: genesis_hash });
        }
        if last.rest == Rest::Damaged {
            return Err(LogError::damaged(&name, last.end, Damage::Frame));
        }
        holds(last.after.headers)?;
        let file = disk.open(&name).map_err(LogError::io(&name))?;
        let mut cut = None;
        match last.rest {
            Rest::Nothing | Rest::Damaged => {}
            Rest::Torn => {
                tracing::warn!(file = name, offset = last.end, "cut a write that the last stop left unfinished");
                file.truncate(last.end as u64).map_err(LogError::io(&name))?;
                file.reserve(options.segment_bytes.max(last.end) as u64).map_err(LogError::io(&name))?;
                cut = Some((name.clone(), last.end as u64));
            }
        }
        let progress = LogProgress::default();
        progress.records.store(last.after.records, Ordering::Release);
        let before = (number - 1) * options.segment_bytes as u64;
        progress.bytes.store(before + last.end as u64, Ordering::Relaxed);
        let mut log = Self {
            disk,
            options,
            genesis: genesis_hash,
            file,
            number,
            buffer: last.bytes[last.durable..last.end].to_vec(),
            start: last.durable,
            written: 0,
            durable: last.durable,
            is_outgrown: false,
            link: last.link,
            position: last.after,
            oldest: last.start.oldest,
            progress: Arc::new(progress),
        };
        log.disk.sync().map_err(LogError::io("the log's directory"))?;
        log.flush()?;
        log.file.sync().map_err(LogError::io(&name))?;
        // From here on all that was found counts as durable.
        log.durable = last.end;
        log.settle();
        if log.position.entries == 0 {
            // The last stop came between the making of the first file and its first entry.
            log.append(Kind::Genesis, genesis)?;
            log.sync()?;
        }
        let position = log.position;
        Ok((log, Recovered { position, cut }))
    }

    fn begin(disk: Arc<dyn Disk>, start: SegmentStart, number: u64, options: LogOptions) -> Result<Self, LogError> {
        let length = options.segment_bytes as u64;
        let file = segment::create(&*disk, number, &start, length).map_err(LogError::io(&segment::name(number)))?;
        Ok(Self {
            disk,
            options,
            genesis: start.genesis,
            file,
            number,
            buffer: Vec::new(),
            start: SEGMENT_HEADER,
            written: 0,
            durable: SEGMENT_HEADER,
            is_outgrown: false,
            link: start.link,
            position: start.before,
            oldest: start.oldest,
            progress: Arc::default(),
        })
    }

    /// How much the log holds, appended entries included.
    pub const fn position(&self) -> LogPosition {
        self.position
    }

    /// How far it got, kept up to date.
    pub fn progress(&self) -> Arc<LogProgress> {
        Arc::clone(&self.progress)
    }

    /// The segment that the newest entry is in.
    pub const fn segment(&self) -> u64 {
        self.number
    }

    /// Notes the first segment with a record that no header took; whoever goes on with this log begins to read there.
    pub const fn keep_from(&mut self, segment: u64) {
        self.oldest = segment;
    }

    /// Adds an entry behind all others. It is neither written nor durable yet.
    ///
    /// # Errors
    /// When the entry is empty or too large, or the disk fails or is full: an entry that does not fit begins a
    /// segment. After an error the entry is not in the log.
    pub fn append(&mut self, kind: Kind, body: &[u8]) -> Result<(), LogError> {
        if body.is_empty() || body.len() > MAX_BODY || SEGMENT_HEADER + framed(body.len()) > self.options.segment_bytes
        {
            return Err(LogError::EntrySize(body.len()));
        }
        if self.end() + framed(body.len()) > self.options.segment_bytes {
            self.is_outgrown = true;
            self.roll()?;
        }
        let link = frame::link(&self.link, kind, body);
        frame::encode(&mut self.buffer, kind, body, self.durable, &link);
        self.link = link;
        self.position = self.position.after(kind);
        Ok(())
    }

    /// Writes what was appended, without waiting for the disk.
    ///
    /// # Errors
    /// When the disk fails or is full.
    pub fn flush(&mut self) -> Result<(), LogError> {
        let rest = &self.buffer[self.written..];
        if !rest.is_empty() {
            let at = self.start + self.written;
            self.file.write(at as u64, rest).map_err(LogError::io(&segment::name(self.number)))?;
            self.progress.bytes.store(self.before() + self.end() as u64, Ordering::Relaxed);
            self.written = self.buffer.len();
        }
        if self.options.durability == Durability::None {
            self.settle();
        }
        Ok(())
    }

    /// Writes what was appended and waits until all of it is durable.
    ///
    /// # Errors
    /// When the disk fails or is full. Unless [`LogError::is_full`], the log must not be used again then.
    pub fn sync(&mut self) -> Result<(), LogError> {
        self.flush()?;
        if self.durable != self.end() && self.options.durability == Durability::Fsync {
            if let Err(source) = self.file.sync() {
                // The system may have given up what was written: it counts for nothing until it is written again.
                self.written = 0;
                return Err(LogError::io(&segment::name(self.number))(source));
            }
            self.durable = self.end();
            self.settle();
        }
        self.progress.records.store(self.position.records, Ordering::Release);
        Ok(())
    }

    /// Tries again what there was no room for: makes everything durable, and begins the segment that was lacking.
    ///
    /// # Errors
    /// As [`Log::sync`].
    pub fn resume(&mut self) -> Result<(), LogError> {
        self.sync()?;
        if self.is_outgrown { self.roll() } else { Ok(()) }
    }

    /// Where the next frame belongs.
    const fn end(&self) -> usize {
        self.start + self.buffer.len()
    }

    /// Bytes of the segments before this one.
    const fn before(&self) -> u64 {
        (self.number - 1) * self.options.segment_bytes as u64
    }

    /// What is in the buffer need not be written again.
    fn settle(&mut self) {
        self.start = self.end();
        self.written = 0;
        self.buffer.clear();
    }

    /// Begins the next segment, once all of this one is durable. Until then this one stays as it is.
    fn roll(&mut self) -> Result<(), LogError> {
        self.sync()?;
        let oldest = self.oldest.clamp(1, self.number + 1);
        let start = SegmentStart { genesis: self.genesis, before: self.position, oldest, link: self.link };
        let next = Self::begin(Arc::clone(&self.disk), start, self.number + 1, self.options)?;
        let progress = Arc::clone(&self.progress);
        progress.bytes.store(next.before() + SEGMENT_HEADER as u64, Ordering::Relaxed);
        *self = Self { progress, ..next };
        Ok(())
    }
}

#[cfg(test)]
mod tests;
