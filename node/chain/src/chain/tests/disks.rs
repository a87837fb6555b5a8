//! Disks that fail or are full, and a stage that panics. Whole lives on bad disks are in `tests/simulation`.

use super::*;
use crate::{
    log::SEGMENT_BYTES,
    machine::{Failure, Folder, Machine},
};

/// So small that a few transactions outgrow it.
const SMALL_SEGMENT: usize = 4 << 10;

fn open_on(place: &Place, machine: &Machine, segment_bytes: usize) -> Chain {
    Chain::open_on(place.config(), machine.disks(segment_bytes).unwrap()).unwrap()
}

fn transfer_one(chain: &Chain, wallet: &mut Wallet) -> (Hash, Bytes) {
    wallet.signed(chain, vec![transfer(BOB, 1)])
}

/// Waits for what a machine's disk has no part in.
fn until(condition: impl Fn() -> bool) {
    while !condition() {
        thread::yield_now();
    }
}

#[test]
fn a_disk_that_fails_stops_the_chain_and_is_named() {
    let (place, machine) = (Place::new(), Machine::new(1));
    let chain = open_on(&place, &machine, SEGMENT_BYTES);
    let mut alice = Wallet::new(1);
    let signed = transfer_one(&chain, &mut alice);
    let Outcomes::Receipt(position) = run(&chain, signed) else { unreachable!() };
    chain.certified(position.height).wait().unwrap();
    // The write, then the sync.
    machine.plan(Folder::Log, 1, Failure::Broken);
    let (_, record) = transfer_one(&chain, &mut alice);
    assert_eq!(chain.submit(record.clone()).wait(), Err(Refused::Stopped), "never said to be accepted");
    let fault = chain.stopped().wait().unwrap();
    assert!(matches!(&*fault, Fault::Log(LogError::Io { file, .. }) if file == "00000001.segment"), "{fault}");
    assert_eq!(chain.submit(record).wait(), Err(Refused::Stopped));
    assert_eq!(account(&chain, BOB).balance, Amount(1), "what there is stays readable");
    assert!(chain.shutdown().is_err());
}

#[test]
fn a_full_disk_refuses_what_is_submitted_and_takes_it_once_there_is_room() {
    let (place, machine) = (Place::new(), Machine::new(2));
    let chain = open_on(&place, &machine, SMALL_SEGMENT);
    let mut alice = Wallet::new(1);
    machine.fill();
    let mut accepted = Vec::new();
    let refused = loop {
        let (hash, record) = transfer_one(&chain, &mut alice);
        let executed = chain.executed(hash).unwrap();
        match chain.submit(record.clone()).wait() {
            Ok(_) => accepted.push(executed),
            Err(refused) => {
                assert_eq!((refused, refused.code()), (Refused::NoRoom, rustorium_types::code::Code::LogUnavailable));
                assert!(refused.to_string().contains("disk is full"));
                break record;
            }
        }
    };
    assert!(chain.store().room().log_is_full());
    assert_eq!(chain.submit(refused.clone()).wait(), Err(Refused::NoRoom), "and so on");
    account(&chain, BOB);
    machine.make_room();
    until(|| !chain.store().room().log_is_full());
    chain.submit(refused).wait().unwrap();
    let count = accepted.len() as u128;
    for executed in accepted {
        assert!(matches!(executed.wait(), Ok(Outcomes::Receipt(_))), "what was accepted before has waited");
    }
    let signed = transfer_one(&chain, &mut alice);
    assert!(receipt(&chain, signed).succeeded());
    assert_eq!(account(&chain, BOB).balance, Amount(count + 2));
    chain.shutdown().unwrap();
}

/// A file system may find out that it is full when it writes or syncs what was reserved. What could not be synced is
/// gone although a reader sees it and although the next sync succeeds; it was once answered for by that next sync.
#[test]
fn a_sync_without_room_answers_for_nothing_until_all_is_written_again() {
    for operations_ahead in [0, 1] {
        for seed in 0..8 {
            let (place, machine) = (Place { commit: NO_COMMITS, ..Place::new() }, Machine::new(seed));
            let chain = open_on(&place, &machine, SEGMENT_BYTES);
            chain.certified(Height(1)).wait().unwrap();
            let mut alice = Wallet::new(1);
            machine.plan(Folder::Log, operations_ahead, Failure::Full(2));
            let (hash, record) = transfer_one(&chain, &mut alice);
            assert_eq!(chain.submit(record).wait().unwrap().transaction, Some(hash), "accepted when there is room");
            assert_eq!(machine.failures(), 2);
            machine.lose_power();
            drop(chain);
            let chain = open_on(&place, &machine, SEGMENT_BYTES);
            assert!(matches!(chain.executed(hash).unwrap().wait(), Ok(Outcomes::Receipt(_))), "seed {seed}");
        }
    }
}

#[test]
fn a_database_without_room_keeps_blocks_in_memory_and_commits_them_later() {
    let place = Place { commit: CommitPolicy { blocks: 1, ..NO_COMMITS }, ..Place::new() };
    let machine = Machine::new(3);
    let chain = open_on(&place, &machine, SEGMENT_BYTES);
    let mut alice = Wallet::new(1);
    machine.fill();
    let mut paid = 0;
    while !chain.store().room().database_is_full() {
        let signed = transfer_one(&chain, &mut alice);
        assert!(receipt(&chain, signed).succeeded(), "blocks are made and read meanwhile");
        paid += 1;
    }
    let signed = transfer_one(&chain, &mut alice);
    assert!(receipt(&chain, signed).succeeded());
    assert_eq!(account(&chain, BOB).balance, Amount(paid + 1));
    assert!(chain.store().uncommitted().blocks > 0);
    machine.make_room();
    until(|| !chain.store().room().database_is_full());
    let signed = transfer_one(&chain, &mut alice);
    receipt(&chain, signed);
    chain.shutdown().unwrap();
    assert_eq!(chain.store().committed(), chain.snapshot().height());
}

#[test]
fn a_node_that_stops_on_a_full_disk_loses_nothing() {
    let place = Place { commit: CommitPolicy { blocks: 1, ..NO_COMMITS }, ..Place::new() };
    let machine = Machine::new(4);
    let chain = open_on(&place, &machine, SEGMENT_BYTES);
    let mut alice = Wallet::new(1);
    machine.fill();
    let mut paid = 0;
    while !chain.store().room().database_is_full() {
        let signed = transfer_one(&chain, &mut alice);
        receipt(&chain, signed);
        paid += 1;
    }
    chain.shutdown().unwrap();
    assert!(chain.store().committed() < chain.snapshot().height());
    drop(chain);
    machine.kill();
    machine.make_room();
    let chain = open_on(&place, &machine, SEGMENT_BYTES);
    assert_eq!(account(&chain, BOB).balance, Amount(paid));
}

/// A node that lost its power, or was killed, while it made its database could not be started again: redb writes its
/// name into a new file last, and took the nameless one for somebody else's.
#[test]
fn a_node_that_ends_while_its_database_is_made_starts_again() {
    for operations in 0..40 {
        let (place, machine) = (Place::new(), Machine::new(operations));
        machine.plan(Folder::Database, operations, Failure::Power);
        let first = machine.disks(SEGMENT_BYTES).ok().and_then(|disks| Chain::open_on(place.config(), disks).ok());
        drop(first);
        machine.lose_power();
        let chain = open_on(&place, &machine, SEGMENT_BYTES);
        chain.certified(Height(1)).wait().unwrap();
    }
}

/// A sync failed and the process was started again, on a machine that still showed what it had given up writing: the
/// new process took it for durable, signed the header in it, and the next power failure took the header away.
#[test]
fn what_a_failed_sync_left_is_written_again_before_anybody_relies_on_it() {
    for seed in 0..16 {
        let (place, machine) = (Place { commit: NO_COMMITS, ..Place::new() }, Machine::new(seed));
        let chain = open_on(&place, &machine, SEGMENT_BYTES);
        chain.certified(Height(1)).wait().unwrap();
        let mut alice = Wallet::new(1);
        // Record and header are written together, and not synced.
        machine.plan(Folder::Log, 1, Failure::Broken);
        let (hash, record) = transfer_one(&chain, &mut alice);
        drop(chain.submit(record));
        chain.stopped().wait().unwrap();
        drop(chain);
        machine.kill();
        let chain = open_on(&place, &machine, SEGMENT_BYTES);
        assert!(matches!(chain.executed(hash).unwrap().wait(), Ok(Outcomes::Receipt(_))), "seed {seed}");
        let told = results(&chain.snapshot());
        machine.lose_power();
        drop(chain);
        place.clock.fetch_add(1_000, Ordering::SeqCst);
        let chain = open_on(&place, &machine, SEGMENT_BYTES);
        let again = results(&chain.snapshot());
        assert_eq!(again[..told.len()], told, "seed {seed}");
    }
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
