//! What is sent arrives: each class, requests and their answers, and what becomes of those without.

use bytes::Bytes;

use super::*;
use crate::{Audience, Class, RequestError, SendError};

const LONG: Duration = MINUTE;

async fn pair() -> (Node, Node) {
    let mut alice = start(1, Config { allowed: [identity(2).id()].into(), ..config() });
    let mut bob = start_with(2, &alice, config());
    alice.connected(bob.id()).await;
    bob.connected(alice.id()).await;
    (alice, bob)
}

fn messages(node: &mut Node, class: Class) -> &mut tokio::sync::mpsc::Receiver<crate::Message> {
    match class {
        Class::Vote => &mut node.incoming.votes,
        Class::Certificate => &mut node.incoming.certificates,
        Class::Resolver => &mut node.incoming.resolver,
        Class::Bodies => &mut node.incoming.bodies,
        Class::Sync => &mut node.incoming.sync,
    }
}

#[tokio::test]
async fn each_class_is_delivered_in_order_up_to_its_limit() {
    let (mut alice, mut bob) = pair().await;
    let ids = [alice.id(), bob.id()];
    for class in Class::ALL {
        let limit = class.limits().message_bytes;
        let sent: Vec<Bytes> = [1, 2, limit].map(|bytes| Bytes::from(vec![class as u8; bytes])).to_vec();
        for message in &sent {
            bob.network.send(&alice.id(), class, message.clone()).expect("room");
            assert_eq!(alice.network.broadcast(class, message.clone(), Audience::Known), Ok(vec![bob.id()]));
        }
        for message in &sent {
            for (node, peer) in [(&mut alice, ids[1]), (&mut bob, ids[0])] {
                let came = timeout(LONG, messages(node, class).recv()).await.expect("in time").expect("a message");
                assert!(came.peer == peer && came.payload == *message, "{class:?}");
            }
        }
        let too_large = Bytes::from(vec![0; limit + 1]);
        let refused = bob.network.send(&alice.id(), class, too_large);
        assert_eq!(refused, Err(SendError::Size { class, bytes: limit + 1, limit }));
        assert!(bob.network.send(&alice.id(), class, Bytes::new()).is_err());
    }
    let totals = bob.network.totals();
    assert!(totals.traffic.iter().all(|class| class.messages_in == 3 && class.messages_out == 3 && class.dropped == 0));
    assert_eq!(bob.network.peers()[0].traffic, totals.traffic);
    assert_eq!(totals.misbehaviours, [0; 8]);
}

#[tokio::test]
async fn requests_are_answered() {
    let (alice, bob) = pair().await;
    let id = alice.id();
    let mut incoming = alice.incoming;
    let asker = bob.id();
    tokio::spawn(async move {
        loop {
            let request = tokio::select! {
                Some(request) = incoming.resolver_requests.recv() => request,
                Some(request) = incoming.bodies_requests.recv() => request,
                Some(request) = incoming.sync_requests.recv() => request,
                else => break,
            };
            assert_eq!(request.peer, asker);
            match &request.payload[..] {
                b"unknown" => drop(request),
                b"too much" => {
                    let limit = request.class.limits().response_bytes;
                    assert!(request.respond(vec![0; limit + 1].into()).is_err());
                }
                b"whole" => {
                    let limit = request.class.limits().response_bytes;
                    request.respond(vec![7; limit].into()).expect("it fits");
                }
                _ => {
                    let echo = request.payload.clone();
                    request.respond(echo).expect("it fits");
                }
            }
        }
    });
    for class in [Class::Resolver, Class::Bodies, Class::Sync] {
        let ask = |text: &'static str| bob.network.request(&id, class, text.into(), LONG);
        assert_eq!(ask("ping").await, Ok("ping".into()));
        assert_eq!(ask("whole").await.map(|response| response.len()), Ok(class.limits().response_bytes));
        assert_eq!(ask("unknown").await, Err(RequestError::Unavailable));
        assert_eq!(ask("too much").await, Err(RequestError::Unavailable));
        let too_large = Bytes::from(vec![0; class.limits().request_bytes + 1]);
        let refused = bob.network.request(&id, class, too_large, LONG).await;
        assert!(matches!(refused, Err(RequestError::Size { .. })));
        // More at once than have places: they wait for each other.
        let many = (0..class.limits().requests * 3).map(|_| {
            let network = bob.network.clone();
            tokio::spawn(async move { network.request(&id, class, "ping".into(), LONG).await })
        });
        for answer in many.collect::<Vec<_>>() {
            assert_eq!(answer.await.expect("no panic"), Ok("ping".into()));
        }
    }
    assert_eq!(bob.network.request(&id, Class::Vote, "?".into(), LONG).await, Err(RequestError::Class(Class::Vote)));
    let nobody = identity(77).id();
    let answer = bob.network.request(&nobody, Class::Sync, "?".into(), LONG).await;
    assert_eq!(answer, Err(RequestError::NotConnected));
}

#[tokio::test]
async fn a_request_that_is_given_up_is_cancelled_at_the_other_end() {
    let (mut alice, bob) = pair().await;
    let (network, id) = (bob.network.clone(), alice.id());
    let asking = tokio::spawn(async move { network.request(&id, Class::Bodies, "?".into(), LONG).await });
    let mut request = timeout(LONG, alice.incoming.bodies_requests.recv()).await.expect("in time").expect("asked");
    assert!(!request.is_cancelled());
    asking.abort();
    timeout(LONG, request.cancelled()).await.expect("cancelled");

    let soon = Duration::from_millis(20);
    assert_eq!(bob.network.request(&id, Class::Bodies, "?".into(), soon).await, Err(RequestError::TimedOut));
    // Its place is free again, though nobody ever answered.
    for _ in 0..3 * Class::Bodies.limits().requests {
        assert_eq!(bob.network.request(&id, Class::Bodies, "?".into(), soon).await, Err(RequestError::TimedOut));
    }
    assert_eq!(alice.network.totals().misbehaviours, [0; 8]);
}

#[tokio::test]
async fn who_is_asked_too_much_is_busy_and_who_is_gone_has_no_answer() {
    let mut classes = Class::ALL.map(Class::limits);
    classes[Class::Sync as usize].incoming_messages = 1;
    let mut alice = start(1, Config { classes, ..config() });
    let mut bob = start_with(2, &alice, config());
    bob.connected(alice.id()).await;
    let (network, id) = (bob.network.clone(), alice.id());
    let first = tokio::spawn(async move { network.request(&id, Class::Sync, "1".into(), LONG).await });
    until("the first waits", || alice.incoming.sync_requests.len() == 1).await;
    assert_eq!(bob.network.request(&id, Class::Sync, "2".into(), LONG).await, Err(RequestError::Busy));
    let request = alice.incoming.sync_requests.recv().await.expect("the first");
    alice.network.disconnect(&bob.id());
    assert_eq!(first.await.expect("no panic"), Err(RequestError::NotConnected));
    drop(request);
}

/// A reader that does not read stops the senders of its class and nobody else.
#[tokio::test]
async fn a_full_queue_holds_up_its_own_class_only() {
    let (mut alice, bob) = pair().await;
    let (message, id) = (Bytes::from(vec![1; 64 << 10]), alice.id());
    let mut sent = 0_u64;
    let full = async {
        loop {
            match bob.network.send(&id, Class::Sync, message.clone()) {
                Ok(()) => sent += 1,
                Err(error) => break error,
            }
            // As long as there is room, there are turns.
            tokio::task::yield_now().await;
        }
    };
    assert_eq!(timeout(LONG, full).await.expect("it fills"), SendError::Full);
    bob.network.send(&id, Class::Vote, "aye".into()).expect("room");
    assert_eq!(timeout(LONG, alice.incoming.votes.recv()).await.expect("in time").expect("a vote").payload, "aye");
    for _ in 0..sent {
        timeout(LONG, alice.incoming.sync.recv()).await.expect("in time").expect("all of them");
    }
    assert_eq!(bob.network.totals().traffic[Class::Sync as usize].dropped, 1);
}
