//! From the submission of a transfer to its event at a subscriber, at 100 transfers a second.
//!
//! Each transfer is submitted when it is due, whatever became of the one before, and its latency counts from then
//! until a subscriber has the event in hand; with several subscribers, until each of them has.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use rustorium_client::{
    Client, EventStream,
    model::{SignedInput, Wait},
    stream::{Start, StreamItem},
};
use rustorium_node::load::{Latencies, Latency, LoadOptions, Stage};
use rustorium_types::id::Hash;
use tokio::task::JoinSet;

use crate::{
    node::{Node, token},
    reads::transfers_of,
    report::Figure,
    transfers::MANY,
};

const RATE: f64 = 100.0;
const TRANSFERS: usize = 1_000;
const LOAD: LoadOptions = LoadOptions { transfers: TRANSFERS, batch: 1, rate: Some(RATE), ..MANY };

/// With one subscriber and with fifty.
pub(crate) async fn measure() -> anyhow::Result<Vec<Figure>> {
    let (node, _directory) = Node::fresh().await?;
    let one = to_subscribers(&node, 1).await?;
    let fifty = to_subscribers(&node, 50).await?;
    node.stop()?;
    Ok(vec![
        Figure::alone("event_delivery_p50", "ms", one.p50),
        Figure::alone("event_delivery_p99", "ms", one.p99),
        Figure::alone("event_delivery_50_p50", "ms", fifty.p50),
        Figure::alone("event_delivery_50_p99", "ms", fifty.p99),
    ])
}

async fn to_subscribers(node: &Node, subscribers: usize) -> anyhow::Result<Latency> {
    let stage = Stage::set(&node.client, &node.payer, token()?, &LOAD).await?;
    let mut listening = JoinSet::new();
    for _ in 0..subscribers {
        let mut stream = EventStream::new(&node.client, transfers_of(stage.token()), Start::Now);
        // The first checkpoint says that it is live.
        anyhow::ensure!(matches!(stream.next().await?, StreamItem::Checkpoint { .. }), "a new stream is at its end");
        listening.spawn(arrivals(stream));
    }
    let due = submit(&node.client, stage.sign(&LOAD)).await?;
    let mut latencies = Latencies::default();
    while let Some(arrived) = listening.join_next().await {
        for (transaction, at) in arrived?? {
            latencies.add(at.duration_since(due[&transaction]));
        }
    }
    Ok(latencies.summary())
}

/// When each transaction's event came.
async fn arrivals(mut stream: EventStream) -> anyhow::Result<Vec<(Hash, Instant)>> {
    let mut arrived = Vec::with_capacity(TRANSFERS);
    while arrived.len() < TRANSFERS {
        if let StreamItem::Event(event) = stream.next().await? {
            arrived.push((event.transaction, Instant::now()));
        }
    }
    Ok(arrived)
}

/// Submits each transfer when it is due; answers when that was.
async fn submit(client: &Client, batches: Vec<Vec<SignedInput>>) -> anyhow::Result<HashMap<Hash, Instant>> {
    let start = Instant::now();
    let mut running = JoinSet::new();
    for (number, batch) in batches.into_iter().enumerate() {
        let client = client.clone();
        let due = start + Duration::from_secs_f64(number as f64 / RATE);
        tokio::time::sleep_until(due.into()).await;
        running.spawn(async move {
            let results = client.submit(&batch, Wait::Accepted).await?;
            let hash = results.first().and_then(|result| result.hash);
            anyhow::Ok((hash.ok_or_else(|| anyhow::anyhow!("a transfer was refused"))?, due))
        });
    }
    let mut due = HashMap::new();
    while let Some(submitted) = running.join_next().await {
        due.extend([submitted??]);
    }
    Ok(due)
}
