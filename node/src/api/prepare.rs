//! From JSON by the ABI to a body that can be signed, with what it would do.
//!
//! The dry run is the execution itself, over the newest state and without signatures; its effects are dropped.
//! Where the caller leaves the gas limit out, a first run finds what is needed.

use std::sync::Arc;

use bytes::Bytes;
use rustorium_chain::snapshot::FoundEvent;
use rustorium_runtime::{
    BlockContext, Effects, Execution, NoOp, StateError, StateKey, StateRead, TraceLimits, Transaction, Writes,
};
use rustorium_types::{
    abi::{Abi, MethodKind},
    block::Outcome,
    code::Code,
    hash::code_hash,
    host::{INIT, MIGRATE},
    id::{AccountId, Address, Amount, Epoch, Gas, Hash, Height, Nonce},
    transaction::{Body, Message, VERSION},
    validators::{ValidatorChange, ValidatorSignature},
};
use serde::de::DeserializeOwned;

use super::{
    App,
    arguments::Arguments,
    model::{
        CallInput, Dropped, InstantiateInput, MessageInput, Prepared, SetAdminInput, SetValidatorsInput, Trace,
        TransactionInput, TransactionStatus, UpgradeInput, ValidatorSignatureInput,
    },
    problem::ApiError,
    read::{Pinned, Render, Shown, abi_of_wasm, contract_id},
    scalar::{self, Json},
};

/// Gas beyond a dry run's, as a part of it: state may change until the transaction's turn.
const SPARE: u64 = 4;
/// Gas beyond a dry run's, at the least.
const SPARE_GAS: u64 = 10_000;

/// Makes a body and tries it.
pub(crate) async fn prepare(app: &App, input: TransactionInput) -> Result<Prepared, ApiError> {
    let pinned = Pinned::newest(app);
    let app = app.clone();
    app.clone().workers().run(move || Preparation::new(app, pinned).prepare(input)).await
}

struct Preparation {
    app: App,
    pinned: Pinned,
}

impl Preparation {
    const fn new(app: App, pinned: Pinned) -> Self {
        Self { app, pinned }
    }

    fn prepare(&self, input: TransactionInput) -> Result<Prepared, ApiError> {
        let snapshot = self.pinned.snapshot();
        let genesis = snapshot.genesis_hash();
        let sender = account_id("sender", &input.sender)?;
        let fee_payer = input.fee_payer.as_ref().map(|payer| account_id("feePayer", payer)).transpose()?;
        let nonce = match input.nonce {
            Some(nonce) => Nonce(nonce.0),
            None => Nonce(self.pinned.account(Address::Account(sender), None)?.nonce_next.0),
        };
        let context = self.pinned.next_context()?;
        let [a, b, c, d, ..] = genesis.0;
        let mut body = Body {
            version: VERSION,
            chain: [a, b, c, d],
            sender,
            nonce,
            valid_until: input.valid_until.map(|until| until.0),
            gas_limit: Gas(input.gas_limit.map_or(0, |gas| gas.0)),
            max_gas_price: input.max_gas_price.map_or(context.gas_price, |price| price.0),
            fee_payer,
            memo: input.memo.map(|memo| memo.0.to_vec()).unwrap_or_default(),
            messages: self.messages(sender, input.messages)?,
        };
        body.check(&genesis).map_err(|error| ApiError::from(crate::admission::Refusal::from(error)))?;
        if input.gas_limit.is_none() {
            body.gas_limit = self.affordable(&body, &context)?;
            if let Execution::Done(effects) = self.run(&body, &context)?
                && effects.receipt.succeeded()
            {
                let used = effects.receipt.gas_used.0;
                let limit = used + (used / SPARE).max(SPARE_GAS);
                body.gas_limit = Gas(limit).min(body.gas_limit);
            }
        }
        let dry_run = self.dry_run(&body, &context)?;
        let trace = if input.trace { Some(self.trace(&body, &context)?) } else { None };
        let trace = trace.map(serde_json::to_value).transpose().map_err(ApiError::internal)?;
        Ok(Prepared {
            trace: trace.map(Json),
            digest: scalar::Hash(body.digest(&genesis)),
            nonce: body.nonce.into(),
            gas_limit: body.gas_limit.into(),
            body: borsh::to_vec(&body).unwrap_or_default().into(),
            dry_run,
        })
    }

    /// The gas that the payer can cover, at most what a transaction may have.
    fn affordable(&self, body: &Body, context: &BlockContext) -> Result<Gas, ApiError> {
        let balance = self.pinned.account(Address::Account(body.payer()), None)?.balance.0;
        let affordable = balance.0.checked_div(body.max_gas_price.0).unwrap_or(u128::MAX);
        let affordable = u64::try_from(affordable).unwrap_or(u64::MAX);
        Ok(Gas(affordable).min(context.limits.transaction_gas))
    }

    fn run(&self, body: &Body, context: &BlockContext) -> Result<Execution, ApiError> {
        let (_, state) = self.pinned.state(None)?;
        let state: Arc<dyn StateRead> = Arc::new(state);
        let transaction = Transaction::new(body.clone(), &context.genesis);
        Ok(self.app.chain().runtime().execute(&state, context, &transaction)?)
    }

    /// What it would do, step by step.
    fn trace(&self, body: &Body, context: &BlockContext) -> Result<Trace, ApiError> {
        let (_, below) = self.pinned.state(None)?;
        let before: Arc<dyn StateRead> = Arc::new(below);
        let transaction = Transaction::new(body.clone(), &context.genesis);
        let runtime = self.app.chain().runtime();
        let (execution, trace) = runtime.trace(&before, context, &transaction, TraceLimits::default())?;
        let writes = match &execution {
            Execution::Done(effects) => effects.writes.clone(),
            Execution::NoOp(_) => Writes::new(),
        };
        let left = Arc::new(Over { below: before.clone(), writes });
        Render::over(&self.pinned, left).trace(&Shown {
            hash: transaction.hash,
            body,
            height: context.height,
            execution: &execution,
            trace: &trace,
            before: &before,
        })
    }

    fn dry_run(&self, body: &Body, context: &BlockContext) -> Result<TransactionStatus, ApiError> {
        let dropped = |code: Code| {
            TransactionStatus::Dropped(Dropped {
                height: scalar::Height(context.height),
                code: code.to_string(),
                certified_by: None,
                receipt: None,
            })
        };
        let effects = match self.run(body, context)? {
            Execution::NoOp(NoOp::NonceUsed) => return Ok(dropped(Code::NonceUsed)),
            Execution::NoOp(NoOp::NonceTooFar) => return Ok(dropped(Code::NonceTooFar)),
            Execution::Done(effects) => effects,
        };
        let (_, below) = self.pinned.state(None)?;
        let Effects { writes, receipt, events, diagnostics, .. } = effects;
        let state = Arc::new(Over { below: Arc::new(below), writes });
        let events: Vec<_> = if matches!(receipt.outcome, Outcome::Success { .. }) {
            events.into_iter().map(|event| found(event, context.height, receipt.transaction)).collect()
        } else {
            Vec::new()
        };
        let ended = super::read::Ended {
            height: context.height,
            index: 0,
            receipt: &receipt,
            messages: &body.messages,
            events: &events,
            diagnostics: Some(&diagnostics),
        };
        Render::over(&self.pinned, state).ended(&ended)
    }

    fn messages(&self, sender: AccountId, inputs: Vec<MessageInput>) -> Result<Vec<Message>, ApiError> {
        let mut messages = Vec::with_capacity(inputs.len());
        for (index, input) in inputs.into_iter().enumerate() {
            let message = self.message(sender, &messages, input);
            messages.push(message.map_err(|error| error.of(&format!("message {index}")))?);
        }
        Ok(messages)
    }

    fn message(&self, sender: AccountId, before: &[Message], input: MessageInput) -> Result<Message, ApiError> {
        Ok(match input {
            MessageInput::Transfer(transfer) => Message::Transfer { to: transfer.to.0, amount: transfer.amount.0 },
            MessageInput::StoreCode(wasm) => Message::StoreCode { wasm: wasm.0.to_vec() },
            MessageInput::Call(call) => self.call(call)?,
            MessageInput::Instantiate(json) => {
                let input: InstantiateInput = typed(json)?;
                let abi = || self.abi_of_code(&input.code.0, before);
                let args = Arguments { kind: MethodKind::Init, method: INIT, args: input.args, raw: input.raw };
                Message::Instantiate {
                    code: input.code.0,
                    salt: match input.salt {
                        Some(salt) => salt.0.0,
                        None => random_salt()?,
                    },
                    admin: match input.admin {
                        None => Some(Address::Account(sender)),
                        Some(admin) => admin.map(|admin| admin.0),
                    },
                    label: input.label,
                    args: args.encode(abi)?,
                    value: input.value.map_or(Amount::ZERO, |value| value.0),
                }
            }
            MessageInput::Upgrade(json) => {
                let input: UpgradeInput = typed(json)?;
                let abi = || self.abi_of_code(&input.code.0, before);
                let args = Arguments { kind: MethodKind::Migrate, method: MIGRATE, args: input.args, raw: input.raw };
                Message::Upgrade {
                    contract: contract_id(&input.contract)?,
                    code: input.code.0,
                    args: args.encode(abi)?,
                }
            }
            MessageInput::SetAdmin(json) => {
                let input: SetAdminInput = typed(json)?;
                let admin = input.admin.map(|admin| admin.0);
                Message::SetAdmin { contract: contract_id(&input.contract)?, admin }
            }
            MessageInput::SetValidators(json) => set_validators(typed(json)?)?,
        })
    }

    fn call(&self, call: CallInput) -> Result<Message, ApiError> {
        let contract = contract_id(&call.contract)?;
        let abi = || self.pinned.newest_abi(contract);
        let args = Arguments { kind: MethodKind::Call, method: &call.method, args: call.args, raw: call.raw };
        Ok(Message::Call {
            contract,
            args: args.encode(abi)?,
            method: call.method.clone(),
            value: call.value.map_or(Amount::ZERO, |value| value.0),
        })
    }

    /// The ABI of stored code, or of code that an earlier message of the same transaction stores.
    fn abi_of_code(&self, code: &Hash, before: &[Message]) -> Result<Arc<Abi>, ApiError> {
        let without = || ApiError::bad_input(format!("code {code} has no ABI: give bytes (`raw`) instead of JSON"));
        let stored = before.iter().find_map(|message| match message {
            Message::StoreCode { wasm } if code_hash(wasm) == *code => Some(wasm),
            _ => None,
        });
        if let Some(wasm) = stored {
            return abi_of_wasm(wasm).ok_or_else(without);
        }
        let (_, state) = self.pinned.state(None)?;
        if state.read(&StateKey::code(code))?.is_none() {
            return Err(ApiError::not_found(format!("there is no code {code}")));
        }
        self.app.abis().of_code(&state, code)?.ok_or_else(without)
    }
}

/// State with a dry run's writes over it.
struct Over {
    below: Arc<dyn StateRead>,
    writes: Writes,
}

impl StateRead for Over {
    fn read(&self, key: &StateKey) -> Result<Option<Bytes>, StateError> {
        match self.writes.get(key) {
            Some(written) => Ok(written.clone()),
            None => self.below.read(key),
        }
    }
}

fn found(event: rustorium_types::block::Event, height: Height, transaction: Hash) -> FoundEvent {
    let position = rustorium_chain::storage::EventPosition {
        height,
        transaction: event.transaction_index,
        event: event.event_index,
    };
    FoundEvent { position, transaction, event }
}

fn account_id(field: &str, address: &scalar::Address) -> Result<AccountId, ApiError> {
    let wrong = || ApiError::bad_input(format!("`{field}`: {} is a contract; an account is needed", address.0));
    address.0.account().ok_or_else(wrong)
}

fn set_validators(input: SetValidatorsInput) -> Result<Message, ApiError> {
    let SetValidatorsInput { epoch, number, validators, signatures } = input;
    let mut signed = Vec::with_capacity(signatures.len());
    for ValidatorSignatureInput { validator, signature } in signatures {
        let wrong = |_| ApiError::bad_input(format!("the signature of {}: 64 bytes are needed", validator.0));
        let signature = signature.0.as_ref().try_into().map_err(wrong)?;
        signed.push(ValidatorSignature { validator: validator.0.0, signature });
    }
    let validators = validators.into_iter().map(|key| key.0.0).collect();
    let change = ValidatorChange { epoch: Epoch(epoch.0), number: number.0, validators };
    Ok(Message::SetValidators { change, signatures: signed })
}

fn typed<T: DeserializeOwned>(json: Json) -> Result<T, ApiError> {
    serde_json::from_value(json.0).map_err(|error| ApiError::bad_input(error.to_string()))
}

fn random_salt() -> Result<[u8; 32], ApiError> {
    let mut salt = [0; 32];
    getrandom::fill(&mut salt).map_err(ApiError::internal)?;
    Ok(salt)
}
