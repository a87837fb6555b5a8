//! Validators that change: a chain of one grows to four, loses one, and lets the first go, each a process.

use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::Duration,
};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    chain_client::{Account, ChainClient, account_of},
    dev_node::{DevNode, RUSTORIUM},
    guests,
};

/// A folder with nodes' directories in it, and the passphrase of their keys.
struct Site {
    folder: TempDir,
}

/// A running node.
struct Node {
    process: Child,
    rest: String,
    ready: Value,
}

impl Site {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary directory");
        std::fs::write(folder.path().join("passphrase"), "a passphrase").expect("a file");
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(RUSTORIUM);
        command
            .args(arguments)
            .args(["--output", "json"])
            .current_dir(self.folder.path())
            .env_remove("RUSTORIUM_NODE")
            .env_remove("RUSTORIUM_FROM")
            .env("RUSTORIUM_PASSPHRASE_FILE", self.path("passphrase"))
            .stdin(Stdio::null());
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("the program runs")
    }

    /// What a command that must succeed prints.
    fn json(&self, arguments: &[&str]) -> Value {
        let output = self.run(arguments);
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{arguments:?}: {text}{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{arguments:?}: {error}: {text}"))
    }

    /// The sentence with which a command fails.
    fn refused(&self, arguments: &[&str]) -> Value {
        let output = self.run(arguments);
        assert!(!output.status.success(), "{arguments:?} succeeded");
        let error: Value = serde_json::from_slice(&output.stdout).expect("the error as JSON");
        json!([error["error"]["code"], error["error"]["message"]])
    }

    fn start(&self, name: &str) -> Node {
        let log = std::fs::File::create(self.path(&format!("{name}.log"))).expect("a file");
        let directory = self.path(name).display().to_string();
        let mut process = self
            .command(&["start", "--data-dir", &directory])
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .expect("the program starts");
        let output = process.stdout.take().expect("stdout is piped");
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line).expect("the node says that it is ready");
        let ready: Value = serde_json::from_str(&line).unwrap_or_else(|error| {
            let log = std::fs::read_to_string(self.path(&format!("{name}.log"))).unwrap_or_default();
            panic!("{name} is not ready: {error}: {line}{log}")
        });
        Node { process, rest: ready["rest"].as_str().expect("an address").to_owned(), ready }
    }

    /// Makes a node's directory; answers its validator's key and its address.
    fn join(&self, name: &str, genesis: &Path, peers: &[String]) -> (String, String) {
        let genesis = genesis.display().to_string();
        let mut arguments = vec!["validator", "new", name, "--genesis", &genesis, "--listen", "127.0.0.1:0"];
        arguments.extend(peers.iter().flat_map(|peer| ["--peer", peer]));
        let made = self.json(&arguments);
        let text = |field: &str| made[field].as_str().expect("a text").to_owned();
        (text("validator"), text("address"))
    }

    /// Proposes, signs and submits a change; again, if the epoch ended meanwhile.
    fn change(&self, node: &Node, terms: &[&str], signers: &[&str]) {
        for _ in 0..3 {
            let mut arguments = vec!["validator", "propose", "--node", &node.rest];
            arguments.extend(terms);
            let proposed = self.run(&arguments);
            assert!(proposed.status.success(), "{}", String::from_utf8_lossy(&proposed.stderr));
            std::fs::write(self.path("change.json"), &proposed.stdout).expect("a file");
            for (count, signer) in signers.iter().enumerate() {
                let signed = self.json(&["validator", "sign", "change.json", "--data-dir", signer]);
                assert_eq!(signed["signatures"], json!(count + 1));
            }
            let submitted = self.run(&["validator", "submit", "change.json", "--from", "alice", "--node", &node.rest]);
            if submitted.status.success() {
                return;
            }
            let error: Value = serde_json::from_slice(&submitted.stdout).expect("the error as JSON");
            assert_eq!(error["error"]["code"], "WRONG_EPOCH", "{error}");
        }
        panic!("three epochs were too short");
    }
}

impl Node {
    fn chain(&self) -> ChainClient {
        ChainClient::new(&self.rest)
    }

    /// Waits until something holds of what it answers.
    async fn until(&self, what: &str, path: &str, holds: impl Fn(&Value) -> bool) -> Value {
        let chain = self.chain();
        let mut answer = Value::Null;
        for _ in 0..1_800 {
            answer = chain.read(path).await;
            if holds(&answer) {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("{}: {what} never came: {answer}", self.rest);
    }

    async fn reaches(&self, height: u64) {
        self.until("the height", "/v1/status", |status| status["height"].as_u64().is_some_and(|at| at >= height)).await;
    }

    async fn height(&self) -> u64 {
        self.chain().read("/v1/status").await["height"].as_u64().expect("a height")
    }

    /// Waits until so many validate and no others are to come.
    async fn has_validators(&self, count: usize) -> Value {
        let settled = |answer: &Value| {
            answer["next"].is_null() && answer["validators"].as_array().is_some_and(|keys| keys.len() == count)
        };
        self.until("the validators", "/v1/validators", settled).await
    }

    /// Moves value by a transaction that this node takes.
    async fn transfers(&self, from: &Account, to: &str) {
        let status = self.chain().send(from, json!([{"transfer": {"to": to, "amount": "1"}}])).await;
        assert_eq!(status["type"], "Success", "{status}");
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chain_of_one_grows_to_four_and_its_first_validator_leaves() {
    let site = Site::new();
    let names = ["net/validator-1", "net/validator-2", "net/validator-3", "net/validator-4"];
    let init = ["init", "net", "--validators", "1", "--dev", "--listen", "127.0.0.1:0", "--epoch-length", "40"];
    site.json(&init);
    let first = site.start(names[0]);
    let alice = account_of(&first.ready, "alice");
    let bob = account_of(&first.ready, "bob").address;
    let counter = first.chain().deploy(&alice, &guests::counter().bytes, json!({"start": "7"})).await;

    // Three come, and follow until they are validators.
    let id = first.chain().read("/v1/peers").await["id"].as_str().expect("an id").to_owned();
    let settings = std::fs::read_to_string(site.path("net/validator-1/node.toml")).expect("settings");
    let settings: toml::Table = settings.parse().expect("TOML");
    let address = settings["network"]["listen"].as_str().expect("an address");
    let peers = [format!("{id}@{address}")];
    let genesis = site.path("net/genesis.toml");
    let keys: Vec<String> = names[1..].iter().map(|name| site.join(name, &genesis, &peers).0).collect();
    let mut nodes = vec![first];
    nodes.extend(names[1..].iter().map(|name| site.start(name)));
    let height = nodes[0].height().await;
    for node in &nodes {
        node.reaches(height).await;
        assert_eq!(node.has_validators(1).await["quorum"], 1);
    }

    // What is not decided is refused in words, before it costs anything.
    let add: Vec<&str> = keys.iter().flat_map(|key| ["--add", key.as_str()]).collect();
    let proposed = site.run(&[&["validator", "propose", "--node", &nodes[0].rest], &add[..]].concat());
    std::fs::write(site.path("unsigned.json"), &proposed.stdout).expect("a file");
    let submit = |file| site.refused(&["validator", "submit", file, "--from", "alice", "--node", &nodes[0].rest]);
    assert_eq!(submit("unsigned.json"), json!(["NO_QUORUM", "0 of 1 validators signed the change, and 1 must"]));
    site.json(&["validator", "sign", "unsigned.json", "--data-dir", names[1]]);
    let stranger = format!("{} signed and is no validator of epoch", keys[0]);
    let refused = submit("unsigned.json");
    assert!(refused[1].as_str().is_some_and(|text| text.starts_with(&stranger)), "{refused}");

    // The only validator decides that four are to be.
    site.change(&nodes[0], &add, &names[..1]);
    for node in &nodes {
        let now = node.has_validators(4).await;
        assert_eq!((&now["quorum"], &now["changes"]), (&json!(3), &json!(1)), "{now}");
    }
    let height = nodes[3].height().await;
    for node in &nodes {
        node.transfers(&alice, &bob).await;
        node.reaches(height + 4).await;
    }
    // Whoever knows the genesis alone follows the change, and believes a node that was no validator then.
    let trust = nodes[0].ready["genesisHash"].as_str().expect("a hash").to_owned();
    let query = ["query", &counter, "count", "--verify", "--trust", &trust, "--node", &nodes[2].rest];
    let verified = site.json(&query);
    assert_eq!((&verified["value"], &verified["verified"]), (&json!("7"), &json!(true)), "{verified}");

    // One of the four dies, and the others go on.
    drop(nodes.pop());
    nodes[1].transfers(&alice, &bob).await;
    let height = nodes[1].height().await;
    nodes[0].reaches(height + 4).await;
    nodes.push(site.start(names[3]));
    nodes[3].reaches(height + 4).await;

    // The first leaves: it follows from then on, and still takes what is submitted to it.
    let known = nodes[1].chain().read("/v1/validators").await;
    let all = known["validators"].as_array().expect("keys").iter().map(|key| key.as_str().expect("a key"));
    let leaving = all.filter(|key| !keys.iter().any(|other| other == key)).collect::<Vec<_>>();
    site.change(&nodes[1], &["--remove", leaving[0]], &names[1..]);
    for node in &nodes {
        assert_eq!(node.has_validators(3).await["quorum"], 3);
    }
    let height = nodes[1].height().await;
    nodes[0].transfers(&alice, &bob).await;
    for node in &nodes {
        node.reaches(height + 4).await;
    }
    assert!(nodes[0].chain().read("/v1/peers").await["validator"].is_null(), "no validator any more");
    let bytes = nodes[2].chain().read(&format!("/v1/blocks/{height}")).await["header"]["bytes"].clone();
    assert_eq!(nodes[0].chain().read(&format!("/v1/blocks/{height}")).await["header"]["bytes"], bytes);
}

#[tokio::test(flavor = "multi_thread")]
async fn four_go_on_from_a_development_chains_directory() {
    let site = Site::new();
    let genesis = site.path("genesis.toml");
    // A development chain with short epochs.
    let seed = DevNode::start_in(&site.path("seed"), &["--seed", "four"]);
    drop(seed);
    let text = std::fs::read_to_string(site.path("seed/genesis.toml")).expect("a genesis");
    std::fs::write(&genesis, text.replace("epoch_length = 1000", "epoch_length = 12")).expect("a file");
    let dev = DevNode::start_in(&site.path("one"), &["--genesis", &genesis.display().to_string()]);
    let alice = account_of(&dev.ready, "alice");
    let bob = account_of(&dev.ready, "bob").address;
    let chain = ChainClient::new(dev.rest());
    let counter = chain.deploy(&alice, &guests::counter().bytes, json!({"start": "3"})).await;

    // Its validator's key is everybody's, so it is signed for here as anybody could.
    let names = ["four/1", "four/2", "four/3", "four/4"];
    let mut peers = Vec::new();
    let mut keys = Vec::new();
    for name in names {
        let (key, address) = site.join(name, &genesis, &peers);
        keys.push(key);
        peers.push(address);
    }
    let add: Vec<&str> = keys.iter().flat_map(|key| ["--add", key.as_str()]).collect();
    let known = chain.read("/v1/validators").await;
    let only = known["validators"][0].as_str().expect("a key");
    let propose = [&["validator", "propose", "--node", dev.rest(), "--remove", only], &add[..]].concat();
    let proposed = site.run(&propose);
    assert!(proposed.status.success(), "{}", String::from_utf8_lossy(&proposed.stderr));
    std::fs::write(site.path("change.json"), &proposed.stdout).expect("a file");
    site.json(&["validator", "sign", "change.json", "--dev"]);
    site.json(&["validator", "submit", "change.json", "--node", dev.rest()]);
    // `mine` is refused once the chain is others'.
    while chain.read("/v1/status").await["height"].as_u64().expect("a height") < 12 {
        let _ = site.run(&["dev", "mine", "--node", dev.rest()]);
    }
    assert_eq!(chain.read("/v1/validators").await["validators"].as_array().map(Vec::len), Some(4));
    assert!(dev.terminate().success());
    let output = site.run(&["dev", "--data-dir", "one", "--listen", "127.0.0.1:0"]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(!output.status.success() && said.contains("from epoch 1 on this chain has 4 validators"), "{said}");

    // Four nodes open copies of the directory, and go on.
    for name in names {
        std::fs::create_dir_all(site.path(name).join("log")).expect("a directory");
        for entry in std::fs::read_dir(site.path("one/log")).expect("a log") {
            let entry = entry.expect("an entry");
            std::fs::copy(entry.path(), site.path(name).join("log").join(entry.file_name())).expect("a copy");
        }
        std::fs::copy(site.path("one/state.redb"), site.path(name).join("state.redb")).expect("a copy");
    }
    let nodes: Vec<Node> = names.iter().map(|name| site.start(name)).collect();
    for node in &nodes {
        node.transfers(&alice, &bob).await;
    }
    for node in &nodes {
        node.reaches(16).await;
        assert_eq!(node.chain().view(&counter, "count", json!({})).await, "3");
    }
}
