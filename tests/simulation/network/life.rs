//! The life of a network: days of troubles, and an end at which everything is mended.

use std::{panic, time::Duration};

use futures_util::FutureExt;
use rustorium_chain::{
    check::check_on,
    machine::{Chance, Failure, Folder, Machine},
    pipeline::CommitPolicy,
    replay::replay_on,
    submit::{Refused, Ticket},
};
use rustorium_consensus::simulation::{Link, Terms, Time, World, simulate, simulate_power_cut};
use rustorium_types::{
    ed25519::SigningKey,
    genesis::Genesis,
    id::{Height, Timestamp},
};

use crate::{
    adversaries::{equivocator, silent, slow},
    observer::Observer,
    people::{self, Ordered, People},
    validator::Validator,
};

/// Validators of a network; one of them may be anything.
const VALIDATORS: u8 = 4;
/// Heights of an epoch: so few that most lives see some.
const EPOCH: u64 = 5;
/// How long a mended network may take until everything is settled, looked at every [`LOOK`].
const MENDED: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(50);
/// Final blocks that consensus keeps: all of a life.
const RETAINED: u64 = 16_384;

struct Life {
    world: World,
    time: Time,
    kept: Kept,
    tickets: Vec<(Ordered, Ticket)>,
}

/// What outlives a world.
pub(crate) struct Kept {
    pub(crate) chance: Chance,
    pub(crate) genesis: Genesis,
    pub(crate) validators: Vec<Validator>,
    pub(crate) people: People,
    observer: Observer,
    /// Who is no validator of ours.
    equivocator: Option<usize>,
    /// Milliseconds of the worlds before this one.
    before: u64,
}

/// Lives a seed; answers a digest of all that happened, to the runtime and to every disk.
pub(crate) fn live(seed: u64) -> String {
    // A thread that executes contracts as deep as a node's.
    let lived = rustorium_runtime::spawn("network", move || live_here(seed)).unwrap().join();
    lived.unwrap_or_else(|panicked| panic::resume_unwind(panicked))
}

fn live_here(seed: u64) -> String {
    let kept = Kept::new(seed, VALIDATORS, EPOCH);
    let (terms, keys) = (kept.terms(), kept.keys());
    let (disks, runtime) = simulate(seed, terms, &keys, |world| async move {
        let mut life = Life::new(world, kept);
        life.begin().await;
        life.days().await;
        let disks = life.end().await;
        (life.world, disks)
    });
    format!("{runtime} {disks}")
}

/// Lives a seed in the middle of which all power goes: of nobody's journals, archives, logs and databases there is more
/// than was synced.
pub(crate) fn live_through_a_power_cut(seed: u64) {
    let live = move || {
        let kept = Kept::new(seed, VALIDATORS, EPOCH);
        let (terms, keys) = (kept.terms(), kept.keys());
        let before = |world| async move {
            let mut life = Life::new(world, kept);
            life.begin().await;
            life.days().await;
            life.lose_power().await
        };
        let after = |world, kept| async move {
            Life::new(world, kept).end().await;
        };
        simulate_power_cut(seed, terms, &keys, before, after);
    };
    let lived = rustorium_runtime::spawn("network", live).unwrap().join();
    lived.unwrap_or_else(|panicked| panic::resume_unwind(panicked));
}

impl Kept {
    pub(crate) fn new(seed: u64, validators: u8, epoch_length: u64) -> Self {
        let mut keys: Vec<SigningKey> =
            (0..validators).map(|number| SigningKey::from_seed([200 + number; 32])).collect();
        keys.sort_by_key(|key| key.public_key().0);
        let names = keys.iter().map(|key| key.public_key().0).collect();
        let genesis = Genesis { dev: false, validators: names, epoch_length, ..people::genesis(seed) };
        let mut chance = Chance::new(seed.wrapping_mul(7));
        let validators = keys.into_iter().enumerate().map(|(number, key)| {
            let segment_bytes = [16 << 10, 256 << 10][chance.below(2) as usize];
            Validator::new(number, key, Machine::new(chance.number()), segment_bytes)
        });
        let validators = validators.collect();
        let (people, observer) = (People::of(&genesis), Observer::of(&genesis));
        Self { chance, genesis, validators, people, observer, equivocator: None, before: 0 }
    }

    pub(crate) fn terms(&self) -> Terms {
        let epoch_length = self.genesis.epoch_length.try_into().unwrap();
        Terms { chain: self.genesis.hash(), epoch_length, retained: RETAINED }
    }

    pub(crate) fn keys(&self) -> Vec<SigningKey> {
        self.validators.iter().map(|validator| validator.key.clone()).collect()
    }
}

impl Life {
    fn new(world: World, kept: Kept) -> Self {
        let time = world.time();
        Self { world, time, kept, tickets: Vec::new() }
    }

    /// Who the adversaries are, and the first start of all.
    async fn begin(&mut self) {
        self.world.link_all(if self.kept.chance.one_in(3) { Link::BAD } else { Link::GOOD }).await;
        let liar = self.anybody();
        match self.kept.chance.below(10) {
            0 | 1 => {
                self.kept.equivocator = Some(liar);
                equivocator::replace(&self.world, liar, &self.kept.genesis).await;
            }
            2 | 3 => self.kept.validators[liar].is_two_faced = true,
            _ => {}
        }
        if self.kept.chance.one_in(4) {
            let wrong = self.anybody();
            self.kept.validators[wrong].ahead_ms = self.kept.chance.below(2_000);
        }
        for number in 0..self.kept.validators.len() {
            self.start(number).await;
        }
    }

    async fn days(&mut self) {
        for _ in 0..2 + self.kept.chance.below(5) {
            self.hours(1, 5).await;
            self.trouble().await;
            self.hours(2, 6).await;
            self.relief().await;
        }
    }

    /// Time passes, in which people submit.
    async fn hours(&mut self, at_least: u64, more: u64) {
        for _ in 0..at_least + self.kept.chance.below(more) {
            self.submit();
            let pause = 20 + self.kept.chance.below(700);
            self.time.sleep(Duration::from_millis(pause)).await;
            self.look_after().await;
        }
    }

    /// Something befalls the network.
    async fn trouble(&mut self) {
        let one = self.anybody();
        match self.kept.chance.below(12) {
            0..3 => self.end_process(one).await,
            3 => {
                let other = self.anybody();
                self.end_process(one).await;
                self.end_process(other).await;
            }
            4 => {
                for number in 0..self.kept.validators.len() {
                    self.end_process(number).await;
                }
            }
            5 => self.world.cut(one..one + 1, None).await,
            6 => self.world.cut(0..2, None).await,
            7 => self.world.link_all(Link::BAD).await,
            8 => slow::slow_down(&self.world, one).await,
            9 => silent::silence(&self.world, one, None).await,
            10 => self.plan(one),
            _ => {}
        }
    }

    /// Perhaps it gets better.
    async fn relief(&mut self) {
        if self.kept.chance.one_in(5) {
            return;
        }
        self.world.link_all(if self.kept.chance.one_in(4) { Link::BAD } else { Link::GOOD }).await;
        for number in 0..self.kept.validators.len() {
            if !self.kept.validators[number].is_running() && !self.kept.chance.one_in(4) {
                self.start(number).await;
            }
        }
    }

    /// Plans a failure of a validator's disk.
    fn plan(&mut self, number: usize) {
        let chance = &mut self.kept.chance;
        let (folder, failure) = match chance.below(6) {
            0 => (Folder::Database, Failure::Power),
            1 => (Folder::Database, Failure::Broken),
            2 => (Folder::Log, Failure::Full(1 + chance.below(3))),
            3 => (Folder::Log, Failure::Broken),
            _ => (Folder::Log, Failure::Power),
        };
        let operations = 1 + chance.below(120);
        self.kept.validators[number].machine.plan(folder, operations, failure);
    }

    /// Somebody submits something somewhere.
    fn submit(&mut self) {
        let now = people::START + self.kept.before + self.time.elapsed().as_millis() as u64;
        for _ in 0..self.kept.chance.below(5) {
            let ordered = self.kept.people.order(&mut self.kept.chance, now);
            let one = self.anybody();
            if let Some(chain) = self.kept.validators[one].chain() {
                let ticket = chain.submit(ordered.record.clone());
                // Of what a liar says nothing follows.
                if !self.kept.validators[one].is_two_faced {
                    self.tickets.push((ordered, ticket));
                }
            }
        }
    }

    /// Hears what became of submissions, and restarts what stopped by itself.
    async fn look_after(&mut self) {
        let observer = self.kept.observer.clone();
        self.tickets.retain_mut(|(ordered, ticket)| match ticket.now_or_never() {
            None => true,
            Some(Ok(_)) => {
                observer.accepted(ordered);
                false
            }
            Some(Err(Refused::NoRoom | Refused::Stopped | Refused::NoValidator)) => false,
            Some(Err(refused)) => unreachable!("{refused}"),
        });
        for number in 0..self.kept.validators.len() {
            let validator = &self.kept.validators[number];
            if validator.is_running() && validator.chain().is_none() {
                assert!(validator.machine.failures() > 0, "validator {number} stopped by itself");
                self.end_process(number).await;
                self.start(number).await;
            }
        }
    }

    async fn start(&mut self, number: usize) {
        if self.kept.equivocator == Some(number) || self.kept.validators[number].is_running() {
            return;
        }
        let commit = CommitPolicy {
            interval: Duration::from_millis(self.kept.chance.below(2_000)),
            blocks: 1 + self.kept.chance.below(20),
            ..CommitPolicy::default()
        };
        let liar = self.liar();
        let validator = &mut self.kept.validators[number];
        let befallen = validator.machine.failures();
        match validator.start(&mut self.world, &self.kept.genesis, commit).await {
            Ok(chain) => {
                let (time, before) = (self.time.clone(), self.kept.before);
                let now = move || Timestamp(people::START + before + time.elapsed().as_millis() as u64);
                self.kept.observer.meet(number, chain, now);
            }
            Err(error) => {
                assert!(validator.machine.failures() > befallen, "validator {number} does not open: {error:?}");
                validator.end(&mut self.world, true, liar).await;
            }
        }
    }

    async fn end_process(&mut self, number: usize) {
        if self.kept.validators[number].is_running() {
            let loses_power = self.kept.chance.one_in(2);
            let liar = self.liar();
            self.kept.validators[number].end(&mut self.world, loses_power, liar).await;
        }
    }

    /// Who breaks the rules.
    fn liar(&self) -> Option<[u8; 32]> {
        self.kept.equivocator.map(|number| self.kept.genesis.validators[number])
    }

    fn anybody(&mut self) -> usize {
        self.kept.chance.below(self.kept.validators.len() as u64) as usize
    }

    /// All power goes at once.
    async fn lose_power(mut self) -> Kept {
        self.look_after().await;
        let liar = self.liar();
        for validator in &mut self.kept.validators {
            validator.end(&mut self.world, true, liar).await;
        }
        self.kept.before += self.time.elapsed().as_millis() as u64;
        self.kept
    }

    /// Everything is mended: what was accepted is settled, and blocks go on.
    async fn end(&mut self) -> String {
        self.world.link_all(Link::GOOD).await;
        for number in 0..self.kept.validators.len() {
            if self.kept.validators[number].is_running() {
                // Nothing befalls it any more.
                self.end_process(number).await;
            }
            self.kept.validators[number].ahead_ms = self.kept.before;
            self.start(number).await;
        }
        let goal = Height(self.kept.observer.height().0 + 3);
        let mut left = MENDED.as_millis() / LOOK.as_millis();
        while !self.is_settled(goal) {
            assert!(left > 0, "no progress after everything was mended: {}", self.state());
            left -= 1;
            self.time.sleep(LOOK).await;
            self.look_after().await;
        }
        let mut digest = blake3::Hasher::new();
        for number in 0..self.kept.validators.len() {
            if self.kept.equivocator == Some(number) {
                continue;
            }
            let liar = self.liar();
            self.kept.validators[number].end(&mut self.world, true, liar).await;
            let validator = &self.kept.validators[number];
            digest.update(validator.machine.trace().as_bytes());
            let disks = || validator.machine.disks(validator.segment_bytes).unwrap();
            check_on(disks(), &Validator::store()).unwrap_or_else(|error| panic!("validator {number}: {error}"));
        }
        let one =
            self.kept.validators.iter().find(|validator| self.kept.equivocator != Some(validator.number)).unwrap();
        let disks = one.machine.disks(one.segment_bytes).unwrap();
        let replayed = replay_on(disks, one.runtime(), Validator::store(), CommitPolicy::default()).unwrap();
        digest.update(&replayed.height.0.to_le_bytes());
        digest.finalize().to_string()
    }

    /// Whether every validator is at a height, and nothing that was accepted is left to do.
    fn is_settled(&self, goal: Height) -> bool {
        self.tickets.is_empty()
            && self.kept.validators.iter().filter(|validator| self.kept.equivocator != Some(validator.number)).all(
                |validator| {
                    validator.chain().is_some_and(|chain| {
                        chain.snapshot().height() >= goal && self.kept.observer.unsettled(chain).is_none()
                    })
                },
            )
    }

    fn state(&self) -> String {
        let heights: Vec<_> =
            self.kept.validators.iter().map(|one| one.chain().map(|chain| chain.snapshot().height())).collect();
        let chains = || self.kept.validators.iter().filter_map(|validator| validator.chain());
        let unsettled = chains().find_map(|chain| self.kept.observer.unsettled(chain));
        format!(
            "seed {}, heights {heights:?}, {} accepted, {} unanswered, {unsettled:?} unsettled, equivocator {:?}",
            self.world.seed(),
            self.kept.observer.count(),
            self.tickets.len(),
            self.kept.equivocator
        )
    }
}
