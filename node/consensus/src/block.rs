//! What consensus agrees on, as commonware sees it: a header, named by its own hash.
//!
//! ```text
//! bytes   length, u32 big-endian │ borsh(header)        length 1..=MAX_HEADER_BYTES
//!         0                                             the pseudo-block of height 0, named by the genesis hash
//! ```
//!
//! Invariants: a block is read only for the chain that it is of, so that no peer passes another chain's header or a
//! height 0 of its own making for one of ours; what was read is written as the same bytes.

use borsh::BorshDeserialize;
use bytes::BufMut;
use commonware_codec::{Buf, EncodeSize, Error, Read, ReadExt, Write};
use commonware_consensus::{BoundedBlock, Heightable, types::Height};
use commonware_cryptography::{Digested, Digestible, blake3};
use rustorium_types::{block::Header, id::Hash};

/// The name of a block: its header's hash.
pub(crate) type Digest = blake3::Digest;

/// Bytes of a header at the most. The cuts of 512 validators and 256 shared lanes have 36 KB, the record of an epoch of as
/// many validators 16 KB, and a block must fit a message of its class in the network, of 64 KiB.
pub(crate) const MAX_HEADER_BYTES: usize = 56 << 10;

/// A header, or what stands before the first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Block {
    /// Height 0: the genesis, by its hash.
    Genesis(Hash),
    /// Any other.
    Header(Box<Header>),
}

impl Block {
    /// The pseudo-block of height 0.
    pub(crate) fn genesis(chain: Hash) -> Digested<Self> {
        Digested::precomputed(Self::Genesis(chain), digest(chain))
    }

    /// A block, its hash computed.
    pub(crate) fn new(header: Header) -> Digested<Self> {
        let hash = digest(header.hash());
        Digested::precomputed(Self::Header(Box::new(header)), hash)
    }

    /// The header, unless this is height 0.
    pub(crate) fn header(&self) -> Option<&Header> {
        match self {
            Self::Genesis(_) => None,
            Self::Header(header) => Some(header),
        }
    }
}

/// A hash as commonware's digest.
pub(crate) const fn digest(hash: Hash) -> Digest {
    blake3::Digest(hash.0)
}

/// A digest as our hash.
pub(crate) const fn hash(digest: Digest) -> Hash {
    Hash(digest.0)
}

impl Write for Block {
    fn write(&self, buffer: &mut impl BufMut) {
        let bytes = self.header().map(|header| borsh::to_vec(header).unwrap_or_default()).unwrap_or_default();
        (bytes.len() as u32).write(buffer);
        buffer.put_slice(&bytes);
    }
}

impl EncodeSize for Block {
    fn encode_size(&self) -> usize {
        let header = self.header().map(|header| borsh::object_length(header).unwrap_or_default());
        size_of::<u32>() + header.unwrap_or_default()
    }
}

impl Read for Block {
    /// The genesis hash.
    type Cfg = Hash;

    fn read_cfg(buffer: &mut impl Buf, chain: &Hash) -> Result<Self, Error> {
        let length = u32::read(buffer)? as usize;
        if length == 0 {
            return Ok(Self::Genesis(*chain));
        }
        if length > MAX_HEADER_BYTES {
            return Err(Error::InvalidLength(length));
        }
        if buffer.remaining() < length {
            return Err(Error::EndOfBuffer);
        }
        let bytes = buffer.copy_to_bytes(length);
        let header = Header::try_from_slice(&bytes).map_err(|_| Error::Invalid("Block", "not a header"))?;
        if header.chain != *chain || header.height.0 == 0 {
            return Err(Error::Invalid("Block", "of another chain, or of height 0"));
        }
        Ok(Self::Header(Box::new(header)))
    }
}

impl Digestible for Block {
    type Digest = Digest;

    fn digest(&self) -> Digest {
        match self {
            Self::Genesis(chain) => digest(*chain),
            Self::Header(header) => digest(header.hash()),
        }
    }
}

impl Heightable for Block {
    fn height(&self) -> Height {
        self.header().map_or(Height::zero(), |header| Height::new(header.height.0))
    }
}

impl commonware_consensus::Block for Block {
    fn parent(&self) -> Digest {
        self.header().map_or(blake3::Digest([0; 32]), |header| digest(header.parent))
    }
}

impl BoundedBlock for Block {
    fn max_encode_size(_: &Hash) -> usize {
        size_of::<u32>() + MAX_HEADER_BYTES
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use commonware_codec::{Decode, Encode};

    use super::*;
    use crate::tests::headers;

    #[test]
    fn blocks_come_back_and_are_named_by_their_headers() {
        let header = headers::first();
        let block = Block::new(header.clone());
        assert_eq!(hash(block.digest()), header.hash());
        let bytes = block.inner().encode();
        assert_eq!(bytes.len(), block.inner().encode_size());
        let read = Block::decode_cfg(bytes, &headers::CHAIN).unwrap();
        assert_eq!((&read, read.digest()), (block.inner(), block.digest()));

        let genesis = Block::genesis(headers::CHAIN);
        let read = Block::decode_cfg(genesis.inner().encode(), &headers::CHAIN).unwrap();
        assert_eq!((read.height(), hash(read.digest())), (Height::zero(), headers::CHAIN));
    }

    #[test]
    fn other_chains_lengths_and_rests_are_refused() {
        let bytes = Block::new(headers::first()).inner().encode();
        assert!(Block::decode_cfg(bytes.clone(), &Hash([1; 32])).is_err());
        for length in 0..bytes.len() {
            assert!(Block::decode_cfg(bytes.slice(..length), &headers::CHAIN).is_err(), "{length} bytes");
        }
        let mut longer = bytes.to_vec();
        longer.push(0);
        assert!(Block::decode_cfg(bytes::Bytes::from(longer), &headers::CHAIN).is_err());
        let mut huge = bytes.to_vec();
        huge[..4].copy_from_slice(&u32::MAX.to_be_bytes());
        assert!(Block::decode_cfg(bytes::Bytes::from(huge), &headers::CHAIN).is_err());
        let zero = rustorium_types::block::Header { height: rustorium_types::id::Height(0), ..headers::first() };
        assert!(Block::decode_cfg(Block::new(zero).inner().encode(), &headers::CHAIN).is_err());
    }
}
