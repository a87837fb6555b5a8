//! Peer exchange between nodes.

use super::*;
use crate::{AddressRecord, Event, Misbehaviour, RecordError, control::Control, tests::raw::Raw};

/// Carol and Alice know only Bob, and find each other.
#[tokio::test]
async fn strangers_find_each_other_through_a_third() {
    let exchange_interval = Duration::from_millis(50);
    let curious = || Config { wanted_peers: 8, exchange_interval, ..config() };
    let bob = start(2, curious());
    let mut alice = start_with(1, &bob, curious());
    let mut carol = start_with(3, &bob, curious());
    alice.connected(carol.id()).await;
    carol.connected(alice.id()).await;
    assert!(bob.network.records() >= 2);
}

#[tokio::test]
async fn a_validator_s_new_address_is_learnt_from_others() {
    let exchange_interval = Duration::from_millis(50);
    let quick = || Config { exchange_interval, ..config() };
    let bob = start(2, quick());
    let _carol = start_with(3, &bob, quick());
    // Knows who Carol is, and not where.
    let mut alice = start_with(1, &bob, Config { allowed: [identity(3).id()].into(), ..quick() });
    alice.connected(identity(3).id()).await;
}

fn record(seed: u32, time: Timestamp, chain: Hash) -> crate::SignedRecord {
    let addresses = vec!["192.0.2.1:8650".parse().expect("an address")];
    AddressRecord { peer: identity(seed).id(), time, addresses }.sign(&identity(seed), &chain)
}

#[tokio::test]
async fn a_forged_record_bans_and_an_old_one_is_refused() {
    let mut alice = start(1, config());
    let mut raw = Raw::meet(50, &alice).await.expect("taken");
    let old = record(60, Timestamp(1), CHAIN);
    assert_eq!(alice.network.learn(old.clone()), Err(RecordError::Old));
    assert_eq!(alice.network.learn(record(60, NOW, Hash([8; 32]))), Err(RecordError::Forged));
    raw.asked().await;
    raw.tell(vec![record(61, NOW, CHAIN), old]).await;
    until("one is learnt and one is not", || {
        alice.network.records() == 1 && alice.network.totals().records_refused == 1
    })
    .await;
    assert_eq!(alice.network.totals().misbehaviours, [0; 8]);

    let mut forger = Raw::meet(51, &alice).await.expect("taken");
    let mut forged = record(62, NOW, CHAIN);
    forged.record.addresses = vec!["192.0.2.66:8650".parse().expect("an address")];
    forger.asked().await;
    forger.tell(vec![forged]).await;
    let (peer, ban) = alice
        .event("a ban", |event| match event {
            Event::Banned { peer, ban } => Some((*peer, *ban)),
            _ => None,
        })
        .await;
    assert_eq!((peer, ban.reason), (forger.id, Misbehaviour::ForgedRecord));
    assert_eq!(alice.network.records(), 1);
}

#[tokio::test]
async fn answers_that_nobody_asked_for_are_counted_and_banned() {
    let mut alice = start(1, config());
    let mut raw = Raw::meet(50, &alice).await.expect("taken");
    raw.asked().await;
    // One was asked for, two were not.
    for _ in 0..3 {
        raw.tell(Vec::new()).await;
    }
    let score = alice
        .event("the first", |event| match event {
            Event::Misbehaved { misbehaviour: Misbehaviour::UnrequestedResponse, score, .. } => Some(*score),
            _ => None,
        })
        .await;
    assert_eq!(score, 60);
    assert_eq!(raw.closed().await, Some(crate::Close::Misbehaved(Misbehaviour::UnrequestedResponse)));
    // And it does not get in again.
    assert_eq!(Raw::meet(50, &alice).await.err(), Some(crate::Close::Banned));
    assert!(alice.network.pardon(&raw.id));
    let mut raw = Raw::meet(50, &alice).await.expect("pardoned");
    raw.say(&Control::Ask).await;
}
