//! What a dApp does over HTTP: prepare by the ABI, sign the digest, submit, read. On purpose not our own
//! client: these tests speak to the interface as it is documented.

use reqwest::StatusCode;
use rustorium_types::{ed25519::SigningKey, transaction::Authorisation};
use serde_json::{Value, json};

use crate::dev_node::DevNode;

/// One of the dev chain's accounts.
pub(crate) struct Account {
    /// Its address.
    pub(crate) address: String,
    key: SigningKey,
}

/// A node's REST and GraphQL.
pub(crate) struct ChainClient {
    http: reqwest::Client,
    rest: String,
}

/// The dev account of this name.
pub(crate) fn account(node: &DevNode, name: &str) -> Account {
    account_of(&node.ready, name)
}

/// The dev account of this name, as a ready line has it.
pub(crate) fn account_of(ready: &Value, name: &str) -> Account {
    let accounts = ready["accounts"].as_array().expect("the ready line lists accounts");
    let found = accounts.iter().find(|account| account["name"] == name).expect("a dev account of this name");
    let secret = found["secretKey"].as_str().expect("dev keys are public");
    let mut seed = [0; 32];
    hex::decode_to_slice(secret.trim_start_matches("0x"), &mut seed).expect("32 bytes");
    Account { address: found["address"].as_str().expect("an address").into(), key: SigningKey::from_seed(seed) }
}

/// The hex text of bytes, as the API writes it.
pub(crate) fn hex_text(bytes: &[u8]) -> String {
    format!("0x{}", hex::encode(bytes))
}

/// The bytes of a hex text.
pub(crate) fn hex_bytes(value: &Value) -> Vec<u8> {
    let text = value.as_str().unwrap_or_else(|| panic!("not a text: {value}"));
    hex::decode(text.strip_prefix("0x").expect("0x…")).expect("hex digits")
}

impl Account {
    /// Agrees to a digest.
    pub(crate) fn agree(&self, digest: &[u8]) -> Authorisation {
        Authorisation::Ed25519 { public_key: self.key.public_key().0, signature: self.key.sign(digest).0 }
    }

    fn authorise(&self, digest: &[u8]) -> Vec<u8> {
        borsh::to_vec(&self.agree(digest)).expect("memory does not fail")
    }
}

impl ChainClient {
    /// Of this node.
    pub(crate) fn new(rest: &str) -> Self {
        Self { http: reqwest::Client::new(), rest: rest.into() }
    }

    /// GET, whatever the status.
    pub(crate) async fn get(&self, path: &str) -> (StatusCode, Value) {
        let response = self.http.get(format!("{}{path}", self.rest)).send().await.expect("the node answers");
        let status = response.status();
        (status, response.json().await.expect("JSON"))
    }

    /// GET that must succeed.
    pub(crate) async fn read(&self, path: &str) -> Value {
        let (status, value) = self.get(path).await;
        assert!(status.is_success(), "{path}: {status} {value}");
        value
    }

    /// POST, whatever the status.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> (StatusCode, Value) {
        let response =
            self.http.post(format!("{}{path}", self.rest)).json(body).send().await.expect("the node answers");
        let status = response.status();
        (status, response.json().await.expect("JSON"))
    }

    /// A GraphQL query that must have no errors.
    pub(crate) async fn graphql(&self, query: &str, variables: Value) -> Value {
        let (_, answer) = self.post("/graphql", &json!({"query": query, "variables": variables})).await;
        assert!(answer["errors"].is_null(), "{answer}");
        answer["data"].clone()
    }

    /// Prepares messages of an account by the ABI and signs them; does not submit.
    pub(crate) async fn sign(&self, from: &Account, input: Value) -> Value {
        let mut input = input;
        input["sender"] = json!(from.address);
        let (status, prepared) = self.post("/v1/transactions/prepare", &input).await;
        assert!(status.is_success(), "{prepared}");
        let digest = hex_bytes(&prepared["digest"]);
        json!({"body": prepared["body"], "auth": hex_text(&from.authorise(&digest))})
    }

    /// Submits what is signed and waits until it is executed.
    pub(crate) async fn submit(&self, signed: &Value) -> Value {
        let (status, answer) = self.post("/v1/transactions?wait=executed", signed).await;
        assert!(status.is_success(), "{answer}");
        answer
    }

    /// Prepares, signs, submits, waits; answers the status.
    pub(crate) async fn send(&self, from: &Account, messages: Value) -> Value {
        // A gas limit of one's own: a failing transaction has no dry run to take it from.
        let signed = self.sign(from, json!({"messages": messages, "gasLimit": 20_000_000})).await;
        self.submit(&signed).await["status"].clone()
    }

    /// Calls a contract's method.
    pub(crate) async fn call(&self, from: &Account, contract: &str, method: &str, args: Value) -> Value {
        self.send(from, json!([{"call": {"contract": contract, "method": method, "args": args}}])).await
    }

    /// A view's value.
    pub(crate) async fn view(&self, contract: &str, view: &str, args: Value) -> Value {
        let (status, answer) =
            self.post(&format!("/v1/contracts/{contract}/views/{view}"), &json!({"args": args})).await;
        assert!(status.is_success() && answer["error"].is_null(), "{answer}");
        answer["value"].clone()
    }

    /// Stores code and makes a contract of it, in one transaction; its address.
    pub(crate) async fn deploy(&self, from: &Account, wasm: &[u8], args: Value) -> String {
        let code = rustorium_types::hash::code_hash(wasm).to_string();
        let messages = json!([
            {"storeCode": hex_text(wasm)},
            {"instantiate": {"code": code, "args": args, "label": "test"}},
        ]);
        let signed = self.sign(from, json!({"messages": messages, "gasLimit": 100_000_000})).await;
        let status = self.submit(&signed).await["status"].clone();
        assert_eq!(status["type"], "Success", "{status}");
        status["results"][1].as_str().expect("the contract's address").into()
    }
}
