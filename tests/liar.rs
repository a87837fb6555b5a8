//! A node that lies is caught: a proxy alters one thing of a verified view's witness at a time, and
//! `query --verify` ends with exit code 4.

use std::sync::{Arc, Mutex};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::State,
    http::{Method, Request, Response, Uri},
};
use rustorium_types::{
    bundle::{Witness, WitnessEntry},
    id::{ContractId, Timestamp},
    state::{code_key, contract_key},
};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::{
    chain_client::{ChainClient, account, hex_bytes, hex_text},
    dev_node::{DevNode, Shell},
    guests,
};

/// What a lie changes in the answer to a view with a witness.
type Lie = Box<dyn Fn(&mut Value) + Send>;

/// A node that stands between and tells one lie at a time.
#[derive(Clone)]
struct Liar {
    honest: String,
    http: reqwest::Client,
    lie: Arc<Mutex<Option<Lie>>>,
    /// The last honest answer with a witness, for lies that serve old ones.
    seen: Arc<Mutex<Value>>,
}

impl Liar {
    async fn start(honest: &str) -> (Self, String) {
        let liar =
            Self { honest: honest.into(), http: reqwest::Client::new(), lie: Arc::default(), seen: Arc::default() };
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let router = Router::new().fallback(forward).with_state(liar.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        (liar, url)
    }

    fn tell(&self, lie: impl Fn(&mut Value) + Send + 'static) {
        *self.lie.lock().expect("no panic") = Some(Box::new(lie));
    }

    fn alter(&self, answer: Bytes) -> Vec<u8> {
        let Ok(mut value) = serde_json::from_slice::<Value>(&answer) else { return answer.to_vec() };
        if !value["witness"].is_object() {
            return answer.to_vec();
        }
        *self.seen.lock().expect("no panic") = value.clone();
        if let Some(lie) = self.lie.lock().expect("no panic").as_ref() {
            lie(&mut value);
        }
        value.to_string().into_bytes()
    }
}

async fn forward(State(liar): State<Liar>, request: Request<Body>) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 16 << 20).await.expect("a small body");
    let (method, uri): (Method, Uri) = (parts.method, parts.uri);
    let mut forwarded = liar.http.request(method, format!("{}{uri}", liar.honest)).body(body);
    if let Some(kind) = parts.headers.get("content-type") {
        forwarded = forwarded.header("content-type", kind);
    }
    let answer = forwarded.send().await.expect("the node answers");
    let (status, kind) = (answer.status(), answer.headers().get("content-type").cloned());
    let bytes = liar.alter(answer.bytes().await.expect("a body"));
    let mut response = Response::builder().status(status);
    if let Some(kind) = kind {
        response = response.header("content-type", kind);
    }
    response.body(Body::from(bytes)).expect("a response")
}

fn with_witness(change: impl Fn(&mut Witness) + Send + 'static) -> impl Fn(&mut Value) + Send + 'static {
    move |answer| {
        let mut witness = Witness::from_bytes(&hex_bytes(&answer["witness"]["bytes"])).expect("a witness");
        change(&mut witness);
        answer["witness"]["bytes"] = json!(hex_text(&witness.to_bytes()));
    }
}

fn with_entry(
    which: impl Fn(&WitnessEntry) -> bool + Send + 'static,
    change: impl Fn(&mut WitnessEntry) + Send + 'static,
) -> impl Fn(&mut Value) + Send + 'static {
    with_witness(move |witness| {
        change(witness.entries.iter_mut().find(|entry| which(entry)).expect("the witness has such an entry"));
    })
}

fn flip_last(bytes: &mut [u8]) {
    *bytes.last_mut().expect("not empty") ^= 1;
}

struct Scene {
    liar: Liar,
    url: String,
    shell: Shell,
    trust: String,
    contract: ContractId,
    token: String,
    bob: String,
    dave: String,
    _node: DevNode,
}

async fn scene() -> Scene {
    let node = DevNode::start();
    let chain = ChainClient::new(node.rest());
    let alice = account(&node, "alice");
    let (bob, dave) = (account(&node, "bob").address, account(&node, "dave").address);
    let args = json!({"symbol": "TOK", "decimals": 0, "supply": "1000"});
    let token = chain.deploy(&alice, &guests::token().bytes, args).await;
    let status = chain.call(&alice, &token, "transfer", json!({"to": bob, "amount": "40"})).await;
    assert_eq!(status["type"], "Success", "{status}");
    let (liar, url) = Liar::start(node.rest()).await;
    Scene {
        shell: Shell::new(node.rest()),
        trust: node.genesis_hash().into(),
        contract: token.parse().expect("a contract's address"),
        liar,
        url,
        token,
        bob,
        dave,
        _node: node,
    }
}

impl Scene {
    /// `query --verify` through the liar: exit code, what it printed, what it said.
    async fn query(&self, of: &str, options: &[&str]) -> (Option<i32>, String, String) {
        let account = format!("account={of}");
        let mut arguments = vec!["query", &self.token, "balance_of", &account, "--verify", "--trust", &self.trust];
        arguments.extend(options);
        let output = tokio::task::block_in_place(|| self.shell.run_at(&self.url, &arguments));
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_honest_node_is_believed() {
    let it = scene().await;
    let (code, out, err) = it.query(&it.bob, &[]).await;
    assert_eq!(code, Some(0), "{out}{err}");
    let answer: Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!((&answer["value"], &answer["verified"]), (&json!("40"), &json!(true)), "{answer}");
    let (code, out, _) = it.query(&it.dave, &[]).await;
    assert_eq!(code, Some(0));
    assert!(out.contains("\"0\""), "an absent balance is verified too: {out}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_lie_is_caught() {
    let it = scene().await;
    let contract = it.contract;
    let record_key = contract_key(contract);
    let code_key = code_key(&guests::token().code_hash);
    let stored = move |entry: &WitnessEntry| entry.contract == contract && entry.value.is_some();
    let absent = move |entry: &WitnessEntry| entry.contract == contract && entry.value.is_none();
    let record = move |entry: &WitnessEntry| entry.key == record_key;
    let code = move |entry: &WitnessEntry| entry.key == code_key;
    let flip = |entry: &mut WitnessEntry| flip_last(entry.value.as_mut().expect("a value"));

    let lies: Vec<(&str, &str, Lie)> = vec![
        (
            "the value",
            &it.bob,
            Box::new(|answer| {
                answer["value"] = json!("41");
                answer["raw"] = json!(hex_text(&41u128.to_le_bytes()));
            }),
        ),
        ("a witness entry", &it.bob, Box::new(with_entry(stored, flip))),
        ("an entry that is gone", &it.bob, Box::new(with_entry(stored, |entry| entry.value = None))),
        ("an absent entry", &it.dave, Box::new(with_entry(absent, |entry| entry.value = Some(vec![7; 16])))),
        ("an entry left out", &it.bob, Box::new(with_witness(move |witness| witness.entries.retain(|e| !stored(e))))),
        ("the code", &it.bob, Box::new(with_entry(code, flip))),
        ("the contract record", &it.bob, Box::new(with_entry(record, flip))),
        ("the header", &it.bob, Box::new(with_witness(|witness| witness.head.header.time = Timestamp(1)))),
        ("the result", &it.bob, Box::new(with_witness(|witness| witness.head.result.state_root.0[31] ^= 1))),
        ("the certified header", &it.bob, Box::new(with_witness(|witness| witness.head.certifier.results.0[0] ^= 1))),
        ("the certificate", &it.bob, Box::new(with_witness(|witness| flip_last(&mut witness.head.certificate)))),
    ];
    let mut reasons = std::collections::BTreeSet::new();
    for (what, of, lie) in lies {
        it.liar.tell(lie);
        let (code, out, err) = it.query(of, &[]).await;
        assert_eq!(code, Some(4), "{what} was altered: {out}{err}");
        assert!(!out.contains("\"verified\":true"), "{what}: {out}");
        reasons.insert(err);
    }
    assert!(reasons.len() >= 6, "lies have reasons of their own: {reasons:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_head_is_refused() {
    let it = scene().await;
    assert_eq!(it.query(&it.bob, &["--max-age", "1h"]).await.0, Some(0));
    let old = it.liar.seen.lock().expect("no panic").clone();
    let witness = Witness::from_bytes(&hex_bytes(&old["witness"]["bytes"])).expect("a witness");
    it.liar.tell(move |answer| *answer = old.clone());
    let limit_ms = 100;
    let now_ms = || std::time::SystemTime::UNIX_EPOCH.elapsed().map(|age| age.as_millis()).unwrap_or_default();
    while now_ms() <= u128::from(witness.head.certifier.time.0) + limit_ms {
        tokio::task::yield_now().await;
    }
    let (code, out, err) = it.query(&it.bob, &["--max-age", "100ms"]).await;
    assert_eq!(code, Some(4), "{out}{err}");
}

#[tokio::test(flavor = "multi_thread")]
async fn trust_follows_the_validators_into_later_epochs() {
    let it = scene().await;
    let mined = tokio::task::block_in_place(|| it.shell.json(&["dev", "mine", "1001"]));
    assert!(mined["height"].as_u64() > Some(1_000), "a dev chain's epochs have 1,000 heights: {mined}");
    let (code, out, err) = it.query(&it.bob, &[]).await;
    assert_eq!(code, Some(0), "{out}{err}");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_chain_is_not_the_one_that_is_trusted() {
    let mut it = scene().await;
    it.trust = format!("0x{}", "11".repeat(32));
    let (code, out, err) = it.query(&it.bob, &[]).await;
    assert_eq!(code, Some(4), "{out}{err}");
}
