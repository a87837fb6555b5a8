//! Nodes that die: what they leave is opened again, to the same roots, with nothing accepted lost or done twice.

use std::fs;

use super::{rebuild::options, *};
use crate::{
    log::{Kind, SEGMENT_BYTES},
    replay::replay,
};

/// A directory as a dead node leaves it: its database as of some commit, and its log as of some later moment.
fn remains(of: &Place, log: &[u8]) -> Place {
    let left = Place { commit: NO_COMMITS, ..Place::of(of.genesis.clone()) };
    left.clock.store(of.clock.load(Ordering::SeqCst) + 1, Ordering::SeqCst);
    fs::create_dir(left.path().join("log")).unwrap();
    let mut bytes = log.to_vec();
    bytes.resize(SEGMENT_BYTES, 0);
    fs::write(segment(&left), bytes).unwrap();
    let database = of.path().join("state.redb");
    if database.exists() {
        fs::copy(database, left.path().join("state.redb")).unwrap();
    }
    left
}

fn segment(place: &Place) -> PathBuf {
    place.path().join("log/00000001.segment")
}

/// A chain that has run for a while: its place, its log's used bytes, its results, and what it did in which order.
struct History {
    place: Place,
    log: Vec<u8>,
    results: Vec<BlockResult>,
    transactions: Vec<Hash>,
}

/// Runs some transactions, first `committed` of them with a database that is committed, then `more` with one that is
/// not, as it is when a node dies between commits.
fn history(committed: u64, more: u64) -> History {
    let mut place = Place::new();
    let mut alice = Wallet::new(1);
    let mut transactions = Vec::new();
    let mut database = None;
    for (count, commit) in [(committed, CommitPolicy::default()), (more, NO_COMMITS)] {
        place.commit = commit;
        let chain = place.open();
        for index in 0..count {
            let signed = alice.signed(&chain, vec![transfer(BOB, u128::from(index) + 1)]);
            transactions.push(signed.0);
            place.clock.fetch_add(7, Ordering::SeqCst);
            if index % 3 == 0 {
                receipt(&chain, signed);
            } else {
                chain.submit(signed.1).wait().unwrap();
            }
        }
        if let Some(last) = transactions.last() {
            chain.executed(*last).unwrap().wait().unwrap();
        }
        if commit == NO_COMMITS {
            // As of the last commit: shutting down would make another.
            database = Some(fs::read(place.path().join("state.redb")).unwrap());
        }
        chain.shutdown().unwrap();
    }
    let chain = place.open();
    // Behind the shutdown: until then a closing block may still come into the log.
    chain.shutdown().unwrap();
    let results = results(&chain.snapshot());
    drop(chain);
    fs::write(place.path().join("state.redb"), database.unwrap()).unwrap();
    let bytes = fs::read(segment(&place)).unwrap();
    let used = bytes.iter().rposition(|byte| *byte != 0).unwrap() + 1;
    History { log: bytes[..used].to_vec(), place, results, transactions }
}

/// Headers in the log.
fn headers(place: &Place) -> usize {
    let entries = Reader::new(log_disk(place.path()).unwrap()).entries().unwrap();
    entries.filter(|entry| entry.as_ref().unwrap().kind == Kind::Header).count()
}

/// Opens what a log cut at some byte leaves, and holds it against the history.
fn reopen(history: &History, log: &[u8]) {
    let place = remains(&history.place, log);
    let headers = headers(&place);
    let chain = place.open();
    // Everything that is in the log is executed, once, however little the database had.
    let accepted = chain.log().progress().records() as usize;
    for (index, transaction) in history.transactions.iter().enumerate() {
        let executed = chain.executed(*transaction).unwrap();
        if index < accepted {
            assert!(matches!(executed.wait(), Ok(Outcomes::Receipt(_))), "transaction {index} of {accepted}");
        }
    }
    let done = account(&chain, Wallet::new(1).account).nonces.highest.0;
    assert_eq!(done as usize, accepted);
    let again = results(&chain.snapshot());
    assert_eq!(again[..headers], history.results[..headers]);
    chain.shutdown().unwrap();
    let height = chain.snapshot().height();
    drop(chain);
    // Every header has its certificate again, the one that was cut off too.
    let report = replay(options(&place)).unwrap();
    assert_eq!((report.height, report.compared), (height, height.0));
}

#[test]
fn a_log_cut_anywhere_is_executed_to_the_same_roots() {
    let history = history(0, 12);
    let mut at = history.log.len();
    let mut openings = 0;
    while at > 2_000 {
        reopen(&history, &history.log[..at]);
        openings += 1;
        at -= 331;
    }
    println!("{openings} openings of a log of {} bytes", history.log.len());
    assert!(openings > 10);
}

#[test]
fn a_database_behind_its_log_catches_up_and_one_ahead_is_refused() {
    let history = history(9, 9);
    reopen(&history, &history.log);
    let chain = remains(&history.place, &history.log).open();
    let executed = chain.store().committed();
    assert!(executed > Height(2) && executed < chain.snapshot().height());
    drop(chain);
    let short = remains(&history.place, &history.log[..3_000]);
    let refused = short.try_open().map(|_| ()).unwrap_err();
    assert!(matches!(refused, OpenError::Log(LogError::Shorter { .. })), "{refused}");
}

/// The database shows that more was promised than the log has: wherever it was cut, the node refuses in words, and
/// leaves the log as it is, for whoever mends it.
#[test]
fn a_log_that_lost_what_was_promised_is_refused_and_left_as_it_is() {
    let history = history(6, 0);
    let whole = remains(&history.place, &history.log);
    let promised = Store::open(whole.path(), &whole.genesis, &StoreOptions::default()).unwrap().snapshot().height();
    let mut at = history.log.len();
    let mut cuts = 0;
    while at > 200 {
        let place = remains(&history.place, &history.log[..at]);
        if headers(&place) as u64 >= promised.0 {
            at -= 97;
            continue;
        }
        let before = fs::read(segment(&place)).unwrap();
        match place.try_open().map(|_| ()).unwrap_err() {
            OpenError::Log(error @ LogError::Shorter { .. }) => assert!(error.to_string().contains("restore")),
            other => unreachable!("cut at {at}: {other}"),
        }
        assert!(fs::read(segment(&place)).unwrap() == before, "cut at {at}");
        cuts += 1;
        at = at.saturating_sub(97);
    }
    assert!(cuts > 20, "{cuts}");
    let place = remains(&history.place, &[]);
    fs::remove_dir_all(place.path().join("log")).unwrap();
    let refused = place.try_open().map(|_| ()).unwrap_err();
    assert!(matches!(refused, OpenError::Log(LogError::Shorter { log: Height(0), .. })), "{refused}");
    assert_eq!(fs::read_dir(place.path().join("log")).unwrap().count(), 0, "no log is begun in its place");
}

#[test]
fn a_node_that_dies_with_its_tail_torn_says_so_and_goes_on() {
    let history = history(0, 3);
    let mut torn = history.log.clone();
    // Behind the last certificate a record was being written.
    torn.resize(torn.len().next_multiple_of(8), 0);
    torn.extend_from_slice(&[200, 0, 0, 0, 9, 9, 9, 9]);
    let place = remains(&history.place, &torn);
    let chain = place.open();
    let mut alice = Wallet::new(1);
    alice.nonce = 3;
    let signed = alice.signed(&chain, vec![transfer(BOB, 1)]);
    assert!(receipt(&chain, signed).succeeded());
}

#[test]
fn opening_some_thousand_blocks_is_quick() {
    let place = Place { commit: CommitPolicy { blocks: 200, ..CommitPolicy::default() }, ..Place::new() };
    let chain = place.open();
    let mut height = Height(2);
    chain.certified(Height(1)).wait().unwrap();
    while height < Height(3_000) {
        height = control(&chain, Control::Mine);
    }
    chain.shutdown().unwrap();
    let blocks = chain.snapshot().height();
    drop(chain);
    let started = std::time::Instant::now();
    let chain = place.open();
    println!("opened {} blocks in {:?}", blocks.0, started.elapsed());
    assert!(chain.snapshot().height() >= blocks);
}
