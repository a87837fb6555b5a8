//! Accounts, contracts, codes and stored values.

use std::sync::Arc;

use bytes::Bytes;
use rustorium_runtime::{Damage, StateError, StateKey, StateRead};
use rustorium_types::{
    abi::{Abi, json::Place},
    id::{Address, Amount, ContractId, Hash, Height},
    state::{self as records, ContractRecord},
};
use serde_json::Value;

use super::Pinned;
use crate::api::{
    model::{Account, Code, Contract, StateValue},
    problem::ApiError,
    scalar::{self, Json},
};

/// Which stored value.
#[derive(Clone, Debug)]
pub(crate) enum Stored {
    /// A storage field by its name in the source, and its keys by the ABI.
    Field { name: String, keys: Vec<Value> },
    /// A storage key.
    Raw(Bytes),
}

impl Pinned {
    /// An account as of a height, without a proof.
    pub(crate) fn account(&self, address: Address, height: Option<Height>) -> Result<Account, ApiError> {
        let (height, state) = self.state(height)?;
        let record = account_record(&state, address)?;
        let mut next = record.nonces.next();
        if let Some(account) = address.account() {
            next = self.app().admission().pool().next_nonce(account, next);
        }
        Ok(Account {
            address: scalar::Address(address),
            height: scalar::Height(height),
            balance: scalar::Amount(record.balance),
            nonce_highest: record.nonces.highest.into(),
            nonce_next: next.into(),
            proof: None,
        })
    }

    /// A contract as of a height, without a proof; `None` if there was none.
    pub(crate) fn contract(&self, contract: ContractId, height: Option<Height>) -> Result<Option<Contract>, ApiError> {
        let (height, state) = self.state(height)?;
        let Some(record) = record(&state, contract)? else { return Ok(None) };
        Ok(Some(Contract {
            address: scalar::Address(Address::Contract(contract)),
            height: scalar::Height(height),
            creator: scalar::Address(record.creator),
            admin: record.admin.map(scalar::Address),
            label: if record.label.is_empty() { None } else { Some(record.label) },
            created: scalar::Height(record.height),
            balance: scalar::Amount(balance(&state, contract)?),
            code: code(&state, &record.code)?,
            proof: None,
        }))
    }

    /// A code, without its bytes; `None` if it is not stored.
    pub(crate) fn code(&self, hash: &Hash) -> Result<Option<Code>, ApiError> {
        let (_, state) = self.state(None)?;
        if state.read(&StateKey::code(hash))?.is_none() {
            return Ok(None);
        }
        Ok(Some(code(&state, hash)?))
    }

    /// A code's bytes.
    pub(crate) fn wasm(&self, hash: &Hash) -> Result<Bytes, ApiError> {
        let (_, state) = self.state(None)?;
        let wasm = state.read(&StateKey::code(hash))?;
        wasm.ok_or_else(|| ApiError::not_found(format!("there is no code {hash}")))
    }

    /// The published form of a code's ABI; an empty object without one.
    pub(crate) fn abi_json(&self, hash: &Hash) -> Result<Json, ApiError> {
        let (_, state) = self.state(None)?;
        let abi = self.app().abis().of_code(&state, hash)?;
        Ok(Json(abi.map_or_else(|| Value::Object(serde_json::Map::new()), |abi| abi.to_json())))
    }

    /// The ABI that a contract has now.
    pub(crate) fn newest_abi(&self, contract: ContractId) -> Result<Arc<Abi>, ApiError> {
        self.abi_at(contract, None)
    }

    /// The ABI that a contract had at a height.
    pub(crate) fn abi_at(&self, contract: ContractId, height: Option<Height>) -> Result<Arc<Abi>, ApiError> {
        let (_, state) = self.state(height)?;
        let record = record(&state, contract)?.ok_or_else(|| no_contract(contract))?;
        let abi = self.app().abis().of_code(&state, &record.code)?;
        abi.ok_or_else(|| ApiError::bad_input(format!("{contract} has no ABI: give bytes (`raw`) instead of JSON")))
    }

    /// Where a storage field's value is.
    pub(crate) fn place(abi: &Abi, name: &str, keys: &[Value]) -> Result<Place, ApiError> {
        let field = abi.storage.get(name).ok_or_else(|| {
            let known: Vec<_> = abi.storage.keys().map(String::as_str).collect();
            ApiError::not_found(format!("there is no storage field `{name}`; known: {}", known.join(", ")))
        })?;
        Place::find(abi, field, keys, &|_| None).map_err(|error| ApiError::bad_input(format!("`{name}`: {error}")))
    }

    /// A stored value as of a height, without a proof.
    pub(crate) fn stored(
        &self,
        contract: ContractId,
        which: &Stored,
        height: Option<Height>,
    ) -> Result<StateValue, ApiError> {
        let (height, state) = self.state(height)?;
        let (key, place) = match which {
            Stored::Raw(key) => (key.clone(), None),
            Stored::Field { name, keys } => {
                let abi = self.abi_at(contract, Some(height))?;
                let place = Self::place(&abi, name, keys)?;
                (Bytes::from(place.key.clone()), Some((abi.clone(), place)))
            }
        };
        let stored = state.read(&StateKey::new(contract, key.clone()))?;
        let value = place.and_then(|(abi, place)| place.value(&abi, stored.as_deref()).ok());
        Ok(StateValue {
            height: scalar::Height(height),
            value: value.filter(|value| !value.is_null()).map(Json),
            raw: stored.map(scalar::Bytes),
            key: scalar::Bytes(key),
            proof: None,
        })
    }
}

/// That there is no such contract.
pub(crate) fn no_contract(contract: ContractId) -> ApiError {
    ApiError::not_found(format!("there is no contract {contract}"))
}

/// A contract's record.
pub(super) fn record(state: &dyn StateRead, contract: ContractId) -> Result<Option<ContractRecord>, StateError> {
    let Some(bytes) = state.read(&StateKey::contract(contract))? else { return Ok(None) };
    borsh::from_slice(&bytes).map(Some).map_err(|_| StateError::Damaged(Damage::Contract(contract)))
}

fn account_record(state: &dyn StateRead, address: Address) -> Result<records::Account, StateError> {
    match state.read(&StateKey::account(address))? {
        None => Ok(records::Account::default()),
        Some(bytes) => borsh::from_slice(&bytes).map_err(|_| StateError::Damaged(Damage::Account)),
    }
}

fn balance(state: &dyn StateRead, contract: ContractId) -> Result<Amount, StateError> {
    account_record(state, Address::Contract(contract)).map(|record| record.balance)
}

fn code(state: &dyn StateRead, hash: &Hash) -> Result<Code, StateError> {
    let wasm = state.read(&StateKey::code(hash))?.ok_or(StateError::Damaged(Damage::Code(*hash)))?;
    let size = u32::try_from(wasm.len()).unwrap_or(u32::MAX);
    Ok(Code { hash: scalar::Hash(*hash), size, wasm: None, abi: None })
}
