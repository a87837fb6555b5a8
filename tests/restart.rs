//! What was answered stays answered: kill -9, restart, replay.

use serde_json::json;

use crate::{
    chain_client::{ChainClient, account},
    dev_node::{DevNode, Shell},
    guests,
};

#[tokio::test(flavor = "multi_thread")]
async fn what_was_executed_is_there_after_kill_9() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let data_dir = directory.path().join("data");
    let node = DevNode::start_in(&data_dir, &[]);
    let chain = ChainClient::new(node.rest());
    let alice = account(&node, "alice");
    let counter = chain.deploy(&alice, &guests::counter().bytes, json!({"start": "0"})).await;
    for _ in 0..5 {
        let status = chain.call(&alice, &counter, "increment", json!({"by": "1"})).await;
        assert_eq!(status["type"], "Success", "{status}");
    }
    let genesis = node.genesis_hash().to_owned();
    let before = chain.view(&counter, "count", json!({})).await;
    let height = chain.read("/v1/status").await["height"].as_u64().expect("a height");
    let block = chain.read(&format!("/v1/blocks/{height}")).await;
    node.kill();

    let node = DevNode::start_in(&data_dir, &[]);
    assert_eq!(node.genesis_hash(), genesis, "the same chain");
    let chain = ChainClient::new(node.rest());
    assert_eq!(chain.view(&counter, "count", json!({})).await, before);
    assert_eq!(chain.read(&format!("/v1/blocks/{height}")).await["header"]["bytes"], block["header"]["bytes"]);

    let status = chain.call(&account(&node, "alice"), &counter, "increment", json!({"by": "1"})).await;
    assert_eq!(status["type"], "Success", "it goes on: {status}");
    assert!(node.terminate().success(), "SIGTERM ends it with 0");

    let copy = directory.path().join("copy");
    let shell = Shell::new("http://127.0.0.1:1");
    let (from, into) = (data_dir.display().to_string(), copy.display().to_string());
    let replayed = shell.json(&["replay", "--data-dir", &from, "--into", &into]);
    let checked = shell.json(&["db", "check", "--data-dir", &into]);
    let original = shell.json(&["db", "check", "--data-dir", &from]);
    assert_eq!(checked["stateRoot"], original["stateRoot"], "{replayed} {checked} {original}");
    assert!(checked["height"].as_u64() > Some(height));
}
