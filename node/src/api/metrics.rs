//! The metrics' own listener.

use axum::{
    Router,
    extract::State,
    http::{HeaderMap, header},
    response::IntoResponse,
    routing::get,
};

use rustorium_chain::metrics::Histogram;
use rustorium_network::{Class, Network, Traffic};

use super::{App, problem::ApiError};
use crate::metrics::{Figure, Measured, Value, classic};

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const CLASSIC: &str = "text/plain; version=0.0.4; charset=utf-8";

/// `/metrics`, and nothing else.
pub(crate) fn router(app: App) -> Router {
    Router::new().route("/metrics", get(metrics)).with_state(app)
}

/// OpenMetrics for whoever asks for it, as Prometheus does; else the classic text.
async fn metrics(State(app): State<App>, headers: HeaderMap) -> Result<impl IntoResponse, ApiError> {
    let text = app.metrics().text(figures(&app)).map_err(ApiError::internal)?;
    let accepted = headers.get(header::ACCEPT).and_then(|accepted| accepted.to_str().ok()).unwrap_or_default();
    if accepted.contains("application/openmetrics-text") {
        return Ok(([(header::CONTENT_TYPE, OPEN_METRICS)], text));
    }
    Ok(([(header::CONTENT_TYPE, CLASSIC)], classic(&text)))
}

/// The chain's figures now.
fn figures(app: &App) -> Vec<Figure> {
    let chain = app.chain();
    let snapshot = chain.snapshot();
    let (store, counted, log) = (chain.store(), chain.metrics(), chain.log());
    let caches = store.caches();
    let times = [
        ("verify", &counted.verify_us),
        ("append", &counted.append_us),
        ("sync", &counted.log_sync_us),
        ("execute", &counted.execute_us),
        ("root", &counted.root_us),
        ("publish", &counted.publish_us),
        ("commit", &counted.commit_us),
    ];
    let batches = [
        ("verify", &counted.checked_batches),
        ("sync", &counted.synced_batches),
        ("block", &counted.block_records),
        ("commit", &counted.commit_blocks),
    ];
    let queues = vec![
        ("submitted".into(), log.queued() as u64),
        ("checked".into(), counted.checked_records.get()),
        ("log".into(), counted.waiting_records.get()),
    ];
    let lag = queues.iter().map(|(_, records)| records).sum();
    let rows = [
        ("consensus_height", "Newest finalised and executed header", Value::Gauge(snapshot.height().0)),
        ("certified_height", "Newest height with a certified result", Value::Gauge(snapshot.certified().0)),
        ("durable_height", "Newest height in the database", Value::Gauge(store.committed().0)),
        ("log_lag_records", "Records on their way into the log or in no block yet", Value::Gauge(lag)),
        ("queue_records", "Records that wait to be checked, for the log, for a block", Value::Gauges("queue", queues)),
        ("stage", "What a stage takes for a batch or a block", Value::Times("stage", measured(&times))),
        ("batch_size", "Records of a batch or block; blocks of a commit", Value::Counts("batch", measured(&batches))),
        ("log_records", "Records in the log", Value::Counter(log.progress().records())),
        ("log_size", "The log", Value::Bytes(log.progress().bytes())),
        ("log_syncs", "Syncs of the log", Value::Counter(counted.log_syncs.get())),
        ("records_refused", "Records refused before the log", Value::Counter(counted.refused.get())),
        ("pending_transactions", "Accepted, not yet executed", Value::Gauge(app.admission().pool().len() as u64)),
        ("gas", "Gas of all receipts", Value::Counter(counted.gas.get())),
        ("blocks", "Blocks sealed", Value::Counter(counted.blocks.get())),
        ("commits", "Commits of the database", Value::Counter(counted.commits.get())),
        ("log_full", "1 while the log finds no room on the disk", Value::Gauge(store.room().log_is_full().into())),
        ("database_full", "1 while a commit waits for room", Value::Gauge(store.room().database_is_full().into())),
        ("database_size", "The database's file", Value::Bytes(store.file_bytes())),
        ("uncommitted_blocks", "Executed, not yet in the database", Value::Gauge(counted.uncommitted_blocks.get())),
        ("uncommitted_size", "Executed, not yet in the database", Value::Bytes(store.uncommitted().bytes as u64)),
        ("cache_size", "The cache of contract state", Value::Bytes(caches.state.bytes)),
        ("cache_hits", "State reads answered from the cache", Value::Counter(caches.state.hits)),
        ("cache_misses", "State reads that went to storage", Value::Counter(caches.state.misses)),
        ("page_cache_size", "The cache of the state tree's pages", Value::Bytes(caches.pages.bytes)),
        ("page_cache_hits", "Tree pages answered from the cache", Value::Counter(caches.pages.hits)),
        ("page_cache_misses", "Tree pages that went to storage", Value::Counter(caches.pages.misses)),
        ("websockets", "Open WebSockets", Value::Gauge(app.open_sockets() as u64)),
        ("view_jobs", "Views and dry runs that wait for a thread", Value::Gauge(app.workers().waiting() as u64)),
        ("body_room", "What large requests may still take", Value::Bytes(app.bodies().free() as u64)),
        ("resident_memory", "The process in memory", Value::Bytes(resident())),
    ];
    let network = app.links().into_iter().flat_map(|links| network(links.network()));
    let broker = app.topics().into_iter().flat_map(|topics| topics.figures(counted));
    rows.into_iter().chain(network).chain(broker).map(|(name, help, value)| Figure { name, help, value }).collect()
}

/// What a node of several says besides.
fn network(network: &Network) -> [(&'static str, &'static str, Value); 6] {
    let totals = network.totals();
    let traffic = |of: fn(&Traffic) -> u64| {
        Class::ALL.iter().zip(&totals.traffic).map(|(class, traffic)| (class.name().into(), of(traffic))).collect()
    };
    [
        ("peers", "Nodes that are connected", Value::Gauge(network.peers().len() as u64)),
        ("peers_banned", "Bans since the start", Value::Counter(totals.bans)),
        ("dials_failed", "Dials that led to no connection", Value::Counter(totals.dials_failed)),
        ("peer_bytes_in", "Bytes from other nodes", Value::Counters("class", traffic(|traffic| traffic.bytes_in))),
        ("peer_bytes_out", "Bytes to other nodes", Value::Counters("class", traffic(|traffic| traffic.bytes_out))),
        ("peer_dropped", "Messages for which there was no room", Value::Counters("class", traffic(|t| t.dropped))),
    ]
}

fn measured(rows: &[(&'static str, &Histogram)]) -> Vec<(&'static str, Measured)> {
    rows.iter().map(|(of, histogram)| (*of, Measured::from(*histogram))).collect()
}

/// Bytes of this process in memory; 0 where the system does not say.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let kilobytes = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().split(' ').next()?.parse().ok());
    kilobytes.map_or(0, |kilobytes: u64| kilobytes << 10)
}
