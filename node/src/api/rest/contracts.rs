//! Contracts: their record, ABI, state, views and code.

use axum::{
    Json,
    extract::{Path, RawQuery, State},
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
};
use rustorium_runtime::StateKey;
use rustorium_types::id::{ContractId, Hash};
use serde::Deserialize;
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::{Asked, Body, Name, accounts::AtQuery, events::pairs, flag};
use crate::api::{
    App,
    model::{Code, Contract, StateValue, ViewResult},
    problem::{ApiError, Problem},
    read::{self, Pinned, Stored, ViewRequest, no_contract},
    scalar::{Bytes, Height, Json as AnyJson},
};

/// A contract.
#[utoipa::path(
    get, path = "/v1/contracts/{address}", tag = "contracts", params(("address" = String, Path), AtQuery),
    responses(
        (status = 200, body = Contract),
        (status = "default", description = "Refused", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn contract(
    State(app): State<App>,
    Name(id): Name<ContractId>,
    Asked(query): Asked<AtQuery>,
) -> Result<Json<Contract>, ApiError> {
    let height = query.height.map(|height| height.0);
    if !query.proof {
        return Pinned::newest(&app).contract(id, height)?.map(Json).ok_or_else(|| no_contract(id));
    }
    let (pinned, height) = Pinned::certified_at(&app, height).await?;
    let mut contract = pinned.contract(id, Some(height))?.ok_or_else(|| no_contract(id))?;
    contract.proof = Some(pinned.prove(height, &StateKey::contract(id))?);
    Ok(Json(contract))
}

/// What a contract offers: methods, views, events, errors, storage and types.
#[utoipa::path(
    get, path = "/v1/contracts/{address}/abi", tag = "contracts", params(("address" = String, Path)),
    responses(
        (status = 200, description = "The ABI; empty if the code has none", body = AnyJson),
        (status = "default", description = "Refused", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn abi(State(app): State<App>, Name(id): Name<ContractId>) -> Result<Json<AnyJson>, ApiError> {
    let pinned = Pinned::newest(&app);
    let contract = pinned.contract(id, None)?.ok_or_else(|| no_contract(id))?;
    pinned.abi_json(&contract.code.hash.0).map(Json)
}

/// Which stored value.
#[derive(Debug, Default, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "documents a query that is read by hand, because keys repeat")]
pub(crate) struct StateQuery {
    /// A storage field, by its name in the source.
    field: Option<String>,
    /// Its keys in JSON by the ABI; repeat it for a key of several parts.
    key: Option<Vec<String>>,
    /// A storage key in bytes, instead of `field` and `key`.
    raw: Option<Bytes>,
    /// The height of the state; the newest executed one unless given, with a proof the newest certified one.
    height: Option<Height>,
    /// Prove it against a certified header.
    proof: Option<bool>,
}

/// A value in a contract's storage.
#[utoipa::path(
    get, path = "/v1/contracts/{address}/state", tag = "contracts", params(("address" = String, Path), StateQuery),
    responses(
        (status = 200, body = StateValue),
        (status = "default", description = "Refused", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn state(
    State(app): State<App>,
    Name(contract): Name<ContractId>,
    RawQuery(query): RawQuery,
) -> Result<Json<StateValue>, ApiError> {
    let (mut field, mut keys, mut raw, mut height, mut proof) = (None, Vec::new(), None, None, false);
    for (name, value) in pairs(query.as_deref().unwrap_or_default())? {
        match name.as_str() {
            "field" => field = Some(value),
            "key" => keys.push(json_or_text(value)),
            "raw" => raw = Some(parsed::<Bytes>("raw", value)?),
            "height" => {
                let wrong = |_| ApiError::bad_input(format!("`height`: `{value}` is no height"));
                height = Some(value.parse().map_err(wrong)?);
            }
            "proof" => proof = matches!(value.as_str(), "" | "true" | "1"),
            other => return Err(ApiError::bad_input(format!("there is no parameter `{other}`"))),
        }
    }
    let which = match (field, raw) {
        (Some(name), None) => Stored::Field { name, keys },
        (None, Some(raw)) => Stored::Raw(raw.0),
        _ => return Err(ApiError::bad_input("either `field` (and `key`) or `raw` is needed")),
    };
    read::stored(&app, contract, &which, height, proof).await.map(Json)
}

/// How to run a view.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ViewQuery {
    /// Its arguments by name, as a JSON object.
    args: Option<String>,
    /// Its arguments in borsh, instead of `args`.
    raw: Option<Bytes>,
    /// The height of the state; the newest executed one unless given, with a witness the newest certified one.
    height: Option<Height>,
    /// Prove all that it reads, so that whoever has the witness can run it again.
    #[serde(default, deserialize_with = "flag")]
    witness: bool,
}

/// The same as a body.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ViewBody {
    /// Its arguments by name.
    args: Option<AnyJson>,
    /// Its arguments in borsh, instead of `args`.
    raw: Option<Bytes>,
    /// The height of the state.
    height: Option<Height>,
    /// Prove all that it reads.
    witness: bool,
}

/// Runs a view.
#[utoipa::path(
    get, path = "/v1/contracts/{address}/views/{name}", tag = "contracts",
    params(("address" = String, Path), ("name" = String, Path), ViewQuery),
    responses(
        (status = 200, description = "What it returned, or why it failed", body = ViewResult),
        (status = "default", description = "Refused", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn view(
    State(app): State<App>,
    Path((address, name)): Path<(String, String)>,
    Asked(query): Asked<ViewQuery>,
) -> Result<Json<ViewResult>, ApiError> {
    let ViewQuery { args, raw, height, witness } = query;
    let wrong = |error| ApiError::bad_input(format!("`args` is not JSON: {error}"));
    let args = args.map(|args| serde_json::from_str(&args).map_err(wrong)).transpose()?;
    run(&app, &address, name, ViewBody { args, raw, height, witness }).await
}

/// Runs a view whose arguments come in the body.
#[utoipa::path(
    post, path = "/v1/contracts/{address}/views/{name}", tag = "contracts", request_body = ViewBody,
    params(("address" = String, Path), ("name" = String, Path)),
    responses(
        (status = 200, description = "What it returned, or why it failed", body = ViewResult),
        (status = "default", description = "Refused", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn view_with_body(
    State(app): State<App>,
    Path((address, name)): Path<(String, String)>,
    body: Body,
) -> Result<Json<ViewResult>, ApiError> {
    run(&app, &address, name, body.json()?).await
}

async fn run(app: &App, address: &str, name: String, body: ViewBody) -> Result<Json<ViewResult>, ApiError> {
    let ViewBody { args, raw, height, witness } = body;
    let contract = address.parse()?;
    let height = height.map(|height| height.0);
    read::view(app, ViewRequest { contract, name, args, raw, height, witness }).await.map(Json)
}

/// A code: as JSON, or the module itself for `Accept: application/wasm`.
#[utoipa::path(
    get, path = "/v1/codes/{hash}", tag = "contracts", params(("hash" = String, Path)),
    responses(
        (status = 200, body = Code),
        (status = "default", description = "Refused", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn code(
    State(app): State<App>,
    Name(hash): Name<Hash>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let pinned = Pinned::newest(&app);
    let wasm = pinned.wasm(&hash)?;
    let accepts = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    if accepts.contains("application/wasm") {
        return Ok(([(header::CONTENT_TYPE, "application/wasm")], wasm).into_response());
    }
    let mut code = pinned.code(&hash)?.ok_or_else(|| ApiError::not_found(format!("there is no code {hash}")))?;
    code.abi = Some(pinned.abi_json(&hash)?);
    code.wasm = Some(Bytes(wasm));
    Ok(Json(code).into_response())
}

/// A value of a query string: JSON where it reads as such, else text.
pub(super) fn json_or_text(text: String) -> Value {
    serde_json::from_str(&text).unwrap_or(Value::String(text))
}

fn parsed<T: serde::de::DeserializeOwned>(name: &str, text: String) -> Result<T, ApiError> {
    serde_json::from_value(Value::String(text)).map_err(|error| ApiError::bad_input(format!("`{name}`: {error}")))
}
