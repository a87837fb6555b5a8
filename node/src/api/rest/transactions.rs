//! Submitting, preparing and reading transactions.

use std::time::Duration;

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use rustorium_chain::storage::TransactionPosition;
use rustorium_types::{code::Code, id::Hash};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::{Asked, Body, Name, flag};
use crate::api::{
    App,
    model::{Prepared, SignedInput, SubmitResult, Trace, Transaction, TransactionInput, TransactionStatus, Wait},
    prepare,
    problem::{ApiError, Problem},
    read::{self, Pinned},
    submit::{self, DEFAULT_WAIT, LONGEST_WAIT},
};

/// How long to wait.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct WaitQuery {
    /// Until when: `accepted`, `executed` (the default) or `certified`.
    #[serde(default)]
    pub(super) wait: Wait,
    /// Seconds, at most 60; 10 unless given.
    timeout: Option<f64>,
}

impl WaitQuery {
    pub(super) fn patience(&self) -> Result<Duration, ApiError> {
        let Some(seconds) = self.timeout else { return Ok(DEFAULT_WAIT) };
        match Duration::try_from_secs_f64(seconds) {
            Ok(patience) if patience <= LONGEST_WAIT => Ok(patience),
            _ => Err(ApiError::bad_input(format!("a wait is 0 to {} seconds", LONGEST_WAIT.as_secs()))),
        }
    }
}

/// One signed transaction, or several.
#[derive(ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "a schema: an untagged enum's own errors say nothing")]
pub(crate) enum Submission {
    /// Several: each has its answer, in the same order.
    Many(Vec<SignedInput>),
    /// One.
    One(SignedInput),
}

/// Submits one transaction or many.
///
/// A body of `application/octet-stream` is one or more signed transactions in borsh, one behind the other, and is
/// answered as many are. Submitting the same transaction again is harmless and answers with the same hash.
#[utoipa::path(
    post, path = "/v1/transactions", tag = "transactions", params(WaitQuery), request_body = Submission,
    responses(
        (status = 200, description = "What became of it; of many, an array", body = SubmitResult),
        (status = 202, description = "Accepted, not yet executed", body = SubmitResult),
        (status = "default", description = "Refused", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn submit(
    State(app): State<App>,
    Asked(wait): Asked<WaitQuery>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    let patience = wait.patience()?;
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if kind.starts_with("application/octet-stream") {
        let batch = submit::parse_many(&app, &body.0)?;
        return Ok(Json(submit::submit_many(&app, batch, wait.wait, patience).await).into_response());
    }
    if body.0.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[') {
        let inputs: Vec<SignedInput> = body.json()?;
        let limit = app.config().api.batch_size;
        if inputs.len() > limit {
            return Err(ApiError::new(Code::TooLarge, format!("a submission has at most {limit} transactions")));
        }
        let batch = inputs.iter().map(|input| submit::parse(&app, input)).collect();
        return Ok(Json(submit::submit_many(&app, batch, wait.wait, patience).await).into_response());
    }
    let parsed = submit::parse(&app, &body.json()?);
    let result = submit::submit(&app, parsed, wait.wait, patience).await.map_err(|rejected| rejected.error)?;
    let status = match &result.status {
        Some(TransactionStatus::Pending(_)) => StatusCode::ACCEPTED,
        _ => StatusCode::OK,
    };
    Ok((status, Json(result)).into_response())
}

/// Makes a body from JSON by the ABI, and tries it.
#[utoipa::path(
    post, path = "/v1/transactions/prepare", tag = "transactions", request_body = TransactionInput,
    responses(
        (status = 200, description = "What to sign, and what it would do", body = Prepared),
        (status = "default", description = "Refused", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn prepare(State(app): State<App>, body: Body) -> Result<Json<Prepared>, ApiError> {
    prepare::prepare(&app, body.json()?).await.map(Json)
}

/// What to add to a transaction.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct TransactionQuery {
    /// Prove the receipt against a certified header.
    #[serde(default, deserialize_with = "flag")]
    proof: bool,
}

/// A transaction and what became of it.
#[utoipa::path(
    get, path = "/v1/transactions/{hash}", tag = "transactions", params(("hash" = String, Path), TransactionQuery),
    responses(
        (status = 200, body = Transaction),
        (status = "default", description = "Refused", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn transaction(
    State(app): State<App>,
    Name(hash): Name<Hash>,
    Asked(query): Asked<TransactionQuery>,
) -> Result<Json<Transaction>, ApiError> {
    let pinned = Pinned::newest(&app);
    let missing = || ApiError::not_found(format!("there is no transaction {hash}"));
    let mut found = pinned.transaction(hash)?.ok_or_else(missing)?;
    if query.proof {
        let receipt = match &mut found.status {
            TransactionStatus::Success(success) => Some(&mut success.receipt),
            TransactionStatus::Failure(failure) => Some(&mut failure.receipt),
            TransactionStatus::Dropped(dropped) => dropped.receipt.as_mut(),
            TransactionStatus::Pending(_) => None,
        };
        if let Some(receipt) = receipt {
            let position = TransactionPosition { height: receipt.height.0, index: receipt.index };
            receipt.proof = pinned.receipt_proof(position)?;
        }
    }
    Ok(Json(found))
}

/// What a transaction did, step by step.
///
/// It is executed again, on the state before its block and behind the transactions before it, and held against its
/// receipt. Where that state is no longer kept: `HEIGHT_PRUNED`. Bounded: what is left out is counted.
#[utoipa::path(
    get, path = "/v1/transactions/{hash}/trace", tag = "transactions", params(("hash" = String, Path)),
    responses(
        (status = 200, body = Trace),
        (status = "default", description = "Refused", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn trace(State(app): State<App>, Name(hash): Name<Hash>) -> Result<Json<Trace>, ApiError> {
    read::traced(&app, hash).await.map(Json)
}
