//! Four validators of one process over real QUIC and real files.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use rustorium_network::{Clock, Config as NetworkConfig, Identity, Incoming, Network, PeerAddress};
use rustorium_types::id::Timestamp;

use super::{
    headers::{CHAIN, Schedule, key},
    ledger::{Ledger, Server},
    world::Events,
};
use crate::{Caution, Config, Consensus, Directory, Event, Ports, Timeouts};

const COUNT: u8 = 4;
/// When a test that waits has failed.
const MINUTE: Duration = Duration::from_secs(60);

fn now() -> Timestamp {
    Timestamp(SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis() as u64)
}

/// A validator's chain, on a thread of its own.
struct Chain {
    ledger: Ledger,
    ends: Arc<AtomicBool>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Chain {
    fn run(ledger: Ledger, mut server: Server) -> Self {
        let ends = Arc::new(AtomicBool::new(false));
        let flag = ends.clone();
        let thread = thread::spawn(move || {
            while !flag.load(Ordering::Relaxed) {
                server.turn(now());
                thread::sleep(Duration::from_millis(1));
            }
        });
        Self { ledger, ends, thread: Some(thread) }
    }
}

impl Drop for Chain {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::Relaxed);
        self.thread.take().map(thread::JoinHandle::join);
    }
}

/// A validator over its network.
struct Validator {
    consensus: Consensus,
    chain: Chain,
    events: Arc<Events>,
}

fn start(number: u8, schedule: &Schedule, ledger: Ledger, ports: Ports, directory: &std::path::Path) -> Validator {
    let (server, asks) = Server::new(ledger.clone(), schedule.clone(), Duration::from_millis(20));
    let start = ledger.start(schedule);
    let chain = Chain::run(ledger, server);
    let events = Arc::<Events>::default();
    let config = Config {
        chain: CHAIN,
        epoch_length: schedule.epoch_length,
        key: key(number),
        directory: directory.join(number.to_string()),
        timeouts: Timeouts::default(),
        caution: Caution::default(),
        retained_blocks: 16_384,
        threads: 1,
    };
    let consensus = Consensus::start(config, start, asks, ports, events.clone()).expect("it starts");
    Validator { consensus, chain, events }
}

/// A network key, which is not the consensus key.
fn identity(number: u8) -> Identity {
    Identity::from_seed([100 + number; 32])
}

/// A validator's network, which dials these peers.
fn network(number: u8, peers: &[PeerAddress]) -> (Network, Incoming) {
    let config = NetworkConfig::new(CHAIN, "127.0.0.1:0".parse().expect("an address"), Clock::new(now));
    let config = NetworkConfig {
        static_peers: peers.to_vec(),
        allowed: (0..COUNT).map(|peer| identity(peer).id()).collect::<BTreeSet<_>>(),
        redial: (Duration::from_millis(20), Duration::from_millis(200)),
        wanted_peers: 0,
        ..config
    };
    Network::start(identity(number), config).expect("it starts")
}

/// The classes that are consensus'; the others have no reader here.
fn ports(network: Network, incoming: Incoming, directory: &Directory) -> Ports {
    let Incoming { votes, certificates, resolver, .. } = incoming;
    Ports { network, directory: directory.clone(), votes, certificates, resolver }
}

fn wait(what: &str, holds: impl Fn() -> bool) {
    let begin = Instant::now();
    while !holds() {
        assert!(begin.elapsed() < MINUTE, "waited in vain for: {what}");
        thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn four_validators_over_real_sockets_go_on_after_a_restart() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("tokio");
    let _inside = runtime.enter();
    let directory = tempfile::tempdir().expect("a directory");
    let schedule = Schedule { epoch_length: 8, sets: vec![vec![0, 1, 2, 3]] };
    let who = Directory::default();
    let mut peers: Vec<PeerAddress> = Vec::new();
    let mut validators = Vec::new();
    for number in 0..COUNT {
        let (network, incoming) = network(number, &peers);
        peers.push(PeerAddress { id: network.id(), address: network.address() });
        who.set(key(number).public_key(), network.id());
        let ports = ports(network, incoming, &who);
        validators.push(start(number, &schedule, Ledger::default(), ports, directory.path()));
    }
    let reached = |validators: &[Validator], height: u64| {
        validators.iter().all(|validator| validator.chain.ledger.height() >= height)
    };
    wait("height 20", || reached(&validators, 20));

    // The last one restarts, on another port: it dials the others.
    let Validator { consensus, chain, .. } = validators.pop().expect("four");
    let ledger = chain.ledger.clone();
    consensus.stop().expect("it ends");
    drop(chain);
    let height = ledger.height();
    wait("the others go on", || reached(&validators, height + 10));
    let (network, incoming) = network(COUNT - 1, &peers[..3]);
    let ports = ports(network, incoming, &who);
    validators.push(start(COUNT - 1, &schedule, ledger, ports, directory.path()));
    wait("the last one catches up", || reached(&validators, height + 20));

    let longest = validators.iter().map(|validator| validator.chain.ledger.hashes()).max_by_key(Vec::len);
    let longest = longest.expect("validators");
    for validator in &validators {
        assert_eq!(validator.chain.ledger.hashes(), longest[..validator.chain.ledger.hashes().len()]);
        let bad = |event: &Event| matches!(event, Event::Failed(_) | Event::Evidence(_));
        assert_eq!(validator.events.count(bad), 0, "{:?}", validator.events.all());
    }
    for validator in validators {
        let Validator { consensus, chain, events } = validator;
        consensus.stop().expect("it ends");
        assert_eq!(events.count(|event| matches!(event, Event::Failed(_))), 0, "{:?}", events.all());
        drop(chain);
    }
}
