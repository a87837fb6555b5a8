//! The chain as a whole.

use axum::{Json, extract::State, http::header, response::IntoResponse};
use rustorium_types::{bundle::EpochLink, id as types};

use super::Name;
use crate::api::{
    App,
    model::{ChainLimits, Status},
    problem::{ApiError, Problem},
    read::Pinned,
    scalar::{self, Address, Amount, DateTime, Hash, Height, Uint},
};

/// What this node knows of its chain.
#[utoipa::path(
    get, path = "/v1/status", tag = "chain",
    responses(
        (status = 200, body = Status),
        (status = "default", description = "Refused", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn status(State(app): State<App>) -> Result<Json<Status>, ApiError> {
    let pinned = Pinned::newest(&app);
    let snapshot = pinned.snapshot();
    let genesis = snapshot.genesis();
    let genesis_hash = snapshot.genesis_hash();
    let head = snapshot.head();
    let limits = &genesis.limits;
    Ok(Json(Status {
        chain_id: genesis.chain_id.clone(),
        genesis_hash: Hash(genesis_hash),
        dev: genesis.dev,
        version: env!("CARGO_PKG_VERSION"),
        height: Height(snapshot.height()),
        hash: Hash(head.map_or(genesis_hash, |head| head.hash)),
        time: DateTime(head.map_or(genesis.time, |head| head.header.time)),
        certified_height: Height(snapshot.certified()),
        available_range: pinned.retained(),
        gas_price: Amount(head.map_or(genesis.gas_price, |head| head.header.gas_price)),
        symbol: genesis.symbol.clone(),
        decimals: genesis.decimals,
        fee_account: Address(genesis.fee_account.into()),
        epoch_length: Uint(genesis.epoch_length),
        limits: ChainLimits {
            block_bytes: limits.block_bytes,
            block_records: limits.block_records,
            block_gas: limits.block_gas.into(),
            transaction_bytes: limits.transaction_bytes,
            transaction_gas: limits.transaction_gas.into(),
            code_bytes: limits.code_bytes,
        },
        pending: scalar::Uint(app.admission().pool().len() as u64),
    }))
}

/// The genesis in borsh: blake3 under the genesis domain over these bytes is the chain's genesis hash.
#[utoipa::path(
    get, path = "/v1/genesis", tag = "chain",
    responses((status = 200, description = "borsh", body = Vec<u8>, content_type = "application/octet-stream"))
)]
pub(crate) async fn genesis(State(app): State<App>) -> Result<impl IntoResponse, ApiError> {
    let bytes = borsh::to_vec(app.chain().snapshot().genesis()).map_err(ApiError::internal)?;
    Ok(([(header::CONTENT_TYPE, "application/octet-stream")], bytes))
}

/// The certified last header of an epoch, in borsh with a version byte: the step by which a light client that
/// follows the validators gets from one epoch to the next.
#[utoipa::path(
    get, path = "/v1/epochs/{epoch}", tag = "chain",
    params(("epoch" = u64, Path, description = "From 0, ended")),
    responses(
        (status = 200, description = "EpochLink", body = Vec<u8>, content_type = "application/octet-stream"),
        (status = "default", description = "Refused", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn epoch(
    State(app): State<App>,
    Name(EpochName(epoch)): Name<EpochName>,
) -> Result<impl IntoResponse, ApiError> {
    let snapshot = app.chain().snapshot();
    let not_ended = || ApiError::not_found(format!("epoch {epoch} has not ended"));
    let last = epoch.0.checked_add(1).and_then(|next| next.checked_mul(snapshot.genesis().epoch_length));
    let sealed = snapshot.header(types::Height(last.ok_or_else(not_ended)?))?.ok_or_else(not_ended)?;
    let link = EpochLink { certificate: sealed.certificate.to_vec(), header: sealed.header };
    Ok(([(header::CONTENT_TYPE, "application/octet-stream")], link.to_bytes()))
}

/// An epoch's number in a path.
pub(crate) struct EpochName(types::Epoch);

impl std::str::FromStr for EpochName {
    type Err = ApiError;

    fn from_str(text: &str) -> Result<Self, ApiError> {
        text.parse().map(Self).map_err(|_| ApiError::bad_input(format!("`{text}` is no epoch's number")))
    }
}
