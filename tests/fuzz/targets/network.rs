//! What a peer can send before it is believed anything: streams of frames, cut anywhere, and control messages with
//! their address records. The decoder holds no more than has arrived and never more than its limit, finds the same
//! frames however the bytes are cut, and says of what it refuses why; what decodes encodes to the same bytes.
#![no_main]

use arbitrary::Arbitrary;
use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use rustorium_network::{Control, Decoded, Decoder, FRAME_HEADER_BYTES, FrameError};
use rustorium_types::id::Hash;

const CHAIN: Hash = Hash([9; 32]);
/// What a decoder takes at first, which is as much as most frames need.
const ROOM: usize = 4 << 10;

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    limit: u16,
    cuts: Vec<u8>,
    bytes: &'a [u8],
}

/// The payloads of a stream, and what it ended with.
fn frames(limit: usize, bytes: &[u8], mut cut: impl FnMut() -> usize) -> (Vec<Bytes>, Option<FrameError>) {
    let (mut decoder, mut rest, mut found) = (Decoder::new(limit), Bytes::copy_from_slice(bytes), Vec::new());
    let mut arrived = 0;
    while !rest.is_empty() {
        let mut chunk = rest.split_to(rest.len().min(cut().max(1)));
        arrived += chunk.len();
        while !chunk.is_empty() {
            match decoder.decode(&mut chunk) {
                Ok(Some(Decoded::Begun(length))) => assert!((1..=limit).contains(&length)),
                Ok(Some(Decoded::Payload(payload))) => found.push(payload),
                Ok(None) => assert!(chunk.is_empty()),
                Err(error) => return (found, Some(error)),
            }
            assert!(decoder.held_bytes() <= limit && decoder.held_bytes() <= (2 * arrived).max(ROOM));
        }
    }
    (found, None)
}

fuzz_target!(|input: Input<'_>| {
    let limit = usize::from(input.limit);
    let mut cuts = input.cuts.iter().cycle();
    let cut = frames(limit, input.bytes, || cuts.next().map_or(usize::MAX, |cut| usize::from(*cut)));
    let (payloads, error) = frames(limit, input.bytes, || usize::MAX);
    assert_eq!((&cut.0, &cut.1), (&payloads, &error));
    let length: usize = payloads.iter().map(|payload| FRAME_HEADER_BYTES + payload.len()).sum();
    assert!(length <= input.bytes.len());

    for bytes in payloads.iter().map(|payload| &payload[..]).chain([input.bytes]) {
        let Some(control) = Control::decode(bytes) else { continue };
        assert_eq!(borsh::to_vec(&control).expect("encodes"), bytes);
        let records = match control {
            Control::Hello(hello) => hello.record.into_iter().collect(),
            Control::Ask => Vec::new(),
            Control::Records(records) => records,
        };
        // Some are valid: those of keys of small order, which are nobody's.
        records.iter().take(4).for_each(|record| _ = record.verify(&CHAIN));
    }
});
