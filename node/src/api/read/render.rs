//! From the chain's bytes to what people read: events, receipts, errors and messages by the ABI.
//!
//! Old events and errors are decoded with the ABI that the contract had at their height; where that state is no
//! longer kept, with the newest. What does not decode is left as bytes, never guessed.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use rustorium_chain::snapshot::FoundEvent;
use rustorium_runtime::{Diagnostics, StateError, StateRead};
use rustorium_types::{
    abi::{Abi, MethodKind, json},
    block::{self, MessageResult, Outcome},
    code::Code,
    hash,
    host::{CALL_PREFIX, INIT, MIGRATE, RECEIVE, VIEW_PREFIX},
    id::{Address, ContractId, Hash, Height},
    transaction::{self, Body},
};
use serde_json::Value;

use super::{Pinned, state::record};
use crate::api::{
    cursor::Cursor,
    model::{
        CallMessage, ContractError, Dropped, Event, Failure, Frame, InstantiateMessage, Message, Receipt,
        SetAdminMessage, SetValidatorsMessage, StoreCodeMessage, Success, TransactionStatus, TransferMessage,
        UpgradeMessage,
    },
    problem::ApiError,
    scalar::{self, Json},
};

/// Renders what belongs to one answer; what is the same for many of its parts is looked up once.
pub(crate) struct Render<'a> {
    pinned: &'a Pinned,
    /// Of a dry run: the state that it left.
    over: Option<Arc<dyn StateRead>>,
    certified: HashMap<Height, Option<Height>>,
    blocks: HashMap<Height, Hash>,
    abis: BTreeMap<(Height, ContractId), Option<Arc<Abi>>>,
}

/// A transaction's end, with all that is said of it.
pub(crate) struct Ended<'a> {
    pub(crate) height: Height,
    pub(crate) index: u32,
    pub(crate) receipt: &'a block::Receipt,
    pub(crate) messages: &'a [transaction::Message],
    pub(crate) events: &'a [FoundEvent],
    pub(crate) diagnostics: Option<&'a Diagnostics>,
}

impl<'a> Render<'a> {
    pub(crate) fn new(pinned: &'a Pinned) -> Self {
        let (certified, blocks, abis) = Default::default();
        Self { pinned, over: None, certified, blocks, abis }
    }

    /// The same for a dry run: what it did is read from the state that it left.
    pub(crate) fn over(pinned: &'a Pinned, state: Arc<dyn StateRead>) -> Self {
        Self { over: Some(state), ..Self::new(pinned) }
    }

    /// The first header that commits to the result of a height, if there is one.
    pub(crate) fn certified_by(&mut self, height: Height) -> Result<Option<Height>, ApiError> {
        if let Some(known) = self.certified.get(&height) {
            return Ok(*known);
        }
        let snapshot = self.pinned.snapshot();
        let mut first = None;
        if snapshot.certified() >= height {
            // `state_height` lags by a bounded number of blocks, so this looks at few headers.
            for candidate in height.0 + 1..=snapshot.height().0 {
                let sealed = snapshot.header(Height(candidate))?;
                if sealed.is_some_and(|sealed| sealed.is_signed() && sealed.header.state_height >= height) {
                    first = Some(Height(candidate));
                    break;
                }
            }
        }
        self.certified.insert(height, first);
        Ok(first)
    }

    /// The ABI that a contract had at a height.
    pub(crate) fn abi(&mut self, contract: ContractId, height: Height) -> Result<Option<Arc<Abi>>, StateError> {
        if let Some(known) = self.abis.get(&(height, contract)) {
            return Ok(known.clone());
        }
        let abis = self.pinned.app().abis();
        let find = |state: &dyn StateRead| match record(state, contract)? {
            Some(record) => abis.of_code(state, &record.code),
            None => Ok(None),
        };
        let snapshot = self.pinned.snapshot();
        let abi = match &self.over {
            Some(state) => find(&**state)?,
            None => match snapshot.state(height).or_else(|_| snapshot.state(snapshot.height())) {
                Ok(state) => find(&state)?,
                Err(_) => None,
            },
        };
        self.abis.insert((height, contract), abi.clone());
        Ok(abi)
    }

    /// An event.
    pub(crate) fn event(&mut self, found: &FoundEvent) -> Result<Event, ApiError> {
        let position = found.position;
        let block = self.block_hash(position.height)?;
        let event = &found.event;
        let abi = self.abi(event.contract, position.height)?;
        let fields = abi.and_then(|abi| json::event(&abi, &event.name, &event.fields).ok());
        Ok(Event {
            cursor: Cursor::event(position.height, &block, position.transaction, position.event).into(),
            height: scalar::Height(position.height),
            transaction: scalar::Hash(found.transaction),
            contract: scalar::Address(Address::Contract(event.contract)),
            name: event.name.clone(),
            fields: fields.map(Json),
            raw: event.fields.clone().into(),
            certified_by: self.certified_by(position.height)?.map(scalar::Height),
        })
    }

    /// A transaction's last status.
    pub(crate) fn ended(&mut self, ended: &Ended<'_>) -> Result<TransactionStatus, ApiError> {
        let receipt = self.receipt(ended)?;
        Ok(match &ended.receipt.outcome {
            Outcome::Success { results } => {
                let mut shown = Vec::with_capacity(results.len());
                for (message, result) in ended.messages.iter().zip(results) {
                    shown.push(self.result(message, result, ended.height)?.map(Json));
                }
                let events = ended.events.iter().map(|event| self.event(event)).collect::<Result<_, _>>()?;
                TransactionStatus::Success(Success { receipt, results: shown, events })
            }
            Outcome::Failure(failure) => {
                let error = self.error(failure, ended.height, ended.diagnostics)?;
                TransactionStatus::Failure(Failure { receipt, error })
            }
            Outcome::Dropped { code } => TransactionStatus::Dropped(Dropped {
                height: receipt.height,
                code: code.to_string(),
                certified_by: receipt.certified_by,
                receipt: Some(receipt),
            }),
        })
    }

    fn receipt(&mut self, ended: &Ended<'_>) -> Result<Receipt, ApiError> {
        let receipt = ended.receipt;
        Ok(Receipt {
            height: scalar::Height(ended.height),
            index: ended.index,
            gas_used: receipt.gas_used.into(),
            fee: scalar::Amount(receipt.fee),
            paid_by: scalar::Address(Address::Account(receipt.paid_by)),
            certified_by: self.certified_by(ended.height)?.map(scalar::Height),
            bytes: borsh::to_vec(receipt).unwrap_or_default().into(),
            proof: None,
        })
    }

    /// What a message came to: what it returned, or what it made.
    fn result(
        &mut self,
        message: &transaction::Message,
        result: &MessageResult,
        height: Height,
    ) -> Result<Option<Value>, ApiError> {
        use transaction::Message as Sent;
        let (contract, kind, method, returned) = match (message, result) {
            (_, MessageResult::StoreCode { code }) => return Ok(Some(Value::String(code.to_string()))),
            (_, MessageResult::Instantiate { contract, .. }) => return Ok(Some(Value::String(contract.to_string()))),
            (Sent::Call { contract, method, .. }, MessageResult::Call { returned }) => {
                (*contract, MethodKind::Call, method.as_str(), returned)
            }
            (Sent::Upgrade { contract, .. }, MessageResult::Upgrade { returned }) => {
                (*contract, MethodKind::Migrate, MIGRATE, returned)
            }
            (Sent::Transfer { to: Address::Contract(contract), .. }, MessageResult::Transfer { returned }) => {
                (*contract, MethodKind::Receive, RECEIVE, returned)
            }
            _ => return Ok(None),
        };
        let abi = self.abi(contract, height)?;
        Ok(returned_json(abi.as_deref(), kind, method, returned))
    }

    /// What failed, and where.
    pub(crate) fn error(
        &mut self,
        failure: &block::Failure,
        height: Height,
        diagnostics: Option<&Diagnostics>,
    ) -> Result<ContractError, ApiError> {
        let failed = failure.path.last();
        let readable = match (&failure.error, failed) {
            (Some(error), Some(frame)) => {
                let abi = self.abi(frame.contract, height)?;
                abi.and_then(|abi| json::error(&abi, error).ok())
            }
            _ => None,
        };
        let said = diagnostics.and_then(|diagnostics| diagnostics.message.as_deref());
        let message = match (&readable, &failure.error) {
            (Some(error), _) if !error.message.is_empty() => error.message.clone(),
            (Some(error), _) if error.fields.as_object().is_some_and(|fields| !fields.is_empty()) => {
                format!("{} {}", error.name, error.fields)
            }
            (_, Some(error)) => error.name.clone(),
            _ => sentence(failure.code, failed, said),
        };
        let last = failure.path.len().saturating_sub(1);
        let function = diagnostics.and_then(|diagnostics| diagnostics.function.clone());
        let frame = |(index, frame): (usize, &block::Frame)| Frame {
            contract: scalar::Address(Address::Contract(frame.contract)),
            method: method_of(&frame.export).to_owned(),
            gas_used: frame.gas_used.into(),
            function: if index == last { function.clone() } else { None },
        };
        Ok(ContractError {
            code: failure.code.to_string(),
            message,
            message_index: failure.message_index,
            contract: failed.map(|frame| scalar::Address(Address::Contract(frame.contract))),
            name: failure.error.as_ref().map(|error| error.name.clone()),
            fields: readable.map(|error| Json(error.fields)),
            raw: failure.error.as_ref().map(|error| error.fields.clone().into()),
            path: failure.path.iter().enumerate().map(frame).collect(),
        })
    }

    /// The messages of a transaction, as they were sent.
    pub(crate) fn messages(&mut self, body: &Body, height: Height) -> Result<Vec<Message>, ApiError> {
        let sender = Address::Account(body.sender);
        let mut messages = Vec::with_capacity(body.messages.len());
        for (index, message) in body.messages.iter().enumerate() {
            messages.push(self.message(index as u32, message, sender, height)?);
        }
        Ok(messages)
    }

    fn message(
        &mut self,
        index: u32,
        message: &transaction::Message,
        sender: Address,
        height: Height,
    ) -> Result<Message, ApiError> {
        use transaction::Message as Sent;
        let address = |contract: ContractId| scalar::Address(Address::Contract(contract));
        Ok(match message {
            Sent::Transfer { to, amount } => {
                Message::Transfer(TransferMessage { index, to: scalar::Address(*to), amount: scalar::Amount(*amount) })
            }
            Sent::StoreCode { wasm } => Message::StoreCode(StoreCodeMessage {
                index,
                code: scalar::Hash(hash::code_hash(wasm)),
                size: scalar::Uint(wasm.len() as u64),
            }),
            Sent::Instantiate { code, salt, admin, label, args, value } => Message::Instantiate(InstantiateMessage {
                index,
                contract: address(hash::contract_id(sender, salt)),
                code: scalar::Hash(*code),
                salt: salt.to_vec().into(),
                admin: admin.map(scalar::Address),
                label: label.clone(),
                args: arguments(self.code_abi(code)?.as_deref(), MethodKind::Init, INIT, args),
                raw: args.clone().into(),
                value: scalar::Amount(*value),
            }),
            Sent::Call { contract, method, args, value } => Message::Call(CallMessage {
                index,
                contract: address(*contract),
                method: method.clone(),
                args: arguments(self.abi(*contract, height)?.as_deref(), MethodKind::Call, method, args),
                raw: args.clone().into(),
                value: scalar::Amount(*value),
            }),
            Sent::Upgrade { contract, code, args } => Message::Upgrade(UpgradeMessage {
                index,
                contract: address(*contract),
                code: scalar::Hash(*code),
                args: arguments(self.code_abi(code)?.as_deref(), MethodKind::Migrate, MIGRATE, args),
                raw: args.clone().into(),
            }),
            Sent::SetAdmin { contract, admin } => Message::SetAdmin(SetAdminMessage {
                index,
                contract: address(*contract),
                admin: admin.map(scalar::Address),
            }),
            Sent::SetValidators { change, signatures } => Message::SetValidators(SetValidatorsMessage {
                index,
                epoch: scalar::Uint(change.epoch.0),
                number: scalar::Uint(change.number),
                validators: change.validators.iter().map(|key| scalar::Hash(Hash(*key))).collect(),
                signers: signatures.iter().map(|one| scalar::Hash(Hash(one.validator))).collect(),
            }),
        })
    }

    fn code_abi(&self, code: &Hash) -> Result<Option<Arc<Abi>>, ApiError> {
        let (_, state) = self.pinned.state(None)?;
        Ok(self.pinned.app().abis().of_code(&state, code)?)
    }

    fn block_hash(&mut self, height: Height) -> Result<Hash, ApiError> {
        if let Some(known) = self.blocks.get(&height) {
            return Ok(*known);
        }
        // A dry run's events are of a block that will never be.
        let hash = self.pinned.snapshot().header(height)?.map_or(Hash::ZERO, |sealed| sealed.hash);
        self.blocks.insert(height, hash);
        Ok(hash)
    }
}

/// What a method returned, by the ABI: null for nothing, the bytes where no ABI says what they are.
pub(super) fn returned_json(abi: Option<&Abi>, kind: MethodKind, method: &str, returned: &[u8]) -> Option<Value> {
    let typed = abi.and_then(|abi| {
        let method = abi.method(kind, method)?;
        json::decode(abi, &method.returns, returned).ok()
    });
    match typed {
        Some(Value::Null) => None,
        Some(value) => Some(value),
        None if returned.is_empty() => None,
        None => Some(Value::String(scalar::hex_text(returned))),
    }
}

fn arguments(abi: Option<&Abi>, kind: MethodKind, method: &str, args: &[u8]) -> Option<Json> {
    let abi = abi?;
    let method = abi.method(kind, method)?;
    json::decode_fields(abi, &method.arguments, args).ok().map(Json)
}

/// An export as people know it.
fn method_of(export: &str) -> &str {
    export.strip_prefix(CALL_PREFIX).or_else(|| export.strip_prefix(VIEW_PREFIX)).unwrap_or(export)
}

/// A sentence for a failure that no contract declared.
fn sentence(code: Code, failed: Option<&block::Frame>, said: Option<&str>) -> String {
    // Where no contract ran, what the system says of its own messages is the whole of it.
    if let (
        None,
        Some(said),
        Code::Forbidden
        | Code::AlreadyExists
        | Code::BadUserInput
        | Code::WrongEpoch
        | Code::NoQuorum
        | Code::InvalidSignature,
    ) = (failed, said, code)
    {
        return said.into();
    }
    let method = failed.map_or("the message", |frame| method_of(&frame.export));
    let because = said.map(|said| format!(": {said}")).unwrap_or_default();
    match code {
        Code::OutOfGas => format!("`{method}` ran out of gas{because}"),
        Code::Trap => format!("`{method}` trapped{because}"),
        Code::UnknownMethod => format!("the contract has no such method{because}"),
        Code::NotFound => format!("there is no such contract or code{because}"),
        Code::NotPayable => format!("`{method}` does not take value{because}"),
        Code::Reentrant => format!("`{method}` is already running and may not be entered again{because}"),
        Code::InsufficientFunds => format!("the balance does not cover the value{because}"),
        Code::Forbidden => format!("only the contract's admin may do this{because}"),
        Code::AlreadyExists => format!("there is a contract at this address already{because}"),
        Code::InvalidModule => format!("the module is refused{because}"),
        Code::TooLarge => format!("a size limit is exceeded{because}"),
        Code::BadUserInput => format!("the arguments do not decode{because}"),
        other => format!("{other}{because}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_without_an_abi_are_shown_as_they_are() {
        assert_eq!(returned_json(None, MethodKind::Call, "get", &[]), None);
        assert_eq!(returned_json(None, MethodKind::Call, "get", &[1, 2]), Some(Value::String("0x0102".into())));
    }

    #[test]
    fn a_trap_says_where_and_why() {
        let frame = block::Frame {
            contract: ContractId([1; 32]),
            export: "call.transfer".into(),
            gas_used: rustorium_types::id::Gas(1),
        };
        assert_eq!(sentence(Code::Trap, Some(&frame), Some("overflow")), "`transfer` trapped: overflow");
        assert_eq!(sentence(Code::OutOfGas, Some(&frame), None), "`transfer` ran out of gas");
    }
}
