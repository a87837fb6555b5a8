//! Clients that go on submitting whatever happens, and remember what they were told.
//!
//! **A failed submission** is one that a client could do nothing about but give up: whatever a node answers other than
//! that the transaction is accepted, and a connection that is lost before the answer. Only where a node's port refuses
//! the connection is the same signed transaction given to the next node, as any client with several addresses does.
//! Each submission has a connection of its own.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use serde_json::Value;
use tokio::task::JoinSet;

use super::network::{Addresses, Network, VALIDATORS};
use crate::payer::Payer;

/// Who submits, each through another node first; the last dev account is whom they pay.
const PAYERS: [&str; 3] = ["alice", "bob", "carol"];
/// Whom they pay.
pub(crate) const RECEIVER: &str = "frank";
/// Between two submissions of a client.
const PAUSE: Duration = Duration::from_millis(50);

/// The clients. Dropping it ends them.
pub(crate) struct Load {
    told: Arc<Told>,
    tasks: JoinSet<()>,
}

#[derive(Default)]
struct Told {
    stops: AtomicBool,
    accepted: AtomicU64,
    /// Given to the next node, because one was down.
    redirected: AtomicU64,
    /// Hashes of what was accepted, in order, and by which node.
    hashes: Mutex<Vec<String>>,
    /// What was said instead, and how often.
    failures: Mutex<BTreeMap<String, u64>>,
}

/// What came of a load.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// Hashes of what was accepted.
    pub(crate) accepted: Vec<String>,
    /// Submissions that were given to the next node because one's port refused.
    pub(crate) redirected: u64,
    /// Failed submissions: what was said, and how often.
    pub(crate) failures: BTreeMap<String, u64>,
}

impl Load {
    /// Puts a network's validators under load.
    pub(crate) fn start(network: &Network) -> Self {
        let told = Arc::new(Told::default());
        let mut tasks = JoinSet::new();
        for (number, name) in PAYERS.into_iter().enumerate() {
            let payer = Payer::of(&network.ready, name, RECEIVER);
            tasks.spawn(client(payer, number, Arc::clone(&network.addresses), Arc::clone(&told)));
        }
        Self { told, tasks }
    }

    /// Waits until so many more transactions are accepted.
    pub(crate) async fn more(&self, count: u64) {
        let wanted = self.told.accepted.load(Ordering::SeqCst) + count;
        while self.told.accepted.load(Ordering::SeqCst) < wanted {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Ends it, once what is under way is answered.
    pub(crate) async fn stop(mut self) -> Outcome {
        self.told.stops.store(true, Ordering::SeqCst);
        while let Some(ended) = self.tasks.join_next().await {
            ended.expect("a client goes on");
        }
        let accepted = std::mem::take(&mut *self.told.hashes.lock().expect("unpoisoned"));
        let failures = std::mem::take(&mut *self.told.failures.lock().expect("unpoisoned"));
        Outcome { accepted, redirected: self.told.redirected.load(Ordering::SeqCst), failures }
    }
}

async fn client(payer: Payer, first: usize, addresses: Addresses, told: Arc<Told>) {
    let http = reqwest::Client::builder().pool_max_idle_per_host(0).build().expect("a client");
    while !told.stops.load(Ordering::SeqCst) {
        let (hash, transaction) = payer.transfer();
        match submit(&http, &transaction, first, &addresses, &told).await {
            Ok(()) => {
                told.hashes.lock().expect("unpoisoned").push(hash);
                told.accepted.fetch_add(1, Ordering::SeqCst);
            }
            Err(why) => *told.failures.lock().expect("unpoisoned").entry(why).or_default() += 1,
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Gives a transaction to a validator, or to the next one whose port does not refuse; an `Err` is a failed submission.
async fn submit(
    http: &reqwest::Client,
    transaction: &Value,
    first: usize,
    addresses: &Addresses,
    told: &Told,
) -> Result<(), String> {
    for turn in 0.. {
        let address = addresses.read().expect("unpoisoned")[(first + turn) % VALIDATORS].clone();
        // Nothing listens where a node is down: its port refuses.
        let Some(address) = address else { continue };
        let request = http.post(format!("{address}/v1/transactions?wait=accepted")).json(transaction);
        let response = match request.send().await {
            Ok(response) => response,
            Err(error) if refused(&error) => {
                told.redirected.fetch_add(1, Ordering::SeqCst);
                tokio::time::sleep(Duration::from_millis(5)).await;
                continue;
            }
            Err(error) => return Err(format!("no answer: {}", causes(&error))),
        };
        let answer: Value = response.json().await.map_err(|error| format!("half an answer: {}", causes(&error)))?;
        return match answer["status"]["type"].as_str() {
            Some("Pending" | "Success") => Ok(()),
            _ => Err(format!("{}: {}", answer["code"], answer["message"])),
        };
    }
    Err("no node".into())
}

fn refused(error: &reqwest::Error) -> bool {
    let mut source: Option<&dyn std::error::Error> = Some(error);
    while let Some(error) = source {
        let kind = error.downcast_ref::<std::io::Error>().map(std::io::Error::kind);
        if kind == Some(std::io::ErrorKind::ConnectionRefused) {
            return true;
        }
        source = error.source();
    }
    false
}

fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}
