//! Address records: what a peer signs about where it listens.
//!
//! ```text
//! record  peer 32 │ time u64 │ count u32, 1 to 4 │ addresses: kind u8 (4 or 6) │ ip 4 or 16 │ port u16
//! signed  record │ signature 64 over "rustorium address record" 00 │ genesis hash 32 │ record
//! ```
//!
//! Integers are little-endian. The time, in milliseconds since the Unix epoch, is a sequence number too: of two records
//! of a peer the later one holds. What is signed names the chain, so that a record serves no other.

use std::net::{IpAddr, SocketAddr};

use borsh::{BorshDeserialize, BorshSerialize};
use rustorium_types::{
    ed25519::{PublicKey, Signature},
    id::{Hash, Timestamp},
};
use thiserror::Error;

use crate::identity::{Identity, PeerId};

/// Addresses of a peer: IPv4 and IPv6, inside and outside.
pub const RECORD_ADDRESSES: usize = 4;

const DOMAIN: &[u8] = b"rustorium address record\0";

/// Where a peer says that it listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddressRecord {
    /// Whose record it is.
    pub peer: PeerId,
    /// When it was made; a later one replaces it.
    pub time: Timestamp,
    /// One to four addresses, the preferred first.
    pub addresses: Vec<SocketAddr>,
}

/// A record with its signature, which is not known to be valid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedRecord {
    /// What is signed.
    pub record: AddressRecord,
    /// With the peer's key.
    pub signature: Signature,
}

/// Why a record is of no use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RecordError {
    /// Its peer did not sign it, for this chain.
    #[error("the record's signature is not valid for this chain")]
    Forged,
    /// None or more than four addresses, or one that nobody can listen at.
    #[error("a record has 1 to {RECORD_ADDRESSES} addresses that can be dialled")]
    Addresses,
    /// Later than this node's clock allows.
    #[error("the record is from the future")]
    Future,
    /// Older than records may get.
    #[error("the record is too old")]
    Old,
    /// A later one of the peer is known, or this one.
    #[error("a later record of the peer is known")]
    Known,
    /// There is no room for what is only hearsay.
    #[error("the table of records is full")]
    Full,
}

impl AddressRecord {
    /// The record, signed by its peer for a chain.
    pub fn sign(self, identity: &Identity, chain: &Hash) -> SignedRecord {
        let signature = identity.key().sign(&self.message(chain));
        SignedRecord { record: self, signature }
    }

    fn message(&self, chain: &Hash) -> Vec<u8> {
        let mut message = [DOMAIN, chain.as_bytes()].concat();
        self.write(&mut message);
        message
    }

    fn write(&self, to: &mut Vec<u8>) {
        to.extend_from_slice(self.peer.as_bytes());
        to.extend_from_slice(&self.time.0.to_le_bytes());
        to.extend_from_slice(&(self.addresses.len() as u32).to_le_bytes());
        for address in &self.addresses {
            match address.ip() {
                IpAddr::V4(ip) => {
                    to.push(4);
                    to.extend_from_slice(&ip.octets());
                }
                IpAddr::V6(ip) => {
                    to.push(6);
                    to.extend_from_slice(&ip.octets());
                }
            }
            to.extend_from_slice(&address.port().to_le_bytes());
        }
    }
}

impl SignedRecord {
    /// Checks signature and addresses; times are the table's concern.
    ///
    /// # Errors
    /// [`RecordError::Forged`] or [`RecordError::Addresses`].
    pub fn verify(&self, chain: &Hash) -> Result<(), RecordError> {
        let addresses = &self.record.addresses;
        if !(1..=RECORD_ADDRESSES).contains(&addresses.len()) || !addresses.iter().all(is_dialable) {
            return Err(RecordError::Addresses);
        }
        let PeerId(key) = self.record.peer;
        key.verify(&self.record.message(chain), &self.signature).map_err(|_| RecordError::Forged)
    }
}

/// False for what is nobody's address, or everybody's.
fn is_dialable(address: &SocketAddr) -> bool {
    let is_somebody = match address.ip() {
        IpAddr::V4(ip) => !ip.is_unspecified() && !ip.is_multicast() && !ip.is_broadcast(),
        IpAddr::V6(ip) => !ip.is_unspecified() && !ip.is_multicast() && ip.to_ipv4_mapped().is_none(),
    };
    is_somebody && address.port() != 0
}

impl BorshSerialize for SignedRecord {
    fn serialize<W: borsh::io::Write>(&self, writer: &mut W) -> borsh::io::Result<()> {
        let mut bytes = Vec::new();
        self.record.write(&mut bytes);
        writer.write_all(&bytes)?;
        self.signature.serialize(writer)
    }
}

impl BorshDeserialize for SignedRecord {
    fn deserialize_reader<R: borsh::io::Read>(reader: &mut R) -> borsh::io::Result<Self> {
        let invalid = || borsh::io::Error::from(borsh::io::ErrorKind::InvalidData);
        let peer = PeerId(PublicKey::deserialize_reader(reader)?);
        let time = Timestamp::deserialize_reader(reader)?;
        let count = u32::deserialize_reader(reader)? as usize;
        if count > RECORD_ADDRESSES {
            return Err(invalid());
        }
        let mut addresses = Vec::with_capacity(count);
        for _ in 0..count {
            let ip: IpAddr = match u8::deserialize_reader(reader)? {
                4 => <[u8; 4]>::deserialize_reader(reader)?.into(),
                6 => <[u8; 16]>::deserialize_reader(reader)?.into(),
                _ => return Err(invalid()),
            };
            addresses.push(SocketAddr::new(ip, u16::deserialize_reader(reader)?));
        }
        let record = AddressRecord { peer, time, addresses };
        Ok(Self { record, signature: Signature::deserialize_reader(reader)? })
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    const CHAIN: Hash = Hash([9; 32]);

    fn signed(addresses: &[&str]) -> SignedRecord {
        let identity = Identity::from_seed([1; 32]);
        let addresses = addresses.iter().map(|text| text.parse().unwrap()).collect();
        AddressRecord { peer: identity.id(), time: Timestamp(0x0102), addresses }.sign(&identity, &CHAIN)
    }

    #[test]
    fn a_record_comes_back_and_its_format_is_this() {
        let record = signed(&["192.0.2.1:8650", "[2001:db8::1]:8650"]);
        let bytes = borsh::to_vec(&record).unwrap();
        assert_eq!(borsh::from_slice::<SignedRecord>(&bytes).unwrap(), record);
        assert_eq!(record.verify(&CHAIN), Ok(()));
        // Peer, time, count, addresses; golden, for others make and check them.
        assert_eq!(bytes[..32], *record.record.peer.as_bytes());
        assert_eq!(bytes[32..40], [2, 1, 0, 0, 0, 0, 0, 0]);
        assert_eq!(bytes[40..51], [2, 0, 0, 0, 4, 192, 0, 2, 1, 0xca, 0x21]);
        assert_eq!(blake3::hash(&bytes).to_hex()[..16], *"739e3f5ff2692df4");
    }

    #[test]
    fn any_change_is_a_forgery_and_so_is_another_chain() {
        let record = signed(&["192.0.2.1:8650"]);
        assert_eq!(record.verify(&Hash([8; 32])), Err(RecordError::Forged));
        let bytes = borsh::to_vec(&record).unwrap();
        for bit in 0..bytes.len() * 8 {
            let mut other = bytes.clone();
            other[bit / 8] ^= 1 << (bit % 8);
            let verdict = borsh::from_slice::<SignedRecord>(&other).map(|record| record.verify(&CHAIN));
            assert!(!matches!(verdict, Ok(Ok(()))), "bit {bit}");
        }
    }

    #[test]
    fn addresses_that_nobody_has_are_refused() {
        for wrong in ["0.0.0.0:1", "224.0.0.1:1", "255.255.255.255:1", "[::]:1", "[ff02::1]:1", "192.0.2.1:0"] {
            assert_eq!(signed(&[wrong]).verify(&CHAIN), Err(RecordError::Addresses), "{wrong}");
        }
        assert_eq!(signed(&[]).verify(&CHAIN), Err(RecordError::Addresses));
        assert_eq!(signed(&["192.0.2.1:1"; 5]).verify(&CHAIN), Err(RecordError::Addresses));
    }
}
