//! Validators in a simulated network: what is lost, late, cut off and crashed is a function of the seed.

use std::{
    ops::Range,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, UNIX_EPOCH},
};

use commonware_actor::Feedback;
use commonware_cryptography::ed25519::PublicKey;
use commonware_p2p::{
    BlockedSubscription, Blocker, Manager, PeerSetSubscription, Provider, TrackedPeers,
    simulated::{self, Link},
};
use commonware_runtime::{Clock as _, Handle, Quota, Runner as _, Spawner as _, Supervisor as _, deterministic};
use commonware_utils::{NZU32, NZUsize, probability};
use rustorium_types::{ed25519::SigningKey, id::Timestamp};

use super::{
    headers::{CHAIN, Schedule, key},
    ledger::{Ledger, Server},
};
use crate::{
    Event, Observer, Timeouts,
    committees::{Committees, public_key},
    engines::Channels,
    epochs::Epochs,
    validator::{self, Setup},
};

type Oracle = simulated::Oracle<PublicKey, deterministic::Context>;
pub(crate) type Out = simulated::Sender<PublicKey, deterministic::Context>;
pub(crate) type In = simulated::Receiver<PublicKey>;

/// At least between two blocks.
const INTERVAL: Duration = Duration::from_millis(50);
/// How often a simulated chain looks what it is asked.
const TURN: Duration = Duration::from_millis(2);
/// Messages a second to a peer on a channel, far more than there are. Queues are made for as many of all peers.
const QUOTA: u32 = 1_000;

/// A network with validators in it.
pub(crate) struct World {
    pub(crate) context: deterministic::Context,
    pub(crate) schedule: Schedule,
    pub(crate) nodes: Vec<Node>,
    /// How many final blocks a validator keeps.
    pub(crate) retained: u64,
    oracle: Oracle,
    seed: u64,
}

/// A validator, or who wants to be one.
pub(crate) struct Node {
    pub(crate) key: SigningKey,
    pub(crate) ledger: Ledger,
    pub(crate) events: Arc<Events>,
    pub(crate) blocked: Arc<Mutex<Vec<PublicKey>>>,
    task: Option<Handle<()>>,
    starts: u64,
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

/// A link without faults.
pub(crate) fn good() -> Link {
    Link { latency: Duration::from_millis(5), jitter: Duration::ZERO, success_rate: probability!(1.0) }
}

/// One message in ten is lost, and none comes when it should.
pub(crate) fn bad() -> Link {
    Link { latency: Duration::from_millis(20), jitter: Duration::from_millis(15), success_rate: probability!(0.9) }
}

/// A test's seed, and what the environment adds to it.
fn seed_of(test: u64) -> u64 {
    let more = std::env::var("CONSENSUS_SEEDS").ok().and_then(|more| more.parse().ok());
    test + more.unwrap_or(0)
}

/// Lives a world's life, and answers with what it came to: the state of its runtime, which is the same for a seed.
pub(crate) fn simulate<F, Fut>(seed: u64, schedule: Schedule, nodes: u8, link: fn() -> Link, life: F) -> String
where
    F: FnOnce(World) -> Fut,
    Fut: Future<Output = World>,
{
    let seed = seed_of(seed);
    let config = deterministic::Config::new().with_seed(seed).with_timeout(Some(Duration::from_secs(600)));
    deterministic::Runner::new(config).start(|context| async move {
        let world = World::new(context, seed, schedule, nodes, link).await;
        let world = life(world).await;
        world.assert_agreement();
        world.context.auditor().state()
    })
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
    let seed = seed_of(seed);
    let config = deterministic::Config::new().with_seed(seed).with_timeout(Some(Duration::from_secs(600)));
    let (lived, checkpoint) = deterministic::Runner::new(config).start_and_recover(|context| async {
        before(World::new(context, seed, schedule.clone(), nodes, good).await).await.nodes
    });
    deterministic::Runner::from(checkpoint).start(|context| async {
        let mut world = World::new(context, seed, schedule.clone(), nodes, good).await;
        for (node, lived) in world.nodes.iter_mut().zip(lived) {
            node.ledger = lived.ledger;
        }
        after(world).await.assert_agreement();
    });
}

impl World {
    async fn new(
        context: deterministic::Context,
        seed: u64,
        schedule: Schedule,
        nodes: u8,
        link: fn() -> Link,
    ) -> Self {
        let nodes: Vec<Node> = (0..nodes).map(Node::new).collect();
        let config = simulated::Config {
            max_size: 1 << 20,
            max_peers_per_set: NZUsize!(8),
            disconnect_on_block: true,
            tracked_peer_sets: NZUsize!(1),
        };
        let peers: Vec<PublicKey> = nodes.iter().map(Node::id).collect();
        let (network, oracle) = simulated::Network::new_with_peers(context.child("net"), config, peers).await;
        network.start();
        let world = Self { context, schedule, nodes, retained: 16_384, oracle, seed };
        world.link_all(link).await;
        world
    }

    async fn link_all(&self, link: fn() -> Link) {
        for from in 0..self.nodes.len() {
            for to in 0..self.nodes.len() {
                self.link(from, to, Some(link())).await;
            }
        }
    }

    /// Sets or cuts what goes from one to another.
    async fn link(&self, from: usize, to: usize, link: Option<Link>) {
        if from == to {
            return;
        }
        let (from, to) = (self.nodes[from].id(), self.nodes[to].id());
        match link {
            Some(link) => self.oracle.add_link(from, to, link).await,
            None => self.oracle.remove_link(from, to).await,
        }
        .expect("the network runs");
    }

    /// Cuts the network in two, or heals it.
    pub(crate) async fn split(&self, one: Range<usize>, link: Option<fn() -> Link>) {
        for from in 0..self.nodes.len() {
            for to in 0..self.nodes.len() {
                if one.contains(&from) != one.contains(&to) {
                    self.link(from, to, link.map(|link| link())).await;
                }
            }
        }
    }

    pub(crate) async fn start_all(&mut self) {
        for node in 0..self.nodes.len() {
            self.start(node).await;
        }
    }

    /// The channels of a validator.
    pub(crate) async fn channels(&self, node: usize) -> [(Out, In); 5] {
        let control = self.oracle.control(self.nodes[node].id());
        let mut channels = Vec::new();
        for channel in 0..5 {
            let registered = control.register(channel, Quota::per_second(NZU32!(QUOTA))).await;
            channels.push(registered.expect("the network runs"));
        }
        channels.try_into().expect("five channels")
    }

    /// Starts a validator where its ledger ends.
    pub(crate) async fn start(&mut self, node: usize) {
        let [votes, certificates, resolver, blocks, backfill] = self.channels(node).await;
        let network = validator::Network { simplex: Channels { votes, certificates, resolver }, blocks, backfill };
        let (schedule, retained) = (self.schedule.clone(), self.retained);
        let this = &mut self.nodes[node];
        this.starts += 1;
        let epochs = Epochs::new(schedule.epoch_length.try_into().expect("an epoch has a height"));
        let (mut server, asks) = Server::new(this.ledger.clone(), schedule.clone(), INTERVAL);
        let origin = this.ledger.start(&schedule).check(CHAIN, epochs).expect("a good place to start from");
        let me = this.id();
        let setup = Setup {
            prefix: format!("node{node}"),
            chain: CHAIN,
            epochs,
            me: me.clone(),
            committees: Committees::new(CHAIN, &this.key).expect("a key"),
            origin,
            timeouts: Timeouts::default(),
            retained,
            asks,
            observer: this.events.clone(),
        };
        let peers =
            Peers { manager: self.oracle.manager(), control: self.oracle.control(me), blocked: this.blocked.clone() };
        let events = this.events.clone();
        let context = self.context.child("node").with_attribute("node", node).with_attribute("start", this.starts);
        this.task = Some(context.spawn(move |context| async move {
            context.child("chain").spawn(move |context| async move {
                loop {
                    server.turn(now(&context));
                    context.sleep(TURN).await;
                }
            });
            let failure = validator::run(context, setup, network, peers).await;
            events.observe(Event::Failed(failure));
        }));
    }

    /// Ends a validator at once.
    pub(crate) async fn crash(&mut self, node: usize) {
        let task = self.nodes[node].task.take().expect("it runs");
        task.abort();
        let _ = task.await;
    }

    pub(crate) async fn sleep(&self, seconds: u64) {
        self.context.sleep(Duration::from_secs(seconds)).await;
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
            self.context.sleep(Duration::from_millis(50)).await;
        }
        panic!("seed {}: waited in vain for: {what}; heights {:?}", self.seed, self.heights());
    }

    /// Waits until these have a height.
    pub(crate) async fn until_height(&self, nodes: Range<usize>, height: u64) {
        let reached = |world: &Self| world.heights()[nodes.clone()].iter().all(|reached| *reached >= height);
        self.until(&format!("height {height} at {nodes:?}"), reached).await;
    }

    /// No two have different blocks of a height, nobody failed, and no honest validator was shut out.
    pub(crate) fn assert_agreement(&self) {
        let longest = self.nodes.iter().map(|node| node.ledger.hashes()).max_by_key(Vec::len).expect("a node");
        for node in &self.nodes {
            let hashes = node.ledger.hashes();
            assert_eq!(hashes, longest[..hashes.len()], "seed {}: two histories", self.seed);
            let failed = node.events.all().into_iter().find(|event| matches!(event, Event::Failed(_)));
            assert_eq!(failed, None, "seed {}", self.seed);
        }
    }

    /// Nobody was accused or shut out.
    pub(crate) fn assert_honest(&self) {
        for node in &self.nodes {
            assert_eq!(node.events.count(|event| matches!(event, Event::Evidence(_))), 0, "seed {}", self.seed);
            assert!(node.blocked.lock().unwrap_or_else(PoisonError::into_inner).is_empty(), "seed {}", self.seed);
        }
    }
}

impl Node {
    fn new(number: u8) -> Self {
        Self {
            key: key(number),
            ledger: Ledger::default(),
            events: Arc::default(),
            blocked: Arc::default(),
            task: None,
            starts: 0,
        }
    }

    pub(crate) fn id(&self) -> PublicKey {
        public_key(&self.key.public_key()).expect("a key")
    }
}

fn now(context: &deterministic::Context) -> Timestamp {
    let elapsed = context.current().duration_since(UNIX_EPOCH).expect("after 1970");
    Timestamp(elapsed.as_millis() as u64)
}

/// The network's peers, who are all of them in every epoch.
#[derive(Clone)]
struct Peers {
    manager: simulated::Manager<PublicKey, deterministic::Context>,
    control: simulated::Control<PublicKey, deterministic::Context>,
    blocked: Arc<Mutex<Vec<PublicKey>>>,
}

impl std::fmt::Debug for Peers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Peers")
    }
}

impl Provider for Peers {
    type PublicKey = PublicKey;

    async fn peer_set(&mut self, index: u64) -> Option<TrackedPeers<PublicKey>> {
        self.manager.peer_set(index).await
    }

    async fn subscribe(&mut self) -> PeerSetSubscription<PublicKey> {
        self.manager.subscribe().await
    }
}

impl Manager for Peers {
    fn track<R: Into<TrackedPeers<PublicKey>> + Send>(&mut self, _: u64, _: R) -> Feedback {
        Feedback::Ok
    }
}

impl Blocker for Peers {
    type PublicKey = PublicKey;

    fn block(&mut self, peer: PublicKey) -> Feedback {
        self.blocked.lock().unwrap_or_else(PoisonError::into_inner).push(peer.clone());
        self.control.block(peer)
    }

    fn blocked(&mut self) -> BlockedSubscription<PublicKey> {
        self.control.blocked()
    }
}
