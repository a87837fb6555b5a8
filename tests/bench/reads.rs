//! Reading a chain that carries 100,000 transfers: balances by view, proofs, an account's events.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use rustorium_client::{
    Client,
    model::{EventFilter, Events},
};
use rustorium_node::load::{Latencies, Stage};
use rustorium_types::id::{Address, ContractId};
use serde::Deserialize;
use tokio::task::JoinSet;

use crate::{node::Node, report::Figure};

/// Connections that read at the same time.
const CONNECTIONS: usize = 16;
const READING: Duration = Duration::from_secs(5);
/// Requests of a figure that is about one client alone.
const ALONE: usize = 500;
/// Events of a page.
const PAGE: usize = 20;

/// All figures of this file.
pub(crate) async fn measure(node: &Node, stage: &Stage) -> anyhow::Result<Vec<Figure>> {
    let mut figures = views(&node.client, stage).await?;
    figures.extend(proofs(&node.client, stage).await?);
    figures.push(events(&node.client, stage).await?);
    Ok(figures)
}

async fn views(client: &Client, stage: &Stage) -> anyhow::Result<Vec<Figure>> {
    let token = stage.token();
    let arguments: Arc<Vec<Vec<u8>>> = Arc::new((0..100).map(|number| balance_of(stage, number)).collect());
    let until = Instant::now() + READING;
    let mut readers = JoinSet::new();
    for reader in 0..CONNECTIONS {
        let (client, arguments) = (client.clone(), Arc::clone(&arguments));
        readers.spawn(async move {
            let mut latencies = Latencies::default();
            let mut count = 0_usize;
            while Instant::now() < until {
                let started = Instant::now();
                let arguments = &arguments[(reader * 7 + count) % arguments.len()];
                let answer = client.view(token, "balance_of", arguments, None, false).await?;
                anyhow::ensure!(answer.raw.len() == 16, "a balance has 16 bytes");
                latencies.add(started.elapsed());
                count += 1;
            }
            Ok((count, latencies))
        });
    }
    let (mut total, mut all) = (0, Latencies::default());
    while let Some(reader) = readers.join_next().await {
        let (count, latencies) = reader??;
        total += count;
        all.append(latencies);
    }
    Ok(vec![
        Figure::alone("view_reads", "per second", total as f64 / READING.as_secs_f64()),
        Figure::alone("view_reads_p99", "ms", all.summary().p99),
    ])
}

fn balance_of(stage: &Stage, sender: usize) -> Vec<u8> {
    borsh::to_vec(&Address::from(stage.sender(sender))).unwrap_or_default()
}

#[derive(Deserialize)]
struct Proven {
    proof: Path,
}

#[derive(Deserialize)]
struct Path {
    path: String,
}

async fn proofs(client: &Client, stage: &Stage) -> anyhow::Result<Vec<Figure>> {
    let path = format!("/v1/contracts/{}/state", stage.token());
    let (mut latencies, mut bytes) = (Latencies::default(), 0);
    for number in 0..ALONE {
        let account = Address::from(stage.sender(number % 100));
        let query = [("field", "balances".to_owned()), ("key", account.to_string()), ("proof", "true".to_owned())];
        let started = Instant::now();
        let answer: Proven = client.get(&path, &query).await?;
        latencies.add(started.elapsed());
        // Hex: two digits a byte behind `0x`.
        bytes = bytes.max(answer.proof.path.len() / 2 - 1);
    }
    Ok(vec![
        Figure::alone("proof_read", "ms", latencies.summary().p50),
        Figure::alone("proof_bytes", "bytes", bytes as f64),
    ])
}

async fn events(client: &Client, stage: &Stage) -> anyhow::Result<Figure> {
    let mut latencies = Latencies::default();
    for number in 0..ALONE {
        let account = stage.sender(number % 100);
        let query = [("name", "Transfer".to_owned()), ("where", format!("from={account}")), ("last", PAGE.to_string())];
        let started = Instant::now();
        let page: Events = client.events(stage.token(), &query).await?;
        latencies.add(started.elapsed());
        anyhow::ensure!(page.nodes.len() == PAGE, "{} events instead of {PAGE}", page.nodes.len());
    }
    Ok(Figure::alone("events_of_account", "ms", latencies.summary().p50))
}

/// What a subscriber listens to.
pub(crate) fn transfers_of(token: ContractId) -> EventFilter {
    EventFilter { contract: Some(token), name: Some("Transfer".into()), ..EventFilter::default() }
}
