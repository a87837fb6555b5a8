//! Token transfers through the public API: as many as go, one after the other, and at a fixed rate; and what they
//! leave behind in memory, on disk and for readers.
//!
//! The loader runs beside the node on the same cores. Its clock stops when the last receipt is readable, and every
//! balance is checked afterwards.

use rustorium_node::load::{self, LoadOptions, LoadReport, Stage};
use tempfile::TempDir;

use crate::{
    node::{Node, token},
    reads,
    report::Figure,
};

/// What most figures are about.
pub(crate) const MANY: LoadOptions = LoadOptions {
    transfers: 100_000,
    connections: 8,
    batch: 50,
    under_way: 40,
    rate: None,
    senders: 100,
    recipients: 10_000,
};
/// One client that submits, waits for the receipt, and submits again.
const LONE: LoadOptions = LoadOptions { transfers: 3_000, connections: 1, batch: 1, under_way: 1, ..MANY };
/// As many as a small dApp's users.
const CROWD: LoadOptions = LoadOptions { transfers: 30_000, connections: 32, batch: 1, under_way: 1, ..MANY };
/// 1,000 a second for 30 s, whether or not the node keeps up.
const STEADY: LoadOptions =
    LoadOptions { transfers: 30_000, connections: 8, batch: 1, rate: Some(1_000.0), senders: 1_000, ..MANY };

const MB: f64 = 1e6;

/// Throughput on a chain of its own, and what stands on that chain afterwards.
pub(crate) async fn many() -> anyhow::Result<Vec<Figure>> {
    let (node, directory) = Node::fresh().await?;
    let mut figures = vec![Figure::alone("start_new", "ms", ms(node.first_answer))];
    // Compiled, cached and touched once, so that what grows is due to transfers.
    run(&node, LoadOptions { transfers: 2_000, ..MANY }).await?;
    let before = node.resident_bytes()?;
    let stage = Stage::set(&node.client, &node.payer, token()?, &MANY).await?;
    let report = load::run_on(&node.client, &stage, &MANY, |_| {}).await?;
    let after = node.resident_bytes()?;
    figures.push(Figure::alone("transfers_end_to_end", "per second", executed(&report)?.per_second));
    figures.push(Figure::alone("resident_after_100k", "MB", after as f64 / MB));
    let growth = after.saturating_sub(before) as f64 / MANY.transfers as f64;
    figures.push(Figure::alone("resident_per_transfer", "bytes", growth));
    figures.extend(reads::measure(&node, &stage).await?);
    node.stop()?;
    figures.push(restart(&directory).await?);
    Ok(figures)
}

/// The start on what 100,000 transfers left.
async fn restart(directory: &TempDir) -> anyhow::Result<Figure> {
    let node = Node::start(directory.path()).await?;
    let figure = Figure::alone("start_after_100k", "ms", ms(node.first_answer));
    node.stop()?;
    Ok(figure)
}

/// Latencies, each load on a token of its own.
pub(crate) async fn latencies() -> anyhow::Result<Vec<Figure>> {
    let (node, _directory) = Node::fresh().await?;
    let lone = run(&node, LONE).await?.latency_ms;
    let crowd = run(&node, CROWD).await?;
    let steady = run(&node, STEADY).await?.latency_ms;
    node.stop()?;
    Ok(vec![
        Figure::alone("closed_loop_p50", "ms", lone.p50),
        Figure::alone("closed_loop_p99", "ms", lone.p99),
        Figure::alone("closed_loop_32", "per second", crowd.per_second),
        Figure::alone("open_loop_1000_p50", "ms", steady.p50),
        Figure::alone("open_loop_1000_p99", "ms", steady.p99),
    ])
}

async fn run(node: &Node, options: LoadOptions) -> anyhow::Result<LoadReport> {
    let report = load::run(&node.client, &node.payer, token()?, options, |_| {}).await?;
    executed(&report)?;
    Ok(report)
}

/// A figure of transfers that failed would say nothing.
fn executed(report: &LoadReport) -> anyhow::Result<&LoadReport> {
    let why = report.first_failure.as_deref().unwrap_or_default();
    anyhow::ensure!(report.failed == 0, "{} transfers failed, the first by {why}", report.failed);
    Ok(report)
}

fn ms(time: std::time::Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
