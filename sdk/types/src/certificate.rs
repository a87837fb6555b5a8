//! Finality certificates: that a quorum of a chain's validators finalised a header.
//!
//! The bytes are those of commonware's simplex with ed25519 (2026.10), so that a sole validator, which signs
//! alone, makes what many would make, and a sole chain can be opened to many later. This file reads and writes
//! them without commonware, for light clients. Its golden vectors come from commonware itself.
//!
//! ```text
//! certificate   proposal │ bits 8, big-endian │ bitmap │ count, varint │ signatures 64 each
//! proposal      epoch, varint │ view, varint │ parent view, varint │ header hash 32
//! bitmap        ⌈bits / 8⌉ bytes: bit i (byte i / 8, bit i % 8) is validator i of the set, in rising order of
//!               key; the signatures follow in that order; the bits behind the last are 0
//! varint        little-endian groups of 7 bits, the top bit set on all but the last, no superfluous byte
//!
//! signed        length, varint │ "rustorium" │ genesis hash 32 │ "_FINALIZE" │ proposal
//! ```
//!
//! The chain stands in what is signed, so a certificate says nothing on another chain. Signatures follow
//! ZIP-215 ([`ed25519`](crate::ed25519)). Reading refuses everything that writing would not have written.

use alloc::vec::Vec;

use thiserror::Error;

use crate::{
    ed25519::{PublicKey, Signature, SignedMessage, SigningKey, verify_batch},
    id::{Epoch, Hash},
    limits,
};

mod codec;

use codec::Reader;

/// The most validators of a set.
pub const MAX_VALIDATORS: usize = limits::VALIDATORS;

/// What stands before the chain in what is signed.
const NAMESPACE: &[u8] = b"rustorium";
/// What stands behind the chain: finalisation, not a vote for anything less.
const FINALIZE: &[u8] = b"_FINALIZE";

/// A consensus view; rises within an epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct View(pub u64);

/// What validators finalise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Proposal {
    /// The epoch; its header's too, or the certificate is worthless.
    pub epoch: Epoch,
    /// The view in which it was proposed.
    pub view: View,
    /// The view of its parent.
    pub parent_view: View,
    /// The hash of the header.
    pub payload: Hash,
}

impl Proposal {
    fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(64);
        for number in [self.epoch.0, self.view.0, self.parent_view.0] {
            codec::write_varint(&mut bytes, number);
        }
        bytes.extend(self.payload.0);
        bytes
    }

    /// The bytes that validators of a chain sign to finalise this.
    pub fn signed_bytes(&self, chain: &Hash) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(128);
        codec::write_varint(&mut bytes, (NAMESPACE.len() + chain.0.len() + FINALIZE.len()) as u64);
        bytes.extend_from_slice(NAMESPACE);
        bytes.extend(chain.0);
        bytes.extend_from_slice(FINALIZE);
        bytes.extend(self.encode());
        bytes
    }
}

/// The validators of an epoch, in rising order of key, each once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValidatorSet(Vec<PublicKey>);

impl ValidatorSet {
    /// Reads the keys of a genesis or an epoch record.
    ///
    /// # Errors
    ///
    /// If there are none or too many, or they do not rise.
    pub fn new(keys: &[[u8; 32]]) -> Result<Self, ValidatorSetError> {
        if keys.is_empty() || keys.len() > MAX_VALIDATORS {
            return Err(ValidatorSetError::Count(keys.len()));
        }
        if !keys.is_sorted_by(|a, b| a < b) {
            return Err(ValidatorSetError::Order);
        }
        Ok(Self(keys.iter().copied().map(PublicKey).collect()))
    }

    /// The keys.
    pub fn keys(&self) -> &[PublicKey] {
        &self.0
    }

    /// How many must sign: n − f, where up to f = ⌊(n − 1) / 3⌋ may be faulty.
    pub fn quorum(&self) -> usize {
        self.0.len() - (self.0.len() - 1) / 3
    }
}

/// Keys that are no set of validators.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ValidatorSetError {
    /// None, or more than [`MAX_VALIDATORS`].
    #[error("a set has 1 to {MAX_VALIDATORS} validators, not {0}")]
    Count(usize),
    /// A key is twice there, or not behind the smaller ones.
    #[error("validators are listed in rising order of key, each once")]
    Order,
}

/// One validator's part of a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// Who.
    pub signer: PublicKey,
    /// The signature over [`Proposal::signed_bytes`].
    pub signature: Signature,
}

/// Signs a finalisation.
pub fn sign(key: &SigningKey, chain: &Hash, proposal: &Proposal) -> Share {
    Share { signer: key.public_key(), signature: key.sign(&proposal.signed_bytes(chain)) }
}

/// Makes a certificate of shares, which are taken as valid.
///
/// # Errors
///
/// If they are fewer than a quorum, or one is of no validator, or of one that signed already.
pub fn assemble(proposal: &Proposal, shares: &[Share], validators: &ValidatorSet) -> Result<Vec<u8>, AssembleError> {
    let mut signatures: Vec<Option<&Signature>> = validators.0.iter().map(|_| None).collect();
    for share in shares {
        let index = validators.0.binary_search(&share.signer).map_err(|_| AssembleError::NotValidator(share.signer))?;
        if signatures[index].replace(&share.signature).is_some() {
            return Err(AssembleError::Twice(share.signer));
        }
    }
    let needed = validators.quorum();
    if shares.len() < needed {
        return Err(AssembleError::Quorum { found: shares.len(), needed });
    }
    let mut bytes = proposal.encode();
    bytes.extend((signatures.len() as u64).to_be_bytes());
    bytes.extend(signatures.chunks(8).map(|validators| {
        validators.iter().enumerate().fold(0_u8, |bits, (bit, signature)| bits | u8::from(signature.is_some()) << bit)
    }));
    codec::write_varint(&mut bytes, shares.len() as u64);
    bytes.extend(signatures.into_iter().flatten().flat_map(|signature| signature.0));
    Ok(bytes)
}

/// Why shares make no certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum AssembleError {
    /// Too few.
    #[error("{found} shares; a quorum is {needed}")]
    Quorum {
        /// How many there are.
        found: usize,
        /// How many there must be.
        needed: usize,
    },
    /// Not in the set.
    #[error("{0:?} is no validator")]
    NotValidator(PublicKey),
    /// Two shares of one validator.
    #[error("{0:?} signed twice")]
    Twice(PublicKey),
}

/// What a certificate claims to finalise, before anything is checked.
///
/// # Errors
///
/// If the bytes do not start with a proposal.
pub fn peek(certificate: &[u8]) -> Result<Proposal, CertificateError> {
    Reader::new(certificate).proposal()
}

/// Whether a certificate says that a validator signed, by its place in the set. True is the validator's word only if
/// [`verify`] says that the certificate holds.
pub fn has_signed(certificate: &[u8], validator: usize) -> bool {
    let mut reader = Reader::new(certificate);
    let bitmap = reader.proposal().and_then(|_| {
        let validators = u64::from_be_bytes(*reader.array()?);
        reader.take(usize::try_from(validators).unwrap_or(usize::MAX).min(MAX_VALIDATORS).div_ceil(8))
    });
    bitmap.is_ok_and(|bitmap| bitmap.get(validator / 8).is_some_and(|bits| bits >> (validator % 8) & 1 == 1))
}

/// Checks a certificate; what it returns is final on this chain. At most [`MAX_VALIDATORS`] signatures are
/// checked, whatever the bytes say.
///
/// # Errors
///
/// Says which check failed.
pub fn verify(certificate: &[u8], validators: &ValidatorSet, chain: &Hash) -> Result<Proposal, CertificateError> {
    let mut reader = Reader::new(certificate);
    let proposal = reader.proposal()?;
    let keys = validators.keys();
    let found = u64::from_be_bytes(*reader.array()?);
    if found != keys.len() as u64 {
        return Err(CertificateError::Validators { found, expected: keys.len() });
    }
    let bitmap = reader.take(keys.len().div_ceil(8))?;
    if !keys.len().is_multiple_of(8) && bitmap.last().is_some_and(|last| last >> (keys.len() % 8) != 0) {
        return Err(CertificateError::Malformed);
    }
    let signers: Vec<_> =
        keys.iter().enumerate().filter(|(index, _)| bitmap[index / 8] >> (index % 8) & 1 == 1).collect();
    let needed = validators.quorum();
    if signers.len() < needed {
        return Err(CertificateError::Quorum { found: signers.len(), needed });
    }
    if reader.varint()? != signers.len() as u64 {
        return Err(CertificateError::Malformed);
    }
    let message = proposal.signed_bytes(chain);
    let mut signed = Vec::with_capacity(signers.len());
    for (_, key) in signers {
        signed.push(SignedMessage { public_key: *key, message: &message, signature: Signature(*reader.array()?) });
    }
    reader.end()?;
    verify_batch(&signed).map_err(|_| CertificateError::Signature)?;
    Ok(proposal)
}

/// Why bytes are no certificate of this chain and these validators.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CertificateError {
    /// Cut off, overlong, or with a form that is never written.
    #[error("the certificate is malformed")]
    Malformed,
    /// Made for a set of another size.
    #[error("the certificate is of {found} validators, not {expected}")]
    Validators {
        /// Its size.
        found: u64,
        /// The set's.
        expected: usize,
    },
    /// Too few signatures.
    #[error("{found} validators signed; a quorum is {needed}")]
    Quorum {
        /// How many there are.
        found: usize,
        /// How many there must be.
        needed: usize,
    },
    /// A signature is not its validator's over this proposal on this chain.
    #[error("a signature is not its validator's over this header of this chain")]
    Signature,
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    const CHAIN: Hash = Hash([0xab; 32]);

    /// A vector that commonware made.
    struct Vector {
        name: &'static str,
        proposal: Proposal,
        signers: Vec<usize>,
        validators: ValidatorSet,
        bytes: Vec<u8>,
    }

    fn vectors() -> Vec<Vector> {
        let lines = include_str!("../vectors/certificates.txt").lines().filter(|line| !line.starts_with('#'));
        lines
            .map(|line| {
                let words: Vec<&str> = line.split(' ').collect();
                let number = |index: usize| words[index].parse().unwrap();
                let keys: Vec<[u8; 32]> =
                    words[5].split(',').map(|key| hex::decode(key).unwrap().try_into().unwrap()).collect();
                Vector {
                    name: words[0],
                    proposal: Proposal {
                        epoch: Epoch(number(1)),
                        view: View(number(2)),
                        parent_view: View(number(3)),
                        payload: Hash([0xcd; 32]),
                    },
                    signers: words[4].split(',').map(|index| index.parse().unwrap()).collect(),
                    validators: ValidatorSet::new(&keys).unwrap(),
                    bytes: hex::decode(words[6]).unwrap(),
                }
            })
            .collect()
    }

    fn key_of(public: &PublicKey) -> SigningKey {
        (1..=9_u8).map(|seed| SigningKey::from_seed([seed; 32])).find(|key| key.public_key() == *public).unwrap()
    }

    #[test]
    fn commonwares_certificates_are_ours() {
        let vectors = vectors();
        assert_eq!(vectors.len(), 4);
        for Vector { name, proposal, signers, validators, bytes } in vectors {
            assert_eq!(peek(&bytes), Ok(proposal), "{name}");
            assert_eq!(verify(&bytes, &validators, &CHAIN), Ok(proposal), "{name}");
            for index in 0..validators.keys().len() + 9 {
                assert_eq!(has_signed(&bytes, index), signers.contains(&index), "{name}, {index}");
            }
            assert!(!has_signed(&bytes[..20], 0));
            let mut shares: Vec<Share> =
                signers.iter().map(|index| sign(&key_of(&validators.keys()[*index]), &CHAIN, &proposal)).collect();
            shares.reverse();
            assert_eq!(assemble(&proposal, &shares, &validators), Ok(bytes), "{name}");
        }
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_refused() {
        for Vector { name, validators, bytes, .. } in vectors() {
            for bit in 0..bytes.len() * 8 {
                let mut altered = bytes.clone();
                altered[bit / 8] ^= 1 << (bit % 8);
                assert!(verify(&altered, &validators, &CHAIN).is_err(), "{name}, bit {bit}");
            }
            for length in 0..bytes.len() {
                assert!(verify(&bytes[..length], &validators, &CHAIN).is_err(), "{name}, {length} bytes");
            }
            let longer = [bytes.as_slice(), &[0]].concat();
            assert_eq!(verify(&longer, &validators, &CHAIN), Err(CertificateError::Malformed), "{name}");
            assert_eq!(verify(&bytes, &validators, &Hash([0xac; 32])), Err(CertificateError::Signature), "{name}");
        }
    }

    #[test]
    fn a_quorum_of_the_right_validators_is_needed() {
        let mut vectors = vectors().into_iter();
        let (one, three_of_four) = (vectors.next().unwrap(), vectors.next().unwrap());
        let proposal = three_of_four.proposal;
        let validators = &three_of_four.validators;
        let share = |index: usize| sign(&key_of(&validators.keys()[index]), &CHAIN, &proposal);
        assert_eq!((one.validators.quorum(), validators.quorum()), (1, 3));
        let error = assemble(&proposal, &[share(0), share(1)], validators);
        assert_eq!(error, Err(AssembleError::Quorum { found: 2, needed: 3 }));
        let error = assemble(&proposal, &[share(0), share(1), share(1)], validators);
        assert_eq!(error, Err(AssembleError::Twice(validators.keys()[1])));
        let stranger = sign(&SigningKey::from_seed([99; 32]), &CHAIN, &proposal);
        let error = assemble(&proposal, &[share(0), share(1), stranger], validators);
        assert_eq!(error, Err(AssembleError::NotValidator(stranger.signer)));
        let error = verify(&one.bytes, validators, &CHAIN);
        assert_eq!(error, Err(CertificateError::Validators { found: 1, expected: 4 }));
        // One signature removed, its bit and the count with it.
        let mut two = three_of_four.bytes;
        two.truncate(two.len() - 64);
        let bitmap = proposal.encode().len() + 8;
        two[bitmap] = 0b0011;
        two[bitmap + 1] = 2;
        assert_eq!(verify(&two, validators, &CHAIN), Err(CertificateError::Quorum { found: 2, needed: 3 }));
    }

    #[test]
    fn sets_are_sorted() {
        assert_eq!(ValidatorSet::new(&[]), Err(ValidatorSetError::Count(0)));
        assert_eq!(ValidatorSet::new(&[[1; 32]; 513]), Err(ValidatorSetError::Count(513)));
        assert_eq!(ValidatorSet::new(&[[1; 32], [1; 32]]), Err(ValidatorSetError::Order));
        assert_eq!(ValidatorSet::new(&[[2; 32], [1; 32]]), Err(ValidatorSetError::Order));
        let quorum = |count: u8| {
            let keys: Vec<[u8; 32]> = (0..count).map(|key| [key; 32]).collect();
            ValidatorSet::new(&keys).unwrap().quorum()
        };
        assert_eq!([1, 2, 3, 4, 6, 7, 100].map(quorum), [1, 2, 3, 3, 5, 5, 67]);
    }
}
