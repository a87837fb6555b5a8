//! One entry of the log as it lies in a segment.
//!
//! ```text
//!  0   4   length of the body, little-endian; 0 is where the log ends
//!  4   4   crc32c of bytes 0..4 and of everything from byte 8 to the body's end
//!  8   4   how many bytes of this segment were durable when the frame was written
//! 12   1   kind: 1 genesis, 2 record, 3 header, 4 certificate
//! 13   3   zero
//! 16  16   link: the first half of blake3(link of the frame before │ kind │ body)
//! 32   …   body, then zeros to a multiple of 8
//! ```
//!
//! The checksum finds a torn or rotten frame. The link finds a frame that is whole and does not belong here:
//! one of an earlier life of the file, or of another log. The durable mark tells a torn tail from damage: if a
//! frame that is whole says that a broken one below it was durable, somebody was told so.

use std::ops::Range;

/// Bytes before the body.
pub(crate) const FRAME_HEADER: usize = 32;
/// Bytes of a body at the most: several times the largest transaction, and half a segment.
pub(crate) const MAX_BODY: usize = 4 << 20;
/// Frames start at multiples of this, so that a search for frames behind damage is cheap.
pub(crate) const ALIGNMENT: usize = 8;

/// Ties a frame to all before it.
pub(crate) type Link = [u8; 16];

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// The chain's genesis: the first entry of every log, so that a log can be executed by itself.
    Genesis = 1,
    /// A record of the lane.
    Record = 2,
    /// A header, durable before it was signed.
    Header = 3,
    /// The certificate of the header before it.
    Certificate = 4,
}

impl Kind {
    const fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            1 => Some(Self::Genesis),
            2 => Some(Self::Record),
            3 => Some(Self::Header),
            4 => Some(Self::Certificate),
            _ => None,
        }
    }
}

/// A frame that is whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    /// What it holds.
    pub(crate) kind: Kind,
    /// Where its body lies in the segment.
    pub(crate) body: Range<usize>,
    /// Bytes of the segment that were durable when it was written.
    pub(crate) durable: usize,
    /// Its link, unchecked.
    pub(crate) link: Link,
}

impl Frame {
    /// Where the next frame starts.
    pub(crate) const fn next(&self) -> usize {
        self.body.end.next_multiple_of(ALIGNMENT)
    }
}

/// Bytes that a body takes with what is around it.
pub(crate) const fn framed(body: usize) -> usize {
    (FRAME_HEADER + body).next_multiple_of(ALIGNMENT)
}

/// The link of a frame behind another.
pub(crate) fn link(before: &Link, kind: Kind, body: &[u8]) -> Link {
    let mut hasher = blake3::Hasher::new();
    hasher.update(before).update(&[kind as u8]).update(body);
    let mut link = Link::default();
    link.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
    link
}

/// Appends a frame to `out`, whose length is a multiple of [`ALIGNMENT`].
pub(crate) fn encode(out: &mut Vec<u8>, kind: Kind, body: &[u8], durable: usize, link: &Link) {
    let start = out.len();
    out.extend_from_slice(&(body.len() as u32).to_le_bytes());
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&(durable as u32).to_le_bytes());
    out.extend_from_slice(&[kind as u8, 0, 0, 0]);
    out.extend_from_slice(link);
    out.extend_from_slice(body);
    let checksum = checksum(&out[start..start + 4], &out[start + 8..]);
    out[start + 4..start + 8].copy_from_slice(&checksum.to_le_bytes());
    out.resize(start + framed(body.len()), 0);
}

/// The whole frame at an offset of a segment, if there is one.
pub(crate) fn decode(segment: &[u8], at: usize) -> Option<Frame> {
    let header = segment.get(at..at.checked_add(FRAME_HEADER)?)?;
    let length = u32_at(header, 0)? as usize;
    if length == 0 || length > MAX_BODY || header[13..16] != [0; 3] {
        return None;
    }
    let kind = Kind::from_byte(header[12])?;
    let body = at + FRAME_HEADER..at + FRAME_HEADER + length;
    let durable = u32_at(header, 8)? as usize;
    let checked = segment.get(at + 8..body.end)?;
    if durable > at || checksum(&header[..4], checked) != u32_at(header, 4)? {
        return None;
    }
    let mut link = Link::default();
    link.copy_from_slice(&header[16..32]);
    Some(Frame { kind, body, durable, link })
}

fn checksum(length: &[u8], rest: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(length), rest)
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at + 4)?.try_into().ok().map(u32::from_le_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_round_trips_and_every_changed_byte_is_seen() {
        let mut bytes = vec![0; 64];
        let link = link(&[1; 16], Kind::Record, b"thirteen byte");
        encode(&mut bytes, Kind::Record, b"thirteen byte", 64, &link);
        let whole = decode(&bytes, 64);
        let expected = Frame { kind: Kind::Record, body: 96..109, durable: 64, link };
        assert_eq!(whole, Some(expected.clone()));
        assert_eq!((expected.next(), bytes.len()), (112, 112));
        for at in 64..109 {
            for bit in 0..8 {
                bytes[at] ^= 1 << bit;
                assert_eq!(decode(&bytes, 64), None, "byte {at} bit {bit}");
                bytes[at] ^= 1 << bit;
            }
        }
        assert_eq!(decode(&bytes[..108], 64), None);
        assert_eq!(decode(&bytes, 112), None);
    }

    #[test]
    fn a_link_depends_on_kind_body_and_all_before() {
        let base = link(&[0; 16], Kind::Record, b"a");
        assert_ne!(base, link(&[0; 16], Kind::Header, b"a"));
        assert_ne!(base, link(&[0; 16], Kind::Record, b"b"));
        assert_ne!(base, link(&[1; 16], Kind::Record, b"a"));
    }
}
