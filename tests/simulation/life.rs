//! The life of a node: some processes on one machine, each ended by whatever the seed has for it.

use std::{sync::atomic::Ordering, time::Duration};

use rustorium_chain::{
    chain::Chain,
    check::check_on,
    log::LanePosition,
    machine::{Chance, Failure, Folder},
    replay::replay_on,
    submit::{Accepted, Refused},
};
use rustorium_types::{
    id::{Address, Amount, Height},
    record::{Control, Record},
};

use crate::{
    node::{BY_HAND, Node, wait},
    observer::Observer,
    people::{Ordered, People},
};

/// So long that blocks are sealed only when somebody asks for one.
const WHEN_ASKED: Duration = Duration::from_secs(1 << 30);

struct Life {
    seed: u64,
    chance: Chance,
    node: Node,
    people: People,
    observer: Observer,
}

/// The chain stopped, because something befell it.
struct Stopped;

/// Lives a seed; answers the digest of all that happened to its disk.
pub(crate) fn live(seed: u64) -> blake3::Hash {
    let mut chance = Chance::new(seed.wrapping_mul(3));
    let segment_bytes = [4 << 10, 16 << 10, 256 << 10][chance.below(3) as usize];
    let node = Node::new(seed, segment_bytes);
    let people = People::of(&node.genesis);
    let observer = Observer::of(&node);
    let mut life = Life { seed, chance, node, people, observer };
    for _ in 0..2 + life.chance.below(4) {
        life.process();
    }
    // Nothing befalls the last process: whether it closes a block before it is asked for one is chance.
    let trace = life.node.machine.trace();
    last_words(&life.node, &life.observer, seed);
    trace
}

impl Life {
    /// A process, from its start to its end.
    fn process(&mut self) {
        for _ in 0..self.chance.below(3) {
            self.plan();
        }
        let befallen = self.node.machine.failures();
        match self.node.open(BY_HAND, WHEN_ASKED) {
            Ok(chain) => {
                let lived = self.days(&chain);
                let stopped = lived.is_err() || chain.stopped().wait_timeout(Duration::ZERO).is_ok();
                let befell = self.node.machine.failures() > befallen;
                assert!(!stopped || befell, "seed {}: the chain stopped by itself: {:?}", self.seed, chain.shutdown());
                self.end(&chain, stopped);
            }
            Err(error) => {
                let befell = self.node.machine.failures() > befallen;
                assert!(befell, "seed {}: the chain does not open: {error}: {error:?}", self.seed);
                self.restart();
            }
        }
    }

    /// Plans a failure somewhere ahead.
    fn plan(&mut self) {
        let chance = &mut self.chance;
        let (folder, operations) = match chance.below(10) {
            0..6 => (Folder::Log, 1 + chance.below(100)),
            6..9 => (Folder::Database, 1 + chance.below(60)),
            _ => (Folder::Modules, chance.below(9)),
        };
        let failure = match chance.below(6) {
            0..3 => Failure::Power,
            3 | 4 => Failure::Broken,
            _ => Failure::Full(1 + chance.below(2)),
        };
        self.node.machine.plan(folder, operations, failure);
    }

    fn days(&mut self, chain: &Chain) -> Result<(), Stopped> {
        self.observer.meet(chain);
        certified(chain)?;
        // The first block of a process is sealed as soon as there is a record: be it this one.
        self.seal(chain)?;
        for _ in 0..self.chance.below(7) {
            let passed = self.chance.below(2_000);
            self.node.clock.fetch_add(passed, Ordering::SeqCst);
            match self.chance.below(8) {
                0 => {
                    chain.store().commit().map_err(|_| Stopped)?;
                }
                1 => {
                    let milliseconds = 10 + self.chance.below(100);
                    self.control(chain, Control::TimeOffset { milliseconds })?;
                }
                2 => {
                    let address = Address::Account(self.people.anybody(&mut self.chance));
                    let amount = Amount(1_000_000_000_000 + u128::from(self.chance.below(1_000)));
                    self.control(chain, Control::SetBalance { address, amount })?;
                }
                _ => {
                    let mut handles = Vec::new();
                    for _ in 0..=self.chance.below(4) {
                        let time = self.node.clock.load(Ordering::SeqCst);
                        let ordered = self.people.order(&mut self.chance, time);
                        let handle = chain.executed(ordered.hash).map_err(|_| Stopped)?;
                        if self.submit(chain, ordered.record.clone(), Some(&ordered))?.is_some() {
                            handles.push((ordered.hash, handle));
                        }
                    }
                    // Or they wait for the next day's block, or for the next process.
                    if !self.chance.one_in(4) {
                        self.seal(chain)?;
                        for (hash, handle) in handles {
                            let executed = wait(chain, handle).ok_or(Stopped)?;
                            self.observer.executed(chain, hash, executed);
                        }
                    }
                }
            }
        }
        Ok(())
    }

    /// Submits a record; none if the disk was full.
    fn submit(
        &mut self,
        chain: &Chain,
        record: bytes::Bytes,
        ordered: Option<&Ordered>,
    ) -> Result<Option<Accepted>, Stopped> {
        match chain.submit(record.clone()).wait() {
            Ok(accepted) => {
                self.observer.accepted(accepted.position, &record, ordered);
                Ok(Some(accepted))
            }
            Err(Refused::NoRoom) => {
                while chain.store().room().log_is_full() {
                    if chain.stopped().wait_timeout(Duration::from_millis(1)).is_ok() {
                        return Err(Stopped);
                    }
                }
                Ok(None)
            }
            Err(Refused::Stopped) => Err(Stopped),
            Err(refused) => unreachable!("seed {}: {refused}", self.seed),
        }
    }

    fn control(&mut self, chain: &Chain, control: Control) -> Result<(), Stopped> {
        self.submit(chain, Record::Control(control).to_bytes().into(), None).map(|_| ())
    }

    /// Has a block sealed, and waits until its result is certified: nothing is on its way then.
    fn seal(&mut self, chain: &Chain) -> Result<(), Stopped> {
        let accepted = loop {
            if let Some(accepted) = self.submit(chain, Record::Control(Control::Mine).to_bytes().into(), None)? {
                break accepted;
            }
        };
        let height = wait(chain, chain.included(accepted.position).map_err(|_| Stopped)?).ok_or(Stopped)?;
        wait(chain, chain.certified(height)).ok_or(Stopped)?;
        Ok(())
    }

    /// Ends a process: it is told to, it is killed, or the power goes.
    fn end(&mut self, chain: &Chain, stopped: bool) {
        let is_told = self.chance.one_in(3);
        if stopped {
            // How far its stages get must not depend on how soon the machine is restarted.
            let _ = chain.shutdown();
        }
        if !is_told {
            self.restart();
        }
        let _ = chain.shutdown();
        if is_told {
            self.restart();
        }
    }

    /// The machine is as another process finds it.
    fn restart(&mut self) {
        if self.chance.one_in(2) || !self.node.machine.has_power() {
            self.node.machine.lose_power();
        } else {
            self.node.machine.kill();
        }
    }
}

/// Waits until everything in the log is executed and certified: what a start sets off is done then.
fn certified(chain: &Chain) -> Result<(), Stopped> {
    let mut height = Height(1);
    if let Some(index) = chain.log().progress().records().checked_sub(1) {
        let last = LanePosition { index, ..LanePosition::default() };
        height = wait(chain, chain.included(last).map_err(|_| Stopped)?).ok_or(Stopped)?;
    }
    wait(chain, chain.certified(height)).ok_or(Stopped)?;
    Ok(())
}

/// With nothing befalling it any more, a node must come to an end that everything can be held against.
pub(crate) fn last_words(node: &Node, observer: &Observer, seed: u64) {
    node.machine.kill();
    let chain = node.open(BY_HAND, WHEN_ASKED);
    let chain = chain.unwrap_or_else(|error| panic!("seed {seed}: the chain does not open: {error}: {error:?}"));
    observer.meet(&chain);
    // What was waiting is sealed before this or with it.
    let mine = chain.submit(Record::Control(Control::Mine).to_bytes().into()).wait().unwrap();
    let height = wait(&chain, chain.included(mine.position).unwrap()).unwrap();
    wait(&chain, chain.certified(height)).unwrap();
    observer.settle(&chain);
    chain.shutdown().unwrap();
    let height = chain.snapshot().height();
    drop(chain);
    node.machine.lose_power();
    let disks = || node.machine.disks(node.segment_bytes).unwrap();
    let checked = check_on(disks(), &Node::store()).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
    assert_eq!(checked.store.height, height, "a node that is told to stop commits everything");
    let replayed = replay_on(disks(), node.runtime(), Node::store(), BY_HAND);
    let replayed = replayed.unwrap_or_else(|error| panic!("seed {seed}: {error}"));
    assert_eq!((replayed.height, replayed.compared), (height, height.0));
}
