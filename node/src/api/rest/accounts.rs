//! Accounts.

use axum::{Json, extract::State};
use rustorium_runtime::StateKey;
use rustorium_types::id::{AccountId, Address};
use serde::Deserialize;
use utoipa::IntoParams;

use super::{Asked, Name, PageQuery, flag};
use crate::api::{
    App,
    model::{Account, Transactions},
    problem::{ApiError, Problem},
    read::Pinned,
    scalar::Height,
};

/// As of when, and whether with a proof.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct AtQuery {
    /// The height of the state; the newest executed one unless given, with a proof the newest certified one.
    pub(super) height: Option<Height>,
    /// Prove it against a certified header.
    #[serde(default, deserialize_with = "flag")]
    pub(super) proof: bool,
}

/// What an address holds.
#[utoipa::path(
    get, path = "/v1/accounts/{address}", tag = "accounts", params(("address" = String, Path), AtQuery),
    responses(
        (status = 200, body = Account),
        (status = "default", description = "Refused", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn account(
    State(app): State<App>,
    Name(address): Name<Address>,
    Asked(query): Asked<AtQuery>,
) -> Result<Json<Account>, ApiError> {
    let height = query.height.map(|height| height.0);
    if !query.proof {
        return Pinned::newest(&app).account(address, height).map(Json);
    }
    let (pinned, height) = Pinned::certified_at(&app, height).await?;
    let mut account = pinned.account(address, Some(height))?;
    account.proof = Some(pinned.prove(height, &StateKey::account(address))?);
    Ok(Json(account))
}

/// The transactions that concern an account, newest first: sent, paid for, or with value for it.
#[utoipa::path(
    get, path = "/v1/accounts/{address}/transactions", tag = "accounts",
    params(("address" = String, Path), PageQuery),
    responses(
        (status = 200, body = Transactions),
        (status = "default", description = "Refused", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn transactions(
    State(app): State<App>,
    Name(account): Name<AccountId>,
    Asked(page): Asked<PageQuery>,
) -> Result<Json<Transactions>, ApiError> {
    Pinned::newest(&app).account_transactions(account, &page.into()).map(Json)
}
