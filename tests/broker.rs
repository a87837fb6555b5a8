//! Nodes whose shared lanes are on a real broker: Apache Kafka, started by `tests/setup/broker.sh`.

mod cluster;

use std::{path::Path, sync::Arc, time::Duration};

use rustorium_types::block::Header;
use serde_json::{Value, json};

use self::cluster::Cluster;
use crate::{
    chain_client::{ChainClient, account, account_of, hex_bytes},
    crash::{self, Ledger, RECEIVER, SENDERS},
    dev_node::{DevNode, Shell},
    localnet::{Localnet, reaches},
    payer::Payer,
    watched::assert_in_good_taste,
};

/// Looks at something until it holds.
async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    for _ in 0..1_200 {
        if let Some(seen) = look().await {
            return seen;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("in vain: {what}");
}

/// A node's metrics, from where its ready line says.
async fn metrics(ready: &Value) -> String {
    let url = ready["metrics"].as_str().expect("a URL");
    reqwest::get(url).await.expect("metrics").text().await.expect("text")
}

/// A metric's value, all of its labels together.
fn metric(text: &str, name: &str) -> u64 {
    let of = |line: &str| {
        let rest = line.strip_prefix("rustorium_")?.strip_prefix(name)?;
        rest.starts_with([' ', '{']).then(|| rest.rsplit(' ').next()?.parse::<f64>().ok()).flatten()
    };
    text.lines().filter_map(of).sum::<f64>() as u64
}

/// Waits until the broker takes a node's transactions.
async fn is_joined(ready: &Value) {
    let is_up = async || (metric(&metrics(ready).await, "log_broker_up") == 1).then_some(());
    until("the broker takes transactions", is_up).await;
}

/// Waits until more records have come back from shared lanes than so many; answers how many.
async fn come_back(ready: &Value, than: u64) -> u64 {
    let returned = async || {
        let returned = metric(&metrics(ready).await, "log_returned_records_total");
        (returned > than).then_some(returned)
    };
    until("records come back from shared lanes", returned).await
}

async fn pay(chain: &ChainClient, ready: &Value, from: &str, to: &str) -> Value {
    let transfer = json!([{ "transfer": { "to": account_of(ready, to).address, "amount": "1" } }]);
    chain.send(&account_of(ready, from), transfer).await
}

/// Where the lanes end after a node's newest block.
async fn ends(chain: &ChainClient) -> Vec<u64> {
    let block = chain.read("/v1/blocks/latest").await;
    let header: Header = borsh::from_slice(&hex_bytes(&block["header"]["bytes"])).expect("a header");
    header.lanes.iter().map(|cut| cut.end).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_dies_under_load_stops_and_loses_nothing() {
    let cluster = Cluster::start("dev", 1);
    let brokers = cluster.open.join(",");
    let options = ["--broker", &brokers, "--shards", "2"];
    let directory = tempfile::tempdir().expect("a temporary directory");
    let data_dir = directory.path().join("data");
    let node = DevNode::start_in(&data_dir, &options);
    let genesis = node.genesis_hash().to_owned();
    let chain = ChainClient::new(node.rest());
    is_joined(&node.ready).await;
    assert_eq!(pay(&chain, &node.ready, "erin", "frank").await["type"], "Success");
    let mut returned = come_back(&node.ready, 0).await;
    assert_in_good_taste(&metrics(&node.ready).await);

    let ledger = Arc::new(Ledger::default());
    let senders = Arc::new(SENDERS.map(|name| Payer::of(&node.ready, name, RECEIVER)).into_iter().collect::<Vec<_>>());
    let receiver = account(&node, RECEIVER).address;
    let before = crash::balance(&chain, &receiver).await;
    let mut tasks = crash::load(&node, &ledger, &senders);
    crash::answers(&ledger, 100).await;
    for signal in ["KILL", "TERM"] {
        returned = come_back(&node.ready, returned).await;
        cluster.stop(1, signal);
        // Without it, what is submitted is kept here.
        crash::answers(&ledger, 200).await;
        returned = metric(&metrics(&node.ready).await, "log_returned_records_total");
        cluster.restart(1);
        // The lanes go on by themselves.
        returned = come_back(&node.ready, returned).await;
        crash::answers(&ledger, 50).await;
    }
    tasks.abort_all();
    crash::joined(tasks).await;
    crash::go_on(&node, &chain).await;
    ledger.settle(&chain, &receiver, before).await;
    let own = ends(&chain).await;
    assert!(own.len() == 3 && own.iter().all(|end| *end > 0), "all lanes were used: {own:?}");

    // kill -9 of the node: it reads on from where its log ends.
    let tasks = crash::load(&node, &ledger, &senders);
    crash::answers(&ledger, 100).await;
    node.kill();
    crash::joined(tasks).await;
    let node = DevNode::start_in(&data_dir, &options);
    assert_eq!(node.genesis_hash(), genesis, "the same chain");
    let chain = ChainClient::new(node.rest());
    is_joined(&node.ready).await;
    assert_eq!(pay(&chain, &node.ready, "frank", "erin").await["type"], "Success");
    come_back(&node.ready, 0).await;
    ledger.settle(&chain, &receiver, before).await;
    let said = metrics(&node.ready).await;
    assert_eq!((metric(&said, "log_lane_aside"), metric(&said, "log_broker_contradictions_total")), (0, 0), "{said}");
    assert!(node.terminate().success());
    crash::check_and_rebuild(&data_dir);
}

#[tokio::test(flavor = "multi_thread")]
async fn four_validators_share_lanes_and_what_one_accepts_all_execute() {
    let cluster = Cluster::start("localnet", 1);
    let brokers = cluster.open.join(",");
    let place = tempfile::tempdir().expect("a temporary directory");
    let options = ["--broker", &brokers, "--shards", "2"];
    let net = Localnet::start_with(&place.path().join("net"), 4, 0, &options);
    let names = ["validator-1", "validator-2", "validator-3", "validator-4"];
    let ready = net.ready.clone();
    for name in names {
        is_joined(net.node(name)).await;
    }
    let mut height = 0;
    for (name, from) in names.iter().zip(["alice", "bob", "carol", "erin"]) {
        let chain = ChainClient::new(&net.rest(name));
        for _ in 0..3 {
            let status = pay(&chain, &ready, from, "dave").await;
            assert_eq!(status["type"], "Success", "{name}: {status}");
        }
        come_back(net.node(name), 0).await;
        height = chain.read("/v1/status").await["height"].as_u64().expect("a height").max(height);
    }
    let mut blocks = Vec::new();
    for name in names {
        let rest = net.rest(name);
        reaches(&rest, height).await;
        blocks.push(ChainClient::new(&rest).read(&format!("/v1/blocks/{height}")).await["header"]["bytes"].clone());
    }
    assert!(blocks.windows(2).all(|pair| pair[0] == pair[1]), "one header at a height");

    // Accepted by one that dies at once: the broker has it, and the others execute it.
    let fourth = ChainClient::new(&net.rest("validator-4"));
    let transfer = json!({ "messages": [{ "transfer": { "to": account_of(&ready, "dave").address, "amount": "5" } }] });
    let signed = fourth.sign(&account_of(&ready, "frank"), transfer).await;
    let (status, accepted) = fourth.post("/v1/transactions?wait=accepted", &signed).await;
    assert!(status.is_success(), "{accepted}");
    net.kill("validator-4");
    let hash = accepted["hash"].as_str().expect("a hash").to_owned();
    for name in &names[..3] {
        let chain = ChainClient::new(&net.rest(name));
        let executed = async || {
            let (_, transaction) = chain.get(&format!("/v1/transactions/{hash}")).await;
            (transaction["status"]["type"] == "Success").then_some(())
        };
        until("the others execute what one accepted", executed).await;
    }
    let first = ChainClient::new(&net.rest("validator-1"));
    let shared = &ends(&first).await[..2];
    assert!(shared.iter().all(|end| *end > 0), "both shared lanes were used: {shared:?}");
    net.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn over_tls_with_a_password_and_a_wrong_setting_is_named_with_what_mends_it() {
    let cluster = Cluster::start("secured", 1);
    cluster.grant();
    let brokers: Vec<String> = cluster.secure.iter().map(|broker| format!("{broker:?}")).collect();
    let file = |name: &str| cluster.file(name).display().to_string();
    let settings = |replication: u16| {
        format!(
            "[broker]\nbootstrap = [{}]\ntopic_prefix = \"node-transactions-\"\nreplication = {replication}\n\
             min_insync_replicas = 1\ntls = true\ntls_ca_file = {:?}\nsasl = \"scram-sha-256\"\n\
             sasl_username = \"node\"\nsasl_password_file = {:?}\n",
            brokers.join(", "),
            file("ca.pem"),
            file("password"),
        )
    };
    let node = DevNode::configured(&settings(1));
    let chain = ChainClient::new(node.rest());
    is_joined(&node.ready).await;
    assert_eq!(pay(&chain, &node.ready, "alice", "bob").await["type"], "Success");
    come_back(&node.ready, 0).await;
    assert!(node.terminate().success());

    let place = tempfile::tempdir().expect("a temporary directory");
    let said = refused(place.path(), &settings(3), &[]);
    assert!(said.contains("topic node-transactions-0: replication.factor is 1"), "{said}");
    assert!(said.contains("mend it with"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_its_broker_a_node_starts_and_goes_on() {
    let place = tempfile::tempdir().expect("a temporary directory");
    let data_dir = place.path().join("data");
    // A port that nobody listens on.
    let away = ["--broker", "127.0.0.1:1"];
    let node = DevNode::start_in(&data_dir, &away);
    let chain = ChainClient::new(node.rest());
    assert_eq!(pay(&chain, &node.ready, "alice", "bob").await["type"], "Success");
    let own = ends(&chain).await;
    assert_eq!((own.len(), own[0]), (2, 0), "a shared lane, with nothing in it: {own:?}");
    assert_eq!(metric(&metrics(&node.ready).await, "log_broker_up"), 0);
    assert!(node.terminate().success());

    // The number of lanes is the genesis', and a chain without any is told so.
    let said = refused(&data_dir, "", &["--shards", "2"]);
    assert!(said.contains("has 1 shared lanes, not 2"), "{said}");
    let plain = place.path().join("plain");
    assert!(DevNode::start_in(&plain, &[]).terminate().success());
    let said = refused(&plain, "", &away);
    assert!(said.contains("has no shared lanes"), "{said}");
    // With or without a broker, it is the same chain.
    let node = DevNode::start_in(&data_dir, &[]);
    let chain = ChainClient::new(node.rest());
    assert_eq!(pay(&chain, &node.ready, "bob", "alice").await["type"], "Success");
    assert!(node.terminate().success());
}

/// What a node says that does not start, with these settings and options.
fn refused(data_dir: &Path, settings: &str, options: &[&str]) -> String {
    let shell = Shell::new("http://127.0.0.1:1");
    let file = shell.folder().join("node.toml");
    std::fs::write(&file, settings).expect("a file");
    let (file, data_dir) = (file.display().to_string(), data_dir.display().to_string());
    let mut arguments = vec!["dev", "--listen", "127.0.0.1:0", "--config", &file, "--data-dir", &data_dir];
    arguments.extend(options);
    let output = shell.run(&arguments);
    assert!(!output.status.success(), "it starts");
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}
