//! What readers search a block by: its events by contract, name and indexed field, and its transactions by
//! account.
//!
//! A topic is the start of a digest of what is searched for, so that every row of an index has a short key:
//!
//! ```text
//! topic   first 16 bytes of blake3(field value domain │ kind 1 │ contract 32 │ length of the name 2 │ name
//!                                  │ length of the field's name 2 │ field's name │ value)
//! kind    0 events of a contract   1 events of a name   2 both   3 both, and a field that equals a value
//! ```
//!
//! What a kind leaves out is empty, a contract zero. Events whose contract has no ABI at that height, or that do
//! not decode by it, are found by contract and name alone. The ABI is that of the state after the block.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use rustorium_runtime::{StateKey, StateRead};
use rustorium_types::{
    abi::{Abi, walk},
    block::Event,
    hash::{Domain, hash},
    id::{AccountId, ContractId, Hash},
    state::ContractRecord,
};

use super::{
    block::TransactionEntry,
    error::StoreError,
    schema::{Short, short},
};

/// The start of a digest of what is searched for.
pub(crate) type Topic = Short;

/// Codes whose ABI is kept: more than a chain uses at a time.
const ABIS: usize = 256;

/// The topic of a contract's events.
pub(crate) fn contract_topic(contract: ContractId) -> Topic {
    topic(0, contract, "", "", &[])
}

/// The topic of events of a name.
pub(crate) fn name_topic(name: &str) -> Topic {
    topic(1, ContractId::SYSTEM, name, "", &[])
}

/// The topic of a contract's events of a name.
pub(crate) fn event_topic(contract: ContractId, name: &str) -> Topic {
    topic(2, contract, name, "", &[])
}

/// The topic of a contract's events of a name in which a field has a value, in its encoding.
pub(crate) fn field_topic(contract: ContractId, name: &str, field: &str, value: &[u8]) -> Topic {
    topic(3, contract, name, field, value)
}

fn topic(kind: u8, contract: ContractId, name: &str, field: &str, value: &[u8]) -> Topic {
    let length = |text: &str| (text.len() as u16).to_le_bytes();
    let (name_length, field_length) = (length(name), length(field));
    let parts: [&[u8]; 7] =
        [&[kind], &contract.0, &name_length, name.as_bytes(), &field_length, field.as_bytes(), value];
    short(&hash(Domain::FieldValue, &parts))
}

/// The index of one block. Places are (transaction, event).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct BlockIndex {
    /// Places by contract, by name, and by both; rising.
    pub(crate) events: BTreeMap<Topic, Vec<(u32, u32)>>,
    /// Places by field and value; rising.
    pub(crate) fields: BTreeMap<Topic, Vec<(u32, u32)>>,
    /// Receipts that concern an account.
    pub(crate) accounts: Vec<(AccountId, u32)>,
}

impl BlockIndex {
    /// Indexes a block; `state` is the state after it.
    pub(crate) fn new(
        transactions: &[TransactionEntry],
        events: &[Event],
        abis: &mut Abis,
        state: &dyn StateRead,
    ) -> Result<Self, StoreError> {
        let mut index = Self::default();
        for (receipt, entry) in (0..).zip(transactions) {
            index.accounts.extend(entry.accounts.iter().map(|account| (*account, receipt)));
        }
        index.accounts.sort_unstable();
        let mut known = HashMap::new();
        for event in events {
            let place = (event.transaction_index, event.event_index);
            let (contract, name) = (event.contract, event.name.as_str());
            for topic in [contract_topic(contract), name_topic(name), event_topic(contract, name)] {
                index.events.entry(topic).or_default().push(place);
            }
            let abi = match known.get(&contract) {
                Some(abi) => abi,
                None => known.entry(contract).or_insert(abis.of_contract(contract, state)?),
            };
            let fields = abi.as_ref().and_then(|abi| walk::event_fields(abi, name, &event.fields).ok());
            for field in fields.unwrap_or_default().iter().filter(|field| field.indexed) {
                let topic = field_topic(contract, name, field.name, field.value);
                index.fields.entry(topic).or_default().push(place);
            }
        }
        Ok(index)
    }

    /// About how many bytes of memory it takes.
    pub(crate) fn weight(&self) -> usize {
        let places = |map: &BTreeMap<Topic, Vec<(u32, u32)>>| map.values().map(|places| 64 + 8 * places.len()).sum();
        let (events, fields): (usize, usize) = (places(&self.events), places(&self.fields));
        events + fields + 40 * self.accounts.len()
    }
}

/// ABIs of codes.
#[derive(Default)]
pub(crate) struct Abis(HashMap<Hash, Option<Arc<Abi>>>);

impl Abis {
    /// The ABI of the code that a contract has in a state, if it has one.
    fn of_contract(&mut self, contract: ContractId, state: &dyn StateRead) -> Result<Option<Arc<Abi>>, StoreError> {
        let Some(record) = state.read(&StateKey::contract(contract))? else { return Ok(None) };
        let Ok(record) = borsh::from_slice::<ContractRecord>(&record) else { return Ok(None) };
        if let Some(abi) = self.0.get(&record.code) {
            return Ok(abi.clone());
        }
        let code = state.read(&StateKey::code(&record.code))?;
        let abi = code.and_then(|wasm| Abi::from_wasm(&wasm).ok().flatten()).map(Arc::new);
        if self.0.len() >= ABIS {
            self.0.clear();
        }
        self.0.insert(record.code, abi.clone());
        Ok(abi)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_do_not_run_into_each_other() {
        let contract = ContractId([1; 32]);
        let topics = [
            contract_topic(contract),
            contract_topic(ContractId::SYSTEM),
            name_topic("ab"),
            event_topic(contract, "ab"),
            event_topic(contract, "a"),
            event_topic(ContractId::SYSTEM, "ab"),
            field_topic(contract, "ab", "c", b""),
            field_topic(contract, "a", "bc", b""),
            field_topic(contract, "a", "b", b"c"),
        ];
        let distinct: std::collections::BTreeSet<_> = topics.iter().collect();
        assert_eq!(distinct.len(), topics.len());
    }
}
