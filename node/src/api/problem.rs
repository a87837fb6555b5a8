//! One error for everything that the API refuses, and its forms.
//!
//! ```text
//! REST        application/problem+json (RFC 9457): type, title, status, detail, code, requestId …
//! GraphQL     message, and code in `extensions`
//! WebSocket   {"id", "type": "error", "code", "message"}
//! ```
//!
//! Whoever is turned away only for now reads when to come back: `retryAfterMs` in each of the forms, and in HTTP the
//! header `Retry-After`, in whole seconds.
//!
//! Domain errors become this one here and nowhere else. What only an operator may see goes to the log: a
//! client reads of an internal error that there was one, and the request's id to ask about it.

use std::time::Duration;

use axum::{
    Json,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use rustorium_runtime::StateError;
use rustorium_types::{
    code::Code,
    id::{Height, ParseIdError},
};
use serde::Serialize;
use utoipa::ToSchema;

use super::{cursor::Cursor, layers};

/// Why the API refuses.
#[derive(Clone, Debug)]
pub struct ApiError {
    /// The code.
    pub code: Code,
    /// A sentence for people.
    pub message: String,
    /// What helps, if anything does.
    pub remedy: Option<Remedy>,
    /// The HTTP status, where the code's own says too little.
    status: Option<StatusCode>,
}

/// What helps whoever was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// Of a stream that ended: to resume here.
    Resume(Cursor),
    /// Of `HEIGHT_PRUNED`: the first and the last height that are kept.
    Kept(Height, Height),
    /// Of `RATE_LIMITED`: to try again after this.
    Later(Duration),
}

impl ApiError {
    /// An error of a code.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), remedy: None, status: None }
    }

    /// `RATE_LIMITED`: more is asked for than can be had now.
    pub fn busy(message: impl Into<String>, retry_after: Duration) -> Self {
        Self::new(Code::RateLimited, message).after(Some(retry_after))
    }

    /// `BAD_USER_INPUT`.
    pub fn bad_input(message: impl Into<String>) -> Self {
        Self::new(Code::BadUserInput, message)
    }

    /// `NOT_FOUND`.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(Code::NotFound, message)
    }

    /// `INTERNAL_SERVER_ERROR`: the cause is logged, not told.
    pub fn internal(cause: impl std::fmt::Display) -> Self {
        let id = layers::request_id();
        tracing::error!(%cause, request = id, "a request failed for a reason of our own");
        Self::new(Code::Internal, "something is wrong with this node; its log has the details under the request's id")
    }

    /// `HEIGHT_PRUNED`.
    pub fn pruned(from: Height, to: Height) -> Self {
        let message = format!("this height is no longer kept; heights {from} to {to} are");
        Self { remedy: Some(Remedy::Kept(from, to)), ..Self::new(Code::HeightPruned, message) }
    }

    /// A route that takes another method.
    pub(crate) fn wrong_method() -> Self {
        let error = Self::bad_input("this route takes another method");
        Self { status: Some(StatusCode::METHOD_NOT_ALLOWED), ..error }
    }

    /// A client that takes too long to send what it asks.
    pub(crate) fn slow_client(message: impl Into<String>) -> Self {
        Self { status: Some(StatusCode::REQUEST_TIMEOUT), ..Self::new(Code::RequestTimeout, message) }
    }

    /// Milliseconds until it is worth trying again.
    pub(crate) fn retry_after_ms(&self) -> Option<u64> {
        let Some(Remedy::Later(after)) = self.remedy else { return None };
        Some(u64::try_from(after.as_millis()).unwrap_or(u64::MAX))
    }

    /// The place to resume from, as text.
    pub(crate) fn cursor(&self) -> Option<String> {
        let Some(Remedy::Resume(cursor)) = self.remedy else { return None };
        Some(cursor.to_string())
    }

    fn available_range(&self) -> Option<AvailableRange> {
        let Some(Remedy::Kept(from, to)) = self.remedy else { return None };
        Some(AvailableRange { from: from.0, to: to.0 })
    }

    /// The same, with what it is about in front.
    pub(crate) fn of(self, what: &str) -> Self {
        Self { message: format!("{what}: {}", self.message), ..self }
    }

    /// The same, with when to try again, if that helps.
    pub(crate) fn after(self, retry_after: Option<Duration>) -> Self {
        Self { remedy: retry_after.map(Remedy::Later), ..self }
    }

    /// The same, with a place to resume from.
    pub fn at(self, cursor: Cursor) -> Self {
        Self { remedy: Some(Remedy::Resume(cursor)), ..self }
    }
}

impl From<ParseIdError> for ApiError {
    fn from(error: ParseIdError) -> Self {
        Self::bad_input(error.to_string())
    }
}

impl From<StateError> for ApiError {
    fn from(error: StateError) -> Self {
        let source = std::error::Error::source(&error).map(|source| format!(": {source}")).unwrap_or_default();
        Self::internal(format!("{error}{source}"))
    }
}

/// What a refused request is answered with, by RFC 9457.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Problem {
    /// `about:blank`: the code says more than a link would.
    #[serde(rename = "type")]
    kind: &'static str,
    /// The status in words.
    title: &'static str,
    /// The HTTP status.
    status: u16,
    /// A sentence for people.
    detail: String,
    /// One of the codes of the vocabulary, for programs.
    #[schema(example = "NOT_FOUND")]
    code: &'static str,
    /// The request, as the log names it.
    request_id: String,
    /// Where to resume.
    #[serde(skip_serializing_if = "Option::is_none")]
    cursor: Option<String>,
    /// Milliseconds after which to try again.
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after_ms: Option<u64>,
    /// The heights that are kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    available_range: Option<AvailableRange>,
}

#[derive(Serialize, ToSchema)]
struct AvailableRange {
    from: u64,
    to: u64,
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let status = self.status.unwrap_or_else(|| status(self.code));
        let retry_after_ms = self.retry_after_ms();
        let (cursor, available_range) = (self.cursor(), self.available_range());
        let problem = Problem {
            kind: "about:blank",
            title: status.canonical_reason().unwrap_or_default(),
            status: status.as_u16(),
            detail: self.message,
            code: self.code.text(),
            request_id: layers::request_id(),
            cursor,
            retry_after_ms,
            available_range,
        };
        let mut response = (status, Json(problem)).into_response();
        let kind = header::HeaderValue::from_static("application/problem+json");
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
        if let Some(milliseconds) = retry_after_ms {
            response.headers_mut().insert(header::RETRY_AFTER, milliseconds.div_ceil(1_000).into());
        }
        // For whoever counts.
        response.extensions_mut().insert(self.code);
        response
    }
}

impl From<ApiError> for async_graphql::Error {
    fn from(error: ApiError) -> Self {
        let mut extensions = async_graphql::ErrorExtensionValues::default();
        extensions.set("code", error.code.text());
        if let Some(cursor) = error.cursor() {
            extensions.set("cursor", cursor);
        }
        if let Some(milliseconds) = error.retry_after_ms() {
            extensions.set("retryAfterMs", milliseconds);
        }
        Self { extensions: Some(extensions), ..Self::new(error.message) }
    }
}

/// The HTTP status of a code.
pub(crate) fn status(code: Code) -> StatusCode {
    match code {
        Code::BadUserInput | Code::QueryTooComplex | Code::InvalidSignature | Code::WrongChain => {
            StatusCode::BAD_REQUEST
        }
        Code::NotFound | Code::UnknownMethod => StatusCode::NOT_FOUND,
        Code::Unauthenticated => StatusCode::UNAUTHORIZED,
        Code::Forbidden => StatusCode::FORBIDDEN,
        Code::RateLimited => StatusCode::TOO_MANY_REQUESTS,
        Code::RequestTimeout => StatusCode::GATEWAY_TIMEOUT,
        Code::CursorExpired | Code::HeightPruned => StatusCode::GONE,
        Code::NonceUsed | Code::AlreadyExists => StatusCode::CONFLICT,
        Code::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Code::LogUnavailable => StatusCode::SERVICE_UNAVAILABLE,
        Code::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        // What is left is well-formed and refused by the chain's rules or by a contract.
        _ => StatusCode::UNPROCESSABLE_ENTITY,
    }
}
