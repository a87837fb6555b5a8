//! One file of the log, and what of it can be believed after a crash.
//!
//! ```text
//! 00000001.segment    written with zeros when it is made, so zero behind the last frame
//!
//!  0   8   "RUSTLOG" and the format version, 2
//!  8  32   genesis hash
//! 40   8   entries before this segment, little-endian
//! 48   8   records before it
//! 56   8   headers before it: heights are consecutive, so this is the height of the newest one
//! 64   8   the first segment with a record that no header before this segment took
//! 72  16   link of the frame before it
//! 88   4   crc32c of bytes 0..88
//! 92   4   zero
//! 96   …   frames
//! ```
//!
//! A segment is begun only when all before it is durable, so only the last one can have a torn tail. What
//! follows the last whole frame is one of three things ([`Rest`]): nothing, a write that was cut short by the
//! crash and was never acknowledged, or damage to something that somebody was told is durable.

use std::io;

use bytes::Bytes;
use rustorium_types::id::Hash;

use super::{
    disk::{Disk, DiskFile},
    frame::{self, ALIGNMENT, Frame, Kind, Link},
};

/// Bytes before the first frame.
pub(crate) const SEGMENT_HEADER: usize = 96;

const MAGIC: [u8; 8] = *b"RUSTLOG\x02";
const ZEROS: [u8; 4096] = [0; 4096];
/// Entries that a log may say to have: heights and counts are numbers in JSON.
const MAX_ENTRIES: u64 = 1 << 53;
const SUFFIX: &str = ".segment";

/// How much a log holds, or held at some point.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogPosition {
    /// Entries of every kind.
    pub entries: u64,
    /// Records of all lanes.
    pub records: u64,
    /// Headers; the newest one's height.
    pub headers: u64,
}

impl LogPosition {
    /// The position behind an entry of this kind.
    pub(crate) const fn after(self, kind: Kind) -> Self {
        Self {
            entries: self.entries + 1,
            records: self.records + matches!(kind, Kind::Record) as u64,
            headers: self.headers + matches!(kind, Kind::Header) as u64,
        }
    }
}

/// What a segment says of what came before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SegmentStart {
    /// Which chain's log this is.
    pub(crate) genesis: Hash,
    /// What lies in the segments before.
    pub(crate) before: LogPosition,
    /// The first segment with a record that no header before this segment took: its own number if there is none.
    pub(crate) oldest: u64,
    /// The link of the last frame before.
    pub(crate) link: Link,
}

impl SegmentStart {
    /// Of a new log.
    pub(crate) fn first(genesis: Hash) -> Self {
        let mut link = Link::default();
        link.copy_from_slice(&genesis.0[..16]);
        Self { genesis, before: LogPosition::default(), oldest: 1, link }
    }

    /// False if it says that something lies before the first segment, or that records wait in a later one.
    pub(crate) fn may_be_of(&self, number: u64) -> bool {
        (1..=number).contains(&self.oldest) && (number > 1 || self.before == LogPosition::default())
    }

    /// The header's bytes.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(SEGMENT_HEADER);
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&self.genesis.0);
        for count in [self.before.entries, self.before.records, self.before.headers, self.oldest] {
            bytes.extend_from_slice(&count.to_le_bytes());
        }
        bytes.extend_from_slice(&self.link);
        bytes.extend_from_slice(&crc32c::crc32c(&bytes).to_le_bytes());
        bytes.resize(SEGMENT_HEADER, 0);
        bytes
    }

    /// The header of a segment, if it is one of this format and whole.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let header = bytes.get(..SEGMENT_HEADER)?;
        let stored = u32::from_le_bytes(header[88..92].try_into().ok()?);
        if header[..8] != MAGIC || crc32c::crc32c(&header[..88]) != stored {
            return None;
        }
        let count = |at: usize| Some(u64::from_le_bytes(header.get(at..at + 8)?.try_into().ok()?));
        let before = LogPosition { entries: count(40)?, records: count(48)?, headers: count(56)? };
        // Each entry is of one kind, and no log has so many that counting on from them would overflow.
        let of_a_kind = before.records.checked_add(before.headers)?;
        if of_a_kind > before.entries || before.entries > MAX_ENTRIES {
            return None;
        }
        let genesis = Hash(header[8..40].try_into().ok()?);
        Some(Self { genesis, before, oldest: count(64)?, link: header[72..88].try_into().ok()? })
    }
}

/// A segment that was read.
pub(crate) struct Segment {
    /// Its header.
    pub(crate) start: SegmentStart,
    /// The whole file.
    pub(crate) bytes: Bytes,
    /// Its whole frames, whose links hold.
    pub(crate) frames: Vec<Frame>,
    /// What all segments up to this one's last frame hold.
    pub(crate) after: LogPosition,
    /// The last frame's link.
    pub(crate) link: Link,
    /// Where the next frame would start.
    pub(crate) end: usize,
    /// What is behind that.
    pub(crate) rest: Rest,
    /// How far it was durable when its last frame was made; what is behind may have been in memory only.
    pub(crate) durable: usize,
}

/// What lies behind the last whole frame of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rest {
    /// Zeros.
    Nothing,
    /// A write that never became durable, so nobody was told that it did.
    Torn,
    /// A later frame says that what is broken here was durable.
    Damaged,
}

impl Segment {
    /// Reads a segment's bytes; `None` if its header is broken.
    pub(crate) fn parse(mut bytes: Vec<u8>) -> Option<Self> {
        let start = SegmentStart::decode(&bytes)?;
        let (mut after, mut link, mut end) = (start.before, start.link, SEGMENT_HEADER);
        let mut durable = SEGMENT_HEADER;
        let mut frames = Vec::new();
        while let Some(frame) = frame::decode(&bytes, end) {
            if frame.link != frame::link(&link, frame.kind, &bytes[frame.body.clone()]) {
                break;
            }
            after = after.after(frame.kind);
            (link, end) = (frame.link, frame.next());
            durable = durable.max(frame.durable);
            frames.push(frame);
        }
        // A file that is cut in the padding of its last frame lacks nothing but zeros.
        bytes.resize(bytes.len().max(end), 0);
        let rest = rest(&bytes, end);
        Some(Self { start, bytes: bytes.into(), frames, after, link, end, rest, durable })
    }

    /// The body of a frame, without a copy.
    pub(crate) fn body(&self, frame: &Frame) -> Bytes {
        self.bytes.slice(frame.body.clone())
    }
}

fn rest(bytes: &[u8], end: usize) -> Rest {
    let behind = bytes.get(end..).unwrap_or_default();
    // Comparing blocks is many times faster than looking at bytes.
    if behind.chunks(ZEROS.len()).all(|block| block == &ZEROS[..block.len()]) {
        return Rest::Nothing;
    }
    let acknowledged = (end..bytes.len())
        .step_by(ALIGNMENT)
        .filter_map(|at| frame::decode(bytes, at))
        .any(|frame| frame.durable > end);
    if acknowledged { Rest::Damaged } else { Rest::Torn }
}

/// Makes the file of a segment that starts so, with room for all of it. It is durable on return; on the way there is
/// the whole file under its name or none, so whatever fails can be tried again.
pub(crate) fn create(disk: &dyn Disk, number: u64, start: &SegmentStart, length: u64) -> io::Result<Box<dyn DiskFile>> {
    let name = name(number);
    let unfinished = format!("{name}.new");
    let file = disk.create(&unfinished)?;
    file.reserve(length)?;
    file.write(0, &start.encode())?;
    file.sync()?;
    disk.rename(&unfinished, &name)?;
    disk.sync()?;
    Ok(file)
}

/// The file name of a segment; the first is 1.
pub(crate) fn name(number: u64) -> String {
    format!("{number:08}{SUFFIX}")
}

/// The number in a segment's file name.
pub(crate) fn number(name: &str) -> Option<u64> {
    let number = name.strip_suffix(SUFFIX)?.parse().ok()?;
    (self::name(number) == name).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_round_trips_and_every_changed_byte_is_seen() {
        let start = SegmentStart {
            genesis: Hash([3; 32]),
            before: LogPosition { entries: 9, records: 5, headers: 2 },
            oldest: 4,
            link: [7; 16],
        };
        let mut bytes = start.encode();
        assert_eq!(SegmentStart::decode(&bytes), Some(start));
        for at in 0..92 {
            bytes[at] ^= 1;
            assert_eq!(SegmentStart::decode(&bytes), None, "byte {at}");
            bytes[at] ^= 1;
        }
    }

    /// A file's head may be changed along with its checksum. Counting on from impossible numbers overflowed.
    #[test]
    fn a_header_of_impossible_counts_is_broken() {
        let start = |entries, records, headers| {
            let before = LogPosition { entries, records, headers };
            SegmentStart { genesis: Hash([3; 32]), before, oldest: 1, link: [7; 16] }
        };
        for possible in [start(9, 5, 2), start(7, 5, 2), start(MAX_ENTRIES, 0, 0)] {
            assert_eq!(SegmentStart::decode(&possible.encode()), Some(possible));
        }
        for impossible in [start(6, 5, 2), start(0, 1, 0), start(u64::MAX, 0, 0), start(3, u64::MAX, 2)] {
            assert_eq!(SegmentStart::decode(&impossible.encode()), None);
        }
    }

    #[test]
    fn names_are_numbers() {
        assert_eq!(name(12), "00000012.segment");
        assert_eq!(number("00000012.segment"), Some(12));
        assert_eq!(number("123456789.segment"), Some(123_456_789));
        for other in ["12.segment", "00000012.segment.new", "lock", "0000000x.segment"] {
            assert_eq!(number(other), None, "{other}");
        }
    }
}
