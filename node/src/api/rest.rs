//! REST: `/v1`, as OpenAPI describes it.

use std::time::Duration;

use axum::{
    Router,
    extract::{FromRequest, FromRequestParts, Query, Request},
    http::request::Parts,
    routing::{get, post},
};
use serde::de::DeserializeOwned;

use super::{App, bodies::Room, problem::ApiError, read::PageRequest};

pub(super) mod accounts;
pub(super) mod blocks;
pub(super) mod chain;
pub(super) mod contracts;
pub(super) mod dev;
pub(super) mod events;
pub(super) mod peers;
pub(super) mod transactions;
pub(super) mod validators;

/// The routes under `/v1`.
pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/v1/transactions", post(transactions::submit))
        .route("/v1/transactions/prepare", post(transactions::prepare))
        .route("/v1/transactions/{hash}", get(transactions::transaction))
        .route("/v1/transactions/{hash}/trace", get(transactions::trace))
        .route("/v1/blocks", get(blocks::blocks))
        .route("/v1/blocks/{block}", get(blocks::block))
        .route("/v1/accounts/{address}", get(accounts::account))
        .route("/v1/accounts/{address}/transactions", get(accounts::transactions))
        .route("/v1/contracts/{address}", get(contracts::contract))
        .route("/v1/contracts/{address}/abi", get(contracts::abi))
        .route("/v1/contracts/{address}/events", get(events::of_contract))
        .route("/v1/contracts/{address}/state", get(contracts::state))
        .route("/v1/contracts/{address}/views/{name}", get(contracts::view).post(contracts::view_with_body))
        .route("/v1/codes/{hash}", get(contracts::code))
        .route("/v1/events", get(events::events))
        .route("/v1/status", get(chain::status))
        .route("/v1/genesis", get(chain::genesis))
        .route("/v1/epochs/{epoch}", get(chain::epoch))
        .route("/v1/validators", get(validators::validators))
        .route("/v1/peers", get(peers::peers))
        .route("/v1/dev/control", post(dev::control))
        .route("/v1/dev/impersonate", post(dev::impersonate))
        .route("/v1/dev/snapshots", get(dev::snapshots))
        .route("/v1/dev/state", get(dev::state))
}

/// A path's only part, parsed.
pub(super) struct Name<T>(pub(super) T);

impl<T, S> FromRequestParts<S> for Name<T>
where
    T: std::str::FromStr + Send,
    T::Err: Into<ApiError>,
    S: Send + Sync,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let axum::extract::Path(text) = axum::extract::Path::<String>::from_request_parts(parts, state)
            .await
            .map_err(|error| ApiError::bad_input(error.body_text()))?;
        text.parse().map(Self).map_err(Into::into)
    }
}

/// A query string, with the API's own errors.
pub(super) struct Asked<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Asked<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        match Query::from_request_parts(parts, state).await {
            Ok(Query(query)) => Ok(Self(query)),
            Err(error) => Err(ApiError::bad_input(error.body_text())),
        }
    }
}

/// A body's bytes, and the room that they take until the request is answered.
pub(super) struct Body(pub(super) bytes::Bytes, #[expect(dead_code, reason = "held")] Option<Room>);

impl FromRequest<App> for Body {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &App) -> Result<Self, ApiError> {
        let api = &app.config().api;
        let patience = Duration::from_millis(api.body_timeout_ms);
        let late = |_| ApiError::slow_client("the request's body did not arrive in time");
        let (bytes, room) =
            tokio::time::timeout(patience, app.bodies().read(request, api.body_bytes)).await.map_err(late)??;
        Ok(Self(bytes, room))
    }
}

impl Body {
    /// The body as JSON.
    pub(super) fn json<T: DeserializeOwned>(&self) -> Result<T, ApiError> {
        serde_json::from_slice(&self.0).map_err(|error| ApiError::bad_input(format!("the body: {error}")))
    }
}

/// The parts of a query that ask for a page.
#[derive(Debug, Default, serde::Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct PageQuery {
    /// Items from the front.
    first: Option<u32>,
    /// Behind this cursor.
    after: Option<String>,
    /// Items from the back.
    last: Option<u32>,
    /// Before this cursor.
    before: Option<String>,
}

impl From<PageQuery> for PageRequest {
    fn from(query: PageQuery) -> Self {
        let PageQuery { first, after, last, before } = query;
        Self { first, after, last, before }
    }
}

/// True for `?name`, `?name=true` and `?name=1`.
pub(super) fn flag<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    let text = <std::borrow::Cow<'de, str> as serde::Deserialize>::deserialize(deserializer)?;
    match &*text {
        "" | "true" | "1" => Ok(true),
        "false" | "0" => Ok(false),
        other => Err(serde::de::Error::custom(format!("`{other}` is neither true nor false"))),
    }
}
