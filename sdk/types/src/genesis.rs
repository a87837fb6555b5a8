//! The first state of a chain, and who speaks for it.
//!
//! The genesis hash is blake3(domain │ `borsh(Genesis)`): whoever knows it trusts no node for the rest.

use alloc::{string::String, vec::Vec};

use borsh::{BorshDeserialize, BorshSerialize};

use crate::{
    id::{AccountId, Address, Amount, Epoch, Hash, Height, Timestamp},
    limits::Limits,
};

/// The version of [`Genesis`] that this crate writes.
pub const VERSION: u16 = 1;

/// What a chain starts from.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Genesis {
    /// [`VERSION`].
    pub version: u16,
    /// A name for people, as `rustorium-dev`.
    pub chain_id: String,
    /// Takes control records, and its accounts' keys are public.
    pub dev: bool,
    /// Makes two chains of equal settings differ.
    pub salt: [u8; 32],
    /// The parent time of the first header.
    pub time: Timestamp,
    /// The native token's symbol.
    pub symbol: String,
    /// Decimals that people see; amounts are in base units everywhere.
    pub decimals: u8,
    /// Balances at height 0, in order of address, each once.
    pub balances: Vec<(Address, Amount)>,
    /// Receives all fees.
    pub fee_account: AccountId,
    /// Base units per gas.
    pub gas_price: Amount,
    /// Heights of an epoch.
    pub epoch_length: u64,
    /// How far `state_height` may lag behind a header's height, at the most.
    pub state_lag: u64,
    /// Lanes that all validators share: topics of a broker. Each validator's own lane comes on top, so that a chain on
    /// one machine has none.
    pub shards: u32,
    /// The limits.
    pub limits: Limits,
    /// Who signs headers in epoch 0: ed25519 public keys, in rising order.
    pub validators: Vec<[u8; 32]>,
    /// Hashes of the verifying keys of the chain's proofs; empty while it has none.
    pub verifying_keys: Vec<Hash>,
}

/// What an epoch's last header announces of the next.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct EpochRecord {
    /// The epoch that it is about.
    pub epoch: Epoch,
    /// Its validators: ed25519 public keys, in rising order.
    pub validators: Vec<[u8; 32]>,
    /// Its shared lanes.
    pub shards: u32,
    /// The generation in which its validators' own lanes begin, unless they are further already: it rises when the
    /// validators or the shared lanes change.
    pub generation: u32,
    /// Its limits.
    pub limits: Limits,
    /// The version of headers in it.
    pub header_version: u16,
}

impl Genesis {
    /// The epoch of a height: heights 1..=`epoch_length` are epoch 0.
    pub fn epoch_of(&self, height: Height) -> Epoch {
        Epoch(height.0.saturating_sub(1) / self.epoch_length.max(1))
    }

    /// The hash that names the chain.
    #[cfg(feature = "crypto")]
    pub fn hash(&self) -> Hash {
        let bytes = borsh::to_vec(self).unwrap_or_default();
        crate::hash::hash(crate::hash::Domain::Genesis, &[&bytes])
    }
}
