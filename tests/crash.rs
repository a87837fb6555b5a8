//! kill -9 under load, again and again on one directory, and SIGTERM: what the public API answered stays so.

use std::{
    collections::{BTreeMap, HashMap},
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::{
    chain_client::{ChainClient, account},
    dev_node::{DevNode, Shell},
    payer::Payer,
};

/// Processes that are killed.
const KILLS: u64 = 30;
/// Transfers of a request.
const BATCH: u64 = 8;
/// Those who submit, from accounts of their own; the last account receives.
pub(crate) const SENDERS: [&str; 3] = ["alice", "bob", "carol"];
pub(crate) const RECEIVER: &str = "dave";

/// What clients were told, and what they asked for.
#[derive(Default)]
pub(crate) struct Ledger {
    /// Every hash that was submitted, and what was said of it: nothing, accepted, or executed at a height.
    told: Mutex<HashMap<String, Option<Said>>>,
    /// Headers by height.
    headers: Mutex<BTreeMap<u64, Value>>,
    /// Transactions that were answered for.
    answers: AtomicU64,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Said {
    Accepted,
    Executed(u64),
}

impl Ledger {
    /// Submits transfers, a batch after the other, until the node answers no more.
    async fn submit(&self, sender: &Payer, rest: String) {
        let http = reqwest::Client::new();
        for round in 0_u64.. {
            let (hashes, batch): (Vec<_>, Vec<_>) = (0..BATCH).map(|_| sender.transfer()).unzip();
            self.told.lock().expect("unpoisoned").extend(hashes.into_iter().map(|hash| (hash, None)));
            let wait = if round.is_multiple_of(2) { "executed" } else { "accepted" };
            let request = http.post(format!("{rest}/v1/transactions?wait={wait}")).json(&batch);
            let Ok(response) = request.send().await else { return };
            let Ok(Value::Array(answers)) = response.json().await else { return };
            for answer in &answers {
                self.answered(answer);
            }
        }
    }

    fn answered(&self, answer: &Value) {
        let said = match answer["status"]["type"].as_str() {
            Some("Pending") => Said::Accepted,
            Some("Success") => Said::Executed(height(&answer["status"])),
            _ => {
                // A node that stops may leave open what becomes of it, and nothing else.
                assert_eq!(answer["code"], "LOG_UNAVAILABLE", "{answer}");
                return;
            }
        };
        let hash = answer["hash"].as_str().expect("a hash").to_owned();
        self.told.lock().expect("unpoisoned").insert(hash, Some(said));
        self.answers.fetch_add(1, Ordering::SeqCst);
    }

    /// Holds what was told against what a node says now, and notes its newest header.
    async fn hold_against(&self, chain: &ChainClient) {
        let newest = chain.read("/v1/blocks/latest").await;
        let newest = (newest["header"]["height"].as_u64().expect("a height"), newest["header"]["bytes"].clone());
        let heard = self.headers.lock().expect("unpoisoned").clone();
        for (height, bytes) in heard.iter().rev().take(3) {
            let block = chain.read(&format!("/v1/blocks/{height}")).await;
            assert_eq!(&block["header"]["bytes"], bytes, "another header at height {height}");
        }
        self.headers.lock().expect("unpoisoned").insert(newest.0, newest.1);
    }

    /// Everything that was accepted is executed, once: the receiver has what all that succeeded sent.
    pub(crate) async fn settle(&self, chain: &ChainClient, receiver: &str, before: u128) {
        let told: Vec<_> = self.told.lock().expect("unpoisoned").clone().into_iter().collect();
        let mut paid = 0;
        for (hash, said) in told {
            let (status, transaction) = chain.get(&format!("/v1/transactions/{hash}")).await;
            let executed = (transaction["status"]["type"] == "Success").then(|| height(&transaction["status"]));
            paid += u128::from(executed.is_some());
            match said {
                None => {}
                Some(Said::Accepted) => assert!(executed.is_some(), "{hash} was accepted: {status} {transaction}"),
                Some(Said::Executed(height)) => assert_eq!(executed, Some(height), "{hash}: {transaction}"),
            }
        }
        assert_eq!(balance(chain, receiver).await, before + paid);
    }
}

fn height(status: &Value) -> u64 {
    status["receipt"]["height"].as_u64().or_else(|| status["height"].as_u64()).unwrap_or_else(|| panic!("{status}"))
}

pub(crate) async fn balance(chain: &ChainClient, address: &str) -> u128 {
    let account = chain.read(&format!("/v1/accounts/{address}")).await;
    account["balance"].as_str().expect("a balance").parse().expect("a number")
}

/// Puts a node under load; the tasks end with it.
pub(crate) fn load(node: &DevNode, ledger: &Arc<Ledger>, senders: &Arc<Vec<Payer>>) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    for index in 0..SENDERS.len() {
        let (ledger, senders, rest) = (Arc::clone(ledger), Arc::clone(senders), node.rest().to_owned());
        tasks.spawn(async move { ledger.submit(&senders[index], rest).await });
    }
    tasks
}

/// Somebody else's transaction: what waited in the log is executed before it.
pub(crate) async fn go_on(node: &DevNode, chain: &ChainClient) {
    let transfer = json!([{"transfer": {"to": account(node, "frank").address, "amount": "1"}}]);
    assert_eq!(chain.send(&account(node, "erin"), transfer).await["type"], "Success");
}

/// Waits until so many more transactions were answered for.
pub(crate) async fn answers(ledger: &Ledger, more: u64) {
    let wanted = ledger.answers.load(Ordering::SeqCst) + more;
    while ledger.answers.load(Ordering::SeqCst) < wanted {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

pub(crate) async fn joined(mut tasks: JoinSet<()>) {
    while let Some(ended) = tasks.join_next().await {
        match ended {
            // It was told to stop.
            Err(ended) if ended.is_cancelled() => {}
            ended => ended.expect("no client saw a contradiction"),
        }
    }
}

/// The log alone makes the same directory, and both are whole.
pub(crate) fn check_and_rebuild(data_dir: &Path) {
    let shell = Shell::new("http://127.0.0.1:1");
    let (from, into) = (data_dir.display().to_string(), format!("{}-rebuilt", data_dir.display()));
    let original = shell.json(&["db", "check", "--data-dir", &from]);
    let replayed = shell.json(&["replay", "--data-dir", &from]);
    assert_eq!(replayed["compared"], original["height"], "{replayed} {original}");
    shell.json(&["replay", "--data-dir", &from, "--into", &into]);
    let rebuilt = shell.json(&["db", "check", "--data-dir", &into]);
    assert_eq!(rebuilt["stateRoot"], original["stateRoot"]);
    let node = DevNode::start_in(Path::new(&into), &[]);
    assert!(node.terminate().success(), "a rebuilt directory is a node's");
}

#[tokio::test(flavor = "multi_thread")]
async fn thirty_kills_under_load_contradict_nothing() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let data_dir = directory.path().join("data");
    let ledger = Arc::new(Ledger::default());
    let node = DevNode::start_in(&data_dir, &[]);
    let senders = Arc::new(SENDERS.map(|name| Payer::of(&node.ready, name, RECEIVER)).into_iter().collect::<Vec<_>>());
    let receiver = account(&node, RECEIVER).address;
    let before = balance(&ChainClient::new(node.rest()), &receiver).await;
    node.kill();
    for kill in 0..KILLS {
        let node = DevNode::start_in(&data_dir, &[]);
        ledger.hold_against(&ChainClient::new(node.rest())).await;
        let tasks = load(&node, &ledger, &senders);
        answers(&ledger, 1 + kill * 37 % 150).await;
        node.kill();
        joined(tasks).await;
    }
    let node = DevNode::start_in(&data_dir, &[]);
    let chain = ChainClient::new(node.rest());
    go_on(&node, &chain).await;
    ledger.hold_against(&chain).await;
    ledger.settle(&chain, &receiver, before).await;
    assert!(node.terminate().success());
    check_and_rebuild(&data_dir);
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_under_load_drains_and_ends_with_success() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let data_dir = directory.path().join("data");
    let ledger = Arc::new(Ledger::default());
    let node = DevNode::start_in(&data_dir, &[]);
    let senders = Arc::new(SENDERS.map(|name| Payer::of(&node.ready, name, RECEIVER)).into_iter().collect::<Vec<_>>());
    let receiver = account(&node, RECEIVER).address;
    let before = balance(&ChainClient::new(node.rest()), &receiver).await;
    let tasks = load(&node, &ledger, &senders);
    answers(&ledger, 100).await;
    let told = Instant::now();
    let ended = tokio::task::spawn_blocking(move || node.terminate()).await.expect("it ends");
    assert!(ended.success(), "{ended}");
    assert!(told.elapsed() < Duration::from_secs(5), "{:?}", told.elapsed());
    joined(tasks).await;
    let node = DevNode::start_in(&data_dir, &[]);
    let chain = ChainClient::new(node.rest());
    go_on(&node, &chain).await;
    ledger.settle(&chain, &receiver, before).await;
}
