//! Two nodes on loopback: the round trip of a small request, how many votes pass in a second, and how many bytes.
//!
//! Encryption and the system's sockets are in it, on the same cores: what it shows is what this crate and QUIC cost.

use std::time::Duration;

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use rustorium_network::{Class, ClassLimits, Clock, Config, Identity, Incoming, Network, PeerAddress};
use rustorium_types::id::{Hash, Timestamp};
use tokio::runtime::Runtime;

const VOTES: usize = 1_000;
const BODIES: usize = 16;
const BODY_BYTES: usize = 1 << 20;

/// Without rates, which are what would be measured.
fn config() -> Config {
    let listen = ([127, 0, 0, 1], 0).into();
    let config = Config::new(Hash([9; 32]), listen, Clock::new(|| Timestamp(1)));
    let unpaced = |limits: ClassLimits| ClassLimits {
        bytes_per_second: 1 << 40,
        messages_per_second: 1 << 30,
        outgoing_messages: VOTES,
        outgoing_bytes: BODIES * BODY_BYTES,
        ..limits
    };
    let allowed = [Identity::from_seed([2; 32]).id()].into();
    Config { classes: config.classes.map(unpaced), allowed, ..config }
}

async fn pair() -> (Network, Incoming, Network) {
    let (alice, incoming) = Network::start(Identity::from_seed([1; 32]), config()).expect("starts");
    let alices = PeerAddress { id: alice.id(), address: alice.address() };
    let config = Config { static_peers: vec![alices], ..config() };
    let (bob, _) = Network::start(Identity::from_seed([2; 32]), config).expect("starts");
    let mut events = bob.events();
    while !bob.is_connected(&alice.id()) {
        events.recv().await.expect("an event");
    }
    (alice, incoming, bob)
}

fn loopback(criterion: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime");
    let (alice, mut incoming, bob) = runtime.block_on(pair());
    let id = alice.id();
    let mut requests = incoming.resolver_requests;
    runtime.spawn(async move {
        while let Some(request) = requests.recv().await {
            let echo = request.payload.clone();
            request.respond(echo).expect("it fits");
        }
    });

    let mut group = criterion.benchmark_group("network");
    group.bench_function("round_trip", |bencher| {
        bencher.iter(|| {
            let answer = bob.request(&id, Class::Resolver, Bytes::from_static(&[1; 200]), Duration::from_secs(5));
            runtime.block_on(answer).expect("an answer")
        });
    });

    group.throughput(Throughput::Elements(VOTES as u64));
    group.bench_function("votes", |bencher| {
        bencher.iter(|| {
            for _ in 0..VOTES {
                bob.send(&id, Class::Vote, Bytes::from_static(&[1; 200])).expect("room");
            }
            runtime.block_on(async {
                for _ in 0..VOTES {
                    incoming.votes.recv().await.expect("a vote");
                }
            });
        });
    });

    let body = Bytes::from(vec![1; BODY_BYTES]);
    group.throughput(Throughput::Bytes((BODIES * BODY_BYTES) as u64));
    group.sample_size(10);
    group.bench_function("bodies", |bencher| {
        bencher.iter(|| {
            for _ in 0..BODIES {
                bob.send(&id, Class::Bodies, body.clone()).expect("room");
            }
            runtime.block_on(async {
                for _ in 0..BODIES {
                    incoming.bodies.recv().await.expect("a body");
                }
            });
        });
    });
    group.finish();
}

criterion_group!(benches, loopback);
criterion_main!(benches);
