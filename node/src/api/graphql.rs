//! GraphQL: the schema, and how requests come in over HTTP.
//!
//! Queries read one pinned snapshot each. Depth, complexity and the bytes of a response are limited; what a query
//! cost is returned in `extensions.cost`, so that a client sees how near a limit it is. Every error has a code.

use async_graphql::{Request, Response, ServerError};
use axum::{
    Router,
    extract::{RawQuery, State, WebSocketUpgrade, ws::rejection::WebSocketUpgradeRejection},
    http::{StatusCode, header},
    response::{IntoResponse, Response as HttpResponse},
    routing::get,
};
use rustorium_types::code::Code;

use super::{
    App, pages,
    read::Pinned,
    rest::{Body, events::pairs},
};

mod chain;
mod connection;
mod contract;
mod cost;
pub(in crate::api) mod mutation;
pub(in crate::api) mod query;
mod socket;
pub(in crate::api) mod subscription;
mod written_out;

/// Directives on one field at the most: there are two kinds.
const DIRECTIVES: usize = 8;

/// The chain's schema.
pub(super) type Schema = async_graphql::Schema<query::Query, mutation::Mutation, subscription::Subscription>;

/// The schema of an app.
pub(super) fn schema(app: &App) -> Schema {
    let api = &app.config().api;
    async_graphql::Schema::build(query::Query, mutation::Mutation, subscription::Subscription)
        .data(app.clone())
        .extension(cost::Cost)
        .limit_depth(api.query_depth)
        .limit_complexity(api.query_complexity)
        .limit_directives(DIRECTIVES)
        .finish()
}

/// `/graphql` by GET, POST and upgrade, and `/graphql/ws` by upgrade.
pub(super) fn routes() -> Router<App> {
    Router::new().route("/graphql", get(by_get).post(by_post)).route("/graphql/ws", get(by_upgrade))
}

async fn by_post(State(app): State<App>, body: Body) -> HttpResponse {
    match serde_json::from_slice::<Request>(&body.0) {
        Ok(request) => execute(&app, request).await,
        Err(error) => refused(&app, format!("the body is no GraphQL request: {error}")),
    }
}

/// A WebSocket, a query in the address, or the page for people.
async fn by_get(
    State(app): State<App>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
    RawQuery(query): RawQuery,
) -> HttpResponse {
    if let Ok(upgrade) = upgrade {
        return socket::upgrade(app, upgrade);
    }
    let Some(query) = query else { return pages::console() };
    match asked(&query) {
        Ok(Some(request)) => execute(&app, request).await,
        Ok(None) => pages::console(),
        Err(message) => refused(&app, message),
    }
}

async fn by_upgrade(State(app): State<App>, upgrade: WebSocketUpgrade) -> HttpResponse {
    socket::upgrade(app, upgrade)
}

/// A query in an address, which may not change anything.
fn asked(query: &str) -> Result<Option<Request>, String> {
    let pairs = pairs(query).map_err(|error| error.message)?;
    let value = |wanted: &str| pairs.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str());
    let Some(text) = value("query") else { return Ok(None) };
    let mut request = Request::new(text);
    if let Some(variables) = value("variables") {
        let variables = serde_json::from_str(variables).map_err(|error| format!("`variables`: {error}"))?;
        request = request.variables(async_graphql::Variables::from_json(variables));
    }
    if let Some(name) = value("operationName") {
        request = request.operation_name(name);
    }
    let document = request.parsed_query().map_err(|error| error.message.clone())?;
    let mutates = document
        .operations
        .iter()
        .any(|(_, operation)| operation.node.ty == async_graphql::parser::types::OperationType::Mutation);
    if mutates { Err("a mutation is sent by POST".into()) } else { Ok(Some(request)) }
}

async fn execute(app: &App, mut request: Request) -> HttpResponse {
    let response = match written_out::check(&mut request) {
        Ok(()) => app.schema().execute(request.data(Pinned::newest(app))).await,
        Err(error) => Response::from_errors(vec![error]),
    };
    json(app, StatusCode::OK, app.config().api.response_bytes, coded(app, response))
}

fn refused(app: &App, message: String) -> HttpResponse {
    let response = Response::from_errors(vec![ServerError::new(message, None)]);
    json(app, StatusCode::BAD_REQUEST, usize::MAX, coded(app, response))
}

fn json(app: &App, status: StatusCode, limit: usize, response: Response) -> HttpResponse {
    let text = serde_json::to_string(&response).unwrap_or_default();
    if text.len() > limit {
        let message = format!("the response has more than {limit} bytes: ask for less at a time");
        return json(app, status, usize::MAX, coded(app, Response::from_errors(vec![too_complex(message)])));
    }
    (status, [(header::CONTENT_TYPE, "application/json")], text).into_response()
}

fn too_complex(message: impl Into<String>) -> ServerError {
    let mut error = ServerError::new(message, None);
    error.extensions.get_or_insert_default().set("code", Code::QueryTooComplex.text());
    error
}

/// Gives each error its code, and counts it.
fn coded(app: &App, response: Response) -> Response {
    let response = with_codes(response);
    for error in &response.errors {
        let code = error.extensions.as_ref().and_then(|extensions| extensions.get("code"));
        if let Some(async_graphql::Value::String(code)) = code {
            app.metrics().problem("graphql", code.parse().unwrap_or(Code::Internal));
        }
    }
    response
}

/// What the library says of a query that is over one of its limits.
const OVER_LIMIT: [&str; 5] = [
    "Query is too complex",
    "Query is nested too deep",
    "The recursion depth of the query cannot be greater than",
    "The number of directives",
    "recursion limit exceeded",
];

/// Gives each error that has no code the code of its kind: what the library says of a request is its sender's fault.
fn with_codes(mut response: Response) -> Response {
    for error in &mut response.errors {
        let extensions = error.extensions.get_or_insert_default();
        if extensions.get("code").is_none() {
            let over_limit = OVER_LIMIT.iter().any(|said| error.message.contains(said));
            let code = if over_limit { Code::QueryTooComplex } else { Code::BadUserInput };
            extensions.set("code", code.text());
        }
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_has_a_code() {
        let code = |message: &str| {
            let response = with_codes(Response::from_errors(vec![ServerError::new(message, None)]));
            response.errors[0].extensions.as_ref().and_then(|extensions| extensions.get("code").cloned())
        };
        assert_eq!(code("Query is too complex."), Some(Code::QueryTooComplex.text().into()));
        assert_eq!(code("Unknown field"), Some(Code::BadUserInput.text().into()));
    }

    #[test]
    fn a_mutation_in_an_address_is_refused() {
        assert!(asked("query=mutation%7Bsubmit(transactions%3A%5B%5D)%7Bhash%7D%7D").is_err());
        assert!(matches!(asked("query=%7Bchain%7Bid%7D%7D"), Ok(Some(_))));
        assert!(matches!(asked("theme=dark"), Ok(None)));
    }
}
