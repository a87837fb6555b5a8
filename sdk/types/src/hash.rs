//! blake3 under domains, so that bytes hashed for one purpose never pass for another.
//!
//! ```text
//! hash(domain, parts) = blake3( domain text │ 0x00 │ part │ part │ … )
//! ```
//!
//! Domain texts hold no zero byte, so no domain is a prefix of another. Parts are concatenated as they
//! are: every caller passes fixed-length parts, and at most one of variable length, last.

use core::num::NonZeroU32;

use crate::id::{AccountId, Address, ContractId, Hash};

/// What is hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Domain {
    /// A genesis: `borsh(Genesis)`.
    Genesis,
    /// A transaction: genesis hash, `borsh(Body)`. The digest that is signed and the hash that names it.
    Transaction,
    /// A header: `borsh(Header)`.
    Header,
    /// An account: authorisation scheme byte, public key.
    Account,
    /// A contract: creator's address, salt.
    Contract,
    /// A code: its WebAssembly bytes.
    Code,
    /// The key of a state entry: contract, storage key.
    StateKey,
    /// A state value of more than three limbs.
    LargeValue,
    /// A leaf or branch of an RFC 6962 tree.
    Tree,
    /// A record of the log that is too large to enter a block as it is.
    OversizeRecord,
    /// A value of an indexed event field, as node indexes keep it.
    FieldValue,
    /// Which peer of the network a validator is: genesis hash, the peer's public key.
    Introduction,
    /// A change of the validators: genesis hash, `borsh(ValidatorChange)`. The digest that they sign.
    Validators,
    /// Which shared lane a sender's records go to: the sender's id.
    Shard,
}

impl Domain {
    /// The text that is hashed first.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Genesis => "rustorium genesis 1",
            Self::Transaction => "rustorium transaction 1",
            Self::Header => "rustorium header 1",
            Self::Account => "rustorium account 1",
            Self::Contract => "rustorium contract 1",
            Self::Code => "rustorium code 1",
            Self::StateKey => "rustorium state key 1",
            Self::LargeValue => "rustorium large value 1",
            Self::Tree => "rustorium tree 1",
            Self::OversizeRecord => "rustorium oversize record 1",
            Self::FieldValue => "rustorium field value 1",
            Self::Introduction => "rustorium introduction 1",
            Self::Validators => "rustorium validators 1",
            Self::Shard => "rustorium shard 1",
        }
    }
}

/// blake3 over the domain and the parts.
pub fn hash(domain: Domain, parts: &[&[u8]]) -> Hash {
    let mut hasher = blake3::Hasher::new();
    hasher.update(domain.text().as_bytes());
    hasher.update(&[0]);
    for part in parts {
        hasher.update(part);
    }
    Hash(*hasher.finalize().as_bytes())
}

/// The hash that names a code.
pub fn code_hash(wasm: &[u8]) -> Hash {
    hash(Domain::Code, &[wasm])
}

/// The address of a contract, which depends on neither its code nor its arguments.
pub fn contract_id(creator: Address, salt: &[u8; 32]) -> ContractId {
    ContractId(hash(Domain::Contract, &[&creator.to_bytes(), salt]).0)
}

/// The account of a public key under an authorisation scheme (0 is ed25519).
pub fn account_id(scheme: u8, public_key: &[u8]) -> AccountId {
    AccountId(hash(Domain::Account, &[&[scheme], public_key]).0)
}

/// The shared lane of a sender among so many, by number from 0.
///
/// ```text
/// hash(Shard, sender), its first 8 bytes little-endian, mod shards
/// ```
///
/// All of a sender's records are in one lane, in order. Nothing depends on it but that: a record is executed whichever
/// lane it is in.
///
/// ```
/// use core::num::NonZeroU32;
///
/// use rustorium_types::{hash::shard, id::AccountId};
///
/// assert_eq!(shard(AccountId([7; 32]), NonZeroU32::MIN), 0);
/// ```
pub fn shard(sender: AccountId, shards: NonZeroU32) -> u32 {
    let [a, b, c, d, e, f, g, h, ..] = hash(Domain::Shard, &[&sender.0]).0;
    let number = u64::from_le_bytes([a, b, c, d, e, f, g, h]) % u64::from(shards.get());
    // Below `shards`, which is a u32.
    number as u32
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn shards_of_senders_are_frozen() {
        let shards = NonZeroU32::new(16).unwrap();
        let of = |byte| shard(AccountId([byte; 32]), shards);
        assert_eq!([0, 1, 2, 3, 4, 5, 6, 7].map(of), [4, 9, 14, 7, 13, 13, 1, 14]);
    }

    #[test]
    fn senders_spread_over_the_shards() {
        let shards = NonZeroU32::new(4).unwrap();
        let mut counts = [0; 4];
        for number in 0..4_000_u32 {
            let mut id = [0; 32];
            id[..4].copy_from_slice(&number.to_le_bytes());
            counts[shard(AccountId(id), shards) as usize] += 1;
        }
        assert!(counts.iter().all(|count| (900..1_100).contains(count)), "{counts:?}");
    }
}
