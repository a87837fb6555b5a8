//! Frames: how messages stand in a stream.
//!
//! ```text
//! length u32 little-endian, 1 to the limit │ payload
//! ```
//!
//! The decoder does no I/O. It looks at the length before anything else, and its memory grows with what has arrived,
//! not with what was announced: codecs at hand reserve a whole frame for four bytes that promise it, and a peer that
//! sends no more than those would hold megabytes on each stream. An empty frame would cost nothing to send, and
//! nobody has a use for one.

use bytes::{Buf, Bytes};
use thiserror::Error;

/// Bytes before a payload.
pub const FRAME_HEADER_BYTES: usize = 4;

/// Room for a payload at first: that of most frames. It doubles as bytes arrive.
const FIRST_ROOM: usize = 4 << 10;

/// Why bytes are no frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum FrameError {
    /// It announces more than is allowed.
    #[error("a frame of {bytes} bytes, where {limit} are allowed")]
    Oversized {
        /// Of the announced payload.
        bytes: usize,
        /// At the most.
        limit: usize,
    },
    /// It announces nothing.
    #[error("an empty frame")]
    Empty,
}

/// What decoding found.
#[derive(Debug, PartialEq, Eq)]
pub enum Decoded {
    /// There is a frame to come of so many bytes: time to charge for it.
    Begun(usize),
    /// A whole payload.
    Payload(Bytes),
}

/// Makes frames of a stream's bytes.
#[derive(Debug)]
pub struct Decoder {
    limit: usize,
    header: [u8; FRAME_HEADER_BYTES],
    filled: usize,
    /// Of the payload that is being read.
    length: usize,
    payload: Vec<u8>,
}

impl Decoder {
    /// A decoder of frames of at most `limit` bytes.
    pub const fn new(limit: usize) -> Self {
        Self { limit, header: [0; FRAME_HEADER_BYTES], filled: 0, length: 0, payload: Vec::new() }
    }

    /// Takes bytes from `input` up to the next thing to tell; `None` when it has taken all of them.
    ///
    /// # Errors
    /// When the bytes are no frame. The stream is of no further use then.
    pub fn decode(&mut self, input: &mut Bytes) -> Result<Option<Decoded>, FrameError> {
        if self.filled < FRAME_HEADER_BYTES {
            while self.filled < FRAME_HEADER_BYTES && input.has_remaining() {
                if let Some(byte) = self.header.get_mut(self.filled) {
                    *byte = input.get_u8();
                }
                self.filled += 1;
            }
            if self.filled < FRAME_HEADER_BYTES {
                return Ok(None);
            }
            self.length = u32::from_le_bytes(self.header) as usize;
            return match self.length {
                0 => Err(FrameError::Empty),
                bytes if bytes > self.limit => Err(FrameError::Oversized { bytes, limit: self.limit }),
                bytes => Ok(Some(Decoded::Begun(bytes))),
            };
        }
        let take = input.len().min(self.length - self.payload.len());
        if self.payload.capacity() < self.payload.len() + take {
            let room = (self.payload.len() + take).max(2 * self.payload.capacity()).max(FIRST_ROOM).min(self.length);
            self.payload.reserve_exact(room - self.payload.len());
        }
        self.payload.extend_from_slice(&input.split_to(take));
        if self.payload.len() < self.length {
            return Ok(None);
        }
        self.filled = 0;
        Ok(Some(Decoded::Payload(std::mem::take(&mut self.payload).into())))
    }

    /// True between two frames.
    pub const fn is_idle(&self) -> bool {
        self.filled == 0
    }

    /// Bytes of memory that it holds.
    pub const fn held_bytes(&self) -> usize {
        self.payload.capacity()
    }
}

/// The bytes before a payload. Payloads are checked against their limit before they are queued.
pub(crate) fn header(payload: &[u8]) -> Bytes {
    Bytes::copy_from_slice(&u32::try_from(payload.len()).unwrap_or(u32::MAX).to_le_bytes())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn frame(payload: &[u8]) -> Vec<u8> {
        [&header(payload)[..], payload].concat()
    }

    fn all(decoder: &mut Decoder, mut input: Bytes) -> Vec<Decoded> {
        std::iter::from_fn(|| decoder.decode(&mut input).unwrap()).collect()
    }

    #[test]
    fn an_announced_frame_takes_no_memory_and_an_oversized_one_is_refused() {
        let mut decoder = Decoder::new(4 << 20);
        let found = all(&mut decoder, Bytes::from_static(&[0, 0, 0x40, 0]));
        assert_eq!(found, [Decoded::Begun(4 << 20)]);
        assert_eq!(decoder.held_bytes(), 0);
        all(&mut decoder, Bytes::from_static(&[1; 100]));
        assert_eq!(decoder.held_bytes(), FIRST_ROOM);

        let mut decoder = Decoder::new(4 << 20);
        let refused = decoder.decode(&mut Bytes::from_static(&[1, 0, 0x40, 0, 9, 9]));
        assert_eq!(refused, Err(FrameError::Oversized { bytes: (4 << 20) + 1, limit: 4 << 20 }));
        assert_eq!(decoder.held_bytes(), 0);
        assert_eq!(Decoder::new(1).decode(&mut Bytes::from_static(&[0; 4])), Err(FrameError::Empty));
    }

    proptest! {
        #[test]
        fn frames_come_back_however_they_are_cut(
            payloads in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..9_000), 1..5),
            cuts in prop::collection::vec(1..7_000_usize, 1..20),
        ) {
            let mut bytes = Bytes::from(payloads.iter().flat_map(|payload| frame(payload)).collect::<Vec<u8>>());
            let (mut decoder, mut found, mut cuts) = (Decoder::new(9_000), Vec::new(), cuts.iter().cycle());
            while !bytes.is_empty() {
                let chunk = bytes.split_to(bytes.len().min(*cuts.next().unwrap()));
                found.extend(all(&mut decoder, chunk));
                prop_assert!(decoder.held_bytes() <= 9_000);
            }
            let expected: Vec<Decoded> = payloads
                .iter()
                .flat_map(|p| [Decoded::Begun(p.len()), Decoded::Payload(p.clone().into())])
                .collect();
            prop_assert_eq!(found, expected);
            prop_assert!(decoder.is_idle());
        }
    }
}
