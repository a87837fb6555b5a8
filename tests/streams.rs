//! Event streams: WebSocket and GraphQL, live and resumed from every cursor there is.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::{net::TcpStream, time::timeout};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{Message, client::IntoClientRequest},
};

use crate::{
    chain_client::{ChainClient, account},
    dev_node::DevNode,
    guests,
};

const PATIENCE: Duration = Duration::from_secs(20);

struct Socket(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Socket {
    async fn open(url: &str, protocol: Option<&'static str>) -> Self {
        let mut request = url.into_client_request().expect("a URL");
        if let Some(protocol) = protocol {
            request.headers_mut().insert("sec-websocket-protocol", protocol.parse().expect("a header"));
        }
        Self(connect_async(request).await.expect("the node accepts").0)
    }

    async fn send(&mut self, message: Value) {
        self.0.send(Message::text(message.to_string())).await.expect("the socket is open");
    }

    async fn next(&mut self) -> Value {
        loop {
            let frame = timeout(PATIENCE, self.0.next()).await.expect("in time").expect("open").expect("a frame");
            if let Message::Text(text) = frame {
                return serde_json::from_str(&text).expect("JSON");
            }
        }
    }

    /// The next message of this type, others passed over.
    async fn next_of(&mut self, kind: &str) -> Value {
        loop {
            let message = self.next().await;
            if message["type"] == kind {
                return message;
            }
            assert_ne!(message["type"], "error", "{message}");
        }
    }
}

struct Fixture {
    node: DevNode,
    chain: ChainClient,
    token: String,
}

async fn fixture() -> Fixture {
    let node = DevNode::start();
    let chain = ChainClient::new(node.rest());
    let args = json!({"symbol": "TOK", "decimals": 0, "supply": "1000000"});
    let token = chain.deploy(&account(&node, "alice"), &guests::token().bytes, args).await;
    Fixture { node, chain, token }
}

impl Fixture {
    async fn transfer(&self, to: &str, amount: u32) {
        let (alice, to) = (account(&self.node, "alice"), account(&self.node, to));
        let args = json!({"to": to.address, "amount": amount.to_string()});
        let status = self.chain.call(&alice, &self.token, "transfer", args).await;
        assert_eq!(status["type"], "Success", "{status}");
    }

    async fn events(&self, subscription: Value) -> Socket {
        let mut socket = Socket::open(self.node.ready["websocket"].as_str().expect("a URL"), None).await;
        let mut message = json!({"id": "1", "type": "subscribe", "stream": "events", "contract": self.token});
        for (key, value) in subscription.as_object().expect("an object") {
            message[key] = value.clone();
        }
        socket.send(message).await;
        socket
    }
}

fn amounts(events: &[Value]) -> Vec<&str> {
    events.iter().filter_map(|event| event["fields"]["amount"].as_str()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_resumed_from_any_cursor_misses_and_repeats_nothing() {
    let it = fixture().await;
    let mut live = it.events(json!({"name": "Transfer"})).await;
    live.next_of("checkpoint").await;

    const COUNT: u32 = 6;
    let mut seen = Vec::new();
    for amount in 1..=COUNT {
        it.transfer(if amount % 2 == 0 { "bob" } else { "carol" }, amount).await;
        seen.push(live.next_of("event").await["event"].clone());
    }
    assert_eq!(amounts(&seen), ["1", "2", "3", "4", "5", "6"]);

    for (position, event) in seen.iter().enumerate() {
        let mut resumed = it.events(json!({"name": "Transfer", "after": event["cursor"]})).await;
        let later = &seen[position + 1..];
        for expected in later {
            assert_eq!(&resumed.next_of("event").await["event"]["cursor"], &expected["cursor"]);
        }
        // What comes after history is live: the checkpoint says that the stream has caught up.
        let checkpoint = resumed.next_of("checkpoint").await;
        let mut from_checkpoint = it.events(json!({"name": "Transfer", "after": checkpoint["cursor"]})).await;
        from_checkpoint.next_of("checkpoint").await;
        it.transfer("dave", 100 + position as u32).await;
        let expected = (100 + position).to_string();
        assert_eq!(amounts(&[resumed.next_of("event").await["event"].clone()]), [expected.as_str()]);
        assert_eq!(amounts(&[from_checkpoint.next_of("event").await["event"].clone()]), [expected.as_str()]);
        live.next_of("event").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_indexed_field_selects() {
    let it = fixture().await;
    let bob = account(&it.node, "bob").address;
    for amount in 1..=5 {
        it.transfer(if amount % 2 == 0 { "bob" } else { "carol" }, amount).await;
    }
    let mut stream = it.events(json!({"name": "Transfer", "where": {"to": bob}, "fromHeight": 1})).await;
    let first = stream.next_of("event").await["event"].clone();
    let second = stream.next_of("event").await["event"].clone();
    assert_eq!(amounts(&[first, second]), ["2", "4"]);

    let page = it.chain.read(&format!("/v1/contracts/{}/events?name=Transfer&where=to={bob}&first=1", it.token)).await;
    assert_eq!(amounts(page["nodes"].as_array().expect("a list")), ["2"]);
    assert_eq!(page["pageInfo"]["hasNextPage"], true);
    let cursor = page["pageInfo"]["endCursor"].as_str().expect("a cursor");
    let path = format!("/v1/contracts/{}/events?name=Transfer&where=to={bob}&first=1&after={cursor}", it.token);
    assert_eq!(amounts(it.chain.read(&path).await["nodes"].as_array().expect("a list")), ["4"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_of_another_chain_is_refused() {
    let it = fixture().await;
    let mut stream = it.events(json!({"after": "1.0.0.00000000"})).await;
    let message = stream.next().await;
    assert_eq!((&message["type"], &message["code"]), (&json!("error"), &json!("CURSOR_EXPIRED")), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn graphql_subscriptions_speak_graphql_transport_ws() {
    let it = fixture().await;
    let url = it.node.ready["graphql"].as_str().expect("a URL").replace("http", "ws");
    let mut socket = Socket::open(&url, Some("graphql-transport-ws")).await;
    socket.send(json!({"type": "connection_init"})).await;
    assert_eq!(socket.next().await["type"], "connection_ack");

    let events = "subscription($token: Address!) { events(filter: {contract: $token, name: \"Transfer\"}) {
        __typename ... on Event { cursor fields } ... on Checkpoint { cursor height } } }";
    let subscription = json!({"query": events, "variables": {"token": it.token}});
    socket.send(json!({"id": "e", "type": "subscribe", "payload": subscription})).await;
    assert_eq!(socket.next_of("next").await["payload"]["data"]["events"]["__typename"], "Checkpoint");
    it.transfer("bob", 9).await;
    let event = loop {
        let said = socket.next_of("next").await["payload"]["data"]["events"].take();
        if said["__typename"] == "Event" {
            break said;
        }
    };
    assert_eq!(event["fields"]["amount"], "9", "{event}");
    socket.send(json!({"id": "e", "type": "complete"})).await;

    let alice = account(&it.node, "alice");
    let transfer = json!({"transfer": {"to": account(&it.node, "bob").address, "amount": "1"}});
    let signed = it.chain.sign(&alice, json!({"messages": [transfer]})).await;
    let watch = "subscription($input: SignedInput!) { submitAndWatch(transaction: $input, until: CERTIFIED) {
        __typename ... on Success { receipt { height certifiedBy } } } }";
    let subscription = json!({"query": watch, "variables": {"input": signed}});
    socket.send(json!({"id": "w", "type": "subscribe", "payload": subscription})).await;
    let mut last = Value::Null;
    loop {
        let message = socket.next().await;
        match message["type"].as_str() {
            Some("next") if message["id"] == "w" => last = message["payload"]["data"]["submitAndWatch"].clone(),
            Some("complete") if message["id"] == "w" => break,
            Some("error") => panic!("{message}"),
            _ => {}
        }
    }
    assert_eq!(last["__typename"], "Success", "{last}");
    assert!(last["receipt"]["certifiedBy"].is_u64(), "{last}");
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_come_in_order_with_their_roots() {
    let it = fixture().await;
    let mut socket = Socket::open(it.node.ready["websocket"].as_str().expect("a URL"), None).await;
    socket.send(json!({"id": "h", "type": "subscribe", "stream": "headers", "after": 0})).await;
    for height in 1..=3 {
        let header = socket.next_of("header").await["header"].clone();
        assert_eq!(header["height"], height, "{header}");
        assert!(header["stateRoot"].is_string() && header["certificate"].is_string(), "{header}");
    }
}
