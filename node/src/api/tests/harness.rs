//! A node in this process, and a client that signs.

use rustorium_types::{ed25519::SigningKey, transaction::Authorisation};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::contract;
use crate::{
    api::scalar,
    config::{Config, Durability},
    dev::{self, DevAccount},
    node::Node,
};

/// A node on a new directory, which goes with it.
pub(super) struct Running {
    pub(super) node: Node,
    http: reqwest::Client,
    _directory: TempDir,
}

impl Running {
    pub(super) async fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut config =
            Config { data_dir: directory.path().into(), listen: ([127, 0, 0, 1], 0).into(), ..Config::default() };
        config.chain.durability = Durability::None;
        let node = Node::start(config).await.unwrap();
        Self { node, http: reqwest::Client::new(), _directory: directory }
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.node.endpoints().rest)
    }

    /// Asks; the status and the body as JSON.
    pub(super) async fn get(&self, path: &str) -> (u16, Value) {
        let response = self.http.get(self.url(path)).send().await.unwrap();
        (response.status().as_u16(), response.json().await.unwrap())
    }

    pub(super) async fn text(&self, url: &str) -> String {
        self.http.get(url).send().await.unwrap().text().await.unwrap()
    }

    pub(super) async fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        let response = self.http.post(self.url(path)).json(body).send().await.unwrap();
        (response.status().as_u16(), response.json().await.unwrap())
    }

    pub(super) async fn post_bytes(&self, path: &str, body: Vec<u8>) -> (u16, Value) {
        let request = self.http.post(self.url(path)).header("content-type", "application/octet-stream").body(body);
        let response = request.send().await.unwrap();
        (response.status().as_u16(), response.json().await.unwrap())
    }

    pub(super) async fn query(&self, query: &str, variables: Value) -> Value {
        self.post("/graphql", &json!({ "query": query, "variables": variables })).await.1
    }

    /// Prepares and signs.
    pub(super) async fn signed(&self, from: &DevAccount, messages: Value) -> Value {
        let (status, prepared) = self
            .post("/v1/transactions/prepare", &json!({ "sender": from.address.to_string(), "messages": messages }))
            .await;
        assert_eq!(status, 200, "{prepared}");
        sign(from, &prepared)
    }

    /// Prepares, signs, submits and waits for execution.
    pub(super) async fn send(&self, from: &DevAccount, messages: Value) -> Value {
        let signed = self.signed(from, messages).await;
        let (status, result) = self.post("/v1/transactions", &signed).await;
        assert_eq!(status, 200, "{result}");
        result
    }

    /// Deploys the test contract; its address.
    pub(super) async fn deploy(&self) -> String {
        let wasm = contract::wasm();
        let code = rustorium_types::hash::code_hash(&wasm).to_string();
        let messages =
            json!([{ "storeCode": scalar::hex_text(&wasm) }, { "instantiate": { "code": code, "label": "adder" } }]);
        let result = self.send(&alice(), messages).await;
        assert_eq!(result["status"]["type"], "Success", "{result}");
        result["status"]["results"][1].as_str().unwrap().to_owned()
    }

    /// Adds to the test contract's number.
    pub(super) async fn add(&self, contract: &str, amount: u64) -> Value {
        let call = json!({ "contract": contract, "method": "add", "args": { "amount": amount } });
        self.send(&alice(), json!([{ "call": call }])).await
    }
}

/// Signs what was prepared.
pub(super) fn sign(from: &DevAccount, prepared: &Value) -> Value {
    let digest: rustorium_types::id::Hash = prepared["digest"].as_str().unwrap().parse().unwrap();
    let key = SigningKey::from_seed(from.secret_key);
    let auth = Authorisation::Ed25519 { public_key: key.public_key().0, signature: key.sign(&digest.0).0 };
    json!({ "body": prepared["body"], "auth": scalar::hex_text(&borsh::to_vec(&auth).unwrap()) })
}

pub(super) fn alice() -> DevAccount {
    dev::find("alice").unwrap()
}

pub(super) fn bob() -> DevAccount {
    dev::find("bob").unwrap()
}

/// The bytes of a text of hex.
pub(super) fn bytes(value: &Value) -> Vec<u8> {
    hex::decode(value.as_str().unwrap().strip_prefix("0x").unwrap()).unwrap()
}
