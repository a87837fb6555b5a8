//! The ports on which execution sits: what it reads, and what a cache and a storage offer behind that.
//!
//! Execution knows state only as [`StateRead`], an immutable picture of one height, so the same function runs
//! over a node's storage, over a snapshot, over memory, and over nothing but a witness. It never writes: its
//! effects are returned and the engine applies them.
//!
//! Invariants: two reads of a key through one `StateRead` answer the same, and a [`StateError`] is never a
//! contract's fault, so it ends the execution without a receipt instead of becoming part of one.

use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;
use rustorium_types::{
    id::{ContractId, Hash, Height},
    state,
};
use thiserror::Error;

/// The name of an entry: a contract, and a key of its storage.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StateKey {
    /// Whose storage; [`ContractId::SYSTEM`] for records.
    pub contract: ContractId,
    /// The storage key.
    pub key: Bytes,
}

/// Entries that change: the value, or `None` where the entry is removed.
pub type Writes = BTreeMap<StateKey, Option<Bytes>>;

impl StateKey {
    /// The key of a contract's entry.
    pub fn new(contract: ContractId, key: impl Into<Bytes>) -> Self {
        Self { contract, key: key.into() }
    }

    /// The key of an address's [account record](state::Account).
    pub fn account(address: impl Into<rustorium_types::id::Address>) -> Self {
        Self::new(ContractId::SYSTEM, state::account_key(address.into()))
    }

    /// The key of a contract's [record](state::ContractRecord).
    pub fn contract(contract: ContractId) -> Self {
        Self::new(ContractId::SYSTEM, state::contract_key(contract))
    }

    /// The key of the newest [change of the validators](rustorium_types::validators::ValidatorChange).
    pub fn validators() -> Self {
        Self::new(ContractId::SYSTEM, state::validators_key())
    }

    /// The key of a code's WebAssembly bytes.
    pub fn code(code: &Hash) -> Self {
        Self::new(ContractId::SYSTEM, state::code_key(code))
    }
}

/// State as of one height.
pub trait StateRead: Send + Sync {
    /// The value of an entry, or `None` where there is no such entry.
    ///
    /// # Errors
    /// When the answer cannot be known.
    fn read(&self, key: &StateKey) -> Result<Option<Bytes>, StateError>;
}

/// Why state could not be read or written. Never a contract's fault.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StateError {
    /// Storage failed.
    #[error("storage failed")]
    Storage(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A witness says nothing of this entry, neither its value nor its absence.
    #[error("the witness does not cover an entry of {}", .0.contract)]
    Unproven(StateKey),
    /// An entry that only the system writes does not decode, or a code that a record names is missing or refused.
    #[error("the state is damaged: {0}")]
    Damaged(Damage),
}

/// Which of the system's own entries is damaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Damage {
    /// An account record.
    #[error("an account record does not decode")]
    Account,
    /// A contract record.
    #[error("the record of {0} does not decode")]
    Contract(ContractId),
    /// The newest change of the validators.
    #[error("the newest change of the validators does not decode")]
    Validators,
    /// A code.
    #[error("code {0} is missing or is not what was stored")]
    Code(Hash),
}

/// Values that were read lately, kept in memory in front of a [`Storage`]. Reading through it fills it.
pub trait CacheManager: StateRead {
    /// What the cache holds of an entry: `None` if it does not know, `Some(None)` if it knows it to be absent.
    fn get(&self, key: &StateKey) -> Option<Option<Bytes>>;

    /// Writes an entry through as of a height; readers of older heights do not see it.
    fn set(&self, key: &StateKey, value: Option<Bytes>, height: Height);

    /// Evicts until the cache fits its byte budget.
    fn optimize(&self);
}

/// Authenticated, durable state.
pub trait Storage: StateRead {
    /// Shows that an entry has a value, or is absent, under a root.
    type Proof;

    /// Applies the writes, all or none, as the next state; answers its root, and a proof under that root for
    /// each of the keys in `prove`, in their order.
    ///
    /// # Errors
    /// When storage fails; nothing is applied then.
    fn write_with_proof(&self, writes: &Writes, prove: &[StateKey]) -> Result<(Hash, Vec<Self::Proof>), StateError>;

    /// True if the proof shows that the entry has this value, or is absent, under the root.
    fn verify_proof(&self, root: &Hash, key: &StateKey, value: Option<&[u8]>, proof: &Self::Proof) -> bool;
}

/// State in memory, without proofs: for tests, simulation and benches.
#[derive(Clone, Debug, Default)]
pub struct InMemoryState {
    entries: HashMap<StateKey, Bytes>,
}

impl InMemoryState {
    /// Applies writes.
    pub fn apply(&mut self, writes: &Writes) {
        for (key, value) in writes {
            self.set(key.clone(), value.clone());
        }
    }

    /// Sets or removes one entry.
    pub fn set(&mut self, key: StateKey, value: Option<Bytes>) {
        match value {
            Some(value) => self.entries.insert(key, value),
            None => self.entries.remove(&key),
        };
    }

    /// Every entry, in order of key.
    pub fn entries(&self) -> BTreeMap<&StateKey, &Bytes> {
        self.entries.iter().collect()
    }
}

impl StateRead for InMemoryState {
    fn read(&self, key: &StateKey) -> Result<Option<Bytes>, StateError> {
        Ok(self.entries.get(key).cloned())
    }
}
