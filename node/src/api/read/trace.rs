//! From what an execution did to what people read: methods, values, events and errors by the ABI.
//!
//! A trace runs on the workers, one at a time: it takes as long as its block, and views must not wait for it. It is
//! bounded in steps, bytes and changes, and says where it leaves something out.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use rustorium_chain::trace::{self, TraceError};
use rustorium_runtime::{
    Action, Argument, Excerpt, Execution, FrameTrace, StateError, StateKey, StateRead, Step, Trace as Traced,
    TraceLimits, TracedFailure, Writes,
};
use rustorium_types::{
    abi::{
        Abi, MethodKind,
        json::{self, Named},
    },
    block::{Outcome, TypedError},
    code::Code,
    host::{CALL_PREFIX, INIT, MIGRATE, VIEW_PREFIX},
    id::{Address, ContractId, Hash, Height},
    key,
    state::{Account, ContractRecord},
    transaction::{Body, Message},
};
use serde_json::{Map, Value as Plain, json};

use super::{Pinned, Render, render::returned_json};
use crate::api::{
    App,
    model::{
        Change, MessageTrace, Place, Trace, TraceEvent, TraceFrame, TraceHost, TraceLog, TraceRead, TraceStep,
        TraceWrite, TracedError, Value,
    },
    problem::ApiError,
    scalar::{self, Json},
};

/// Entries that are shown as changed: as many as there are steps.
const CHANGES: usize = 5_000;
/// Bytes of changed values that are shown, all together.
const CHANGED_BYTES: usize = 1 << 20;
/// Bytes of one of them.
const VALUE_BYTES: usize = 4_096;

impl From<TraceError> for ApiError {
    fn from(error: TraceError) -> Self {
        match error {
            TraceError::Height(error) => {
                let mut error = Self::from(error);
                let hint = "the state before the transaction's block is needed; `rustorium replay --into` rebuilds a \
                            directory whose node can be given a larger `storage.proof_window`";
                error.message = format!("{}: {hint}", error.message);
                error
            }
            TraceError::Store(error) => error.into(),
            TraceError::Execute(error) => error.into(),
            other => Self::internal(other),
        }
    }
}

/// Executes a past transaction again and tells what it did.
pub(crate) async fn traced(app: &App, hash: Hash) -> Result<Trace, ApiError> {
    let pinned = Pinned::newest(app);
    let position = pinned.snapshot().transaction(&hash)?;
    let position = position.ok_or_else(|| {
        let pending = app.admission().pool().known(&hash).is_some();
        let why = if pending { "is not executed yet" } else { "is not there" };
        ApiError::not_found(format!("transaction {hash} {why}"))
    })?;
    let turn = app.trace_turn().await?;
    let chain = app.chain().clone();
    app.workers()
        .run(move || {
            let _turn = turn;
            let traced = trace::trace(pinned.snapshot(), chain.runtime(), position, TraceLimits::default())?;
            let record = pinned.snapshot().record(position)?;
            let body = record.and_then(|record| super::transactions::body_of(&record));
            let body = body.ok_or_else(|| ApiError::internal("a traced transaction has no body"))?;
            let shown = Shown {
                hash,
                body: &body,
                height: position.height,
                execution: &traced.execution,
                trace: &traced.trace,
                before: &traced.before,
            };
            Render::new(&pinned).trace(&shown)
        })
        .await
}

/// A traced execution, with what it is of.
pub(crate) struct Shown<'a> {
    pub(crate) hash: Hash,
    pub(crate) body: &'a Body,
    pub(crate) height: Height,
    pub(crate) execution: &'a Execution,
    pub(crate) trace: &'a Traced,
    /// The state that it found.
    pub(crate) before: &'a Arc<dyn StateRead>,
}

/// ABIs during a trace: of the state that it left, else of the one that it found.
struct Abis<'a, 'b> {
    render: &'a mut Render<'b>,
    height: Height,
    /// Something was cut.
    cut: bool,
    known: BTreeMap<ContractId, Option<Arc<Abi>>>,
}

impl Render<'_> {
    /// What an execution did.
    pub(crate) fn trace(&mut self, shown: &Shown<'_>) -> Result<Trace, ApiError> {
        let mut abis = Abis { render: self, height: shown.height, cut: false, known: BTreeMap::new() };
        let mut messages = Vec::with_capacity(shown.trace.messages.len());
        for (index, (message, traced)) in shown.body.messages.iter().zip(&shown.trace.messages).enumerate() {
            let failed = contract_of(traced.steps.last());
            messages.push(MessageTrace {
                index: index as u32,
                kind: kind_of(message),
                gas_used: traced.gas_used.into(),
                error: traced.failure.as_ref().map(|failure| abis.error(failed, failure)).transpose()?,
                steps: abis.steps(None, &traced.steps)?,
            });
        }
        let (status, code, gas_used, fee) = match shown.execution {
            Execution::NoOp(_) => ("Dropped", Some(Code::NonceUsed), 0, rustorium_types::id::Amount::ZERO),
            Execution::Done(effects) => {
                let receipt = &effects.receipt;
                let (status, code) = match &receipt.outcome {
                    Outcome::Success { .. } => ("Success", None),
                    Outcome::Failure(failure) => ("Failure", Some(failure.code)),
                    Outcome::Dropped { code } => ("Dropped", Some(*code)),
                };
                (status, code, receipt.gas_used.0, receipt.fee)
            }
        };
        let changes = match shown.execution {
            Execution::Done(effects) => abis.changes(&effects.writes, shown.before)?,
            Execution::NoOp(_) => Vec::new(),
        };
        Ok(Trace {
            transaction: scalar::Hash(shown.hash),
            height: scalar::Height(shown.height),
            status,
            code: code.map(|code| code.to_string()),
            gas_limit: shown.body.gas_limit.into(),
            gas_used: scalar::Uint(gas_used),
            intrinsic_gas: shown.trace.intrinsic.into(),
            fee: scalar::Amount(fee),
            messages,
            changes,
            truncated: abis.cut || shown.trace.omitted > 0,
            omitted: scalar::Uint(shown.trace.omitted),
        })
    }
}

impl Abis<'_, '_> {
    fn of(&mut self, contract: ContractId) -> Result<Option<Arc<Abi>>, StateError> {
        if let Some(known) = self.known.get(&contract) {
            return Ok(known.clone());
        }
        let abi = self.render.abi(contract, self.height)?;
        self.known.insert(contract, abi.clone());
        Ok(abi)
    }

    fn steps(&mut self, of: Option<ContractId>, steps: &[Step]) -> Result<Vec<TraceStep>, ApiError> {
        steps.iter().map(|step| self.step(of, step)).collect()
    }

    fn step(&mut self, of: Option<ContractId>, step: &Step) -> Result<TraceStep, ApiError> {
        let gas = step.gas.into();
        let abi = match of {
            Some(contract) => self.of(contract)?,
            None => None,
        };
        let abi = abi.as_deref();
        Ok(match &step.action {
            Action::Frame(frame) => TraceStep::Frame(Box::new(self.frame(step, frame)?)),
            Action::Read { key, value } => {
                let (place, named) = self.place(abi, key);
                let value = value.as_ref().map(|value| self.value(abi, named.as_ref(), value));
                TraceStep::Read(TraceRead { place, value, gas })
            }
            Action::Write { key, before, after } => {
                let (place, named) = self.place(abi, key);
                let before = before.as_ref().map(|value| self.value(abi, named.as_ref(), value));
                let after = after.as_ref().map(|value| self.value(abi, named.as_ref(), value));
                TraceStep::Write(TraceWrite { place, before, after, gas })
            }
            Action::Event { name, fields } => {
                let whole = self.whole(fields);
                let decoded = abi.zip(whole).and_then(|(abi, fields)| json::event(abi, name, fields).ok());
                let raw = scalar::Bytes(fields.bytes.clone());
                TraceStep::Event(TraceEvent { name: name.clone(), fields: decoded.map(Json), raw, gas })
            }
            Action::Log { text } => TraceStep::Log(TraceLog { text: text.clone(), gas }),
            Action::Host { function, arguments } => {
                let arguments = arguments.iter().map(|(name, argument)| ((*name).to_owned(), told(name, argument)));
                let args = Json(Plain::Object(Map::from_iter(arguments)));
                TraceStep::Host(TraceHost { function, args, gas })
            }
        })
    }

    fn frame(&mut self, step: &Step, frame: &FrameTrace) -> Result<TraceFrame, ApiError> {
        let (kind, method) = entry(&frame.export);
        let abi = self.of(frame.contract)?;
        let known = abi.as_deref().and_then(|abi| abi.method(kind, method).map(|method| (abi, method)));
        let args = known
            .zip(self.whole(&frame.arguments))
            .and_then(|((abi, method), arguments)| json::decode_fields(abi, &method.arguments, arguments).ok());
        let (returned, error) = match &frame.result {
            Ok(returned) => {
                let bytes = self.whole(returned).map(|bytes| returned_json(abi.as_deref(), kind, method, bytes));
                let cut = || Some(Plain::String(scalar::hex_text(&returned.bytes)));
                (bytes.unwrap_or_else(cut), None)
            }
            Err(failure) => (None, Some(self.error(Some(frame.contract), failure)?)),
        };
        Ok(TraceFrame {
            contract: scalar::Address(Address::Contract(frame.contract)),
            kind: kind.text(),
            method: method.to_owned(),
            caller: frame.caller.map(scalar::Address),
            value: scalar::Amount(frame.value),
            args: args.map(Json),
            raw: scalar::Bytes(frame.arguments.bytes.clone()),
            gas_limit: frame.gas_limit.into(),
            gas_used: step.gas.into(),
            returned: returned.map(Json),
            error,
            steps: self.steps(Some(frame.contract), &frame.steps)?,
        })
    }

    /// A failure; the contract that failed declares the error.
    fn error(&mut self, of: Option<ContractId>, failure: &TracedFailure) -> Result<TracedError, ApiError> {
        let abi = match of {
            Some(contract) => self.of(contract)?,
            None => None,
        };
        let typed = failure.error.as_ref();
        let readable = abi.as_deref().zip(typed).and_then(|(abi, (name, fields))| {
            let fields = self.whole(fields)?.to_vec();
            json::error(abi, &TypedError { name: name.clone(), fields }).ok()
        });
        let said = readable.as_ref().map(|error| error.message.clone()).filter(|message| !message.is_empty());
        Ok(TracedError {
            code: failure.code.to_string(),
            message: said.or_else(|| failure.message.clone()),
            name: typed.map(|(name, _)| name.clone()),
            fields: readable.map(|error| Json(error.fields)),
            function: failure.function.clone(),
        })
    }

    fn place(&mut self, abi: Option<&Abi>, key: &Excerpt) -> (Place, Option<Named>) {
        let named = abi.zip(self.whole(key)).and_then(|(abi, key)| json::Place::named(abi, key));
        (place(key.bytes.clone(), named.as_ref()), named)
    }

    fn value(&mut self, abi: Option<&Abi>, named: Option<&Named>, stored: &Excerpt) -> Value {
        let whole = self.whole(stored);
        let value =
            abi.zip(named).zip(whole).and_then(|((abi, named), bytes)| named.place.value(abi, Some(bytes)).ok());
        Value {
            value: value.map(Json),
            raw: scalar::Bytes(stored.bytes.clone()),
            length: scalar::Uint(stored.length as u64),
        }
    }

    /// The bytes, if all of them are there.
    fn whole<'a>(&mut self, excerpt: &'a Excerpt) -> Option<&'a [u8]> {
        self.cut |= !excerpt.is_whole();
        excerpt.is_whole().then_some(&*excerpt.bytes)
    }

    fn changes(&mut self, writes: &Writes, before: &Arc<dyn StateRead>) -> Result<Vec<Change>, ApiError> {
        let mut bytes_left = CHANGED_BYTES;
        let mut changes = Vec::new();
        for (key, after) in writes {
            let before = before.read(key)?;
            if before == *after {
                continue;
            }
            if changes.len() == CHANGES {
                self.cut = true;
                break;
            }
            let mut excerpt = |value: &Bytes| {
                let kept = value.len().min(VALUE_BYTES).min(bytes_left);
                bytes_left -= kept;
                Excerpt { bytes: value.slice(..kept), length: value.len() }
            };
            let (before, after) = (before.as_ref().map(&mut excerpt), after.as_ref().map(&mut excerpt));
            changes.push(self.change(key, before.as_ref(), after.as_ref())?);
        }
        Ok(changes)
    }

    fn change(
        &mut self,
        key: &StateKey,
        before: Option<&Excerpt>,
        after: Option<&Excerpt>,
    ) -> Result<Change, ApiError> {
        if key.contract == ContractId::SYSTEM {
            let (record, of) = record_of(&key.key);
            let value = |stored: &Excerpt| Value {
                value: record.and_then(|record| record_json(record, &stored.bytes)).map(Json),
                raw: scalar::Bytes(stored.bytes.clone()),
                length: scalar::Uint(stored.length as u64),
            };
            // A code is told by its hash; that its bytes are cut leaves nothing out.
            let place = place(key.key.clone(), None);
            return Ok(Change {
                contract: None,
                record,
                of,
                place,
                before: before.map(value),
                after: after.map(value),
            });
        }
        let abi = self.of(key.contract)?;
        let abi = abi.as_deref();
        let excerpt = Excerpt { bytes: key.key.clone(), length: key.key.len() };
        let (place, named) = self.place(abi, &excerpt);
        Ok(Change {
            contract: Some(scalar::Address(Address::Contract(key.contract))),
            record: None,
            of: None,
            place,
            before: before.map(|value| self.value(abi, named.as_ref(), value)),
            after: after.map(|value| self.value(abi, named.as_ref(), value)),
        })
    }
}

fn place(key: Bytes, named: Option<&Named>) -> Place {
    Place {
        key: scalar::Bytes(key),
        field: named.map(|named| named.field.clone()),
        keys: named.map(|named| named.keys.iter().cloned().map(Json).collect()).unwrap_or_default(),
    }
}

/// What an export is, and what its name is among those.
fn entry(export: &str) -> (MethodKind, &str) {
    if let Some(method) = export.strip_prefix(CALL_PREFIX) {
        return (MethodKind::Call, method);
    }
    if let Some(view) = export.strip_prefix(VIEW_PREFIX) {
        return (MethodKind::View, view);
    }
    let kind = match export {
        INIT => MethodKind::Init,
        MIGRATE => MethodKind::Migrate,
        _ => MethodKind::Receive,
    };
    (kind, export)
}

const fn kind_of(message: &Message) -> &'static str {
    match message {
        Message::Transfer { .. } => "Transfer",
        Message::StoreCode { .. } => "StoreCode",
        Message::Instantiate { .. } => "Instantiate",
        Message::Call { .. } => "Call",
        Message::Upgrade { .. } => "Upgrade",
        Message::SetAdmin { .. } => "SetAdmin",
        Message::SetValidators { .. } => "SetValidators",
    }
}

/// The contract of a message's frame: the last step of a message is the frame that it is about.
fn contract_of(step: Option<&Step>) -> Option<ContractId> {
    match &step?.action {
        Action::Frame(frame) => Some(frame.contract),
        _ => None,
    }
}

/// An argument of a host function: addresses as such, other bytes as bytes.
fn told(name: &str, argument: &Argument) -> Plain {
    match argument {
        Argument::Number(number) => Plain::String(number.to_string()),
        Argument::OutOfMemory => Plain::Null,
        Argument::Bytes(Excerpt { bytes, length }) => {
            if *length == Address::LEN
                && let Ok(address) = borsh::from_slice::<Address>(bytes)
            {
                return Plain::String(address.to_string());
            }
            if matches!(name, "amount" | "value")
                && let Ok(amount) = <[u8; 16]>::try_from(&**bytes)
            {
                return Plain::String(u128::from_le_bytes(amount).to_string());
            }
            let text = scalar::hex_text(bytes);
            Plain::String(if bytes.len() < *length { format!("{text}… ({length} bytes)") } else { text })
        }
    }
}

/// Which of the system's records a key is of, and whose.
fn record_of(record_key: &[u8]) -> (Option<&'static str>, Option<String>) {
    let named = |field| record_key.strip_prefix(key::field(field).as_slice());
    if let Some(address) = named("account").and_then(|bytes| borsh::from_slice::<Address>(bytes).ok()) {
        return (Some("account"), Some(address.to_string()));
    }
    if let Some(contract) = named("contract").and_then(|bytes| <[u8; 32]>::try_from(bytes).ok()) {
        return (Some("contract"), Some(Address::Contract(ContractId(contract)).to_string()));
    }
    if let Some(code) = named("code").and_then(|bytes| <[u8; 32]>::try_from(bytes).ok()) {
        return (Some("code"), Some(Hash(code).to_string()));
    }
    (None, None)
}

fn record_json(record: &str, bytes: &[u8]) -> Option<Plain> {
    match record {
        "account" => {
            let account: Account = borsh::from_slice(bytes).ok()?;
            Some(json!({ "balance": account.balance.to_string(), "nonceHighest": account.nonces.highest.0 }))
        }
        "contract" => {
            let record: ContractRecord = borsh::from_slice(bytes).ok()?;
            Some(json!({
                "code": record.code.to_string(),
                "admin": record.admin.map(|admin| admin.to_string()),
                "creator": record.creator.to_string(),
                "height": record.height.0,
                "label": record.label,
            }))
        }
        _ => None,
    }
}
