//! blake3 under domains, so that bytes hashed for one purpose never pass for another.
//!
//! ```text
//! hash(domain, parts) = blake3( domain text │ 0x00 │ part │ part │ … )
//! ```
//!
//! Domain texts hold no zero byte, so no domain is a prefix of another. Parts are concatenated as they
//! are: every caller passes fixed-length parts, and at most one of variable length, last.

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
