//! How peers meet: who is taken, who is not and why, and that a pair keeps one connection.

use super::*;
use crate::{Audience, Class, Close, DialError, Direction, Lost, SendError};

/// The first failure to dial.
async fn failure(node: &mut Node) -> DialError {
    node.event("a failed dial", |event| match event {
        Event::DialFailed { error, .. } => Some(error.clone()),
        _ => None,
    })
    .await
}

#[tokio::test]
async fn two_nodes_meet_and_part() {
    let mut alice = start(1, config());
    let mut bob = start_with(2, &alice, config());
    alice.connected(bob.id()).await;
    bob.connected(alice.id()).await;
    let [of_alice, of_bob] = [&alice, &bob].map(|node| node.network.peers().remove(0));
    assert_eq!((of_alice.id, of_alice.direction, of_alice.is_known), (bob.id(), Direction::Inbound, false));
    assert_eq!((of_bob.id, of_bob.direction, of_bob.is_known), (alice.id(), Direction::Outbound, true));
    assert_eq!(of_bob.address, alice.network.address());

    let id = bob.id();
    bob.network.shutdown().await;
    let reason = alice
        .event("a farewell", |event| match event {
            Event::Disconnected { peer, reason } if *peer == id => Some(reason.clone()),
            _ => None,
        })
        .await;
    assert!(matches!(reason, Lost::ByPeer(Close::Shutdown)), "{reason}");
    assert_eq!(alice.network.send(&id, Class::Sync, "?".into()), Err(SendError::NotConnected));
}

#[tokio::test]
async fn somebody_else_at_the_address_is_told_from_the_peer() {
    let alice = start(1, config());
    let wrong = PeerAddress { id: identity(3).id(), ..alice.address() };
    let mut bob = start(2, Config { static_peers: vec![wrong], ..config() });
    match failure(&mut bob).await {
        DialError::WrongIdentity { address, expected, found } => {
            assert_eq!((address, expected, found), (alice.network.address(), wrong.id, alice.id()));
        }
        other => panic!("{other}"),
    }
    assert!(alice.network.peers().is_empty() && bob.network.peers().is_empty());
}

#[tokio::test]
async fn a_peer_of_another_chain_is_refused_with_the_reason() {
    let alice = start(1, config());
    let mut bob = start_with(2, &alice, Config { chain: Hash([8; 32]), ..config() });
    let error = failure(&mut bob).await;
    assert!(matches!(error, DialError::OtherChain { .. }), "{error}");
    until("it is counted", || alice.network.totals().handshakes_other_chain > 0).await;
    assert!(alice.network.peers().is_empty());
}

#[tokio::test]
async fn unknown_peers_are_refused_where_only_known_ones_are_taken() {
    let alice = start(1, Config { unknown_peers: 0, allowed: [identity(3).id()].into(), ..config() });
    let mut bob = start_with(2, &alice, config());
    let error = failure(&mut bob).await;
    assert!(matches!(error, DialError::Refused { reason: Close::NotAllowed, .. }), "{error}");
    let mut carol = start_with(3, &alice, config());
    carol.connected(alice.id()).await;
    // At an epoch's change one comes and one goes.
    alice.network.allow(&[bob.id()].into());
    bob.connected(alice.id()).await;
    let id = alice.id();
    let reason = carol
        .event("its end", |event| match event {
            Event::Disconnected { peer, reason } if *peer == id => Some(reason.clone()),
            _ => None,
        })
        .await;
    assert!(matches!(reason, Lost::ByPeer(Close::NotAllowed)), "{reason}");
}

#[tokio::test]
async fn nobody_answers() {
    let silent = std::net::UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let peer = PeerAddress { id: identity(3).id(), address: silent.local_addr().expect("a socket") };
    let handshake_timeout = Duration::from_millis(50);
    let mut bob = start(2, Config { static_peers: vec![peer], handshake_timeout, ..config() });
    let error = failure(&mut bob).await;
    assert!(matches!(error, DialError::NoAnswer { .. }), "{error}");
}

/// Both dial at once, time and again: they end with one connection, the same on both sides, and messages pass. That a
/// peer is connected was once told by nobody: not by the connection that came second, because it took the place of
/// another, and not by that one, because it was closed before its greeting was out.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_dial_each_other_keep_one_connection() {
    for round in 0..10 {
        let [seed_a, seed_b] = [100 + 2 * round, 101 + 2 * round];
        let sockets = [(); 2].map(|()| std::net::UdpSocket::bind("127.0.0.1:0").expect("a socket"));
        let [at_a, at_b] = sockets.each_ref().map(|socket| socket.local_addr().expect("a socket"));
        drop(sockets);
        let peer = |seed, address| vec![PeerAddress { id: identity(seed).id(), address }];
        let mut a = start(seed_a, Config { listen: at_a, static_peers: peer(seed_b, at_b), ..config() });
        let mut b = start(seed_b, Config { listen: at_b, static_peers: peer(seed_a, at_a), ..config() });
        a.connected(b.id()).await;
        b.connected(a.id()).await;
        until("both have the same connection", || {
            let directions = [&a, &b].map(|node| node.network.peers().iter().map(|p| p.direction).collect::<Vec<_>>());
            assert!(directions.iter().all(|directions| directions.len() <= 1));
            directions[0].len() == 1 && directions[1].len() == 1 && directions[0] != directions[1]
        })
        .await;
        let heard = async {
            loop {
                _ = a.network.broadcast(Class::Vote, "aye".into(), Audience::Known);
                if let Ok(Some(vote)) = timeout(Duration::from_millis(50), b.incoming.votes.recv()).await {
                    return vote.peer;
                }
            }
        };
        assert_eq!(timeout(MINUTE, heard).await.expect("a vote"), a.id());
    }
}

/// A node that is killed says nothing. It comes back at the same address, and its peers learn from the first packet of
/// theirs that the connection is gone: long before the idle timeout, which is an hour here.
#[test]
fn a_killed_peer_that_comes_back_is_connected_again() {
    let runtime =
        || tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("starts");
    let hour = Duration::from_secs(3_600);
    let patient = || Config { idle_timeout: hour, keep_alive: Duration::from_millis(100), ..config() };
    let (of_alice, of_bob) = (runtime(), runtime());
    let bob = of_bob.block_on(async { start(2, patient()) });
    let (id, at) = (bob.id(), bob.network.address());
    let mut alice = of_alice.block_on(async { start_with(1, &bob, patient()) });
    of_alice.block_on(alice.connected(id));
    // Its threads end between two packets; what it would have said is never sent.
    of_bob.shutdown_timeout(MINUTE);
    drop(bob);
    let of_bob = runtime();
    let bob = of_bob.block_on(async {
        until("the address is free", || std::net::UdpSocket::bind(at).is_ok()).await;
        start(2, Config { listen: at, ..patient() })
    });
    of_alice.block_on(async {
        let reason = alice
            .event("the end of the first connection", |event| match event {
                Event::Disconnected { peer, reason } if *peer == id => Some(reason.clone()),
                _ => None,
            })
            .await;
        assert!(matches!(reason, Lost::Restarted), "{reason}");
        alice.connected(id).await;
        alice.network.send(&id, Class::Sync, "hello again".into()).expect("connected");
    });
    let mut bob = bob;
    let message = of_bob.block_on(async { timeout(MINUTE, bob.incoming.sync.recv()).await });
    assert_eq!(message.expect("in time").expect("a message").payload, "hello again");
}
