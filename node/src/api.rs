//! What a node answers: REST, GraphQL, WebSocket streams and pages, on one listener.
//!
//! ```text
//! request ─► server ─► layers (id, span, deadline, count) ─► rest │ graphql │ stream │ pages
//!                                                              └──────┴────────┴─► read (a pinned snapshot)
//!                                                              └──────┴──────────► submit ─► admission ─► chain
//! ```
//!
//! Domain errors become HTTP, GraphQL or WebSocket errors in [`problem`] alone. **Invariant:** nothing here
//! decides anything about the chain's state; it reads pinned snapshots and hands transactions to admission.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use axum::{
    Router,
    extract::DefaultBodyLimit,
    http::{HeaderName, HeaderValue, Method, header},
    middleware,
};
use rustorium_chain::chain::Chain;
use rustorium_types::id::Hash;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tower_http::{
    catch_panic::CatchPanicLayer,
    cors::{AllowOrigin, CorsLayer},
};

use crate::{admission::Admission, broker::Topics, config::Config, feed::Feed, metrics::Metrics, peers::Links};

pub mod cursor;
pub mod model;
pub mod problem;
pub mod scalar;

mod arguments;
mod bodies;
mod graphql;
mod layers;
mod metrics;
mod openapi;
mod pages;
mod prepare;
mod read;
mod rest;
pub(crate) mod server;
mod stream;
mod submit;
mod workers;

pub(crate) use metrics::router as metrics_router;
pub(crate) use workers::Workers;

use bodies::Bodies;
use problem::ApiError;

/// When to try again if no more WebSocket may be opened: others close theirs when they like.
const SOCKET_AFTER: Duration = Duration::from_secs(5);

/// What every handler shares; clones are handles.
#[derive(Clone)]
pub(crate) struct App(Arc<Shared>);

struct Shared {
    config: Config,
    chain: Chain,
    admission: Admission,
    feed: Arc<Feed>,
    metrics: Arc<Metrics>,
    /// None on a chain of one machine.
    links: Option<Arc<Links>>,
    /// None without a broker.
    topics: Option<Arc<Topics>>,
    abis: read::Abis,
    workers: Workers,
    bodies: Bodies,
    sockets: Arc<Semaphore>,
    /// One trace at a time: it takes as long as its block, and views must not wait behind many of them.
    traces: Arc<Semaphore>,
    stop: watch::Receiver<bool>,
    /// Built when first asked for: neither is needed for the node's first answer.
    schema: OnceLock<graphql::Schema>,
    openapi: OnceLock<String>,
    genesis_root: OnceLock<Hash>,
}

/// What an [`App`] is made of.
pub(crate) struct Parts {
    pub(crate) config: Config,
    pub(crate) chain: Chain,
    pub(crate) admission: Admission,
    pub(crate) feed: Arc<Feed>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) links: Option<Arc<Links>>,
    pub(crate) topics: Option<Arc<Topics>>,
    pub(crate) workers: Workers,
    pub(crate) stop: watch::Receiver<bool>,
}

impl App {
    pub(crate) fn new(parts: Parts) -> Self {
        let Parts { config, chain, admission, feed, metrics, links, topics, workers, stop } = parts;
        let bodies = Bodies::new(config.api.buffered_body_bytes);
        let sockets = Arc::new(Semaphore::new(config.api.sockets));
        let (abis, schema, openapi, genesis_root) = Default::default();
        let traces = Arc::new(Semaphore::new(1));
        Self(Arc::new(Shared {
            config,
            chain,
            admission,
            feed,
            metrics,
            links,
            topics,
            abis,
            workers,
            bodies,
            sockets,
            traces,
            stop,
            schema,
            openapi,
            genesis_root,
        }))
    }

    /// The app of a GraphQL request.
    fn of<'a>(ctx: &async_graphql::Context<'a>) -> Result<&'a Self, ApiError> {
        ctx.data::<Self>().map_err(|error| ApiError::internal(error.message))
    }

    pub(crate) fn config(&self) -> &Config {
        &self.0.config
    }

    pub(crate) fn links(&self) -> Option<&Arc<Links>> {
        self.0.links.as_ref()
    }

    pub(crate) fn topics(&self) -> Option<&Arc<Topics>> {
        self.0.topics.as_ref()
    }

    pub(crate) fn chain(&self) -> &Chain {
        &self.0.chain
    }

    pub(crate) fn admission(&self) -> &Admission {
        &self.0.admission
    }

    pub(crate) fn feed(&self) -> &Feed {
        &self.0.feed
    }

    pub(crate) fn metrics(&self) -> &Metrics {
        &self.0.metrics
    }

    fn abis(&self) -> &read::Abis {
        &self.0.abis
    }

    fn workers(&self) -> &Workers {
        &self.0.workers
    }

    fn bodies(&self) -> &Bodies {
        &self.0.bodies
    }

    /// Room for one more WebSocket, for as long as it is open.
    fn socket(&self) -> Result<OwnedSemaphorePermit, ApiError> {
        let full = |_| ApiError::busy("the node has as many WebSockets open as it may; try again", SOCKET_AFTER);
        self.0.sockets.clone().try_acquire_owned().map_err(full)
    }

    /// WebSockets that are open.
    fn open_sockets(&self) -> usize {
        self.config().api.sockets - self.0.sockets.available_permits()
    }

    /// The turn to trace a transaction. Those who wait for it are as many as there are connections.
    async fn trace_turn(&self) -> Result<OwnedSemaphorePermit, ApiError> {
        self.0.traces.clone().acquire_owned().await.map_err(ApiError::internal)
    }

    /// Ends when the node stops.
    async fn stopping(&self) {
        let mut stop = self.0.stop.clone();
        // A node that is gone without saying so has stopped too.
        let _ = stop.wait_for(|stop| *stop).await;
    }

    fn schema(&self) -> &graphql::Schema {
        self.0.schema.get_or_init(|| graphql::schema(self))
    }

    /// The state's root before the first block.
    fn genesis_root(&self) -> Result<Hash, ApiError> {
        if let Some(root) = self.0.genesis_root.get() {
            return Ok(*root);
        }
        let root = rustorium_chain::genesis::root(self.chain().snapshot().genesis())?;
        Ok(*self.0.genesis_root.get_or_init(|| root))
    }

    fn openapi(&self) -> &str {
        self.0.openapi.get_or_init(openapi::text)
    }
}

/// Everything on the main listener.
pub(crate) fn router(app: App) -> Router {
    let api = &app.config().api;
    let cors = cors(&api.origins);
    let body_limit = DefaultBodyLimit::max(api.body_bytes);
    Router::new()
        .merge(pages::routes())
        .merge(rest::routes())
        .merge(graphql::routes())
        .merge(stream::routes())
        .fallback(|| async { ApiError::not_found("there is nothing here; /openapi.json lists what there is") })
        .method_not_allowed_fallback(|| async { ApiError::wrong_method() })
        .layer(body_limit)
        .layer(CatchPanicLayer::custom(layers::panicked))
        .layer(middleware::from_fn_with_state(app.clone(), layers::observe))
        .layer(cors)
        .with_state(app)
}

/// Which pages of browsers may call: the API knows no cookies, so a page learns nothing that its visitor could not.
fn cors(origins: &[String]) -> CorsLayer {
    let allowed = if origins.iter().any(|origin| origin == "*") {
        AllowOrigin::any()
    } else {
        AllowOrigin::list(origins.iter().filter_map(|origin| HeaderValue::from_str(origin).ok()))
    };
    let request_id = HeaderName::from_static("x-request-id");
    CorsLayer::new()
        .allow_origin(allowed)
        .allow_methods([Method::GET, Method::POST])
        .allow_headers([header::CONTENT_TYPE, header::ACCEPT, request_id.clone()])
        .expose_headers([request_id, header::RETRY_AFTER])
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests;
