//! WebSocket clients that break the protocol, flood it, or do not read.

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{PATIENCE, Wire, assert_serves, body, client, input, metric, sign, until_metric};
use crate::{chain_client::account, dev_node::DevNode};

const TEXT: u8 = 1;
const BINARY: u8 = 2;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;
const FINAL: u8 = 0x80;

/// A socket whose frames are made by hand.
struct Frames(Wire);

impl Frames {
    async fn open(node: &DevNode, path: &str, protocol: &str) -> Self {
        let mut wire = Wire::open(node).await;
        wire.say(format!(
            "GET {path} HTTP/1.1\r\nhost: n\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
             sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n{protocol}\r\n"
        ))
        .await;
        assert_eq!(wire.answer().await.expect("an answer").status, 101);
        Self(wire)
    }

    async fn events(node: &DevNode) -> Self {
        Self::open(node, "/ws", "").await
    }

    /// A frame as a client sends it: masked, with zeros so that it stays readable.
    async fn send(&mut self, first: u8, payload: &[u8]) -> bool {
        self.0.0.write_all(&frame(first, payload)).await.is_ok()
    }

    async fn say(&mut self, message: &Value) {
        assert!(self.send(FINAL | TEXT, message.to_string().as_bytes()).await, "it listens");
    }

    /// The next frame: its kind and payload; none at the end of the connection.
    async fn frame(&mut self) -> Option<(u8, Vec<u8>)> {
        let read = async {
            let stream = &mut self.0.0;
            let first = stream.read_u8().await.ok()?;
            let length = match stream.read_u8().await.ok()? {
                126 => stream.read_u16().await.ok()?.into(),
                127 => stream.read_u64().await.ok()?,
                short => short.into(),
            };
            let mut payload = vec![0; usize::try_from(length).ok()?];
            stream.read_exact(&mut payload).await.ok()?;
            Some((first & 0xf, payload))
        };
        tokio::time::timeout(PATIENCE, read).await.expect("in time")
    }

    async fn hear(&mut self) -> Value {
        let (kind, payload) = self.frame().await.expect("a frame");
        assert_eq!(kind, TEXT);
        serde_json::from_slice(&payload).expect("JSON")
    }

    /// The code that the node closes with; what it says before is passed over.
    async fn close_code(&mut self) -> Option<u16> {
        loop {
            match self.frame().await? {
                (CLOSE, payload) => return Some(u16::from_be_bytes([*payload.first()?, *payload.get(1)?])),
                _ => continue,
            }
        }
    }
}

fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    match payload.len() {
        short @ 0..126 => frame.push(0x80 | short as u8),
        middle @ 126..65_536 => {
            frame.push(0x80 | 126);
            frame.extend_from_slice(&(middle as u16).to_be_bytes());
        }
        long => {
            frame.push(0x80 | 127);
            frame.extend_from_slice(&(long as u64).to_be_bytes());
        }
    }
    frame.extend_from_slice(&[0; 4]);
    frame.extend_from_slice(payload);
    frame
}

#[tokio::test(flavor = "multi_thread")]
async fn frames_that_break_the_protocol_close_with_its_codes() {
    let node = DevNode::configured("");
    let mut claims = frame(FINAL | TEXT, b"");
    claims.truncate(1);
    claims.push(0x80 | 127);
    claims.extend_from_slice(&(5_u64 << 20).to_be_bytes());
    claims.extend_from_slice(&[0; 4]);
    for (what, bytes, code) in [
        ("text that is not UTF-8", frame(FINAL | TEXT, &[0xff, 0xfe]), 1007),
        ("a frame without a mask", vec![FINAL | TEXT, 2, b'{', b'}'], 1002),
        ("a reserved kind", frame(FINAL | 5, b"x"), 1002),
        ("a reserved bit", frame(FINAL | 0x40 | TEXT, b"x"), 1002),
        ("a continuation of nothing", frame(FINAL, b"x"), 1002),
        ("a ping in parts", frame(PING, b"x"), 1002),
        ("a frame that claims five MiB", claims, 1009),
        ("a binary frame", frame(FINAL | BINARY, b"x"), 1003),
    ] {
        let mut socket = Frames::events(&node).await;
        socket.0.say(&bytes).await;
        assert_eq!(socket.close_code().await, Some(code), "{what}");
    }
    assert_serves(&node).await;
    until_metric(&node, "rustorium_websockets ", |open| open == 0.0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_in_endless_parts_is_cut_off_in_bounded_memory() {
    let node = DevNode::configured("");
    let before = node.resident_bytes();
    let mut sockets = Vec::new();
    for _ in 0..4 {
        let mut socket = Frames::events(&node).await;
        socket.send(TEXT, &[b'x'; 1_000]).await;
        // Sixteen MiB in parts of 64 KiB, and none is the last.
        let mut parts = 0;
        while parts < 256 && socket.send(0, &vec![b'x'; 64 << 10]).await {
            parts += 1;
        }
        assert!(matches!(socket.close_code().await, Some(1009) | None), "not taken");
        sockets.push(socket);
    }
    let grown = node.resident_bytes().saturating_sub(before);
    assert!(grown < 64 << 20, "{grown} bytes");
    until_metric(&node, "rustorium_websockets ", |open| open == 0.0).await;
    assert_serves(&node).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_pings_is_answered_and_nobody_else_waits() {
    let node = DevNode::configured("");
    let mut socket = Frames::events(&node).await;
    let pings = frame(FINAL | PING, b"p").repeat(1_000);
    for _ in 0..20 {
        socket.0.say(&pings).await;
        assert_serves(&node).await;
    }
    // Behind all of them the socket still speaks; not every ping needs a pong (RFC 6455, 5.5.3).
    socket.say(&json!({ "type": "ping" })).await;
    loop {
        match socket.frame().await.expect("it is open") {
            (PONG, payload) => assert_eq!(payload, b"p"),
            (TEXT, payload) => break assert_eq!(payload, br#"{"type":"pong"}"#),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nonsense_is_answered_and_the_subscriptions_of_a_socket_are_bounded() {
    let node = DevNode::configured("[api]\nsubscriptions = 3\n");
    let mut socket = Frames::events(&node).await;
    let deep = "[".repeat(100_000);
    for nonsense in ["", "{", "null", "{\"type\":\"subscribe\"}", deep.as_str()] {
        assert!(socket.send(FINAL | TEXT, nonsense.as_bytes()).await);
        let said = socket.hear().await;
        assert_eq!((&said["type"], &said["code"]), (&json!("error"), &json!("BAD_USER_INPUT")), "{said}");
    }
    let subscribe = |id: &str| json!({ "id": id, "type": "subscribe", "stream": "events", "name": "Nothing" });
    for id in ["a", "b", "c"] {
        socket.say(&subscribe(id)).await;
        assert_eq!(socket.hear().await["type"], "checkpoint");
    }
    for (id, code) in [("d", "RATE_LIMITED"), ("a", "ALREADY_EXISTS"), (&*"x".repeat(65), "BAD_USER_INPUT")] {
        socket.say(&subscribe(id)).await;
        let said = loop {
            let said = socket.hear().await;
            if said["type"] == "error" {
                break said;
            }
        };
        assert_eq!((&said["code"], &said["id"]), (&json!(code), &json!(id)), "{said}");
    }

    let protocol = "sec-websocket-protocol: graphql-transport-ws\r\n";
    for (message, code) in [
        (json!({ "type": "nonsense" }), 4400),
        (json!([[[]]]), 4400),
        (
            json!({ "id": "1", "type": "subscribe", "payload": { "query": "subscription { headers { height } }" } }),
            4401,
        ),
    ] {
        let mut graphql = Frames::open(&node, "/graphql", protocol).await;
        graphql.say(&message).await;
        assert_eq!(graphql.close_code().await, Some(code), "{message}");
    }
    let mut graphql = Frames::open(&node, "/graphql", protocol).await;
    graphql.say(&json!({ "type": "connection_init" })).await;
    assert_eq!(graphql.hear().await["type"], "connection_ack");
    let cyclic = "subscription { ...a } fragment a on Subscription { ...a }";
    graphql.say(&json!({ "id": "1", "type": "subscribe", "payload": { "query": cyclic } })).await;
    let said = graphql.hear().await;
    assert_eq!(
        (&said["type"], &said["payload"][0]["extensions"]["code"]),
        (&json!("error"), &json!("QUERY_TOO_COMPLEX"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn more_sockets_than_may_be_open_are_told_when_to_come_again() {
    let node = DevNode::configured("[api]\nsockets = 2\n");
    let (first, _second) = (Frames::events(&node).await, Frames::events(&node).await);
    let refused = async || {
        let mut third = Wire::open(&node).await;
        third
            .say(
                "GET /ws HTTP/1.1\r\nhost: n\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
                 sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
            )
            .await;
        third.answer().await.expect("an answer")
    };
    let answer = refused().await;
    assert_eq!((answer.status, answer.json()["code"].as_str()), (429, Some("RATE_LIMITED")));
    assert_eq!(answer.json()["retryAfterMs"], 5_000);
    assert!(answer.head.contains("\r\nretry-after: 5\r\n"), "{}", answer.head);
    // Requests are not concerned, and a place that is given back can be had.
    assert_serves(&node).await;
    drop(first);
    until_metric(&node, "rustorium_websockets ", |open| open == 1.0).await;
    assert_eq!(refused().await.status, 101);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscriber_that_does_not_read_delays_nobody_and_loses_nothing() {
    let node = DevNode::configured("");
    let (alice, bob) = (account(&node, "alice"), account(&node, "bob"));
    let subscribe = |id: &str| json!({ "id": id, "type": "subscribe", "stream": "headers", "after": 0 });
    let (mut slow, mut quick) = (Frames::events(&node).await, Frames::events(&node).await);
    slow.say(&subscribe("slow")).await;
    quick.say(&subscribe("quick")).await;
    let mut newest = 0;
    for nonce in 1..=30 {
        let done = client(&node).submit(&input(&sign(&node, &alice, body(&node, &alice, nonce, &bob)))).await;
        newest = done["status"]["receipt"]["height"].as_u64().expect("executed");
    }
    for socket in [&mut quick, &mut slow] {
        for height in 1..=newest {
            assert_eq!(socket.hear().await["header"]["height"], height, "each once, in order");
        }
    }
    assert_eq!(metric(&node, "rustorium_websockets ").await, 2.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_submission_over_a_socket_is_told_when_to_come_again() {
    let node = DevNode::configured("[chain]\nblock_time_ms = 600000\n[admission]\npending_per_sender = 1\n");
    let (alice, bob) = (account(&node, "alice"), account(&node, "bob"));
    let signed = |nonce| input(&sign(&node, &alice, body(&node, &alice, nonce, &bob)));
    let accept = async |nonce| client(&node).post("/v1/transactions?wait=accepted", &signed(nonce)).await.1;
    // Behind the first block that it is told to make, the node makes none for ten minutes.
    accept(1).await;
    assert_eq!(client(&node).post("/v1/dev/control", &json!({ "mine": {} })).await.0.as_u16(), 200);
    assert_eq!(accept(2).await["status"]["type"], "Pending");

    let mut socket = Frames::events(&node).await;
    socket.say(&json!({ "id": "t", "type": "subscribe", "stream": "transaction", "transaction": signed(3) })).await;
    let said = socket.hear().await;
    assert_eq!((&said["code"], &said["retryAfterMs"]), (&json!("RATE_LIMITED"), &json!(1_000)), "{said}");

    let mut graphql = Frames::open(&node, "/graphql", "sec-websocket-protocol: graphql-transport-ws\r\n").await;
    graphql.say(&json!({ "type": "connection_init" })).await;
    assert_eq!(graphql.hear().await["type"], "connection_ack");
    let query = "subscription($signed: SignedInput!) { submitAndWatch(transaction: $signed) { __typename } }";
    let payload = json!({ "query": query, "variables": { "signed": signed(3) } });
    graphql.say(&json!({ "id": "w", "type": "subscribe", "payload": payload })).await;
    let said = graphql.hear().await;
    let extensions = &said["payload"][0]["extensions"];
    assert_eq!((&extensions["code"], &extensions["retryAfterMs"]), (&json!("RATE_LIMITED"), &json!(1_000)), "{said}");
}
