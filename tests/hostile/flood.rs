//! Floods of transactions, signed and forged, while somebody else just wants to send one.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use rustorium_types::transaction::Signed;
use serde_json::Value;

use super::{body, client, input, metric, sign};
use crate::{chain_client::account, dev_node::DevNode};

/// What the node may grow by under a flood: its queues have 64 MiB each at the most, and blocks wait for the database.
const ROOM_BYTES: u64 = 384 << 20;

/// Posts the same batch over connections of its own until told to stop; counts answers by code.
struct Flood {
    stop: Arc<AtomicBool>,
    answered: Arc<AtomicUsize>,
    refused: Arc<AtomicUsize>,
    limited: Arc<AtomicUsize>,
    running: Vec<tokio::task::JoinHandle<()>>,
}

impl Flood {
    fn of(node: &DevNode, connections: usize, batch: &[Signed]) -> Self {
        let bytes: Vec<u8> = batch.iter().flat_map(Signed::to_bytes).collect();
        let stop = Arc::<AtomicBool>::default();
        let [answered, refused, limited] = [(); 3].map(|()| Arc::<AtomicUsize>::default());
        let url = format!("{}/v1/transactions?wait=accepted", node.rest());
        let running = (0..connections)
            .map(|_| {
                let (stop, answered) = (stop.clone(), answered.clone());
                let (refused, limited) = (refused.clone(), limited.clone());
                let (bytes, url, http) = (bytes.clone(), url.clone(), reqwest::Client::new());
                tokio::spawn(async move {
                    while !stop.load(Ordering::Relaxed) {
                        let request = http.post(&url).header("content-type", "application/octet-stream");
                        let answer = request.body(bytes.clone()).send().await.expect("an answer");
                        let answers: Vec<Value> = answer.json().await.expect("an answer each");
                        answered.fetch_add(1, Ordering::Relaxed);
                        for answer in &answers {
                            match answer["code"].as_str() {
                                Some("RATE_LIMITED") => limited.fetch_add(1, Ordering::Relaxed),
                                Some(_) => refused.fetch_add(1, Ordering::Relaxed),
                                None => continue,
                            };
                        }
                    }
                })
            })
            .collect();
        Self { stop, answered, refused, limited, running }
    }

    /// Waits until the first of it was answered, one way or another.
    async fn under_way(&self) {
        while self.answered.load(Ordering::Relaxed) == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    async fn end(self) -> (usize, usize) {
        self.stop.store(true, Ordering::Relaxed);
        for flood in self.running {
            flood.await.expect("it ends");
        }
        (self.refused.load(Ordering::Relaxed), self.limited.load(Ordering::Relaxed))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn forgeries_in_a_victim_s_name_neither_delay_nor_exhaust_it() {
    let node = DevNode::configured("[chain]\ndurability = \"none\"\n");
    let (alice, bob) = (account(&node, "alice"), account(&node, "bob"));
    let forged: Vec<_> = (1..=250)
        .map(|nonce| {
            let mut signed = sign(&node, &alice, body(&node, &alice, nonce, &bob));
            signed.body.memo = vec![1];
            signed
        })
        .collect();
    let before = node.resident_bytes();
    let flood = Flood::of(&node, 6, &forged);
    flood.under_way().await;
    for nonce in 1..=10 {
        let done = client(&node).submit(&input(&sign(&node, &alice, body(&node, &alice, nonce, &bob)))).await;
        assert_eq!(done["status"]["type"], "Success", "nonce {nonce}: {done}");
    }
    let (refused, limited) = flood.end().await;
    assert!(refused >= 250, "{refused} refused, {limited} told to wait");
    let grown = node.resident_bytes().saturating_sub(before);
    assert!(grown < ROOM_BYTES, "{grown} bytes");
    let forgeries = metric(&node, "rustorium_admission_refusals_total{code=\"INVALID_SIGNATURE\"}").await;
    assert!(forgeries > 0.0, "they got as far as the check, and no further");
    assert_eq!(client(&node).read(&format!("/v1/accounts/{}", alice.address)).await["nonceHighest"], 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_signed_transactions_does_not_delay_another_sender() {
    let node = DevNode::configured("[chain]\ndurability = \"none\"\n");
    let (alice, bob) = (account(&node, "alice"), account(&node, "bob"));
    // Every nonce of alice's window, over and over: at most one of each is ever paid for.
    let window: Vec<_> = (1..=250).map(|nonce| sign(&node, &alice, body(&node, &alice, nonce, &bob))).collect();
    let mut rivals = window.clone();
    for (memo, rival) in (0_u32..).zip(&mut rivals) {
        let mut body = rival.body.clone();
        body.memo = memo.to_le_bytes().to_vec();
        *rival = sign(&node, &alice, body);
    }
    let before = node.resident_bytes();
    let floods = [Flood::of(&node, 3, &window), Flood::of(&node, 3, &rivals)];
    floods[1].under_way().await;
    for nonce in 1..=10 {
        let done = client(&node).submit(&input(&sign(&node, &bob, body(&node, &bob, nonce, &alice)))).await;
        assert_eq!(done["status"]["type"], "Success", "nonce {nonce}: {done}");
    }
    for flood in floods {
        flood.end().await;
    }
    let grown = node.resident_bytes().saturating_sub(before);
    assert!(grown < ROOM_BYTES, "{grown} bytes");
    let alice = client(&node).read(&format!("/v1/accounts/{}", alice.address)).await;
    assert_eq!(alice["nonceHighest"], 250, "each nonce was consumed, once: {alice}");
}
