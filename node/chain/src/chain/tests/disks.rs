//! Disks that lose power or fail, and a stage that panics.

use std::{io, sync::atomic::AtomicBool};

use super::*;
use crate::log::{DiskFile, MemoryDisk};

/// The power goes at some moment while transactions come in; on what the disk has then, a node must find everything
/// that was acknowledged before that moment, and nothing twice.
#[test]
fn power_losses_of_a_running_node_lose_nothing_that_was_acknowledged() {
    for seed in 1..=12_u64 {
        let mut chance = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mut next = move || {
            chance ^= chance << 13;
            chance ^= chance >> 7;
            chance ^= chance << 17;
            chance
        };
        let place = Place { commit: NO_COMMITS, ..Place::new() };
        let disk = MemoryDisk::default();
        let chain = Chain::open_on(place.config(), Arc::new(disk.clone())).unwrap();
        let mut alice = Wallet::new(1);
        let mut acknowledged = Vec::new();
        let mut waiting = Vec::new();
        for _ in 0..next() % 60 {
            let (hash, record) = alice.signed(&chain, vec![transfer(BOB, 1)]);
            waiting.push((hash, chain.submit(record)));
            if next() % 4 == 0 {
                for (hash, ticket) in waiting.drain(..) {
                    ticket.wait().unwrap();
                    acknowledged.push(hash);
                }
            }
        }
        let left = disk.fork();
        left.lose_power(|| next() % 2 == 0);
        drop(chain);

        let after = Place { commit: NO_COMMITS, ..Place::of(place.genesis.clone()) };
        let chain =
            Chain::open_on(after.config(), Arc::new(left)).unwrap_or_else(|error| unreachable!("seed {seed}: {error}"));
        for hash in &acknowledged {
            let executed = chain.executed(*hash).unwrap().wait();
            assert!(matches!(executed, Ok(Outcomes::Receipt(_))), "seed {seed}");
        }
        // What was not acknowledged may have survived too; all of it pays once.
        let durable = chain.log().progress().records();
        assert!(durable >= acknowledged.len() as u64, "seed {seed}");
        if let Some(last) = durable.checked_sub(1) {
            chain.included(LanePosition { index: last, ..LanePosition::default() }).unwrap().wait().unwrap();
        }
        assert_eq!(account(&chain, BOB).balance, Amount(u128::from(durable)), "seed {seed}");
    }
}

/// A disk whose syncs fail once it is told so.
#[derive(Clone)]
struct FailingDisk {
    disk: MemoryDisk,
    fails: Arc<AtomicBool>,
}

struct FailingFile {
    file: Box<dyn DiskFile>,
    fails: Arc<AtomicBool>,
}

impl FailingDisk {
    fn wrap(&self, file: Box<dyn DiskFile>) -> Box<dyn DiskFile> {
        Box::new(FailingFile { file, fails: Arc::clone(&self.fails) })
    }
}

impl Disk for FailingDisk {
    fn names(&self) -> io::Result<Vec<String>> {
        self.disk.names()
    }

    fn create(&self, name: &str, length: u64, start: &[u8]) -> io::Result<Box<dyn DiskFile>> {
        self.disk.create(name, length, start).map(|file| self.wrap(file))
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        self.disk.open(name).map(|file| self.wrap(file))
    }
}

impl DiskFile for FailingFile {
    fn extent(&self) -> io::Result<u64> {
        self.file.extent()
    }

    fn read(&self, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        self.file.read(offset, length)
    }

    fn write(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.file.write(offset, bytes)
    }

    fn sync(&self) -> io::Result<()> {
        if self.fails.load(Ordering::SeqCst) { Err(io::ErrorKind::StorageFull.into()) } else { self.file.sync() }
    }

    fn cut(&self, offset: u64, length: u64) -> io::Result<()> {
        self.file.cut(offset, length)
    }
}

#[test]
fn a_disk_that_fails_stops_the_chain_and_is_named() {
    let place = Place::new();
    let disk = FailingDisk { disk: MemoryDisk::default(), fails: Arc::default() };
    let chain = Chain::open_on(place.config(), Arc::new(disk.clone())).unwrap();
    let mut alice = Wallet::new(1);
    let signed = alice.signed(&chain, vec![transfer(BOB, 1)]);
    assert!(receipt(&chain, signed).succeeded());
    disk.fails.store(true, Ordering::SeqCst);
    let (_, record) = alice.signed(&chain, vec![transfer(BOB, 1)]);
    assert_eq!(chain.submit(record.clone()).wait(), Err(Refused::Stopped), "never said to be accepted");
    let fault = chain.stopped().wait().unwrap();
    assert!(matches!(*fault, Fault::Log(LogError::Io { .. }) | Fault::Consensus(_)), "{fault}");
    assert_eq!(chain.submit(record).wait(), Err(Refused::Stopped));
    assert_eq!(account(&chain, BOB).balance, Amount(1), "what there is stays readable");
    assert!(chain.shutdown().is_err());
}

#[test]
fn a_stage_that_panics_stops_the_chain_and_says_which() {
    let place = Place::new();
    let chain = place.open();
    chain.certified(Height(1)).wait().unwrap();
    chain.on_publish(Box::new(|_| unreachable!("a subscriber's defect")));
    let mut alice = Wallet::new(1);
    let (_, record) = alice.signed(&chain, vec![transfer(BOB, 1)]);
    drop(chain.submit(record));
    let fault = chain.stopped().wait().unwrap();
    assert!(matches!(*fault, Fault::Panicked("publish")), "{fault}");
    assert!(chain.shutdown().is_err());
    drop(chain);
    assert_eq!(account(&place.open(), BOB).balance, Amount(1), "it was in the log");
}
