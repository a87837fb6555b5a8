//! Validators in a simulated network and runtime: what is lost, late, cut off and crashed is a function of the seed, and
//! so is everything that a run comes to.
//!
//! ```text
//! simulate(seed, terms, keys, life)
//!   life ── start, crash, link, split ──► World ──► validators as the node runs them, but for sockets and disks
//!     │                                               │ desk
//!     └── beside: a future of the life's own ─────────┴─► the chain, on the same clock
//! ```
//!
//! Time is the simulation's ([`Time`]): it passes only while everybody waits. Journals and archives are in the runtime's
//! storage: a validator that crashes finds all that it wrote, and after [`simulate_power_cut`] only what it synced.

mod bodies;
mod equivocator;
mod peers;

use std::{
    num::NonZeroU64,
    ops::Range,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, UNIX_EPOCH},
};

use commonware_cryptography::ed25519::PublicKey;
use commonware_p2p::simulated;
use commonware_runtime::{Clock as _, Handle, Quota, Runner as _, Spawner as _, Supervisor as _, deterministic};
use commonware_utils::{NZU32, NZUsize, probability};
use rustorium_chain::desk::Asks;
use rustorium_types::{certificate::ValidatorSet, ed25519::SigningKey, id::Hash};

pub use bodies::Bodies;

use self::peers::Peers;
use crate::{
    Caution, Event, Observer, Start, Timeouts,
    committees::{Committees, public_key},
    engines::Channels,
    epochs::Epochs,
    validator::{self, Setup},
};

type Oracle = simulated::Oracle<PublicKey, deterministic::Context>;
type Out = simulated::Sender<PublicKey, deterministic::Context>;
type In = simulated::Receiver<PublicKey>;

/// Messages a second to a peer on a channel, far more than there are. Queues are made for as many of all peers.
const QUOTA: u32 = 1_000;
/// The channels of consensus; the next is for bodies.
const CHANNELS: u64 = 5;
/// What a round of everybody's tasks takes: about as long as a machine would.
const ROUND: Duration = Duration::from_micros(50);
/// Simulated time that a run may take.
const LIFETIME: Duration = Duration::from_secs(600);

/// What the validators of a world agree on beforehand.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// The genesis hash.
    pub chain: Hash,
    /// Heights of an epoch.
    pub epoch_length: NonZeroU64,
    /// Final blocks that a validator keeps.
    pub retained: u64,
}

/// What a link between two does to messages.
#[derive(Clone, Copy, Debug)]
pub struct Link {
    /// How long one takes.
    pub latency: Duration,
    /// By how much that differs from one to the next.
    pub jitter: Duration,
    /// The share of messages that come, of 100.
    pub arrive: u8,
}

/// A network with validators in it.
pub struct World {
    context: deterministic::Context,
    terms: Terms,
    oracle: Oracle,
    seed: u64,
    nodes: Vec<Node>,
}

/// The simulation's clock. Clones tell the same time.
pub struct Time(deterministic::Context);

struct Node {
    key: SigningKey,
    id: PublicKey,
    blocked: Arc<Mutex<Vec<PublicKey>>>,
    task: Option<Handle<()>>,
    starts: u64,
    caution: Caution,
    /// Which of its journals it has: each lost one makes it another.
    journal: u64,
}

/// Lives a life in a new world. Answers what it came to, and the state of the world's runtime, which is the same for a
/// seed.
pub fn simulate<F, Fut, T>(seed: u64, terms: Terms, keys: &[SigningKey], life: F) -> (T, String)
where
    F: FnOnce(World) -> Fut,
    Fut: Future<Output = (World, T)>,
{
    runner(seed).start(|context| async move {
        let world = World::new(context, seed, terms, keys).await;
        let (world, came_to) = life(world).await;
        let state = world.context.auditor().state();
        (came_to, state)
    })
}

/// Lives two lives, one after the other; between them all power fails at once, and what was not synced is gone.
pub fn simulate_power_cut<A, B, FutA, FutB, T>(seed: u64, terms: Terms, keys: &[SigningKey], before: A, after: B)
where
    A: FnOnce(World) -> FutA,
    FutA: Future<Output = T>,
    B: FnOnce(World, T) -> FutB,
    FutB: Future<Output = ()>,
{
    let (kept, checkpoint) = runner(seed)
        .start_and_recover(|context| async move { before(World::new(context, seed, terms, keys).await).await });
    deterministic::Runner::from(checkpoint)
        .start(|context| async move { after(World::new(context, seed, terms, keys).await, kept).await });
}

fn runner(seed: u64) -> deterministic::Runner {
    let config = deterministic::Config::new().with_seed(seed).with_cycle(ROUND).with_timeout(Some(LIFETIME));
    deterministic::Runner::new(config)
}

impl Link {
    /// Without faults.
    pub const GOOD: Self = Self { latency: Duration::from_millis(5), jitter: Duration::ZERO, arrive: 100 };
    /// One message in ten is lost, and none comes when it should.
    pub const BAD: Self = Self { latency: Duration::from_millis(20), jitter: Duration::from_millis(15), arrive: 90 };

    fn simulated(self) -> simulated::Link {
        let success_rate = probability!(u64::from(self.arrive), 100);
        simulated::Link { latency: self.latency, jitter: self.jitter, success_rate }
    }
}

impl World {
    /// Nobody is linked to anybody.
    async fn new(context: deterministic::Context, seed: u64, terms: Terms, keys: &[SigningKey]) -> Self {
        let nodes: Vec<Node> = keys.iter().map(Node::new).collect();
        let config = simulated::Config {
            max_size: 8 << 20,
            max_peers_per_set: NZUsize!(64),
            disconnect_on_block: true,
            tracked_peer_sets: NZUsize!(1),
        };
        let peers: Vec<PublicKey> = nodes.iter().map(|node| node.id.clone()).collect();
        let (network, oracle) = simulated::Network::new_with_peers(context.child("net"), config, peers).await;
        network.start();
        Self { context, terms, oracle, seed, nodes }
    }

    /// The seed of this world.
    pub const fn seed(&self) -> u64 {
        self.seed
    }

    /// How many nodes there are, running or not.
    pub const fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// The clock.
    pub fn time(&self) -> Time {
        Time(self.context.child("time"))
    }

    /// Links all to all.
    pub async fn link_all(&self, link: Link) {
        self.split(|_, _| true, Some(link)).await;
    }

    /// Sets or cuts what goes from these to all others, and back.
    pub async fn cut(&self, these: Range<usize>, link: Option<Link>) {
        self.split(|from, to| these.contains(&from) != these.contains(&to), link).await;
    }

    async fn split(&self, crosses: impl Fn(usize, usize) -> bool, link: Option<Link>) {
        for from in 0..self.nodes.len() {
            for to in (0..self.nodes.len()).filter(|to| crosses(from, *to)) {
                self.link(from, to, link).await;
            }
        }
    }

    /// Sets or cuts what goes from one to another.
    ///
    /// # Panics
    /// If the network died.
    pub async fn link(&self, from: usize, to: usize, link: Option<Link>) {
        if from == to {
            return;
        }
        let (from, to) = (self.nodes[from].id.clone(), self.nodes[to].id.clone());
        // There may be one already, or none.
        let _ = self.oracle.remove_link(from.clone(), to.clone()).await;
        if let Some(link) = link {
            self.oracle.add_link(from, to, link.simulated()).await.expect("the network runs");
        }
    }

    /// Starts a validator, and beside it what ends with it: its chain, for one.
    ///
    /// # Panics
    /// If the place to start from does not hold.
    pub async fn start(
        &mut self,
        node: usize,
        start: Start,
        asks: Asks,
        observer: Arc<dyn Observer>,
        beside: impl Future<Output = ()> + Send + 'static,
    ) {
        let [votes, certificates, resolver, blocks, backfill] = self.channels(node).await;
        let network = validator::Network { simplex: Channels { votes, certificates, resolver }, blocks, backfill };
        let Terms { chain, epoch_length, retained } = self.terms;
        let this = &mut self.nodes[node];
        this.starts += 1;
        let epochs = Epochs::new(epoch_length);
        let setup = Setup {
            prefix: format!("node{node}-{}", this.journal),
            chain,
            epochs,
            me: this.id.clone(),
            committees: Committees::new(chain, &this.key).expect("a key"),
            origin: start.check(chain, epochs).expect("a good place to start from"),
            timeouts: Timeouts::default(),
            caution: this.caution.clone(),
            retained,
            asks,
            observer: Arc::clone(&observer),
        };
        let control = self.oracle.control(this.id.clone());
        let peers = Peers::new(self.oracle.manager(), control, Arc::clone(&this.blocked));
        let context = self.context.child("node").with_attribute("node", node).with_attribute("start", this.starts);
        this.task = Some(context.spawn(move |context| async move {
            context.child("beside").spawn(move |_| beside);
            let failure = validator::run(context, setup, network, peers).await;
            observer.observe(Event::Failed(failure));
        }));
    }

    /// Ends a validator at once. Whether it ran.
    pub async fn crash(&mut self, node: usize) -> bool {
        let Some(task) = self.nodes[node].task.take() else { return false };
        task.abort();
        let _ = task.await;
        true
    }

    /// Takes a validator's journals and archives from it, from its next start on.
    pub fn lose_journals(&mut self, node: usize) {
        self.nodes[node].journal += 1;
    }

    /// What must be so before a validator votes, from its next start on.
    pub fn set_caution(&mut self, node: usize, caution: Caution) {
        self.nodes[node].caution = caution;
    }

    /// Whether a validator was started and not crashed.
    pub fn is_running(&self, node: usize) -> bool {
        self.nodes[node].task.is_some()
    }

    /// A channel beside consensus: what nodes say of their lanes, for one.
    ///
    /// # Panics
    /// If the network died.
    pub async fn bodies(&self, node: usize) -> Bodies {
        let (out, incoming) = self.channel(node, CHANNELS).await;
        Bodies::new(self.nodes.iter().map(|node| node.id.clone()).collect(), out, incoming)
    }

    /// In place of a node that is not started, somebody with its key votes for two blocks in every view of the first
    /// epoch.
    ///
    /// # Panics
    /// If the validators are no set, or the node's key is none of theirs.
    pub async fn equivocate(&self, node: usize, validators: &[[u8; 32]]) {
        let validators = ValidatorSet::new(validators).expect("a set");
        let committees = Committees::new(self.terms.chain, &self.nodes[node].key).expect("a key");
        let scheme = (*committees.enter(0, &validators).expect("keys")).clone();
        let [votes, ..] = self.channels(node).await;
        equivocator::equivocate(&self.context, scheme, votes);
    }

    /// Whether one shut another out.
    pub fn has_blocked(&self, node: usize, other: usize) -> bool {
        self.nodes[node].blocked.lock().unwrap_or_else(PoisonError::into_inner).contains(&self.nodes[other].id)
    }

    /// Whether one shut anybody out.
    pub fn has_blocked_any(&self, node: usize) -> bool {
        !self.nodes[node].blocked.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// The channels of a validator.
    async fn channels(&self, node: usize) -> [(Out, In); CHANNELS as usize] {
        let mut channels = Vec::new();
        for channel in 0..CHANNELS {
            channels.push(self.channel(node, channel).await);
        }
        channels.try_into().unwrap_or_else(|_| unreachable!("as many were made"))
    }

    async fn channel(&self, node: usize, channel: u64) -> (Out, In) {
        let control = self.oracle.control(self.nodes[node].id.clone());
        control.register(channel, Quota::per_second(NZU32!(QUOTA))).await.expect("the network runs")
    }
}

impl Node {
    fn new(key: &SigningKey) -> Self {
        let id = public_key(&key.public_key()).expect("a key");
        Self {
            key: key.clone(),
            id,
            blocked: Arc::default(),
            task: None,
            starts: 0,
            caution: Caution::default(),
            journal: 0,
        }
    }
}

impl Time {
    /// Since the world began.
    pub fn elapsed(&self) -> Duration {
        self.0.current().duration_since(UNIX_EPOCH).unwrap_or_default()
    }

    /// Lets time pass.
    pub async fn sleep(&self, duration: Duration) {
        self.0.sleep(duration).await;
    }
}

impl Clone for Time {
    fn clone(&self) -> Self {
        Self(self.0.child("time"))
    }
}
