//! A validator that tells some others other records of its lane than it has itself.

use bytes::Bytes;

/// The records as this validator is to hear them.
pub(crate) fn face(to: usize, records: &[Bytes]) -> Vec<Vec<u8>> {
    let mut told: Vec<Vec<u8>> = records.iter().map(|record| record.to_vec()).collect();
    if to % 2 == 1
        && let Some(last) = told.last_mut()
        && let Some(byte) = last.last_mut()
    {
        *byte ^= 1;
    }
    told
}
