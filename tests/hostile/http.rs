//! HTTP clients that send too much, too slowly, or nothing; and one that does not read.

use serde_json::json;

use super::{Wire, assert_serves, metric, until_metric};
use crate::dev_node::DevNode;

/// What the node may grow by while it is held up by many: connections are some kilobytes each.
const ROOM_BYTES: u64 = 64 << 20;

#[tokio::test(flavor = "multi_thread")]
async fn an_oversized_body_is_refused_before_it_is_read() {
    let node = DevNode::configured("");
    let mut claimed = Wire::open(&node).await;
    claimed.say("POST /v1/transactions HTTP/1.1\r\nhost: n\r\ncontent-length: 99999999999\r\n\r\n").await;
    let answer = claimed.answer().await.expect("an answer");
    assert_eq!((answer.status, answer.json()["code"].as_str()), (413, Some("TOO_LARGE")));
    assert_eq!(answer.json()["detail"], "a request's body has at most 8388608 bytes");

    // Without a length: read until it is too much.
    let mut chunked = Wire::open(&node).await;
    chunked.say("POST /graphql HTTP/1.1\r\nhost: n\r\ntransfer-encoding: chunked\r\n\r\n").await;
    let chunk = format!("100000\r\n{}\r\n", " ".repeat(1 << 20));
    for _ in 0..9 {
        // The node may stop listening in the middle.
        let _ = tokio::io::AsyncWriteExt::write_all(&mut chunked.0, chunk.as_bytes()).await;
    }
    if let Some(answer) = chunked.answer().await {
        assert_eq!((answer.status, answer.json()["code"].as_str()), (413, Some("TOO_LARGE")));
    }
    let mut broken = Wire::open(&node).await;
    broken.say("POST /v1/transactions HTTP/1.1\r\nhost: n\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n").await;
    if let Some(answer) = broken.answer().await {
        assert_eq!(answer.status, 400);
    }
    assert_serves(&node).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn oversized_and_malformed_heads_are_refused() {
    let node = DevNode::configured("");
    let long = format!("GET /v1/status HTTP/1.1\r\nhost: n\r\nx: {}\r\n\r\n", "x".repeat(1 << 20));
    let many: String = (0..100).map(|number| format!("x{number}: 1\r\n")).collect();
    let many = format!("GET /v1/status HTTP/1.1\r\nhost: n\r\n{many}\r\n");
    let path = format!("GET /{} HTTP/1.1\r\nhost: n\r\n\r\n", "x".repeat(1 << 20));
    for (head, expected) in [
        (long, &[431][..]),
        (many, &[431]),
        (path, &[414, 431]),
        ("\0\0\0\0\r\n\r\n".into(), &[400]),
        ("GET / HTTP/9.9\r\n\r\n".into(), &[400, 505]),
        ("GET /v1/status HTTP/1.1\r\nhost: n\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n".into(), &[400]),
    ] {
        let mut wire = Wire::open(&node).await;
        // It may be refused before all of it is written.
        let _ = tokio::io::AsyncWriteExt::write_all(&mut wire.0, head.as_bytes()).await;
        if let Some(answer) = wire.answer().await {
            assert!(expected.contains(&answer.status), "{} for {}", answer.status, &head[..20]);
        }
    }
    // A client's own request id is no place for a novel.
    let mut wire = Wire::open(&node).await;
    wire.say(format!("GET /v1/nothing HTTP/1.1\r\nhost: n\r\nx-request-id: {}\r\n\r\n", "y".repeat(1_000))).await;
    let problem = wire.answer().await.expect("an answer").json();
    assert_eq!((&problem["code"], problem["requestId"].as_str().map(str::len)), (&json!("NOT_FOUND"), Some(16)));
    assert_serves(&node).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_that_does_not_end_and_a_body_that_does_not_come_are_given_up() {
    let node = DevNode::configured("[api]\nheader_timeout_ms = 300\nbody_timeout_ms = 300\n");
    let mut head = Wire::open(&node).await;
    head.say("GET /v1/status HTTP/1.1\r\nhost: n\r\nx: ").await;
    head.closed().await;

    let mut body = Wire::open(&node).await;
    body.say("POST /v1/transactions HTTP/1.1\r\nhost: n\r\ncontent-length: 1000\r\n\r\n[").await;
    let answer = body.answer().await.expect("an answer");
    assert_eq!((answer.status, answer.json()["code"].as_str()), (408, Some("REQUEST_TIMEOUT")));
    assert_eq!(answer.json()["detail"], "the request's body did not arrive in time");
    body.closed().await;
    assert_serves(&node).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn large_bodies_that_do_not_end_take_a_bounded_amount_of_memory() {
    let node = DevNode::configured("[api]\nbuffered_body_bytes = 4_194_304\n");
    let before = node.resident_bytes();
    let mut waiting = Vec::new();
    for _ in 0..16 {
        let mut wire = Wire::open(&node).await;
        wire.say("POST /v1/transactions HTTP/1.1\r\nhost: n\r\ncontent-length: 8000000\r\n\r\n").await;
        // Some are cut off while they are sent.
        let _ = tokio::io::AsyncWriteExt::write_all(&mut wire.0, &vec![b' '; 2 << 20]).await;
        waiting.push(wire);
    }
    until_metric(&node, "rustorium_problems_total{interface=\"rest\",code=\"RATE_LIMITED\"}", |refused| {
        refused >= 12.0
    })
    .await;
    let grown = node.resident_bytes().saturating_sub(before);
    assert!(grown < ROOM_BYTES, "{grown} bytes for sixteen bodies of two MiB");
    // A small request never waits for room.
    assert_serves(&node).await;
    let mut small = Wire::open(&node).await;
    small.say("POST /graphql HTTP/1.1\r\nhost: n\r\ncontent-length: 27\r\n\r\n{\"query\":\"{chain{dev}}\"}   ").await;
    assert_eq!(small.answer().await.expect("an answer").json()["data"]["chain"]["dev"], true);
    drop(waiting);
    until_metric(&node, "rustorium_body_room_bytes", |free| free == 4_194_304.0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_does_not_read_its_answers_is_cut_off() {
    let node = DevNode::configured("[api]\nwrite_timeout_ms = 300\n");
    let mut wire = Wire::open(&node).await;
    // More answers than fit into the sockets' buffers; none is read.
    let requests = "GET /openapi.json HTTP/1.1\r\nhost: n\r\n\r\n".repeat(4_000);
    let sent = tokio::spawn(async move {
        let _ = tokio::io::AsyncWriteExt::write_all(&mut wire.0, requests.as_bytes()).await;
        wire
    });
    until_metric(&node, "rustorium_http_requests_total{route=\"/openapi.json\"", |requests| requests >= 2.0).await;
    assert_serves(&node).await;
    // Cut off for not reading: nothing else ends it.
    until_metric(&node, "rustorium_http_connections ", |open| open == 0.0).await;
    drop(sent);
}

#[tokio::test(flavor = "multi_thread")]
async fn thousands_of_idle_sockets_shut_nobody_out() {
    let sockets = super::raise_open_files(2_200) - 200;
    let node = DevNode::configured("[api]\nconnections = 100\n");
    assert_serves(&node).await;
    let before = node.resident_bytes();
    let mut idle = Vec::new();
    for number in 0..sockets {
        let mut wire = Wire::open(&node).await;
        match number % 3 {
            // Nothing; the beginning of a head; a request, and then nothing.
            0 => {}
            1 => drop(tokio::io::AsyncWriteExt::write_all(&mut wire.0, b"GET /v1/sta").await),
            _ => drop(
                tokio::io::AsyncWriteExt::write_all(&mut wire.0, b"GET /healthz HTTP/1.1\r\nhost: n\r\n\r\n").await,
            ),
        }
        idle.push(wire);
        if number % 100 == 0 {
            assert_serves(&node).await;
        }
    }
    assert_serves(&node).await;
    let grown = node.resident_bytes().saturating_sub(before);
    assert!(grown < ROOM_BYTES, "{grown} bytes for {sockets} idle sockets");
    assert!(metric(&node, "rustorium_http_connections ").await <= 100.0);
    assert!(metric(&node, "rustorium_http_connections_unseated_total").await >= 1_000.0);
}
