//! The entry of a record: which lane it is of, and where it stands there.
//!
//! ```text
//!  0   4   lane, little-endian
//!  4   4   generation
//!  8   8   index: records before it in lane and generation
//! 16   …   the record
//! ```
//!
//! Records of a lane lie in the log in their order, with no gap. Where an index comes again, what was logged from
//! there on is superseded: other records than a validator had were finalised.

use bytes::Bytes;

use super::LanePosition;

/// Bytes before the record.
pub(crate) const RECORD_HEADER: usize = 16;

/// The body of a record's entry.
pub(crate) fn record_entry(position: LanePosition, record: &[u8]) -> Vec<u8> {
    let mut body = Vec::with_capacity(RECORD_HEADER + record.len());
    body.extend_from_slice(&position.lane.to_le_bytes());
    body.extend_from_slice(&position.generation.to_le_bytes());
    body.extend_from_slice(&position.index.to_le_bytes());
    body.extend_from_slice(record);
    body
}

/// What an entry's body holds; `None` if it is too short.
pub(crate) fn split_record(body: &Bytes) -> Option<(LanePosition, Bytes)> {
    let (header, _) = body.split_first_chunk::<RECORD_HEADER>()?;
    let number = |at: usize| u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
    let index = u64::from(number(8)) | u64::from(number(12)) << 32;
    let position = LanePosition { lane: number(0), generation: number(4), index };
    Some((position, body.slice(RECORD_HEADER..)))
}
