//! What every request passes: an id, a span, a deadline, and a count; and where it comes from, for those further in.
//!
//! The id comes from the `x-request-id` header or is random, goes back in the same header, and stands in the
//! span, so that log lines, the problem a client saw and the transaction that it sent can be joined.

use std::time::{Duration, Instant};

use axum::{
    extract::{MatchedPath, Request, State},
    http::{HeaderName, HeaderValue, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use rustorium_chain::submit::Source;
use rustorium_types::code::Code;
use tracing::Instrument;

use super::{App, problem::ApiError};

/// Characters of a client's own request id at the most; longer ones are replaced.
const REQUEST_ID_LENGTH: usize = 64;
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

tokio::task_local! {
    static CURRENT: String;
    static SOURCE: Source;
}

/// The id of the request that this task answers, empty outside of one.
pub(crate) fn request_id() -> String {
    CURRENT.try_with(Clone::clone).unwrap_or_default()
}

/// The connection whose request this task answers; the node itself outside of one.
pub(crate) fn source() -> Source {
    SOURCE.try_with(|source| *source).unwrap_or_default()
}

/// Does something for a connection whose request was answered with an upgrade.
pub(crate) async fn on_behalf_of<F: Future>(source: Source, something: F) -> F::Output {
    SOURCE.scope(source, something).await
}

/// Wraps the answer to a request.
pub(crate) async fn observe(State(app): State<App>, request: Request, next: Next) -> Response {
    let started = Instant::now();
    let id = own_or_random(&request);
    let route = request.extensions().get::<MatchedPath>().map_or("unmatched", MatchedPath::as_str).to_owned();
    let method = request.method().clone();
    let span = tracing::info_span!("request", id, %method, route);
    let deadline = Duration::from_millis(app.config().api.request_timeout_ms) + waits(&request);
    let source = request.extensions().get::<Source>().copied().unwrap_or_default();
    let answer = async {
        match tokio::time::timeout(deadline, next.run(request)).await {
            Ok(response) => response,
            Err(_) => ApiError::new(Code::RequestTimeout, "the answer took too long").into_response(),
        }
    };
    let answer = CURRENT.scope(id.clone(), SOURCE.scope(source, answer));
    let mut response = answer.instrument(span.clone()).await;
    if let Ok(id) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    let status = response.status();
    let elapsed = started.elapsed();
    app.metrics().request(&route, method.as_str(), status.as_u16(), elapsed);
    if let Some(code) = response.extensions().get::<Code>() {
        app.metrics().problem("rest", *code);
    }
    span.in_scope(|| tracing::debug!(status = status.as_u16(), ?elapsed, "answered"));
    response
}

/// A request that asks to wait gets the longest wait on top of the deadline.
fn waits(request: &Request) -> Duration {
    match request.uri().query() {
        Some(query) if query.contains("timeout=") => super::submit::LONGEST_WAIT,
        _ => super::submit::DEFAULT_WAIT,
    }
}

fn own_or_random(request: &Request) -> String {
    let given = request.headers().get(REQUEST_ID).and_then(|value| value.to_str().ok());
    match given {
        Some(id) if (1..=REQUEST_ID_LENGTH).contains(&id.len()) => id.to_owned(),
        _ => format!("{:016x}", random()),
    }
}

/// Unique enough to find a line in a log; nothing depends on its being secret.
fn random() -> u64 {
    getrandom::u64().unwrap_or_else(|_| std::process::id().into())
}

/// What a panic of a handler is answered with.
pub(crate) fn panicked(panic: Box<dyn std::any::Any + Send>) -> Response {
    let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    ApiError::internal(text.unwrap_or("a panic without a text")).into_response()
}

/// Headers of pages: no sniffing, no framing by others.
pub(crate) fn page(html: impl Into<axum::body::Body>) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::CACHE_CONTROL, "no-cache"),
    ];
    (headers, html.into()).into_response()
}
