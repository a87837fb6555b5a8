//! The metrics' own listener.

use std::time::Duration;

use axum::{Router, extract::State, http::header, response::IntoResponse, routing::get};

use super::{App, problem::ApiError};
use crate::metrics::{CONTENT_TYPE, Figure, Value};

/// `/metrics`, and nothing else.
pub(crate) fn router(app: App) -> Router {
    Router::new().route("/metrics", get(metrics)).with_state(app)
}

async fn metrics(State(app): State<App>) -> Result<impl IntoResponse, ApiError> {
    let text = app.metrics().text(&figures(&app)).map_err(ApiError::internal)?;
    Ok(([(header::CONTENT_TYPE, CONTENT_TYPE)], text))
}

/// The chain's figures now.
fn figures(app: &App) -> Vec<Figure> {
    let chain = app.chain();
    let snapshot = chain.snapshot();
    let (store, counted, log) = (chain.store(), chain.metrics(), chain.log());
    let caches = store.caches();
    let seconds = |microseconds: u64| Value::Seconds(Duration::from_micros(microseconds).as_secs_f64());
    let waiting = counted.waiting_records.get() + log.queued() as u64;
    let rows: &[(&'static str, &'static str, Value)] = &[
        ("consensus_height", "Newest finalised and executed header", Value::Gauge(snapshot.height().0)),
        ("certified_height", "Newest height with a certified result", Value::Gauge(snapshot.certified().0)),
        ("durable_height", "Newest height in the database", Value::Gauge(store.committed().0)),
        ("log_lag_records", "Records on their way into the log or in no block yet", Value::Gauge(waiting)),
        ("log_records", "Records in the log", Value::Counter(log.progress().records())),
        ("log_size", "The log", Value::Bytes(log.progress().bytes())),
        ("log_syncs", "Syncs of the log", Value::Counter(counted.log_syncs.get())),
        ("log_sync", "Time spent in syncs of the log", seconds(counted.log_sync_us.get())),
        ("pending_transactions", "Accepted, not yet executed", Value::Gauge(app.admission().pool().len() as u64)),
        ("gas", "Gas of all receipts", Value::Counter(counted.gas.get())),
        ("execution", "Time spent executing", seconds(counted.execute_us.get())),
        ("state_root", "Time spent on the state tree and on publishing it", seconds(counted.root_us.get())),
        ("commits", "Commits of the database", Value::Counter(counted.commits.get())),
        ("commit", "Time spent in commits of the database", seconds(counted.commit_us.get())),
        ("database_size", "The database's file", Value::Bytes(store.file_bytes())),
        ("uncommitted_size", "Executed, not yet in the database", Value::Bytes(store.uncommitted().bytes as u64)),
        ("cache_size", "The cache of contract state", Value::Bytes(caches.state.bytes)),
        ("cache_hits", "State reads answered from the cache", Value::Counter(caches.state.hits)),
        ("cache_misses", "State reads that went to storage", Value::Counter(caches.state.misses)),
        ("page_cache_size", "The cache of the state tree's pages", Value::Bytes(caches.pages.bytes)),
        ("page_cache_hits", "Tree pages answered from the cache", Value::Counter(caches.pages.hits)),
        ("page_cache_misses", "Tree pages that went to storage", Value::Counter(caches.pages.misses)),
    ];
    rows.iter().map(|&(name, help, value)| Figure { name, help, value }).collect()
}
