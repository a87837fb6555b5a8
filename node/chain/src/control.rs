//! What control records do to the state of a dev chain, and which of them it does not take.
//!
//! A function of state and record, for the engine, which makes a no-op of what may not be, and for whoever wants to
//! know before. What only the system writes must be whole: a record that does not decode, or that names code which is
//! not there, would stop the chain the next time it is read.
//!
//! Two kinds are not here: [`Control::Impersonate`] is a transaction by the time that it is executed, and
//! [`Control::Revert`] is what the engine does before anything else of its block.

use bytes::Bytes;
use rustorium_runtime::{Damage, ExecuteError, InvalidModule, Runtime, StateError, StateKey, StateRead, Writes};
use rustorium_types::{
    hash::code_hash,
    id::{Address, ContractId, Hash, Height, Nonce},
    key,
    limits::{KEY_BYTES, VALUE_BYTES},
    record::{Control, StateEntry},
    state::{Account, ContractRecord, NonceWindow},
};
use thiserror::Error;

use crate::dev::{DevSnapshots, DevTime};

/// Why a control record does nothing.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Unfit {
    /// A storage key over the limit.
    #[error("a storage key has at most {limit} bytes, this one has {0}", limit = KEY_BYTES)]
    Key(usize),
    /// A value over the limit.
    #[error("a value has at most {limit} bytes, this one has {0}", limit = VALUE_BYTES)]
    Value(usize),
    /// An entry of the system's own that is none of its records.
    #[error("an entry of the system is an account, a contract or a code, and codes and contracts are not removed")]
    System,
    /// A record of the system's own that does not decode.
    #[error("the value is not the encoding of the record that its key names")]
    Record,
    /// A contract's record whose code is not stored.
    #[error("code {0} is not stored, and a contract cannot be without its code")]
    NoCode(Hash),
    /// A code whose key is another code's.
    #[error("the code is not the one that its key names: its hash is {0}")]
    OtherCode(Hash),
    /// A code that could not be stored by a transaction either.
    #[error("the code is refused: {0}")]
    Code(#[from] InvalidModule),
    /// Contract 0 is the system.
    #[error("the system has no code")]
    SystemCode,
    /// No snapshot was taken of this height, or it is not kept any more.
    #[error("there is no snapshot {height}; {}", Known(.known))]
    NoSnapshot {
        /// The height asked for.
        height: Height,
        /// Those there are.
        known: Vec<Height>,
    },
}

/// Snapshots in a sentence.
struct Known<'a>(&'a [Height]);

impl std::fmt::Display for Known<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.0.is_empty() {
            return f.write_str("none is kept");
        }
        f.write_str("kept:")?;
        self.0.iter().try_for_each(|height| write!(f, " {height}"))
    }
}

/// What a control record changes in a block of this height, or why it changes nothing.
pub(crate) fn changes(
    control: &Control,
    height: Height,
    runtime: &Runtime,
    state: &dyn StateRead,
) -> Result<Result<Writes, Unfit>, ExecuteError> {
    Ok(Ok(match control {
        Control::TimeOffset { milliseconds } => {
            Writes::from([DevTime { offset: *milliseconds, ..DevTime::read(state)? }.entry()])
        }
        Control::TimeAtLeast { time } => {
            let before = DevTime::read(state)?;
            Writes::from([DevTime { at_least: before.at_least.max(*time), ..before }.entry()])
        }
        Control::SetBalance { address, amount } => {
            Writes::from([account_entry(*address, &Account { balance: *amount, ..account(state, *address)? })])
        }
        Control::SetNonce { account: of, nonce } => {
            let address = Address::Account(*of);
            Writes::from([account_entry(address, &Account { nonces: window(*nonce), ..account(state, address)? })])
        }
        Control::SetEntries { entries } => return set_entries(entries, runtime, state),
        Control::SetCode { contract, wasm } => return set_code(*contract, wasm, height, runtime, state),
        Control::Snapshot => {
            let mut snapshots = DevSnapshots::read(state)?;
            snapshots.keep(height);
            Writes::from([snapshots.entry()])
        }
        // Revert, where it stands in the wrong place: only a block that this software did not make has that. Of the
        // others, that they are in a block is all that they ask for.
        _ => Writes::new(),
    }))
}

/// Whether a block with this height may be reverted to, in the state that a revert would find.
pub(crate) fn check_revert(height: Height, state: &dyn StateRead) -> Result<Result<(), Unfit>, StateError> {
    let snapshots = DevSnapshots::read(state)?;
    let known = snapshots.heights();
    Ok(if known.contains(&height) { Ok(()) } else { Err(Unfit::NoSnapshot { height, known: known.to_vec() }) })
}

/// All nonces up to one used.
const fn window(nonce: Nonce) -> NonceWindow {
    let bitmap = if nonce.0 == 0 { [0; 64] } else { [0xff; 64] };
    NonceWindow { highest: nonce, bitmap }
}

fn set_entries(
    entries: &[StateEntry],
    runtime: &Runtime,
    state: &dyn StateRead,
) -> Result<Result<Writes, Unfit>, ExecuteError> {
    let mut writes = Writes::new();
    for StateEntry { contract, key, value } in entries {
        let checked = if *contract == ContractId::SYSTEM {
            check_record(key, value.as_deref(), runtime, &writes, state)?
        } else {
            check_size(key, value.as_deref())
        };
        if let Err(unfit) = checked {
            return Ok(Err(unfit));
        }
        let value = value.as_deref().map(Bytes::copy_from_slice);
        writes.insert(StateKey::new(*contract, Bytes::copy_from_slice(key)), value);
    }
    Ok(Ok(writes))
}

fn check_size(key: &[u8], value: Option<&[u8]>) -> Result<(), Unfit> {
    if key.len() > KEY_BYTES {
        return Err(Unfit::Key(key.len()));
    }
    match value {
        Some(value) if value.len() > VALUE_BYTES => Err(Unfit::Value(value.len())),
        _ => Ok(()),
    }
}

/// One of the system's own records: whole, and code before who names it.
fn check_record(
    record_key: &[u8],
    value: Option<&[u8]>,
    runtime: &Runtime,
    before: &Writes,
    state: &dyn StateRead,
) -> Result<Result<(), Unfit>, ExecuteError> {
    let named = |field| record_key.strip_prefix(key::field(field).as_slice());
    if let Some(address) = named("account") {
        let is_whole = borsh::from_slice::<Address>(address).is_ok()
            && value.is_none_or(|value| borsh::from_slice::<Account>(value).is_ok());
        return Ok(if is_whole { Ok(()) } else { Err(Unfit::Record) });
    }
    let Some(value) = value else { return Ok(Err(Unfit::System)) };
    if let Some(contract) = named("contract") {
        let record = borsh::from_slice::<ContractRecord>(value);
        let Ok(record) = record else { return Ok(Err(Unfit::Record)) };
        if contract.len() != 32 || *contract == ContractId::SYSTEM.0 {
            return Ok(Err(Unfit::Record));
        }
        let code = StateKey::code(&record.code);
        let is_stored = before.contains_key(&code) || state.read(&code)?.is_some();
        return Ok(if is_stored { Ok(()) } else { Err(Unfit::NoCode(record.code)) });
    }
    if let Some(named) = named("code") {
        let hash = code_hash(value);
        if *named != hash.0 {
            return Ok(Err(Unfit::OtherCode(hash)));
        }
        return Ok(runtime.prepare(value)?.map(|_| ()).map_err(Unfit::from));
    }
    Ok(Err(Unfit::System))
}

fn set_code(
    contract: ContractId,
    wasm: &[u8],
    height: Height,
    runtime: &Runtime,
    state: &dyn StateRead,
) -> Result<Result<Writes, Unfit>, ExecuteError> {
    if contract == ContractId::SYSTEM {
        return Ok(Err(Unfit::SystemCode));
    }
    let code = match runtime.prepare(wasm)? {
        Ok(code) => code,
        Err(refused) => return Ok(Err(refused.into())),
    };
    let before = state.read(&StateKey::contract(contract))?;
    let record = match before {
        Some(bytes) => {
            let record: ContractRecord =
                borsh::from_slice(&bytes).map_err(|_| StateError::Damaged(Damage::Contract(contract)))?;
            ContractRecord { code, ..record }
        }
        None => {
            ContractRecord { code, admin: None, creator: Address::Contract(contract), height, label: String::new() }
        }
    };
    Ok(Ok(Writes::from([
        (StateKey::code(&code), Some(Bytes::copy_from_slice(wasm))),
        (StateKey::contract(contract), Some(encoded(&record).into())),
    ])))
}

/// An address's account record.
pub(crate) fn account(state: &dyn StateRead, address: Address) -> Result<Account, StateError> {
    match state.read(&StateKey::account(address))? {
        None => Ok(Account::default()),
        Some(bytes) => borsh::from_slice(&bytes).map_err(|_| StateError::Damaged(Damage::Account)),
    }
}

/// The entry of an address's account record.
pub(crate) fn account_entry(address: Address, account: &Account) -> (StateKey, Option<Bytes>) {
    (StateKey::account(address), Some(encoded(account).into()))
}

/// Memory does not fail, and nothing here has a length that borsh refuses.
fn encoded(value: &impl borsh::BorshSerialize) -> Vec<u8> {
    borsh::to_vec(value).unwrap_or_default()
}
