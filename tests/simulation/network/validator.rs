//! A validator: what stays of it when its process ends, and the process.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use rustorium_chain::{
    chain::{Chain, ChainConfig, Consensus, Network, OpenError},
    clock::Clock,
    desk::desk,
    exchange::Alone,
    machine::Machine,
    pipeline::{CommitPolicy, Stepped},
    storage::{Durability, StoreOptions},
};
use rustorium_consensus::{
    Event, Observer, Start,
    simulation::{Bodies, Time, World},
};
use rustorium_runtime::{Runtime, RuntimeConfig};
use rustorium_types::{ed25519::SigningKey, genesis::Genesis, id::Timestamp};

use crate::{
    lanes::{Lanes, Mouth},
    people,
};

/// How often a chain looks whether it is asked something, unless a life says otherwise.
const TURN: Duration = Duration::from_millis(4);

/// What stays when a process ends, and the process that runs.
pub(crate) struct Validator {
    pub(crate) number: usize,
    pub(crate) key: SigningKey,
    pub(crate) machine: Machine,
    pub(crate) segment_bytes: usize,
    /// Tells others other records of its lane than it has.
    pub(crate) is_two_faced: bool,
    /// How often its chain looks whether it is asked something.
    pub(crate) turn: Duration,
    /// By how much its clock is wrong.
    pub(crate) ahead_ms: u64,
    process: Option<Process>,
}

struct Process {
    chain: Chain,
    events: Arc<Events>,
}

/// What consensus said.
#[derive(Default)]
struct Events(Mutex<Vec<Event>>);

impl Observer for Events {
    fn observe(&self, event: Event) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(event);
    }
}

impl Validator {
    pub(crate) const fn new(number: usize, key: SigningKey, machine: Machine, segment_bytes: usize) -> Self {
        Self { number, key, machine, segment_bytes, is_two_faced: false, turn: TURN, ahead_ms: 0, process: None }
    }

    /// Small caches, so that the database is read; a small window, so that it is swept.
    pub(crate) fn store() -> StoreOptions {
        StoreOptions {
            durability: Durability::Fsync,
            window: 8,
            state_cache_bytes: 16 << 10,
            page_cache_bytes: 64 << 10,
            block_cache_bytes: 64 << 10,
            database_cache_bytes: 256 << 10,
        }
    }

    /// A process' engine, that knows no module but those on the machine's disk.
    pub(crate) fn runtime(&self) -> Runtime {
        let config = RuntimeConfig { executions: 1, ..RuntimeConfig::default() };
        Runtime::new_on(config, self.machine.modules()).unwrap()
    }

    /// The chain, if the process runs and has not stopped by itself.
    pub(crate) fn chain(&self) -> Option<&Chain> {
        self.process.as_ref().map(|process| &process.chain).filter(|chain| !chain.is_stopped())
    }

    pub(crate) const fn is_running(&self) -> bool {
        self.process.is_some()
    }

    /// Starts a process.
    pub(crate) async fn start(
        &mut self,
        world: &mut World,
        genesis: &Genesis,
        commit: CommitPolicy,
    ) -> Result<&Chain, OpenError> {
        let (asks, asked) = desk();
        let mouth = Mouth::default();
        let network =
            Network { consensus: Consensus::Desk(asked), peers: Box::new(mouth.clone()), shared: Box::new(Alone) };
        let (wall, elapsed, ahead) = (world.time(), world.time(), self.ahead_ms);
        let clock = Clock::simulated(
            move || Timestamp(people::START + ahead + wall.elapsed().as_millis() as u64),
            move || elapsed.elapsed(),
        );
        let config = ChainConfig {
            directory: PathBuf::new(),
            genesis: genesis.clone(),
            key: self.key.clone(),
            clock,
            runtime: self.runtime(),
            store: Self::store(),
            commit,
            block_time: Duration::ZERO,
        };
        let disks = self.machine.disks(self.segment_bytes).map_err(OpenError::Thread)?;
        let (chain, stepped) = Chain::open_stepped(config, network, disks)?;
        let start = Start::of(&chain)?.unwrap();
        let lanes = Lanes::new(chain.clone(), mouth, self.number, genesis.validators.clone(), self.is_two_faced);
        let bodies = world.bodies(self.number).await;
        let events = Arc::new(Events::default());
        let time = world.time();
        world.start(self.number, start, asks, events.clone(), live(stepped, lanes, bodies, time, self.turn)).await;
        Ok(&self.process.insert(Process { chain, events }).chain)
    }

    /// The process ends wherever it is: it is killed, or the power goes. Nobody but the liar may have broken a rule.
    pub(crate) async fn end(&mut self, world: &mut World, loses_power: bool, liar: Option<[u8; 32]>) {
        if loses_power || !self.machine.has_power() {
            self.machine.lose_power();
        } else {
            self.machine.kill();
        }
        world.crash(self.number).await;
        if let Some(Process { chain, events }) = self.process.take() {
            let has_stopped = chain.is_stopped();
            let events = events.0.lock().unwrap_or_else(PoisonError::into_inner);
            for event in events.iter() {
                let Event::Evidence(evidence) = event else { continue };
                assert_eq!(Some(evidence.signer.0), liar, "an honest validator is accused: {evidence:?}");
            }
            let failed = events.iter().find(|event| matches!(event, Event::Failed(_)));
            assert!(failed.is_none() || has_stopped, "consensus failed, and the chain had not stopped: {failed:?}");
        }
    }
}

/// The stages of a process, on the simulation's thread, until one fails.
async fn live(mut stages: Stepped, mut lanes: Lanes, mut bodies: Bodies, time: Time, turn: Duration) {
    while let Ok(patience) = stages.step() {
        lanes.speak(&mut bodies, time.elapsed());
        tokio::select! {
            biased;
            message = bodies.receive() => match message {
                Some((from, message)) => lanes.hear(from, &message, time.elapsed()),
                None => return,
            },
            () = time.sleep(patience.min(turn)) => {}
        }
    }
}
