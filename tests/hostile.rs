//! Bad input at every public door of a real node: refused with the code and the sentence that its sender reads, in
//! bounded memory, while honest users are served.

mod flood;
mod graphql;
mod http;
mod transactions;
mod websocket;

use std::time::Duration;

use rustorium_types::{
    id::{AccountId, Address, Amount, Gas, Hash, Nonce},
    transaction::{Body, Message, Signed, VERSION},
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::{
    chain_client::{Account, ChainClient, hex_text},
    dev_node::DevNode,
};

/// Longer than anything here takes on a slow machine; nothing is measured by it.
const PATIENCE: Duration = Duration::from_secs(60);

/// An answer of the node: status, headers in lower case, body.
struct Answer {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.head))
    }
}

/// A connection that is written to by hand.
struct Wire(TcpStream);

impl Wire {
    async fn open(node: &DevNode) -> Self {
        Self(timeout(PATIENCE, TcpStream::connect(node.address())).await.expect("in time").expect("it listens"))
    }

    async fn say(&mut self, text: impl AsRef<[u8]>) {
        self.0.write_all(text.as_ref()).await.expect("it listens");
    }

    /// The next answer; none if the node closed without one.
    async fn answer(&mut self) -> Option<Answer> {
        timeout(PATIENCE, self.read()).await.expect("an answer or an end, in time")
    }

    async fn read(&mut self) -> Option<Answer> {
        let mut bytes = Vec::new();
        let head_end = loop {
            if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
                break end + 4;
            }
            let mut part = [0; 4_096];
            match self.0.read(&mut part).await {
                Ok(0) | Err(_) => return None,
                Ok(read) => bytes.extend_from_slice(&part[..read]),
            }
        };
        let head = String::from_utf8_lossy(&bytes[..head_end]).to_ascii_lowercase();
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap_or("0");
        let length: usize = length.trim().parse().expect("a length");
        let mut body = bytes.split_off(head_end);
        while body.len() < length {
            let mut part = [0; 4_096];
            match self.0.read(&mut part).await {
                Ok(0) | Err(_) => break,
                Ok(read) => body.extend_from_slice(&part[..read]),
            }
        }
        Some(Answer { status, head, body })
    }

    /// Waits until the node closes; what it says before is passed over.
    async fn closed(&mut self) {
        let closed = async {
            let mut part = [0; 65_536];
            while !matches!(self.0.read(&mut part).await, Ok(0) | Err(_)) {}
        };
        timeout(PATIENCE, closed).await.expect("it closes");
    }
}

/// The node answers a request on a new connection.
async fn assert_serves(node: &DevNode) {
    let mut wire = Wire::open(node).await;
    wire.say("GET /v1/status HTTP/1.1\r\nhost: n\r\n\r\n").await;
    assert_eq!(wire.answer().await.expect("an answer").status, 200);
}

/// A metric's value; 0 if it is not there yet.
async fn metric(node: &DevNode, name: &str) -> f64 {
    let url = node.ready["metrics"].as_str().expect("a URL");
    let text = reqwest::get(url).await.expect("metrics").text().await.expect("text");
    let values = text.lines().filter_map(|line| line.strip_prefix(name)?.rsplit(' ').next()?.parse::<f64>().ok());
    values.sum()
}

/// Waits until a metric is so.
async fn until_metric(node: &DevNode, name: &str, is_so: impl Fn(f64) -> bool) {
    let reached = async {
        while !is_so(metric(node, name).await) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, reached).await.unwrap_or_else(|_| panic!("{name} does not get there"));
}

fn genesis(node: &DevNode) -> Hash {
    node.genesis_hash().parse().expect("a hash")
}

fn account_id(account: &Account) -> AccountId {
    let address: Address = account.address.parse().expect("an address");
    address.account().expect("an account")
}

/// A transfer of 1 that could run, but for what a test changes in it.
fn body(node: &DevNode, from: &Account, nonce: u64, to: &Account) -> Body {
    Body {
        version: VERSION,
        chain: genesis(node).0[..4].try_into().expect("four bytes"),
        sender: account_id(from),
        nonce: Nonce(nonce),
        valid_until: None,
        gas_limit: Gas(100_000),
        max_gas_price: Amount(1_000_000_000),
        fee_payer: None,
        memo: Vec::new(),
        messages: vec![Message::Transfer { to: account_id(to).into(), amount: Amount(1) }],
    }
}

/// Signed as it should be.
fn sign(node: &DevNode, from: &Account, body: Body) -> Signed {
    let authorisation = from.agree(body.digest(&genesis(node)).as_bytes());
    Signed { body, authorisation, fee_payer_authorisation: None }
}

/// As REST takes it.
fn input(signed: &Signed) -> Value {
    let bytes = |encoded: Result<Vec<u8>, _>| hex_text(&encoded.expect("memory does not fail"));
    json!({ "body": bytes(borsh::to_vec(&signed.body)), "auth": bytes(borsh::to_vec(&signed.authorisation)) })
}

fn client(node: &DevNode) -> ChainClient {
    ChainClient::new(node.rest())
}

/// Raises this process' limit of open files, which its nodes inherit, as far as it may; how many may be open then.
fn raise_open_files(wanted: u64) -> u64 {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let raised = limit.maximum.map_or(wanted, |most| wanted.min(most)).max(limit.current.unwrap_or(wanted));
    setrlimit(Resource::Nofile, Rlimit { current: Some(raised), maximum: limit.maximum }).expect("up to its maximum");
    raised.min(wanted)
}
