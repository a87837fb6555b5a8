//! Hashes and signatures.

use rustorium_types::{
    ed25519::{PublicKey, Signature},
    field::Field,
    poseidon::hash2,
};
use sha2::{Digest, Sha256};
use sha3::Keccak256;

use super::{Fixed, Host, Slice};
use crate::call::Abort;

/// The tag of contracts' own Poseidon hashes: plain circomlib. The state tree's tags are others.
const TAG: u64 = 0;

/// SHA-256.
pub(super) fn sha256(host: &mut Host<'_>, data: Slice) -> Result<[u8; 32], Abort> {
    Ok(Sha256::digest(host.bytes(data)?).into())
}

/// Keccak-256.
pub(super) fn keccak256(host: &mut Host<'_>, data: Slice) -> Result<[u8; 32], Abort> {
    Ok(Keccak256::digest(host.bytes(data)?).into())
}

/// BLAKE3.
pub(super) fn blake3(host: &mut Host<'_>, data: Slice) -> Result<[u8; 32], Abort> {
    Ok(*blake3::hash(host.bytes(data)?).as_bytes())
}

/// Poseidon of two scalars.
pub(super) fn poseidon(host: &mut Host<'_>, left: Fixed<32>, right: Fixed<32>) -> Result<[u8; 32], Abort> {
    let scalar = |pointer| {
        Field::from_be_bytes(&host.fixed(pointer)?)
            .map_err(|_| Abort::trap("an argument of Poseidon is not below the modulus"))
    };
    Ok(hash2(TAG, scalar(left)?, scalar(right)?).to_be_bytes())
}

/// Whether a signature is valid.
pub(super) fn ed25519_verify(
    host: &mut Host<'_>,
    public_key: Fixed<32>,
    signature: Fixed<64>,
    message: Slice,
) -> Result<bool, Abort> {
    let (public_key, signature) = (PublicKey(host.fixed(public_key)?), Signature(host.fixed(signature)?));
    Ok(public_key.verify(host.bytes(message)?, &signature).is_ok())
}
