//! What only dev chains take: control records through their log, and what belongs to them.
//!
//! A control record has no receipt, so what it would do is checked before it is submitted, and the answer is the block
//! that took it. What is checked here is decided again at its turn.

use axum::{Json, extract::State};
use rustorium_chain::submit::Refused;
use rustorium_runtime::{StateKey, StateRead};
use rustorium_types::{
    code::Code,
    id::{self, ContractId, Nonce},
    record::{Control, Record, StateEntry},
    transaction::Body as TransactionBody,
};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use utoipa::{IntoParams, ToSchema};

use super::{Asked, Body, transactions::WaitQuery};
use crate::api::{
    App,
    model::{SubmitResult, TransactionInput},
    prepare,
    problem::{ApiError, Problem},
    read::{Pinned, contract_id},
    scalar::{Address, Amount, Bytes, DateTime, Height, Uint},
    submit,
};

/// Entries of a page of state.
const PAGE_ENTRIES: usize = 5_000;
/// Bytes of a page of state, about: below what a control record may have, so that a page can be put back as one.
const PAGE_BYTES: usize = 512 << 10;

/// A command to a dev chain: exactly one of the fields.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) enum ControlInput {
    /// Header times are the clock's plus this from the next block on.
    TimeOffset {
        /// Milliseconds.
        milliseconds: Uint,
    },
    /// The next header's time is at least this.
    TimeAtLeast {
        /// The time.
        time: DateTime,
    },
    /// Seals a block, even an empty one.
    Mine {},
    /// Sets a native balance out of nothing.
    SetBalance {
        /// Whose.
        address: Address,
        /// To how much.
        amount: Amount,
    },
    /// Makes a nonce the highest that an account has used, and all below it used; 0 makes all free.
    SetNonce {
        /// Whose.
        account: Address,
        /// To which.
        nonce: Uint,
    },
    /// Sets or removes a value in a contract's storage.
    SetStorage(SetStorage),
    /// Stores code and gives it to a contract, without running anything.
    SetCode {
        /// The contract; made if there is none.
        contract: Address,
        /// The WebAssembly.
        wasm: Bytes,
    },
    /// Sets and removes entries of state as they are, all or none: what a dump has.
    SetEntries {
        /// Which.
        entries: Vec<DumpEntry>,
    },
    /// Keeps the state after the next block, to be reverted to.
    Snapshot {},
    /// Brings the state back to what it was after a block with a snapshot.
    Revert {
        /// The block.
        height: Height,
    },
}

/// A value in a contract's storage: by its field and keys and a value by the ABI, or by its storage key and bytes.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct SetStorage {
    /// Whose.
    contract: Address,
    /// The storage field, by its name in the source.
    field: Option<String>,
    /// Its map keys or index by the ABI.
    #[serde(default)]
    #[schema(value_type = Vec<Object>)]
    keys: Vec<serde_json::Value>,
    /// The value by the ABI; left out or null to remove it.
    #[schema(value_type = Option<Object>)]
    value: Option<serde_json::Value>,
    /// The storage key, instead of `field`.
    key: Option<Bytes>,
    /// The value's bytes, instead of `value`.
    raw: Option<Bytes>,
}

/// An entry of state.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct DumpEntry {
    /// Whose storage; the contract of zeros for the system's own records.
    contract: Address,
    /// The storage key.
    key: Bytes,
    /// The value; null to remove it.
    value: Option<Bytes>,
}

/// The block that took a command.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Controlled {
    /// Its height.
    height: Height,
}

/// Commands a dev chain, and waits until the command is executed.
#[utoipa::path(
    post, path = "/v1/dev/control", tag = "dev", request_body = ControlInput,
    responses(
        (status = 200, body = Controlled),
        (status = "default", description = "Refused", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn control(State(app): State<App>, body: Body) -> Result<Json<Controlled>, ApiError> {
    require_dev(&app)?;
    let control = control_of(&app, body.json()?)?;
    let reverts_to = match &control {
        Control::Revert { height } => Some(*height),
        _ => None,
    };
    check(&app, control.clone()).await?;
    let accepted = app.chain().submit(Record::Control(control).to_bytes().into()).await.map_err(refused)?;
    let included = app.chain().included(accepted.position)?.await;
    let height = included.map_err(|_| ApiError::new(Code::LogUnavailable, "the node is stopping"))?;
    if let Some(target) = reverts_to {
        // Another command may have come between the check and this one's turn.
        let undone = app.chain().snapshot().undone_at(target.next());
        if target.next() < height && undone.is_none() {
            return Err(ApiError::not_found(format!("there is no snapshot {target} any more")));
        }
    }
    Ok(Json(Controlled { height: Height(height) }))
}

fn require_dev(app: &App) -> Result<(), ApiError> {
    if app.chain().snapshot().genesis().dev {
        Ok(())
    } else {
        Err(ApiError::new(Code::Forbidden, "this is not a dev chain"))
    }
}

fn refused(error: Refused) -> ApiError {
    ApiError::new(error.code(), error.to_string())
}

/// Refuses what would do nothing, with the reason.
async fn check(app: &App, control: Control) -> Result<(), ApiError> {
    use rustorium_chain::control::Unfit;
    let chain = app.chain().clone();
    let checked = app.workers().run(move || Ok(chain.check_control(&control)?)).await?;
    checked.map_err(|unfit| {
        let code = match &unfit {
            Unfit::NoSnapshot { .. } => Code::NotFound,
            Unfit::Key(_) | Unfit::Value(_) => Code::TooLarge,
            Unfit::Code(_) => Code::InvalidModule,
            _ => Code::BadUserInput,
        };
        ApiError::new(code, unfit.to_string())
    })
}

fn control_of(app: &App, input: ControlInput) -> Result<Control, ApiError> {
    Ok(match input {
        ControlInput::TimeOffset { milliseconds } => Control::TimeOffset { milliseconds: milliseconds.0 },
        ControlInput::TimeAtLeast { time } => Control::TimeAtLeast { time: time.0 },
        ControlInput::Mine {} => Control::Mine,
        ControlInput::SetBalance { address, amount } => Control::SetBalance { address: address.0, amount: amount.0 },
        ControlInput::SetNonce { account, nonce } => {
            let is_contract = || ApiError::bad_input(format!("{} is a contract, which has no nonces", account.0));
            Control::SetNonce { account: account.0.account().ok_or_else(is_contract)?, nonce: Nonce(nonce.0) }
        }
        ControlInput::SetStorage(input) => Control::SetEntries { entries: vec![entry_of(app, input)?] },
        ControlInput::SetCode { contract, wasm } => {
            Control::SetCode { contract: contract_id(&contract)?, wasm: wasm.0.to_vec() }
        }
        ControlInput::SetEntries { entries } => {
            let entries = entries.into_iter().map(|entry| {
                Ok(StateEntry {
                    contract: contract_id(&entry.contract)?,
                    key: entry.key.0.to_vec(),
                    value: entry.value.map(|value| value.0.to_vec()),
                })
            });
            Control::SetEntries { entries: entries.collect::<Result<_, ApiError>>()? }
        }
        ControlInput::Snapshot {} => Control::Snapshot,
        ControlInput::Revert { height } => Control::Revert { height: height.0 },
    })
}

fn entry_of(app: &App, input: SetStorage) -> Result<StateEntry, ApiError> {
    let SetStorage { contract, field, keys, value, key, raw } = input;
    let contract = contract_id(&contract)?;
    if contract == ContractId::SYSTEM {
        return Err(ApiError::bad_input("the system's records are no contract's storage"));
    }
    let place = match (field, key) {
        (Some(name), None) => {
            let pinned = Pinned::newest(app);
            let abi = pinned.newest_abi(contract)?;
            let place = Pinned::place(&abi, &name, &keys)?;
            Some((pinned, abi, place))
        }
        (None, Some(key)) => {
            if value.is_some() {
                return Err(ApiError::bad_input("a `value` by the ABI needs a `field`; with a `key` goes `raw`"));
            }
            return Ok(StateEntry { contract, key: key.0.to_vec(), value: raw.map(|raw| raw.0.to_vec()) });
        }
        _ => None,
    };
    let (pinned, abi, place) = place.ok_or_else(|| ApiError::bad_input("give either `field` or `key`"))?;
    let value = match (value.filter(|value| !value.is_null()), raw) {
        (Some(_), Some(_)) => return Err(ApiError::bad_input("`value` and `raw` exclude each other")),
        (None, raw) => raw.map(|raw| raw.0.to_vec()),
        (Some(value), None) => {
            let (_, state) = pinned.state(None)?;
            let stored = state.read(&StateKey::new(contract, place.key.clone()))?;
            let encoded = place.stored(&abi, &value, stored.as_deref());
            Some(encoded.map_err(|error| unstorable(&error, stored.is_none()))?)
        }
    };
    Ok(StateEntry { contract, key: place.key, value })
}

fn unstorable(error: &rustorium_types::abi::error::ValueError, is_new: bool) -> ApiError {
    let hint = if is_new { "; a map that can be paged takes values of keys that it has" } else { "" };
    ApiError::bad_input(format!("`value`: {error}{hint}"))
}

/// A transaction to be executed as if it were signed: exactly one of the fields.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) enum ImpersonateInput {
    /// What to do, by the ABI, as for `POST /v1/transactions/prepare`.
    Transaction(Box<TransactionInput>),
    /// A body in borsh.
    Body(Bytes),
}

/// Executes a transaction of any sender as if its sender and fee payer had signed it, and waits for it.
///
/// It goes through the log and has a receipt, a nonce and a fee like any other.
#[utoipa::path(
    post, path = "/v1/dev/impersonate", tag = "dev", params(WaitQuery), request_body = ImpersonateInput,
    responses(
        (status = 200, body = SubmitResult),
        (status = "default", description = "Refused", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn impersonate(
    State(app): State<App>,
    Asked(wait): Asked<WaitQuery>,
    body: Body,
) -> Result<Json<SubmitResult>, ApiError> {
    require_dev(&app)?;
    let deadline = Instant::now() + wait.patience()?;
    let body = match body.json()? {
        ImpersonateInput::Body(bytes) => bytes,
        ImpersonateInput::Transaction(input) => prepare::prepare(&app, *input).await?.body,
    };
    let body: TransactionBody =
        borsh::from_slice(&body.0).map_err(|_| ApiError::bad_input("`body` is not the borsh of a body"))?;
    let hash = body.digest(&app.chain().snapshot().genesis_hash());
    app.chain().submit(Record::Control(Control::Impersonate { body }).to_bytes().into()).await.map_err(refused)?;
    Ok(Json(submit::watch(&app, hash, crate::node::now(), wait.wait, deadline).await))
}

/// The heights that can be reverted to.
#[derive(Serialize, ToSchema)]
pub(crate) struct Snapshots {
    /// Rising.
    heights: Vec<Height>,
}

/// The snapshots that a dev chain keeps.
#[utoipa::path(
    get, path = "/v1/dev/snapshots", tag = "dev",
    responses(
        (status = 200, body = Snapshots),
        (status = "default", description = "Refused", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn snapshots(State(app): State<App>) -> Result<Json<Snapshots>, ApiError> {
    require_dev(&app)?;
    let (_, state) = Pinned::newest(&app).state(None)?;
    let kept = rustorium_chain::dev::DevSnapshots::read(&state)?;
    Ok(Json(Snapshots { heights: kept.heights().iter().copied().map(Height).collect() }))
}

/// Which part of which state.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct DumpQuery {
    /// The height; the newest executed one if left out.
    height: Option<u64>,
    /// Behind this place: what the page before answered as `next`.
    after: Option<String>,
}

/// Part of a state.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Dump {
    /// The height of the state.
    height: Height,
    /// Entries, keys rising.
    entries: Vec<DumpEntry>,
    /// Where the next page begins; null at the end.
    next: Option<Bytes>,
}

/// A dev chain's whole state, in pages: what it takes to make another one like it.
#[utoipa::path(
    get, path = "/v1/dev/state", tag = "dev", params(DumpQuery),
    responses(
        (status = 200, body = Dump),
        (status = "default", description = "Refused", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn state(State(app): State<App>, Asked(query): Asked<DumpQuery>) -> Result<Json<Dump>, ApiError> {
    require_dev(&app)?;
    let after = query.after.as_deref().map(place_of).transpose()?;
    let pinned = Pinned::newest(&app);
    app.workers()
        .run(move || {
            let height = query.height.map_or(pinned.height(), id::Height);
            let page = pinned.snapshot().dump(height, after.as_ref(), PAGE_ENTRIES, PAGE_BYTES)?;
            let next = page.entries.last().filter(|_| page.is_cut).map(|(key, _)| place_text(key));
            let entries = page.entries.into_iter().map(|(key, value)| DumpEntry {
                contract: Address(id::Address::Contract(key.contract)),
                key: Bytes(key.key),
                value: Some(Bytes(value)),
            });
            Ok(Dump { height: Height(height), entries: entries.collect(), next })
        })
        .await
        .map(Json)
}

/// A place in the order of entries: the contract, then the key.
fn place_text(key: &StateKey) -> Bytes {
    [&key.contract.0[..], &key.key].concat().into()
}

fn place_of(text: &str) -> Result<StateKey, ApiError> {
    let wrong = || ApiError::bad_input("`after` is what a page answered as `next`");
    let bytes = text.strip_prefix("0x").and_then(|digits| hex::decode(digits).ok()).ok_or_else(wrong)?;
    let (contract, key) = bytes.split_first_chunk().ok_or_else(wrong)?;
    Ok(StateKey::new(ContractId(*contract), key.to_vec()))
}
