//! The same log, executed again, and logs that were altered.

use super::*;
use crate::{
    check::check,
    cut::Rejection,
    log::{Kind, certificate_entry},
    replay::{ReplayError, ReplayOptions, ReplayReport, replay},
};

/// A chain with a bit of everything in it, shut down.
fn lived() -> Place {
    let place = Place::new();
    let chain = place.open();
    let mut alice = Wallet::new(1);
    let counter = deploy(&chain, &mut alice);
    for round in 0..20_u64 {
        let message = match round % 4 {
            0 => call(counter, "add"),
            1 => transfer(BOB, 9),
            2 => call(counter, "fail"),
            _ => transfer(BOB, u128::MAX),
        };
        let signed = alice.signed(&chain, vec![message]);
        receipt(&chain, signed);
        place.clock.fetch_add(11, Ordering::SeqCst);
    }
    control(&chain, Control::TimeOffset { milliseconds: 5_000 });
    control(&chain, Control::SetBalance { address: counter.into(), amount: Amount(77) });
    chain.shutdown().unwrap();
    place
}

pub(super) fn options(place: &Place) -> ReplayOptions {
    ReplayOptions {
        directory: place.path().to_owned(),
        into: None,
        runtime: runtime(),
        store: StoreOptions::default(),
        commit: CommitPolicy::default(),
    }
}

#[test]
fn a_replay_comes_to_the_same_with_any_grouping_of_commits() {
    let place = lived();
    let (original_results, original_blocks) = all(place.path(), &place.genesis);
    let in_memory = replay(options(&place)).unwrap();
    assert_eq!(in_memory.height, Height(original_blocks.len() as u64));
    assert_eq!((in_memory.compared, in_memory.transactions), (in_memory.height.0, 21));
    for blocks in [1, 3, u64::MAX] {
        let into = tempfile::tempdir().unwrap();
        let commit = CommitPolicy { blocks, ..NO_COMMITS };
        let report = replay(ReplayOptions { into: Some(into.path().to_owned()), commit, ..options(&place) }).unwrap();
        assert_eq!(report, ReplayReport { compared: 0, ..in_memory });
        let (results, blocks) = all(into.path(), &place.genesis);
        assert_eq!(results, original_results);
        assert!(blocks == original_blocks, "records, receipts, events and certificates");
    }
}

/// All results and blocks of a directory's database.
pub(super) fn all(directory: &Path, genesis: &Genesis) -> (Vec<BlockResult>, Vec<Arc<crate::storage::Block>>) {
    let store = Store::open(directory, genesis, &StoreOptions::default()).unwrap();
    let snapshot = store.snapshot();
    let blocks = (1..=snapshot.height().0).map(|height| snapshot.block(Height(height)).unwrap().unwrap()).collect();
    (results(&snapshot), blocks)
}

#[test]
fn a_rebuilt_directory_is_a_nodes() {
    let place = lived();
    let target = tempfile::tempdir().unwrap();
    let into = target.path().join("rebuilt");
    replay(ReplayOptions { into: Some(into.clone()), ..options(&place) }).unwrap();
    let again = replay(ReplayOptions { into: Some(into.clone()), ..options(&place) });
    assert!(matches!(again, Err(ReplayError::NotEmpty(path)) if path == into));
    let chain = Chain::open(ChainConfig { directory: into, ..place.config() }).unwrap();
    let mut alice = Wallet::new(1);
    alice.nonce = 21;
    let signed = alice.signed(&chain, vec![transfer(BOB, 1)]);
    assert!(receipt(&chain, signed).succeeded());
}

#[test]
fn a_whole_directory_is_found_whole() {
    let place = lived();
    let report = check(place.path(), StoreOptions::default()).unwrap();
    assert_eq!((report.blocks, report.stored_blocks), (report.store.height.0, report.store.height.0));
    assert_eq!(report.records, 23);
    assert!(report.store.entries > 4);
}

/// A log whose newest header was made to say something else, properly linked and signed.
fn forged(place: &Place, alter: impl Fn(&mut rustorium_types::block::Header)) -> Place {
    let forged = Place::of(place.genesis.clone());
    let reader = Reader::new(log_disk(place.path()).unwrap());
    let newest = reader.entries().unwrap().filter(|entry| entry.as_ref().unwrap().kind == Kind::Header).count() as u64;
    let genesis = genesis_bytes(&place.genesis);
    let disk = log_disk(forged.path()).unwrap();
    let (mut log, _) = Log::open(disk, &genesis, place.genesis.hash(), Height::ZERO, LogOptions::default()).unwrap();
    let signer = Signer::new(validator(), &place.genesis).unwrap();
    for entry in reader.entries().unwrap().map(Result::unwrap) {
        if entry.kind == Kind::Header && entry.before.headers + 1 == newest {
            let mut header = borsh::from_slice(&entry.body).unwrap();
            alter(&mut header);
            log.append(Kind::Header, &borsh::to_vec(&header).unwrap()).unwrap();
            let certificate = signer.certify(&header, header.hash()).unwrap();
            log.append(Kind::Certificate, &certificate_entry(header.height, &certificate)).unwrap();
            break;
        }
        if entry.kind != Kind::Genesis {
            log.append(entry.kind, &entry.body).unwrap();
        }
    }
    log.sync().unwrap();
    forged
}

#[test]
fn headers_that_do_not_follow_from_the_log_are_refused() {
    type Alter = fn(&mut rustorium_types::block::Header);
    let place = lived();
    let cases: [(Alter, Rejection); 6] = [
        (|header| header.results.0[5] ^= 1, Rejection::Results),
        (|header| header.batch_root.0[5] ^= 1, Rejection::BatchRoot),
        (|header| header.lanes[0].root.0[5] ^= 1, Rejection::Records),
        (|header| header.parent.0[5] ^= 1, Rejection::Parent),
        (|header| header.time = Timestamp(START), Rejection::Time),
        (|header| header.gas_price = Amount(1), Rejection::GasPrice),
    ];
    for (alter, expected) in cases {
        let forged = forged(&place, alter);
        let error = replay(options(&forged)).unwrap_err();
        let ReplayError::Follow(FollowError::Diverged { rejection, .. }) = error else { unreachable!("{error}") };
        assert_eq!(rejection, expected);
        let error = forged.try_open().map(|_| ()).unwrap_err();
        assert!(matches!(error, OpenError::Follow(FollowError::Diverged { .. })), "{error}");
    }
    assert!(replay(options(&forged(&place, |_| ()))).is_ok(), "unaltered, it holds");
}

#[test]
fn another_header_than_the_database_executed_is_another_history() {
    let place = lived();
    let forged = forged(&place, |header| header.time.0 += 1);
    std::fs::copy(place.path().join("state.redb"), forged.path().join("state.redb")).unwrap();
    let error = forged.try_open().map(|_| ()).unwrap_err();
    assert!(matches!(error, OpenError::Follow(FollowError::OtherHistory { .. })), "{error}");
    let error = check(forged.path(), StoreOptions::default()).unwrap_err();
    assert!(matches!(error, ReplayError::Follow(FollowError::OtherHistory { .. })), "{error}");
}
