//! Simulated validators over chains that only keep headers.

use std::{
    ops::Range,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use rustorium_types::{ed25519::SigningKey, id::Timestamp};

use super::{
    headers::{CHAIN, Schedule, key},
    ledger::{Ledger, Server},
};
use crate::{
    Event, Observer,
    simulation::{self, Terms, Time},
};

pub(crate) use crate::simulation::Link;

/// At least between two blocks.
const INTERVAL: Duration = Duration::from_millis(50);
/// How often a simulated chain looks what it is asked.
const TURN: Duration = Duration::from_millis(2);

/// A network with validators in it.
pub(crate) struct World {
    pub(crate) network: simulation::World,
    pub(crate) schedule: Schedule,
    pub(crate) nodes: Vec<Node>,
    time: Time,
}

/// What is kept of a validator, or of who wants to be one.
pub(crate) struct Node {
    pub(crate) key: SigningKey,
    pub(crate) ledger: Ledger,
    pub(crate) events: Arc<Events>,
}

/// What an observer heard.
#[derive(Debug, Default)]
pub(crate) struct Events(Mutex<Vec<Event>>);

impl Observer for Events {
    fn observe(&self, event: Event) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(event);
    }
}

impl Events {
    pub(crate) fn all(&self) -> Vec<Event> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn count(&self, is_it: impl Fn(&Event) -> bool) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().filter(|event| is_it(event)).count()
    }
}

/// A test's seed, and what the environment adds to it.
fn seed_of(test: u64) -> u64 {
    let more = std::env::var("CONSENSUS_SEEDS").ok().and_then(|more| more.parse().ok());
    test + more.unwrap_or(0)
}

fn terms(schedule: &Schedule, retained: u64) -> Terms {
    Terms { chain: CHAIN, epoch_length: schedule.epoch_length.try_into().expect("an epoch has a height"), retained }
}

/// Lives a world's life, and answers with what it came to: the state of its runtime, which is the same for a seed.
pub(crate) fn simulate<F, Fut>(seed: u64, schedule: Schedule, nodes: u8, link: Link, life: F) -> String
where
    F: FnOnce(World) -> Fut,
    Fut: Future<Output = World>,
{
    simulate_with(seed, schedule, nodes, link, 16_384, life)
}

/// The same, of validators that keep so many final blocks.
pub(crate) fn simulate_with<F, Fut>(
    seed: u64,
    schedule: Schedule,
    nodes: u8,
    link: Link,
    retained: u64,
    life: F,
) -> String
where
    F: FnOnce(World) -> Fut,
    Fut: Future<Output = World>,
{
    let keys: Vec<SigningKey> = (0..nodes).map(key).collect();
    let terms = terms(&schedule, retained);
    let live = |network: simulation::World| async move {
        network.link_all(link).await;
        let world = life(World::new(network, schedule, &(0..nodes).map(key).collect::<Vec<_>>())).await;
        world.assert_agreement();
        (world.network, ())
    };
    simulation::simulate(seed_of(seed), terms, &keys, live).1
}

/// Lives a world's life in which all power fails at once, whatever is not on disk is gone, and all start again. Ledgers
/// are on other disks.
pub(crate) fn simulate_power_cut<A, B, FutA, FutB>(seed: u64, schedule: Schedule, nodes: u8, before: A, after: B)
where
    A: FnOnce(World) -> FutA,
    FutA: Future<Output = World>,
    B: FnOnce(World) -> FutB,
    FutB: Future<Output = World>,
{
    let keys: Vec<SigningKey> = (0..nodes).map(key).collect();
    let terms = terms(&schedule, 16_384);
    let again = schedule.clone();
    let first = |network: simulation::World| async {
        network.link_all(Link::GOOD).await;
        before(World::new(network, schedule, &keys)).await.nodes
    };
    let second = |network: simulation::World, lived: Vec<Node>| async {
        network.link_all(Link::GOOD).await;
        let mut world = World::new(network, again, &keys);
        for (node, lived) in world.nodes.iter_mut().zip(lived) {
            node.ledger = lived.ledger;
        }
        after(world).await.assert_agreement();
    };
    simulation::simulate_power_cut(seed_of(seed), terms, &keys, first, second);
}

impl World {
    fn new(network: simulation::World, schedule: Schedule, keys: &[SigningKey]) -> Self {
        let node = |key: &SigningKey| Node { key: key.clone(), ledger: Ledger::default(), events: Arc::default() };
        let time = network.time();
        Self { network, schedule, nodes: keys.iter().map(node).collect(), time }
    }

    pub(crate) async fn start_all(&mut self) {
        for node in 0..self.nodes.len() {
            self.start(node).await;
        }
    }

    /// Starts a validator where its ledger ends.
    pub(crate) async fn start(&mut self, node: usize) {
        let this = &self.nodes[node];
        let (mut server, asks) = Server::new(this.ledger.clone(), self.schedule.clone(), INTERVAL);
        let time = self.network.time();
        let chain = async move {
            loop {
                server.turn(Timestamp(time.elapsed().as_millis() as u64));
                time.sleep(TURN).await;
            }
        };
        let start = this.ledger.start(&self.schedule);
        self.network.start(node, start, asks, this.events.clone(), chain).await;
    }

    /// The time, as chains tell it.
    pub(crate) fn now(&self) -> Timestamp {
        Timestamp(self.time.elapsed().as_millis() as u64)
    }

    /// Ends a validator at once.
    pub(crate) async fn crash(&mut self, node: usize) {
        assert!(self.network.crash(node).await, "it runs");
    }

    pub(crate) async fn sleep(&self, seconds: u64) {
        self.time.sleep(Duration::from_secs(seconds)).await;
    }

    pub(crate) fn heights(&self) -> Vec<u64> {
        self.nodes.iter().map(|node| node.ledger.height()).collect()
    }

    /// Waits until something holds.
    pub(crate) async fn until(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        for _ in 0..6_000 {
            if holds(self) {
                return;
            }
            self.time.sleep(Duration::from_millis(50)).await;
        }
        panic!("seed {}: waited in vain for: {what}; heights {:?}", self.network.seed(), self.heights());
    }

    /// Waits until these have a height.
    pub(crate) async fn until_height(&self, nodes: Range<usize>, height: u64) {
        let reached = |world: &Self| world.heights()[nodes.clone()].iter().all(|reached| *reached >= height);
        self.until(&format!("height {height} at {nodes:?}"), reached).await;
    }

    /// No two have different blocks of a height, nobody failed, and no honest validator was shut out.
    pub(crate) fn assert_agreement(&self) {
        let seed = self.network.seed();
        let longest = self.nodes.iter().map(|node| node.ledger.hashes()).max_by_key(Vec::len).expect("a node");
        for node in &self.nodes {
            let hashes = node.ledger.hashes();
            assert_eq!(hashes, longest[..hashes.len()], "seed {seed}: two histories");
            let failed = node.events.all().into_iter().find(|event| matches!(event, Event::Failed(_)));
            assert_eq!(failed, None, "seed {seed}");
        }
    }

    /// Nobody was accused or shut out.
    pub(crate) fn assert_honest(&self) {
        let seed = self.network.seed();
        for (number, node) in self.nodes.iter().enumerate() {
            assert_eq!(node.events.count(|event| matches!(event, Event::Evidence(_))), 0, "seed {seed}");
            assert!(!self.network.has_blocked_any(number), "seed {seed}");
        }
    }
}
