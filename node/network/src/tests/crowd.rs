//! Very many who want in: seats are bounded, known peers get theirs, and messages go on.

use super::{raw::Raw, *};
use crate::{Class, Close};

const SEATS: usize = 16;

/// So many keys from one address, each dialling once; sixteen get in, and a known peer does whenever it comes.
async fn crowd(attempts: u32) {
    let allowed = [identity(2).id()].into();
    let seats = Config { unknown_peers: SEATS, unknown_peers_per_ip: SEATS, allowed, ..config() };
    let alice = start(1, Config { handshakes: 32, ..seats });
    let at = alice.address();
    let (mut stay, mut refused) = (Vec::new(), 0);
    let endpoints: Vec<_> = (0..8).map(|_| raw::endpoint()).collect();
    let mut dials = tokio::task::JoinSet::new();
    for attempt in 0..attempts {
        let endpoint = endpoints[attempt as usize % endpoints.len()].clone();
        dials.spawn(async move { Raw::meet_from(endpoint, 1_000 + attempt, at, 1).await });
        while dials.len() >= 64 {
            match dials.join_next().await.expect("some").expect("no panic") {
                Ok(raw) => stay.push(raw),
                Err(_) => refused += 1,
            }
        }
        assert!(alice.network.peers().len() <= SEATS);
    }
    // In the middle of it, and it is not dialled: it has to get in by itself.
    let mut bob = start_with(2, &alice, config());
    bob.connected(alice.id()).await;
    while let Some(met) = dials.join_next().await {
        match met.expect("no panic") {
            Ok(raw) => stay.push(raw),
            Err(_) => refused += 1,
        }
    }
    assert_eq!((stay.len(), refused), (SEATS, attempts as usize - SEATS));
    until("all are seated", || alice.network.peers().len() == SEATS + 1).await;
    let mut alice = alice;
    bob.network.send(&alice.id(), Class::Vote, "aye".into()).expect("connected");
    assert_eq!(timeout(MINUTE, alice.incoming.votes.recv()).await.expect("in time").expect("a vote").peer, bob.id());

    let totals = alice.network.totals();
    assert!(totals.peers_refused + totals.handshakes_refused + totals.handshakes_failed > 0, "{totals:?}");
    // One leaves, the next one comes.
    let leaving = stay.pop().expect("some stayed");
    leaving.connection.close(Close::Asked.code(), b"");
    until("its seat is free", || alice.network.peers().len() == SEATS).await;
    Raw::meet(9, &alice).await.expect("a free seat");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_dial_and_sixteen_are_taken() {
    crowd(1_000).await;
}

/// Ten seconds, and 38 MB: `cargo test -p rustorium-network ten_thousand -- --ignored`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes ten seconds of both cores"]
async fn ten_thousand_dial_and_sixteen_are_taken() {
    crowd(10_000).await;
}

/// Bans keep their seats of an address, so that it does not help to come with another key.
#[tokio::test]
async fn new_keys_do_not_get_around_bans() {
    let alice = start(1, Config { unknown_peers_per_ip: 3, ..config() });
    for seed in 50..53 {
        let raw = Raw::meet(seed, &alice).await.expect("taken");
        alice.network.report(&raw.id, crate::Misbehaviour::Hostile);
        assert!(raw.closed().await.is_some());
    }
    assert_eq!(Raw::meet(53, &alice).await.err(), Some(Close::Full));
    alice.network.pardon(&identity(50).id());
    Raw::meet(54, &alice).await.expect("a seat is free again");
}
