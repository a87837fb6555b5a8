//! Peers that do what they should not, and what becomes of them and of the others.

use std::net::UdpSocket;

use quinn::VarInt;

use super::{
    raw::{Raw, frame},
    *,
};
use crate::{Audience, Class, Close, Control, Hello, Misbehaviour, RequestError};

const VOTE: u8 = Class::Vote as u8 + 1;
const BODIES: u8 = Class::Bodies as u8 + 1;

async fn banned(node: &mut Node, peer: PeerId) -> Misbehaviour {
    node.event("a ban", |event| match event {
        Event::Banned { peer: found, ban } if *found == peer => Some(ban.reason),
        _ => None,
    })
    .await
}

#[tokio::test]
async fn frames_that_are_none_end_the_connection_and_ban() {
    let mut alice = start(1, config());
    let limit = Class::Bodies.limits().message_bytes as u32;
    let oversized = [&[BODIES][..], &(limit + 1).to_le_bytes()].concat();
    let cases: [(&[u8], Misbehaviour); 4] = [
        // Refused by its first five bytes; that no memory is taken for it is frame.rs's test.
        (&oversized, Misbehaviour::Oversized),
        (&[VOTE, 255, 255, 255, 255], Misbehaviour::Oversized),
        (&[VOTE, 0, 0, 0, 0], Misbehaviour::Malformed),
        (&[77], Misbehaviour::Malformed),
    ];
    for (seed, (bytes, expected)) in (50..).zip(cases) {
        let raw = Raw::meet(seed, &alice).await.expect("taken");
        let _stream = raw.stream(bytes).await;
        assert_eq!(banned(&mut alice, raw.id).await, expected, "{bytes:?}");
        assert_eq!(raw.closed().await, Some(Close::Misbehaved(expected)));
        assert_eq!(Raw::meet(seed, &alice).await.err(), Some(Close::Banned));
    }
    assert_eq!(alice.network.bans().len(), 4);
    assert!(alice.network.peers().is_empty());
}

/// A node that is stopped drops its streams wherever they are, which ends them: in the middle of a frame, before the
/// first byte, by a reset. Peers banned each other for ten minutes over a restart.
#[tokio::test]
async fn streams_that_end_too_early_cost_the_connection_and_no_points() {
    let alice = start(1, config());
    for (bytes, is_reset) in [(&[VOTE, 9, 0, 0, 0, 1][..], false), (&[], false), (&[VOTE], true), (&[VOTE], false)] {
        let raw = Raw::meet(50, &alice).await.expect("taken");
        let mut stream = raw.stream(bytes).await;
        _ = if is_reset { stream.reset(VarInt::from_u32(0)) } else { stream.finish() };
        assert_eq!(raw.closed().await, Some(Close::Ended));
    }
    let mut raw = Raw::meet(50, &alice).await.expect("taken");
    _ = raw.control.reset(VarInt::from_u32(0));
    assert_eq!(raw.closed().await, Some(Close::Ended));
    assert_eq!(alice.network.totals().misbehaviours, [0; 8]);
}

#[tokio::test]
async fn a_second_stream_of_a_class_and_a_second_greeting_are_malformed() {
    let mut alice = start(1, config());
    let raw = Raw::meet(50, &alice).await.expect("taken");
    let _streams = [raw.stream(&[VOTE]).await, raw.stream(&[VOTE]).await];
    assert_eq!(banned(&mut alice, raw.id).await, Misbehaviour::Malformed);
    let mut raw = Raw::meet(51, &alice).await.expect("taken");
    raw.say(&Control::Hello(Hello { instance: 2, record: None })).await;
    assert_eq!(banned(&mut alice, raw.id).await, Misbehaviour::Malformed);
    let mut raw = Raw::meet(52, &alice).await.expect("taken");
    _ = raw.control.write_all(&frame(b"no message")).await;
    assert_eq!(banned(&mut alice, raw.id).await, Misbehaviour::Malformed);
}

#[tokio::test]
async fn who_does_not_greet_is_shown_out() {
    let alice = start(1, Config { handshake_timeout: Duration::from_millis(100), ..config() });
    let endpoint = raw::endpoint();
    let silent = raw::dial(&endpoint, 50, alice.address()).await.expect("a handshake");
    timeout(MINUTE, silent.closed()).await.expect("it is closed");
    let other = raw::dial(&endpoint, 51, alice.address()).await.expect("a handshake");
    let mut stream = other.open_uni().await.expect("a stream");
    stream.write_all(&[VOTE, 1, 0, 0, 0, 1]).await.expect("sent");
    assert_eq!(Close::of(&other.closed().await), Some(Close::NoGreeting));
    assert!(alice.network.peers().is_empty() && alice.network.totals().handshakes_failed == 2);
}

/// Streams that are opened and never finished, as many as QUIC lets it, of messages and of requests.
#[tokio::test]
async fn a_slow_loris_holds_a_few_bytes_for_a_while() {
    let mut alice = start(1, Config { frame_timeout: Duration::from_millis(100), ..config() });
    let raw = Raw::meet(50, &alice).await.expect("taken");
    let half = [&[BODIES][..], &1_024_u32.to_le_bytes(), &[1; 10]].concat();
    let mut held = vec![raw.stream(&half).await];
    assert_eq!(
        alice
            .event("it is noticed", |event| match event {
                Event::Misbehaved { misbehaviour, .. } => Some(*misbehaviour),
                _ => None,
            })
            .await,
        Misbehaviour::Stalled
    );
    // On a stream of messages it costs the connection.
    assert_eq!(raw.closed().await, Some(Close::Misbehaved(Misbehaviour::Stalled)));
    held.clear();

    let raw = Raw::meet(51, &alice).await.expect("taken");
    let mut requests = Vec::new();
    // Until the node lets it open no more, or has had enough of it.
    while let Ok(Ok((mut to, from))) = timeout(Duration::from_millis(50), raw.connection.open_bi()).await {
        _ = to.write_all(&half[..3]).await;
        requests.push((to, from));
        assert!(requests.len() <= 100, "no bound");
    }
    assert_eq!(banned(&mut alice, raw.id).await, Misbehaviour::Stalled);
    assert_eq!(raw.closed().await, Some(Close::Misbehaved(Misbehaviour::Stalled)));
}

/// A peer sends as fast as it can, of two classes, and another one's votes go on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_is_held_up_scored_and_banned_and_delays_nobody() {
    let allowed = [identity(2).id(), identity(50).id()].into();
    let mut alice = start(1, Config { flood_patience: Duration::from_millis(200), allowed, ..config() });
    let mut bob = start_with(2, &alice, config());
    bob.connected(alice.id()).await;
    let raw = Raw::meet(50, &alice).await.expect("taken");
    let flooder = raw.id;
    let flood = tokio::spawn(async move {
        let chunk: Vec<u8> = std::iter::repeat_n(frame(b"spam"), 1_000).flatten().collect();
        let mut stream = raw.stream(&[VOTE]).await;
        while stream.write_all(&chunk).await.is_ok() {}
        raw.closed().await
    });
    // Bob's votes, one after the other, until the flooder is banned and some more.
    let (mut votes, mut after, mut is_banned) = (0, 0, false);
    let mut spam = 0_u64;
    let (id, network) = (alice.id(), bob.network.clone());
    while after < 20 {
        network.send(&id, Class::Vote, "aye".into()).expect("connected");
        let heard = async {
            loop {
                let vote = alice.incoming.votes.recv().await.expect("open");
                if vote.peer != flooder {
                    break;
                }
                spam += 1;
            }
        };
        timeout(MINUTE, heard).await.expect("a vote");
        votes += 1;
        is_banned |= alice.network.bans().iter().any(|ban| ban.id == flooder);
        after += u32::from(is_banned);
    }
    assert_eq!(flood.await.expect("no panic"), Some(Close::Misbehaved(Misbehaviour::Flood)));
    assert_eq!(banned(&mut alice, flooder).await, Misbehaviour::Flood);
    assert!(votes >= 20 && spam > 0);
    let totals = alice.network.totals();
    assert_eq!(totals.misbehaviours[Misbehaviour::Flood as usize], 2);
    assert!(alice.network.is_connected(&bob.id()));
}

#[tokio::test]
async fn what_the_user_reports_adds_up() {
    let mut alice = start(1, config());
    let raw = Raw::meet(50, &alice).await.expect("taken");
    alice.network.report(&raw.id, Misbehaviour::Invalid);
    alice.network.report(&raw.id, Misbehaviour::Invalid);
    assert!((70..=80).contains(&alice.network.peers()[0].score), "they fade");
    alice.network.report(&raw.id, Misbehaviour::Invalid);
    assert_eq!(banned(&mut alice, raw.id).await, Misbehaviour::Invalid);
    assert_eq!(raw.closed().await, Some(Close::Misbehaved(Misbehaviour::Invalid)));
    let raw = Raw::meet(51, &alice).await.expect("taken");
    alice.network.report(&raw.id, Misbehaviour::Hostile);
    assert_eq!(banned(&mut alice, raw.id).await, Misbehaviour::Hostile);
}

#[tokio::test]
async fn votes_of_peers_off_the_list_are_dropped() {
    let mut alice = start(1, config());
    let raw = Raw::meet(50, &alice).await.expect("taken");
    let _vote = raw.stream(&[&[VOTE][..], &frame(b"aye")].concat()).await;
    let _body = raw.stream(&[&[BODIES][..], &frame(b"body")].concat()).await;
    assert_eq!(timeout(MINUTE, alice.incoming.bodies.recv()).await.expect("in time").expect("a body").payload, "body");
    until("the vote is dropped", || alice.network.totals().traffic[0].dropped == 1).await;
    assert!(alice.incoming.votes.try_recv().is_err());
}

/// A peer that answers with more than a response may have, with more than one, and with an empty one.
#[tokio::test]
async fn responses_that_are_none_are_counted() {
    let mut alice = start(1, config());
    let limit = Class::Bodies.limits().response_bytes as u32;
    let cases: [(Vec<u8>, RequestError); 3] = [
        ((limit + 1).to_le_bytes().to_vec(), RequestError::Misbehaved(Misbehaviour::Oversized)),
        ([frame(b"one"), frame(b"two")].concat(), RequestError::Misbehaved(Misbehaviour::Malformed)),
        (vec![0; 4], RequestError::Misbehaved(Misbehaviour::Malformed)),
    ];
    for (seed, (bytes, expected)) in (50..).zip(cases) {
        let raw = Raw::meet(seed, &alice).await.expect("taken");
        let answering = async {
            let (mut to, mut from) = raw.connection.accept_bi().await.expect("a request");
            assert_eq!(from.read_to_end(64).await.expect("whole"), [&[BODIES][..], &frame(b"?")].concat());
            to.write_all(&bytes).await.expect("sent");
            to.finish().expect("open");
        };
        let asking = alice.network.request(&raw.id, Class::Bodies, "?".into(), MINUTE);
        let (answer, ()) = tokio::join!(asking, answering);
        assert_eq!(answer, Err(expected));
        banned(&mut alice, raw.id).await;
    }
    // One that ends too early is no offence: see above.
    let raw = Raw::meet(60, &alice).await.expect("taken");
    let answering = async {
        let (mut to, _) = raw.connection.accept_bi().await.expect("a request");
        to.write_all(&frame(b"half")[..6]).await.expect("sent");
    };
    let asking = alice.network.request(&raw.id, Class::Bodies, "?".into(), MINUTE);
    let (answer, ()) = tokio::join!(asking, answering);
    assert_eq!(answer, Err(RequestError::NotConnected));
    assert!(alice.network.peers()[0].score == 0);
}

/// Datagrams that are nothing, and a handshake's first packets, recorded and sent again and again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn garbage_and_replayed_handshakes_come_to_nothing() {
    let alice = start(1, Config { handshake_timeout: Duration::from_millis(200), ..config() });
    let to = alice.network.address();
    // What a dialler sends first, recorded where nobody answers.
    let recorder = tokio::net::UdpSocket::bind("127.0.0.1:0").await.expect("a socket");
    let target = PeerAddress { id: alice.id(), address: recorder.local_addr().expect("a socket") };
    let dialler = raw::endpoint();
    let dialling = tokio::spawn(async move { raw::dial(&dialler, 50, target).await.map(|_| ()) });
    let mut packet = vec![0; 2_048];
    let length = timeout(MINUTE, recorder.recv(&mut packet)).await.expect("in time").expect("a packet");
    packet.truncate(length);
    dialling.abort();

    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    for round in 0..500_u32 {
        let mut garbage = blake3::hash(&round.to_le_bytes()).as_bytes().repeat(40);
        garbage.truncate((round as usize * 7) % 1_280);
        socket.send_to(&garbage, to).expect("sent");
        socket.send_to(&packet, to).expect("sent");
        let mut damaged = packet.clone();
        let at = round as usize % damaged.len();
        damaged[at] ^= 1 << (round % 8);
        socket.send_to(&damaged, to).expect("sent");
        // What is sent all at once, the system drops.
        if round % 50 == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
    let mut bob = start_with(2, &alice, config());
    bob.connected(alice.id()).await;
    until("what was begun is given up", || {
        let totals = alice.network.totals();
        totals.handshakes == totals.handshakes_failed + 1
    })
    .await;
    let totals = alice.network.totals();
    assert!(totals.handshakes >= 2, "{totals:?}");
    assert_eq!((totals.connections, alice.network.peers().len()), (1, 1));
    bob.network.broadcast(Class::Sync, "still here".into(), Audience::Known).expect("fits");
}
