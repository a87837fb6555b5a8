//! Streams over both WebSockets.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{Message, client::IntoClientRequest},
};

use super::harness::{Running, alice, bob};

struct Socket(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Socket {
    async fn open(url: &str, subprotocol: Option<&str>) -> Self {
        let mut request = url.into_client_request().unwrap();
        if let Some(subprotocol) = subprotocol {
            request.headers_mut().insert("sec-websocket-protocol", subprotocol.parse().unwrap());
        }
        Self(connect_async(request).await.unwrap().0)
    }

    async fn graphql(node: &Running) -> Self {
        let url = node.node.endpoints().graphql.replace("http", "ws");
        let mut socket = Self::open(&url, Some("graphql-transport-ws")).await;
        socket.say(json!({ "type": "connection_init" })).await;
        assert_eq!(socket.hear().await["type"], "connection_ack");
        socket
    }

    async fn say(&mut self, message: Value) {
        self.0.send(Message::text(message.to_string())).await.unwrap();
    }

    async fn next(&mut self) -> Message {
        tokio::time::timeout(Duration::from_secs(20), self.0.next()).await.unwrap().unwrap().unwrap()
    }

    async fn hear(&mut self) -> Value {
        match self.next().await {
            Message::Text(text) => serde_json::from_str(text.as_str()).unwrap(),
            other => panic!("{other:?}"),
        }
    }

    /// The next that the subscription of this id says; what others say in between is passed over.
    async fn hear_of(&mut self, id: &str) -> Value {
        loop {
            let said = self.hear().await;
            if said["id"] == id {
                return said;
            }
        }
    }

    /// How the server closes; what it says before is passed over.
    async fn closed(&mut self) -> u16 {
        loop {
            match self.next().await {
                Message::Text(_) => {}
                Message::Close(Some(frame)) => return frame.code.into(),
                other => panic!("{other:?}"),
            }
        }
    }

    /// The amounts of the next events; checkpoints are passed over.
    async fn amounts(&mut self, count: usize) -> Vec<(String, String)> {
        let mut amounts = Vec::new();
        while amounts.len() < count {
            let said = self.hear().await;
            match said["type"].as_str().unwrap() {
                "event" => amounts.push(text(&said["event"])),
                "checkpoint" => {}
                _ => panic!("{said}"),
            }
        }
        amounts
    }
}

fn text(event: &Value) -> (String, String) {
    let of = |value: &Value| value.as_str().unwrap().to_owned();
    (of(&event["fields"]["amount"]), of(&event["cursor"]))
}

#[tokio::test(flavor = "multi_thread")]
async fn resuming_from_any_cursor_gives_every_later_event_once() {
    let node = Running::start().await;
    let contract = node.deploy().await;
    let mut live = Socket::open(&node.node.endpoints().websocket, None).await;
    let subscribe = |id: &str| json!({ "id": id, "type": "subscribe", "stream": "events", "contract": contract });
    live.say(subscribe("live")).await;
    let checkpoint = live.hear().await;
    assert_eq!((&checkpoint["type"], &checkpoint["id"]), (&json!("checkpoint"), &json!("live")));
    for amount in 1..=6 {
        node.add(&contract, amount).await;
    }
    let all = live.amounts(6).await;
    assert_eq!(all.iter().map(|(amount, _)| amount.as_str()).collect::<Vec<_>>(), ["1", "2", "3", "4", "5", "6"]);

    for (index, (_, cursor)) in all.iter().enumerate() {
        let mut resumed = Socket::open(&node.node.endpoints().websocket, None).await;
        let mut request = subscribe("again");
        request["after"] = cursor.clone().into();
        resumed.say(request).await;
        assert_eq!(resumed.amounts(6 - index - 1).await, all[index + 1..]);
    }
    let mut request = subscribe("some");
    request["name"] = "Added".into();
    request["where"] = json!({ "amount": "4" });
    request["after"] = checkpoint["cursor"].clone();
    live.say(request).await;
    assert_eq!(live.amounts(1).await, all[3..4]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quiet_stream_says_how_far_it_is() {
    let node = Running::start().await;
    let mut socket = Socket::open(&node.node.endpoints().websocket, None).await;
    socket.say(json!({ "id": "1", "type": "subscribe", "stream": "events", "name": "Nothing" })).await;
    assert_eq!(socket.hear().await["type"], "checkpoint", "it is live");
    let (_, mined) = node.post("/v1/dev/control", &json!({ "mine": {} })).await;
    let checkpoint = socket.hear().await;
    assert_eq!(checkpoint["type"], "checkpoint");
    assert!(checkpoint["height"].as_u64() >= mined["height"].as_u64(), "{checkpoint} {mined}");
}

#[tokio::test(flavor = "multi_thread")]
async fn events_under_way_are_neither_lost_nor_told_twice() {
    let node = Running::start().await;
    let contract = node.deploy().await;
    let calls: Vec<_> = (1..=20).map(|_| node.add(&contract, 1)).collect();
    let url = node.node.endpoints().websocket.clone();
    let watched = async {
        let mut socket = Socket::open(&url, None).await;
        let request =
            json!({ "id": "1", "type": "subscribe", "stream": "events", "contract": contract, "fromHeight": 1 });
        socket.say(request).await;
        socket.amounts(20).await
    };
    let submitted = async {
        for call in calls {
            call.await;
        }
    };
    let (events, ()) = tokio::join!(watched, submitted);
    let mut cursors: Vec<_> = events.into_iter().map(|(_, cursor)| cursor).collect();
    cursors.dedup();
    assert_eq!(cursors.len(), 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_is_watched_to_its_certificate() {
    let node = Running::start().await;
    let mut socket = Socket::open(&node.node.endpoints().websocket, None).await;
    let transfer = json!([{ "transfer": { "to": bob().address.to_string(), "amount": "5" } }]);
    let signed = node.signed(&alice(), transfer).await;
    let request =
        json!({ "id": "t", "type": "subscribe", "stream": "transaction", "transaction": signed, "until": "certified" });
    socket.say(request).await;
    let mut last = Value::Null;
    loop {
        let said = socket.hear().await;
        if said["type"] == "complete" {
            break;
        }
        last = said["status"].clone();
    }
    assert_eq!(last["type"], "Success");
    assert!(last["receipt"]["certifiedBy"].is_u64(), "{last}");

    socket.say(json!({ "id": "h", "type": "subscribe", "stream": "headers", "after": 0 })).await;
    for height in 1..=3 {
        let said = socket.hear().await;
        assert_eq!(said["header"]["height"], height);
        assert!(said["header"]["certificate"].is_string());
    }
    socket.say(json!({ "id": "h", "type": "unsubscribe" })).await;
    socket.say(json!({ "type": "ping" })).await;
    while socket.hear().await["type"] != "pong" {}
    socket
        .say(json!({ "id": "x", "type": "subscribe", "stream": "transaction", "hash": format!("0x{:064}", 0) }))
        .await;
    assert_eq!(socket.hear().await["code"], "NOT_FOUND");
    socket.say(json!("nonsense")).await;
    assert_eq!(socket.hear().await["code"], "BAD_USER_INPUT");
}

#[tokio::test(flavor = "multi_thread")]
async fn graphql_subscriptions_speak_the_subprotocol() {
    let node = Running::start().await;
    let contract = node.deploy().await;
    let mut socket = Socket::graphql(&node).await;
    let query = format!(
        "subscription {{ events(filter: {{ contract: \"{contract}\" }}) {{ __typename
         ... on Event {{ cursor fields }} ... on Checkpoint {{ cursor }} }} }}"
    );
    let subscribe = |id: &str, query: &str| json!({ "id": id, "type": "subscribe", "payload": { "query": query } });
    socket.say(subscribe("e", &query)).await;
    let first = socket.hear().await;
    assert_eq!(first["payload"]["data"]["events"]["__typename"], "Checkpoint", "{first}");
    node.add(&contract, 9).await;
    let event = loop {
        let said = socket.hear().await["payload"]["data"]["events"].take();
        if said["__typename"] == "Event" {
            break said;
        }
    };
    assert_eq!(event["fields"]["amount"], "9", "{event}");

    let call = json!([{ "call": { "contract": contract, "method": "add", "args": { "amount": "1" } } }]);
    let signed = node.signed(&alice(), call).await;
    let watch = "subscription($signed: SignedInput!) { submitAndWatch(transaction: $signed) { __typename } }";
    let payload = json!({ "query": watch, "variables": { "signed": signed } });
    socket.say(json!({ "id": "w", "type": "subscribe", "payload": payload })).await;
    let mut seen = Vec::new();
    loop {
        let said = socket.hear_of("w").await;
        if said["type"] == "complete" {
            break;
        }
        seen.push(said["payload"]["data"]["submitAndWatch"]["__typename"].as_str().unwrap().to_owned());
    }
    assert_eq!(seen.last().map(String::as_str), Some("Success"));
    socket.say(subscribe("bad", "subscription { nothing }")).await;
    let error = socket.hear_of("bad").await;
    assert_eq!(
        (&error["type"], &error["payload"][0]["extensions"]["code"]),
        (&json!("error"), &json!("BAD_USER_INPUT"))
    );
    socket.say(subscribe("e", &query)).await;
    assert_eq!(socket.closed().await, 4409);
}

#[tokio::test(flavor = "multi_thread")]
async fn graphql_closes_with_the_subprotocols_codes() {
    let node = Running::start().await;
    let url = node.node.endpoints().graphql.replace("http", "ws");
    let mut early = Socket::open(&url, Some("graphql-transport-ws")).await;
    early.say(json!({ "id": "1", "type": "subscribe", "payload": { "query": "{ chain { id } }" } })).await;
    assert_eq!(early.closed().await, 4401);
    let mut twice = Socket::graphql(&node).await;
    twice.say(json!({ "type": "connection_init" })).await;
    assert_eq!(twice.closed().await, 4429);
    let mut odd = Socket::graphql(&node).await;
    odd.say(json!({ "type": "odd" })).await;
    assert_eq!(odd.closed().await, 4400);
    let mut other = Socket::open(&format!("{url}/ws"), None).await;
    assert_eq!(other.closed().await, 4406);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_stops_says_so_and_keeps_what_it_accepted() {
    let node = Running::start().await;
    let contract = node.deploy().await;
    let mut socket = Socket::open(&node.node.endpoints().websocket, None).await;
    socket.say(json!({ "id": "1", "type": "subscribe", "stream": "events", "contract": contract })).await;
    assert_eq!(socket.hear().await["type"], "checkpoint");
    let started = std::time::Instant::now();
    let stopping = tokio::spawn(node.node.shutdown());
    let mut last = socket.next().await;
    while matches!(last, Message::Text(_)) {
        last = socket.next().await;
    }
    let Message::Close(Some(frame)) = last else { panic!("{last:?}") };
    assert_eq!(u16::from(frame.code), 1001);
    drop(socket);
    stopping.await.unwrap().unwrap();
    assert!(started.elapsed() < Duration::from_secs(5));
}
