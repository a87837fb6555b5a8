//! Ed25519 by the rules of ZIP-215: one rule for single signatures, batches, validators and light clients.
//!
//! RFC 8032 leaves room: implementations differ on non-canonical points, on points of small order and on the
//! cofactor, and a strict client beside lenient validators would stall on one crafted signature. ZIP-215 says
//! exactly which signatures are valid, and says it so that batches agree: points need not be canonical, s must
//! be below the group's order, and \[8\]\[s\]B = \[8\]R + \[8\]\[k\]A.
//!
//! ```text
//! PublicKey   32 bytes: A
//! Signature   R 32 │ s 32
//! ```
//!
//! What is signed never includes a signature, so that a signature can be malleable without harm.

use alloc::vec::Vec;

use borsh::{BorshDeserialize, BorshSerialize};
use ed25519_zebra::{VerificationKey, VerificationKeyBytes, batch};
use rand_core::{TryCryptoRng, TryRng};
use thiserror::Error;
use zeroize::Zeroize;

use crate::id::Hash;

/// What verifies: the encoding of a point, not known to be one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize)]
pub struct PublicKey(pub [u8; 32]);

/// What is verified.
#[derive(Clone, Copy, PartialEq, Eq, Hash, BorshSerialize, BorshDeserialize)]
pub struct Signature(pub [u8; 64]);

/// What signs; wiped from memory when dropped.
#[derive(Clone)]
pub struct SigningKey(ed25519_zebra::SigningKey);

/// A signature that is not its key's over this message, or a key that is no point.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the signature is not valid")]
pub struct InvalidSignature;

impl SigningKey {
    /// The key of a seed: RFC 8032's private key.
    pub fn from_seed(seed: [u8; 32]) -> Self {
        Self(seed.into())
    }

    /// The seed. Secret: never logged, never sent.
    pub fn seed(&self) -> [u8; 32] {
        self.0.into()
    }

    /// What verifies this key's signatures.
    pub fn public_key(&self) -> PublicKey {
        PublicKey(VerificationKeyBytes::from(&self.0).into())
    }

    /// Signs; the same message always gets the same signature.
    pub fn sign(&self, message: &[u8]) -> Signature {
        Signature(self.0.sign(message).to_bytes())
    }
}

impl Drop for SigningKey {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl core::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "SigningKey({:?})", self.public_key())
    }
}

impl core::fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        Hash(self.0).fmt(f)
    }
}

impl core::fmt::Debug for Signature {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "0x{}", hex::encode(self.0))
    }
}

impl PublicKey {
    /// Whether it encodes a point, so that there can be signatures of it.
    pub fn is_point(&self) -> bool {
        VerificationKey::try_from(self.0).is_ok()
    }

    /// Checks one signature.
    ///
    /// # Errors
    ///
    /// If ZIP-215 says that it is not valid.
    pub fn verify(&self, message: &[u8], signature: &Signature) -> Result<(), InvalidSignature> {
        let key = VerificationKey::try_from(self.0).map_err(|_| InvalidSignature)?;
        key.verify(&signature.0.into(), message).map_err(|_| InvalidSignature)
    }
}

/// One signature of a batch.
#[derive(Clone, Copy, Debug)]
pub struct SignedMessage<'a> {
    /// Who signed.
    pub public_key: PublicKey,
    /// What.
    pub message: &'a [u8],
    /// With what.
    pub signature: Signature,
}

/// Checks many signatures at once, at half the cost of one by one.
///
/// The coefficients of the batch are drawn from a hash of all that is checked, so that the answer needs no
/// randomness, and who makes the signatures cannot choose them: that they all are valid and one is not has a
/// chance of 2⁻¹²⁸ for each try.
///
/// # Errors
///
/// If one of them is not valid; who wants to know which checks them one by one.
pub fn verify_batch(signed: &[SignedMessage<'_>]) -> Result<(), InvalidSignature> {
    let mut hasher = blake3::Hasher::new_derive_key("rustorium ed25519 batch 1");
    let mut verifier = batch::Verifier::new();
    for SignedMessage { public_key, message, signature } in signed {
        hasher.update(&public_key.0);
        hasher.update(&signature.0);
        hasher.update(&(message.len() as u64).to_le_bytes());
        hasher.update(message);
        verifier.queue((VerificationKeyBytes::from(public_key.0), signature.0.into(), *message));
    }
    verifier.verify(Coefficients(hasher.finalize_xof())).map_err(|_| InvalidSignature)
}

/// Checks each signature: a batch first, one by one where the batch fails.
pub fn verify_each(signed: &[SignedMessage<'_>]) -> Vec<Result<(), InvalidSignature>> {
    if verify_batch(signed).is_ok() {
        return signed.iter().map(|_| Ok(())).collect();
    }
    signed.iter().map(|one| one.public_key.verify(one.message, &one.signature)).collect()
}

/// The bytes of a batch's hash, as the randomness that batch verification asks for.
struct Coefficients(blake3::OutputReader);

impl TryRng for Coefficients {
    type Error = core::convert::Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        let mut bytes = [0; 4];
        self.0.fill(&mut bytes);
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        let mut bytes = [0; 8];
        self.0.fill(&mut bytes);
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Self::Error> {
        self.0.fill(bytes);
        Ok(())
    }
}

impl TryCryptoRng for Coefficients {}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn point(text: &str) -> [u8; 32] {
        hex::decode(text).unwrap().try_into().unwrap()
    }

    /// All encodings of points of small order that decode: eight canonical ones, six that are not. ZIP-215 accepts
    /// them; most verifiers refuse some.
    fn small_order() -> [[u8; 32]; 14] {
        [
            "0100000000000000000000000000000000000000000000000000000000000000",
            "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
            "0000000000000000000000000000000000000000000000000000000000000080",
            "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
            "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
            "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
            "0000000000000000000000000000000000000000000000000000000000000000",
            "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
            "0100000000000000000000000000000000000000000000000000000000000080",
            "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
            "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
            "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
            "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
            "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        ]
        .map(point)
    }

    fn both(one: SignedMessage<'_>) -> bool {
        let single = one.public_key.verify(one.message, &one.signature).is_ok();
        let honest = SigningKey::from_seed([9; 32]);
        let beside =
            SignedMessage { public_key: honest.public_key(), message: b"beside", signature: honest.sign(b"beside") };
        assert_eq!(verify_batch(&[one]).is_ok(), single, "alone in a batch");
        assert_eq!(verify_batch(&[beside, one, beside]).is_ok(), single, "in a batch with others");
        assert_eq!(verify_each(&[beside, one])[1].is_ok(), single);
        single
    }

    #[test]
    fn rfc_8032_test_3() {
        let key = SigningKey::from_seed(point("c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7"));
        assert_eq!(key.public_key().0, point("fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025"));
        let signature = key.sign(&[0xaf, 0x82]);
        assert_eq!(
            hex::encode(signature.0),
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac\
             18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"
        );
        assert!(both(SignedMessage { public_key: key.public_key(), message: &[0xaf, 0x82], signature }));
    }

    /// ZIP-215, test vectors: with s = 0, any A and R of small order sign anything.
    #[test]
    fn small_order_points_are_accepted_alone_and_in_batches() {
        for a in small_order() {
            for r in small_order() {
                let mut signature = [0; 64];
                signature[..32].copy_from_slice(&r);
                let (public_key, signature) = (PublicKey(a), Signature(signature));
                assert!(both(SignedMessage { public_key, message: b"Zcash", signature }));
            }
        }
    }

    /// The group's order added to s gives the same equation and another encoding; RFC 8032 and ZIP-215 refuse it.
    #[test]
    fn s_of_the_order_and_above_is_refused() {
        let order = point("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010");
        let key = SigningKey::from_seed([1; 32]);
        let mut signature = key.sign(b"m");
        let mut carry = 0_u16;
        for (byte, add) in signature.0[32..].iter_mut().zip(order) {
            carry += u16::from(*byte) + u16::from(add);
            *byte = carry as u8;
            carry >>= 8;
        }
        assert!(!both(SignedMessage { public_key: key.public_key(), message: b"m", signature }));
    }

    #[test]
    fn bytes_that_are_no_point_are_refused() {
        let key = SigningKey::from_seed([1; 32]);
        let mut two = [0; 32];
        two[0] = 2; // x² would have no root
        let signature = key.sign(b"m");
        assert!(!both(SignedMessage { public_key: PublicKey(two), message: b"m", signature }));
        let mut no_point = signature;
        no_point.0[..32].copy_from_slice(&two);
        assert!(!both(SignedMessage { public_key: key.public_key(), message: b"m", signature: no_point }));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn one_flipped_bit_is_refused(seed in any::<[u8; 32]>(), message in proptest::collection::vec(any::<u8>(), 1..80), bit in 0_usize..512) {
            let key = SigningKey::from_seed(seed);
            let public_key = key.public_key();
            let signature = key.sign(&message);
            let accepted = both(SignedMessage { public_key, message: &message, signature });
            prop_assert!(accepted);
            let mut flipped = signature;
            flipped.0[bit / 8] ^= 1 << (bit % 8);
            let accepted = both(SignedMessage { public_key, message: &message, signature: flipped });
            prop_assert!(!accepted);
            let mut other = message.clone();
            other[0] ^= 1;
            let accepted = both(SignedMessage { public_key, message: &other, signature });
            prop_assert!(!accepted);
        }
    }
}
