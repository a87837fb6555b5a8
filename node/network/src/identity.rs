//! Who is who: a peer's id is its ed25519 public key, and TLS shows nothing else.
//!
//! RFC 7250 lets a raw key stand where a certificate would. It is sent as a SubjectPublicKeyInfo (RFC 8410, section 4),
//! which for ed25519 is a constant and the key:
//!
//! ```text
//! 30 2a 30 05 06 03 2b 65 70 03 21 00 │ key 32
//! ```

use std::{fmt, net::SocketAddr, str::FromStr};

use rustorium_types::{
    ed25519::{PublicKey, SigningKey},
    id::Hash,
};
use thiserror::Error;

const SPKI: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
/// A private key's envelope (RFC 8410, section 7).
const PKCS8: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];

/// A peer: its ed25519 public key. As text, `0x` and 64 hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerId(pub PublicKey);

/// A peer and where it listens, as text `ID@HOST:PORT`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerAddress {
    /// Who must answer there.
    pub id: PeerId,
    /// Where.
    pub address: SocketAddr,
}

/// A node's network key. Not its consensus key and no account's: it signs handshakes and address records only.
#[derive(Clone, Debug)]
pub struct Identity(SigningKey);

/// Why a text is no peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ParsePeerError {
    /// The id.
    #[error("a peer id is 0x and 64 hex digits")]
    Id,
    /// No `@`.
    #[error("a peer is ID@IP:PORT")]
    Form,
    /// The address.
    #[error("behind the @ of a peer is its IP address and port, as 192.0.2.1:8650 or [2001:db8::1]:8650")]
    Address,
}

impl Identity {
    /// The identity of a key's seed (RFC 8032's private key).
    pub fn from_seed(seed: [u8; 32]) -> Self {
        Self(SigningKey::from_seed(seed))
    }

    /// What others know it by.
    pub fn id(&self) -> PeerId {
        PeerId(self.0.public_key())
    }

    pub(crate) const fn key(&self) -> &SigningKey {
        &self.0
    }

    pub(crate) fn pkcs8(&self) -> Vec<u8> {
        [&PKCS8[..], &self.0.seed()].concat()
    }

    /// A secret for another purpose, that outlives restarts.
    pub(crate) fn derived(&self, purpose: &str) -> [u8; 32] {
        blake3::derive_key(purpose, &self.0.seed())
    }
}

impl PeerId {
    /// The 32 bytes of the key.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0.0
    }

    pub(crate) fn to_spki(self) -> Vec<u8> {
        [&SPKI[..], self.as_bytes()].concat()
    }

    /// The key in a SubjectPublicKeyInfo, if it is one of ed25519 in its only encoding.
    pub(crate) fn from_spki(spki: &[u8]) -> Option<Self> {
        let key = spki.strip_prefix(&SPKI)?;
        Some(Self(PublicKey(key.try_into().ok()?)))
    }
}

impl fmt::Display for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Hash(self.0.0).fmt(f)
    }
}

impl fmt::Debug for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for PeerId {
    type Err = ParsePeerError;

    fn from_str(text: &str) -> Result<Self, ParsePeerError> {
        text.parse::<Hash>().map(|bytes| Self(PublicKey(bytes.0))).map_err(|_| ParsePeerError::Id)
    }
}

impl fmt::Display for PeerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.id, self.address)
    }
}

impl FromStr for PeerAddress {
    type Err = ParsePeerError;

    fn from_str(text: &str) -> Result<Self, ParsePeerError> {
        let (id, address) = text.split_once('@').ok_or(ParsePeerError::Form)?;
        Ok(Self { id: id.parse()?, address: address.parse().map_err(|_| ParsePeerError::Address)? })
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn text_and_spki_come_back() {
        let id = Identity::from_seed([7; 32]).id();
        let peer = PeerAddress { id, address: "[::1]:8650".parse().unwrap() };
        assert_eq!(peer.to_string().parse::<PeerAddress>().unwrap(), peer);
        assert_eq!(PeerId::from_spki(&id.to_spki()), Some(id));
        assert_eq!(format!("{id}@nowhere").parse::<PeerAddress>(), Err(ParsePeerError::Address));
        assert_eq!("127.0.0.1:1".parse::<PeerAddress>(), Err(ParsePeerError::Form));
    }

    #[test]
    fn keys_in_other_envelopes_are_none() {
        let spki = Identity::from_seed([7; 32]).id().to_spki();
        for at in 0..SPKI.len() {
            let mut other = spki.clone();
            other[at] ^= 1;
            assert_eq!(PeerId::from_spki(&other), None);
        }
        assert_eq!(PeerId::from_spki(&spki[..43]), None);
        assert_eq!(PeerId::from_spki(&[spki, vec![0]].concat()), None);
    }
}
