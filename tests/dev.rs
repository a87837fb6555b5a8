//! What a developer does with a chain of one's own: watches a call step by step, sets what is there, acts as somebody
//! else, goes back, and takes the state elsewhere. Over the command line and over HTTP.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::time::timeout;
use tokio_tungstenite::{connect_async, tungstenite::Message};

use crate::{
    chain_client::{Account, ChainClient, account, hex_text},
    dev_node::{DevNode, RUSTORIUM, Shell},
    guests,
};

const PATIENCE: Duration = Duration::from_secs(30);

struct Fixture {
    node: DevNode,
    chain: ChainClient,
    shell: Shell,
    alice: Account,
    bob: Account,
    token: String,
}

/// A chain with a token of which alice has 1,000.
async fn fixture() -> Fixture {
    let node = DevNode::start();
    let chain = ChainClient::new(node.rest());
    let shell = Shell::new(node.rest());
    let (alice, bob) = (account(&node, "alice"), account(&node, "bob"));
    let args = json!({"symbol": "TOK", "decimals": 0, "supply": "1000"});
    let token = chain.deploy(&alice, &guests::token().bytes, args).await;
    Fixture { node, chain, shell, alice, bob, token }
}

impl Fixture {
    /// The transaction of a call, whatever became of it.
    async fn call(&self, method: &str, args: Value) -> (String, Value) {
        let messages = json!([{"call": {"contract": self.token, "method": method, "args": args}}]);
        let signed = self.chain.sign(&self.alice, json!({"messages": messages, "gasLimit": 20_000_000})).await;
        let answer = self.chain.submit(&signed).await;
        (answer["hash"].as_str().expect("a hash").to_owned(), answer["status"].clone())
    }

    async fn transfer(&self, amount: &str) -> String {
        let (hash, status) = self.call("transfer", json!({"to": self.bob.address, "amount": amount})).await;
        assert_eq!(status["type"], "Success", "{status}");
        hash
    }

    async fn balance(&self, of: &Account) -> Value {
        self.chain.view(&self.token, "balance_of", json!({"account": of.address})).await
    }

    /// As a person reads it: without colour, because no terminal is there.
    fn text(&self, arguments: &[&str]) -> String {
        let output = std::process::Command::new(RUSTORIUM)
            .args(arguments)
            .args(["--node", self.node.rest()])
            .current_dir(self.shell.folder())
            .output()
            .expect("the program runs");
        String::from_utf8(output.stdout).expect("text") + &String::from_utf8_lossy(&output.stderr)
    }
}

fn steps<'a>(frame: &'a Value, kind: &str) -> Vec<&'a Value> {
    frame["steps"].as_array().expect("steps").iter().filter(|step| step["type"] == kind).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_explained_by_the_names_of_its_source() {
    let f = fixture().await;
    let hash = f.transfer("400").await;
    let trace = f.chain.read(&format!("/v1/transactions/{hash}/trace")).await;
    assert_eq!((&trace["status"], &trace["truncated"]), (&json!("Success"), &json!(false)), "{trace}");
    let receipt = &f.chain.read(&format!("/v1/transactions/{hash}")).await["status"]["receipt"];
    assert_eq!((&trace["gasUsed"], &trace["fee"]), (&receipt["gasUsed"], &receipt["fee"]));
    let frame = &trace["messages"][0]["steps"][0];
    assert_eq!((&frame["method"], &frame["caller"]), (&json!("transfer"), &json!(f.alice.address)), "{frame}");
    assert_eq!(frame["args"], json!({"to": f.bob.address, "amount": "400"}));
    let writes = steps(frame, "Write");
    let of_bob = writes.iter().find(|write| write["keys"] == json!([f.bob.address])).expect("bob's balance");
    assert_eq!((&of_bob["field"], &of_bob["before"]), (&json!("balances"), &Value::Null), "{of_bob}");
    assert_eq!(of_bob["after"]["value"], "400");
    let events = steps(frame, "Event");
    let fields = json!({"from": f.alice.address, "to": f.bob.address, "amount": "400"});
    assert_eq!((events.len(), &events[0]["name"], &events[0]["fields"]), (1, &json!("Transfer"), &fields));
    let changes = trace["changes"].as_array().expect("changes");
    let paid = changes.iter().find(|change| change["of"] == json!(f.alice.address)).expect("alice pays");
    let (before, after) = (&paid["before"]["value"]["balance"], &paid["after"]["value"]["balance"]);
    let number = |value: &Value| value.as_str().expect("an amount").parse::<u128>().expect("digits");
    assert_eq!(number(before) - number(after), number(&trace["fee"]));

    let (hash, status) = f.call("transfer", json!({"to": f.bob.address, "amount": "601"})).await;
    assert_eq!(status["type"], "Failure");
    let trace = f.chain.read(&format!("/v1/transactions/{hash}/trace")).await;
    let error = &trace["messages"][0]["steps"][0]["error"];
    assert_eq!((&error["name"], &error["message"]), (&json!("Insufficient"), &json!("needs 601, has 600")), "{error}");
    let query = format!("{{ transaction(hash: \"{hash}\") {{ trace }} }}");
    let same = f.chain.graphql(&query, json!({})).await;
    assert_eq!(same["transaction"]["trace"], trace);

    let text = f.text(&["trace", &hash]);
    for part in ["✗ Insufficient(needed: 601, available: 600): needs 601, has 600", "read balances[alice] → 600", "└─"]
    {
        assert!(text.contains(part), "{part} in\n{text}");
    }
    assert!(!text.contains('\x1b'), "no colour where no terminal is");
    println!("{text}");
    let (status, problem) = f.chain.get(&format!("/v1/transactions/0x{}/trace", "0".repeat(64))).await;
    assert_eq!((status, &problem["code"]), (StatusCode::NOT_FOUND, &json!("NOT_FOUND")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_is_explained_and_leaves_nothing_behind() {
    let f = fixture().await;
    let before = f.chain.read(&format!("/v1/accounts/{}", f.alice.address)).await["nonceNext"].clone();
    let arguments = ["call", &f.token, "transfer", "to=bob", "amount=400", "--dry-run"];
    let dry = f.shell.json(&arguments);
    assert_eq!(dry["trace"]["messages"][0]["steps"][0]["method"], "transfer", "{dry}");
    let text = f.text(&arguments);
    assert!(text.contains(".transfer(to: bob, amount: 400) from alice"), "{text}");
    assert!(text.contains("write balances[bob]: nothing → 400"), "{text}");
    let failing = f.shell.run(&["call", &f.token, "transfer", "to=bob", "amount=1_001", "--dry-run"]);
    assert_eq!(failing.status.code(), Some(3));
    let object: Value = serde_json::from_slice(&failing.stdout).expect("JSON");
    assert_eq!((&object["error"]["name"], &object["trace"]["status"]), (&json!("Insufficient"), &json!("Failure")));
    let after = f.chain.read(&format!("/v1/accounts/{}", f.alice.address)).await;
    assert_eq!(after["nonceNext"], before, "nothing was sent");
    assert_eq!(f.balance(&f.bob).await, "0");
}

/// Reads the same key until its gas is used up.
const FLOOD: &str = r#"(module
    (import "rustorium.1" "storage_read" (func $read (param i32 i32 i32 i32) (result i64)))
    (import "rustorium.1" "log" (func $log (param i32 i32)))
    (memory (export "memory") 1)
    (func (export "call.run")
        (loop
            (drop (call $read (i32.const 0) (i32.const 200) (i32.const 0) (i32.const 0)))
            (call $log (i32.const 0) (i32.const 40))
            (br 0))))"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_host_calls_has_a_bounded_trace_and_others_are_served_meanwhile() {
    let f = fixture().await;
    let wasm = wat::parse_str(FLOOD).expect("it is a module");
    let flood = f.chain.deploy(&f.alice, &wasm, Value::Null).await;
    let messages = json!([{"call": {"contract": flood, "method": "run"}}]);
    let signed = f.chain.sign(&f.alice, json!({"messages": messages, "gasLimit": 100_000_000})).await;
    let answer = f.chain.submit(&signed).await;
    assert_eq!(answer["status"]["error"]["code"], "OUT_OF_GAS", "{answer}");
    let path = format!("/v1/transactions/{}/trace", answer["hash"].as_str().expect("a hash"));
    let traces = async { futures_util::future::join_all((0..4).map(|_| f.chain.read(&path))).await };
    let views = async {
        for _ in 0..20 {
            assert_eq!(f.balance(&f.alice).await, "1000");
        }
    };
    let (traces, ()) = timeout(PATIENCE, async { tokio::join!(traces, views) }).await.expect("in time");
    for trace in traces {
        assert_eq!(trace["truncated"], true);
        assert!(trace["omitted"].as_u64() > Some(10_000), "{}", trace["omitted"]);
        let kept = trace["messages"][0]["steps"][0]["steps"].as_array().expect("steps").len();
        assert!(kept <= 5_000 && trace.to_string().len() < 8 << 20, "{kept} steps");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn storage_code_and_accounts_are_set_by_name() {
    let f = fixture().await;
    f.shell.json(&["dev", "set", &f.token, "balances[alice]=7_000", "symbol=NEW"]);
    assert_eq!(f.balance(&f.alice).await, "7000");
    assert_eq!(f.chain.view(&f.token, "symbol", json!({})).await, "NEW");
    let unknown = f.shell.run(&["dev", "set", &f.token, "balances[bob]=5"]);
    assert_eq!(unknown.status.code(), Some(1), "a new key of a map that can be paged is more than one entry");
    f.shell.json(&["dev", "set", &f.token, "allowances[alice, bob]=250"]);
    let allowance = json!({"owner": f.alice.address, "spender": f.bob.address});
    assert_eq!(f.chain.view(&f.token, "allowance", allowance.clone()).await, "250");
    f.shell.json(&["dev", "set", &f.token, "allowances[alice, bob]=null"]);
    assert_eq!(f.chain.view(&f.token, "allowance", allowance).await, "0");

    f.shell.json(&["dev", "set", "bob", "balance=5_000_000", "nonce=70"]);
    let bob = f.chain.read(&format!("/v1/accounts/{}", f.bob.address)).await;
    assert_eq!((&bob["balance"], &bob["nonceNext"]), (&json!("5000000"), &json!(71)));

    let wasm = f.shell.folder().join("counter.wasm");
    std::fs::write(&wasm, &guests::counter().bytes).expect("it can be written");
    f.shell.json(&["dev", "set", &f.token, &format!("code={}", wasm.display()), "count=9"]);
    let status = f.chain.call(&f.alice, &f.token, "increment", json!({"by": "1"})).await;
    assert_eq!(status["type"], "Success", "{status}");
    assert_eq!(f.chain.view(&f.token, "count", json!({})).await, "10");

    for (control, expected) in [
        (json!({"setCode": {"contract": f.token, "wasm": "0x00"}}), "INVALID_MODULE"),
        (json!({"setStorage": {"contract": f.token, "field": "cuont", "value": "1"}}), "NOT_FOUND"),
        (json!({"setStorage": {"contract": f.token, "field": "count", "value": "x"}}), "BAD_USER_INPUT"),
        (json!({"setStorage": {"contract": f.token, "key": hex_text(&[1; 300]), "raw": "0x"}}), "TOO_LARGE"),
        (json!({"setStorage": {"contract": f.token}}), "BAD_USER_INPUT"),
        (json!({"setNonce": {"account": f.token, "nonce": 1}}), "BAD_USER_INPUT"),
        (json!({"revert": {"height": 1}}), "NOT_FOUND"),
        (json!({"format": {}}), "BAD_USER_INPUT"),
    ] {
        let (_, problem) = f.chain.post("/v1/dev/control", &control).await;
        assert_eq!(problem["code"], expected, "{control}: {problem}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn anybody_is_impersonated_without_a_key() {
    let f = fixture().await;
    let nobody = rustorium_types::id::AccountId([0x77; 32]).to_string();
    f.shell.json(&["dev", "set", &nobody, "balance=1_000_000_000_000"]);
    f.transfer("300").await;
    let sent = f.shell.json(&["dev", "impersonate", "bob", "call", &f.token, "transfer", "to=carol", "amount=100"]);
    assert_eq!(sent["status"], "success", "{sent}");
    let approved =
        f.shell.json(&["dev", "impersonate", &nobody, "call", &f.token, "approve", "spender=bob", "amount=9"]);
    let hash = approved["transaction"].as_str().expect("a hash");
    let shown = f.chain.read(&format!("/v1/transactions/{hash}")).await;
    assert_eq!((&shown["sender"], &shown["impersonated"]), (&json!(nobody), &json!(true)), "{shown}");
    assert_eq!(shown["messages"][0]["args"]["amount"], "9");
    let trace = f.shell.json(&["trace", hash]);
    assert_eq!(trace["messages"][0]["steps"][0]["caller"], json!(nobody));
    let listed = f.chain.read(&format!("/v1/accounts/{nobody}/transactions")).await;
    assert_eq!(listed["nodes"][0]["hash"], hash);

    let messages = json!([{"transfer": {"to": f.bob.address, "amount": "5"}}]);
    let input = json!({"transaction": {"sender": nobody, "messages": messages}});
    let (status, answer) = f.chain.post("/v1/dev/impersonate", &input).await;
    assert!(status.is_success() && answer["status"]["type"] == "Success", "{answer}");
    let refused = f.shell.run(&["dev", "impersonate", "bob", "status"]);
    assert_eq!(refused.status.code(), Some(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revert_is_seen_by_readers_streams_and_retries() {
    let f = fixture().await;
    let kept = f.transfer("1").await;
    let snapshot = f.shell.json(&["dev", "snapshot"])["snapshot"].as_u64().expect("a height");
    let websocket = f.node.ready["websocket"].as_str().expect("a URL");
    let (mut socket, _) = connect_async(websocket).await.expect("the node accepts");
    let subscribe = json!({"id": "1", "type": "subscribe", "stream": "events", "contract": f.token, "fromHeight": 1});
    socket.send(Message::text(subscribe.to_string())).await.expect("open");
    let mut next = async || loop {
        let frame = timeout(PATIENCE, socket.next()).await.expect("in time").expect("open").expect("a frame");
        let message: Value = match frame {
            Message::Text(text) => serde_json::from_str(&text).expect("JSON"),
            _ => continue,
        };
        if message["type"] == "event" {
            return message["event"]["fields"]["amount"].as_str().expect("an amount").to_owned();
        }
        assert_eq!(message["type"], "checkpoint", "{message}");
        if let Some(undone) = message.get("undone") {
            let cursor = message["cursor"].as_str().expect("a cursor");
            assert!(cursor.starts_with(&format!("{snapshot}.end.")), "{message}");
            return format!("undone from {}", undone["from"]);
        }
    };
    assert_eq!((next().await, next().await), ("1000".into(), "1".into()));

    let messages = json!([{"call": {"contract": f.token, "method": "transfer",
        "args": {"to": f.bob.address, "amount": "20"}}}]);
    let signed = f.chain.sign(&f.alice, json!({"messages": messages, "gasLimit": 20_000_000})).await;
    let undone = f.chain.submit(&signed).await;
    let undone_hash = undone["hash"].as_str().expect("a hash");
    assert_eq!(next().await, "20");
    let cursor = undone["status"]["events"][0]["cursor"].as_str().expect("a cursor").to_owned();

    let reverted = f.shell.json(&["dev", "revert", &snapshot.to_string()])["height"].as_u64().expect("a height");
    assert_eq!(next().await, format!("undone from {}", snapshot + 1));
    assert_eq!(f.balance(&f.bob).await, "1");
    let (status, _) = f.chain.get(&format!("/v1/transactions/{undone_hash}")).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    f.chain.read(&format!("/v1/transactions/{kept}")).await;
    let events = f.chain.read(&format!("/v1/contracts/{}/events", f.token)).await;
    let amounts: Vec<_> =
        events["nodes"].as_array().expect("events").iter().map(|event| &event["fields"]["amount"]).collect();
    assert_eq!(amounts, ["1000", "1"]);
    let (status, problem) = f.chain.get(&format!("/v1/contracts/{}/events?after={cursor}", f.token)).await;
    assert_eq!((status, &problem["code"]), (StatusCode::GONE, &json!("CURSOR_EXPIRED")), "{problem}");
    let resume = problem["cursor"].as_str().expect("where to resume");
    let rest = f.chain.read(&format!("/v1/contracts/{}/events?after={resume}", f.token)).await;
    assert_eq!(rest["nodes"], json!([]), "nothing stands behind the snapshot yet");

    let again = f.chain.submit(&signed).await;
    assert_eq!((&again["hash"], &again["status"]["type"]), (&json!(undone_hash), &json!("Success")), "{again}");
    assert!(again["status"]["receipt"]["height"].as_u64() > Some(reverted));
    assert_eq!(next().await, "20", "told once more, because it happened once more");
    assert_eq!(f.balance(&f.bob).await, "21");
    let rest = f.chain.read(&format!("/v1/contracts/{}/events?after={resume}", f.token)).await;
    assert_eq!(rest["nodes"].as_array().map(Vec::len), Some(1));
    let trace = f.chain.read(&format!("/v1/transactions/{undone_hash}/trace")).await;
    assert_eq!(trace["height"], again["status"]["receipt"]["height"]);
    assert_eq!(f.shell.json(&["dev", "snapshot", "--list"])["heights"], json!([snapshot]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_is_dumped_loaded_elsewhere_and_survives_restart_and_replay() {
    let f = fixture().await;
    f.transfer("123").await;
    let file = f.shell.folder().join("state.jsonl");
    let dumped = f.shell.json(&["dev", "dump", &file.display().to_string()]);

    let directory = tempfile::tempdir().expect("a temporary directory");
    let data_dir = directory.path().join("data");
    let other = DevNode::start_in(&data_dir, &[]);
    let shell = Shell::new(other.rest());
    let loaded = shell.json(&["dev", "load", &file.display().to_string()]);
    assert_eq!(loaded["entries"], dumped["entries"]);
    let chain = ChainClient::new(other.rest());
    assert_eq!(chain.view(&f.token, "balance_of", json!({"account": f.bob.address})).await, "123");
    let again = shell.folder().join("again.jsonl");
    shell.json(&["dev", "dump", &again.display().to_string()]);
    let lines = |path| -> Vec<String> {
        let text = std::fs::read_to_string(path).expect("a dump");
        text.lines().skip(1).map(Into::into).collect()
    };
    assert!(lines(&file) == lines(&again), "the states are the same, entry by entry");

    let snapshot = shell.json(&["dev", "snapshot"])["snapshot"].to_string();
    let status = chain.call(&f.alice, &f.token, "transfer", json!({"to": f.bob.address, "amount": "7"})).await;
    assert_eq!(status["type"], "Success", "{status}");
    other.kill();
    let other = DevNode::start_in(&data_dir, &[]);
    let shell = Shell::new(other.rest());
    shell.json(&["dev", "revert", &snapshot]);
    let chain = ChainClient::new(other.rest());
    assert_eq!(chain.view(&f.token, "balance_of", json!({"account": f.bob.address})).await, "123");
    assert!(other.terminate().success());
    let (from, into) = (data_dir.display().to_string(), directory.path().join("copy").display().to_string());
    shell.json(&["replay", "--data-dir", &from, "--into", &into]);
    let check = |dir: &str| shell.json(&["db", "check", "--data-dir", dir])["stateRoot"].clone();
    assert_eq!(check(&from), check(&into));
}
