//! Pages for people, and the two answers that a supervisor asks for.

use axum::{
    Router,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use rustorium_types::code::Code;

use super::{App, layers::page, problem::ApiError};

const EXPLORER: &str = include_str!("pages/explorer.html");
const CONSOLE: &str = include_str!("pages/console.html");

/// The explorer, OpenAPI, health and readiness.
pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/", get(|| async { page(EXPLORER) }))
        .route("/openapi.json", get(openapi))
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
}

/// The page that asks GraphQL.
pub(super) fn console() -> Response {
    page(CONSOLE)
}

async fn openapi(State(app): State<App>) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], app.openapi().to_owned()).into_response()
}

/// Ready once there is a certified head, until the node stops, while there is room on the disk.
async fn ready(State(app): State<App>) -> Result<(StatusCode, &'static str), ApiError> {
    if *app.0.stop.borrow() {
        return Err(ApiError::new(Code::LogUnavailable, "the node is stopping"));
    }
    if app.chain().snapshot().certified().0 == 0 {
        return Err(ApiError::new(Code::LogUnavailable, "the chain has no certified head yet"));
    }
    if app.chain().store().room().log_is_full() {
        return Err(ApiError::new(Code::LogUnavailable, "the disk is full: no transactions until there is room"));
    }
    Ok((StatusCode::OK, "ready\n"))
}
