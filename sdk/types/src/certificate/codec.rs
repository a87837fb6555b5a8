//! commonware's encodings, as far as certificates use them.

use alloc::vec::Vec;

use super::{CertificateError, Proposal, View};
use crate::id::{Epoch, Hash};

/// Writes groups of 7 bits, the lowest first.
pub(super) fn write_varint(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

/// Bytes not read yet.
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(super) fn take(&mut self, count: usize) -> Result<&'a [u8], CertificateError> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(CertificateError::Malformed)?;
        self.0 = rest;
        Ok(taken)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<&'a [u8; N], CertificateError> {
        let (taken, rest) = self.0.split_first_chunk().ok_or(CertificateError::Malformed)?;
        self.0 = rest;
        Ok(taken)
    }

    pub(super) fn varint(&mut self) -> Result<u64, CertificateError> {
        let mut number = 0_u64;
        for shift in (0..64).step_by(7) {
            let [byte] = *self.array()?;
            let group = u64::from(byte & 0x7f);
            // The tenth group has one bit left, and no group but the first may be superfluous.
            if (shift == 63 && byte > 1) || (shift > 0 && byte == 0) {
                return Err(CertificateError::Malformed);
            }
            number |= group << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(CertificateError::Malformed)
    }

    pub(super) fn proposal(&mut self) -> Result<Proposal, CertificateError> {
        Ok(Proposal {
            epoch: Epoch(self.varint()?),
            view: View(self.varint()?),
            parent_view: View(self.varint()?),
            payload: Hash(*self.array()?),
        })
    }

    pub(super) fn end(self) -> Result<(), CertificateError> {
        if self.0.is_empty() { Ok(()) } else { Err(CertificateError::Malformed) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_one_encoding() {
        for number in [0, 1, 0x7f, 0x80, 0x3fff, 0x4000, 1 << 32, u64::MAX >> 1, u64::MAX] {
            let mut bytes = Vec::new();
            write_varint(&mut bytes, number);
            let mut reader = Reader::new(&bytes);
            assert_eq!((reader.varint(), reader.end()), (Ok(number), Ok(())));
            assert!(Reader::new(&bytes[..bytes.len() - 1]).varint().is_err());
        }
        let overlong: [&[u8]; 4] =
            [&[0x80, 0], &[0xff, 0x80, 0], &[0xff; 11], &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2]];
        for bytes in overlong {
            assert_eq!(Reader::new(bytes).varint(), Err(CertificateError::Malformed));
        }
    }
}
