//! Several nodes of one chain, each a process: `rustorium localnet`.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use serde_json::{Value, json};

use crate::{
    chain_client::{ChainClient, account_of},
    dev_node::{RUSTORIUM, Shell},
    guests,
};

/// A running network.
pub(crate) struct Localnet {
    process: Child,
    pub(crate) ready: Value,
}

impl Localnet {
    fn start(directory: &Path, validators: u32, followers: u32) -> Self {
        Self::start_with(directory, validators, followers, &[])
    }

    pub(crate) fn start_with(directory: &Path, validators: u32, followers: u32, options: &[&str]) -> Self {
        let mut process = Command::new(RUSTORIUM)
            .args(["localnet", "--listen", "127.0.0.1:0", "--output", "json"])
            .args(["--validators", &validators.to_string(), "--followers", &followers.to_string(), "--data-dir"])
            .arg(directory)
            .args(options)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let output = process.stdout.take().expect("stdout is piped");
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line).expect("the network says that it is ready");
        let ready: Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("no ready line: {error}: {line}"));
        Self { process, ready }
    }

    /// Where a node answers.
    pub(crate) fn rest(&self, node: &str) -> String {
        self.node(node)["rest"].as_str().expect("an address").to_owned()
    }

    /// kill -9 of a node's process.
    pub(crate) fn kill(&self, node: &str) {
        let pid = self.node(node)["pid"].to_string();
        assert!(Command::new("kill").args(["-9", &pid]).status().expect("kill runs").success());
    }

    pub(crate) fn node(&self, name: &str) -> &Value {
        let nodes = self.ready["nodes"].as_array().expect("nodes");
        nodes.iter().find(|node| node["name"] == name).unwrap_or_else(|| panic!("no {name} in {nodes:?}"))
    }

    pub(crate) fn stop(mut self) {
        let pid = self.process.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().expect("kill runs").success());
        assert!(self.process.wait().expect("it ends").success());
    }
}

impl Drop for Localnet {
    fn drop(&mut self) {
        // Its nodes end with it: SIGTERM is passed on, SIGKILL could not be.
        let pid = self.process.id().to_string();
        let _ = Command::new("kill").args(["-TERM", &pid]).status();
        let _ = self.process.wait();
    }
}

/// Waits until a node has executed a height.
pub(crate) async fn reaches(rest: &str, height: u64) -> Value {
    let chain = ChainClient::new(rest);
    for _ in 0..600 {
        let status = chain.read("/v1/status").await;
        if status["height"].as_u64().is_some_and(|at| at >= height) {
            return status;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{rest} does not come to height {height}: {}", chain.read("/v1/status").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn four_validators_and_a_follower_are_one_chain() {
    let place = tempfile::tempdir().expect("a temporary directory");
    let directory = place.path().join("net");
    let net = Localnet::start(&directory, 4, 1);
    let alice = account_of(&net.ready, "alice");

    // Deployed through a validator, called through the follower, read everywhere.
    let first = ChainClient::new(&net.rest("validator-1"));
    let counter = first.deploy(&alice, &guests::counter().bytes, json!({"start": "0"})).await;
    let deployed = first.read("/v1/status").await["height"].as_u64().expect("a height");
    reaches(&net.rest("follower-1"), deployed).await;
    let follower = ChainClient::new(&net.rest("follower-1"));
    for _ in 0..5 {
        let status = follower.call(&alice, &counter, "increment", json!({"by": "1"})).await;
        assert_eq!(status["type"], "Success", "{status}");
    }
    let height = follower.read("/v1/status").await["height"].as_u64().expect("a height");
    let mut blocks = Vec::new();
    for node in ["validator-1", "validator-2", "validator-3", "validator-4", "follower-1"] {
        let rest = net.rest(node);
        reaches(&rest, height).await;
        let chain = ChainClient::new(&rest);
        assert_eq!(chain.view(&counter, "count", json!({})).await, "5", "{node}");
        blocks.push(chain.read(&format!("/v1/blocks/{height}")).await["header"]["bytes"].clone());
    }
    assert!(blocks.windows(2).all(|pair| pair[0] == pair[1]), "one header at a height");
    let shell = Shell::new(&net.rest("follower-1"));
    let peers = shell.json(&["peers"]);
    assert!(peers["peers"].as_array().expect("peers").iter().any(|peer| peer["validator"].is_string()), "{peers}");

    // One validator less, and it goes on; what is read is proven by those who are left.
    net.kill("validator-4");
    let second = ChainClient::new(&net.rest("validator-2"));
    let status = second.call(&alice, &counter, "increment", json!({"by": "1"})).await;
    assert_eq!(status["type"], "Success", "{status}");
    let height = second.read("/v1/status").await["height"].as_u64().expect("a height");
    reaches(&net.rest("follower-1"), height).await;
    let genesis = net.ready["genesisHash"].as_str().expect("a hash").to_owned();
    let verified = shell.json(&["query", &counter, "count", "--verify", "--trust", &genesis]);
    assert_eq!((&verified["value"], &verified["verified"]), (&json!("6"), &json!(true)), "{verified}");
    net.stop();

    // All start again, the one that was killed too, and are one chain still.
    let net = Localnet::start(&directory, 4, 1);
    let fourth = ChainClient::new(&net.rest("validator-4"));
    reaches(&net.rest("validator-4"), height).await;
    let status = fourth.call(&alice, &counter, "increment", json!({"by": "1"})).await;
    assert_eq!(status["type"], "Success", "{status}");
    assert_eq!(fourth.view(&counter, "count", json!({})).await, "7");
    net.stop();
}
