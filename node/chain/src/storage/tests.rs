//! Random histories of blocks, commits, restarts and reads against a model that keeps everything.

use std::collections::BTreeMap;

use bytes::Bytes;
use proptest::prelude::*;
use redb::{ReadableDatabase, ReadableTableMetadata};
use rustorium_runtime::{CacheManager, StateKey, StateRead, Writes};
use rustorium_types::id::{AccountId, ContractId, Hash, Height};

use super::{
    schema::{KEYS, PAGES, ROOTS, UNDO_PAGES, UNDO_VALUES, VALUES},
    testing::{Content, block, genesis, options},
    *,
};
use crate::tree::{key::digest, plain};

type State = BTreeMap<StateKey, Bytes>;

/// What happens to a store.
#[derive(Clone, Debug)]
enum Step {
    Block(Vec<(u8, Option<Vec<u8>>)>),
    Commit,
    Reopen,
}

fn any_step() -> impl Strategy<Value = Step> {
    let value = proptest::option::weighted(0.7, proptest::collection::vec(any::<u8>(), 0..120));
    prop_oneof![
        6 => proptest::collection::vec((0..24_u8, value), 0..6).prop_map(Step::Block),
        2 => Just(Step::Commit),
        1 => Just(Step::Reopen),
    ]
}

fn key(number: u8) -> StateKey {
    StateKey::new(ContractId([number % 3; 32]), vec![number; 1 + usize::from(number % 4)])
}

fn writes(changes: &[(u8, Option<Vec<u8>>)]) -> Writes {
    changes.iter().map(|(name, value)| (key(*name), value.clone().map(Bytes::from))).collect()
}

fn content(changes: &[(u8, Option<Vec<u8>>)]) -> Content {
    let transactions = (0..changes.len() as u8).map(|index| (AccountId([index; 32]), Vec::new())).collect();
    Content { writes: writes(changes), transactions }
}

fn plain_root(state: &State) -> Hash {
    plain::root(&state.iter().map(|(key, value)| (digest(key), value.to_vec())).collect())
}

/// A store and the state of every height.
struct Model {
    store: Store,
    directory: tempfile::TempDir,
    window: u64,
    states: Vec<State>,
}

impl Model {
    fn new(window: u64) -> Self {
        let directory = tempfile::tempdir().expect("temporary directory");
        let store = Store::open(directory.path(), &genesis(), &options(window)).expect("opens");
        let first = crate::genesis::writes(&genesis());
        let state = first.into_iter().filter_map(|(key, value)| Some((key, value?))).collect();
        Self { store, directory, window, states: vec![state] }
    }

    fn run(&mut self, step: &Step) {
        match step {
            Step::Block(changes) => {
                let snapshot = self.store.snapshot();
                let content = content(changes);
                let mut state = self.states.last().expect("genesis").clone();
                for (key, value) in &content.writes {
                    match value {
                        Some(value) => state.insert(key.clone(), value.clone()),
                        None => state.remove(key),
                    };
                }
                self.states.push(state);
                let applied = self.store.apply(block(&snapshot, &content)).expect("applies");
                assert_eq!(applied.height(), snapshot.height().next());
            }
            Step::Commit => {
                let height = self.store.commit().expect("commits");
                assert_eq!(height, self.store.snapshot().height());
                assert_eq!(self.store.uncommitted(), Uncommitted::default());
            }
            Step::Reopen => self.reopen(),
        }
    }

    /// Closes without a commit: what was not committed is lost, as after a crash.
    fn reopen(&mut self) {
        let durable = self.store.committed();
        let closed = Store::in_memory(&genesis(), &options(1)).expect("opens");
        drop(std::mem::replace(&mut self.store, closed));
        self.store = Store::open(self.directory.path(), &genesis(), &options(self.window)).expect("opens again");
        assert_eq!(self.store.snapshot().height(), durable);
        self.states.truncate(durable.0 as usize + 1);
    }

    /// Everything that can be read is what the model has, through the cache and past it, at every height.
    fn check(&self, snapshot: &Arc<Snapshot>) {
        let (from, to) = snapshot.retained().into_inner();
        for height in 0..self.states.len() as u64 + 2 {
            let height = Height(height);
            let state = match snapshot.state(height) {
                Ok(state) => state,
                Err(error) => {
                    let expected = if height < from {
                        HeightError::Pruned { from, to }
                    } else {
                        HeightError::Future { newest: to }
                    };
                    assert_eq!(error, expected);
                    assert!(height < from || height > to);
                    continue;
                }
            };
            let model = &self.states[height.0 as usize];
            let root = plain_root(model);
            match snapshot.result(height).expect("reads") {
                Some(result) => assert_eq!(result.state_root, root, "height {height}"),
                None => assert_eq!(height, Height::ZERO),
            }
            for key in (0..24).map(key).chain([StateKey::account(AccountId([1; 32]))]) {
                let expected = model.get(&key).cloned();
                assert_eq!(state.read(&key).expect("reads"), expected, "{key:?} at {height}");
                if let Some(cached) = state.get(&key) {
                    assert_eq!(cached, expected, "cached {key:?} at {height}");
                }
                let (value, proof) = snapshot.prove(height, &key).expect("proves");
                assert_eq!(value, expected);
                proof.verify(root, key.contract, &key.key, expected.as_deref()).expect("verifies");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn every_kept_height_reads_and_proves_as_written(
        window in 1..6_u64,
        steps in proptest::collection::vec(any_step(), 1..30),
    ) {
        let mut model = Model::new(window);
        let mut pinned = None;
        for (number, step) in steps.iter().enumerate() {
            model.run(step);
            model.check(&model.store.snapshot());
            if matches!(step, Step::Reopen) {
                pinned = None;
            }
            // An old reader sees its own height, whatever was committed and swept since.
            let (pinned, states) = pinned.get_or_insert_with(|| (model.store.snapshot(), model.states.len()));
            let newer = model.states.split_off(*states);
            model.check(pinned);
            model.states.extend(newer);
            if number % 7 == 0 {
                let check = model.store.check().expect("in order");
                prop_assert_eq!(check.entries, model.states[check.height.0 as usize].len() as u64);
            }
        }
    }
}

#[test]
fn grouping_of_commits_changes_no_root() {
    let changes = |height: u8| vec![(height % 7, Some(vec![height; 40])), (height % 5, None)];
    let roots = |group: u8| -> Vec<_> {
        let store = Store::in_memory(&genesis(), &options(4)).expect("opens");
        for height in 1..=30 {
            store.apply(block(&store.snapshot(), &content(&changes(height)))).expect("applies");
            if height % group == 0 {
                store.commit().expect("commits");
            }
        }
        let snapshot = store.snapshot();
        (1..=30).map(|height| snapshot.result(Height(height)).expect("reads")).collect()
    };
    let one_by_one = roots(1);
    assert!(one_by_one.iter().all(Option::is_some));
    assert_eq!(one_by_one, roots(7));
    assert_eq!(one_by_one, roots(31));
}

#[test]
fn what_nobody_can_read_is_swept() {
    let mut model = Model::new(3);
    for round in 0..40_u8 {
        model.run(&Step::Block(vec![
            (round % 24, Some(vec![round; 50])),
            ((round * 5) % 24, None),
            (0, Some(vec![round])),
        ]));
        if round % 4 == 0 {
            model.run(&Step::Commit);
        }
    }
    for _ in 0..4 {
        model.run(&Step::Block(Vec::new()));
        model.run(&Step::Commit);
    }
    let entries = model.states.last().expect("genesis").len() as u64;
    let check = model.store.check().expect("in order");
    let read = model.store.database.begin_read().expect("reads");
    assert_eq!(check.entries, entries);
    assert_eq!(read.open_table(VALUES).expect("table").len().expect("length"), entries);
    assert_eq!(read.open_table(KEYS).expect("table").len().expect("length"), entries);
    assert_eq!(read.open_table(PAGES).expect("table").len().expect("length"), check.pages);
    assert_eq!(read.open_table(ROOTS).expect("table").len().expect("length"), 3);
    assert_eq!(read.open_table(UNDO_VALUES).expect("table").len().expect("length"), 2);
    assert_eq!(read.open_table(UNDO_PAGES).expect("table").len().expect("length"), 2);
}

#[test]
fn execution_runs_ahead_of_publishing() {
    let store = Store::in_memory(&genesis(), &options(8)).expect("opens");
    let entry = |byte: u8| writes(&[(1, Some(vec![byte]))]);
    let read = |state: &dyn StateRead| state.read(&key(1)).expect("reads").map(|value| value[0]);
    store.stage(Height(1), Arc::new(entry(1))).expect("is next");
    store.stage(Height(2), Arc::new(entry(2))).expect("is next");
    assert!(matches!(
        store.stage(Height(4), Arc::new(entry(4))),
        Err(StoreError::Order { expected: Height(3), found: Height(4) })
    ));
    assert_eq!(read(&store.head_state()), Some(2));
    assert_eq!(store.snapshot().height(), Height(0));
    for height in 1..=2_u8 {
        let snapshot = store.snapshot();
        let content = Content { writes: entry(height), transactions: Vec::new() };
        let root = store.root(Height(u64::from(height)), &content.writes).expect("is next");
        let applied = store.apply(block(&snapshot, &content)).expect("applies");
        let result = applied.result(applied.height()).expect("reads").expect("is executed");
        assert_eq!(result.state_root, root);
        assert_eq!(read(&applied.state(applied.height()).expect("is kept")), Some(height));
        assert_eq!(read(&store.head_state()), Some(2));
        if height == 1 {
            store.commit().expect("commits");
            assert_eq!(read(&store.head_state()), Some(2), "a commit keeps what is staged");
        }
    }
    assert!(matches!(store.root(Height(5), &Writes::new()), Err(StoreError::Order { .. })));
}

#[test]
fn a_cache_hit_answers_without_storage() {
    let store = Store::in_memory(&genesis(), &options(8)).expect("opens");
    let account = StateKey::account(AccountId([2; 32]));
    let state = store.head_state();
    assert_eq!(state.get(&account), None);
    let value = state.read(&account).expect("reads");
    assert_eq!(state.get(&account), Some(value));
    let counts = store.caches().state;
    assert_eq!((counts.hits, counts.misses, counts.entries), (1, 2, 1));
    state.set(&account, None, Height(0));
    assert_eq!(state.get(&account), Some(None));
    state.optimize();
}

/// What the stress test writes to a key at a height, if it writes to it: its value is then the height, or nothing.
fn stress_write(number: u8, height: u64) -> Option<Option<Vec<u8>>> {
    let turn = height * 7 + u64::from(number);
    match turn % 5 {
        0 => Some(Some(height.to_le_bytes().to_vec())),
        1 if turn.is_multiple_of(3) => Some(None),
        _ => None,
    }
}

#[test]
fn readers_of_any_height_are_never_told_another_heights_value() {
    const BLOCKS: u64 = 400;
    let store = Store::in_memory(&genesis(), &options(6)).expect("opens");
    let expected = |number, at: u64| (1..=at).rev().find_map(|height| stress_write(number, height)).flatten();
    let read_from = |seed: u64| {
        let mut random = seed;
        let mut reads = 0_u64;
        loop {
            let snapshot = store.snapshot();
            // Many reads on one snapshot, so that it grows old under them.
            for _ in 0..64 {
                random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                let (from, to) = snapshot.retained().into_inner();
                let at = from.0 + (random >> 33) % (to.0 - from.0 + 1);
                let number = (random >> 20) as u8 % 24;
                let state = snapshot.state(Height(at)).expect("is kept");
                let value = state.read(&key(number)).expect("reads").map(|value| value.to_vec());
                assert_eq!(value, expected(number, at), "key {number} at {at}");
                reads += 1;
            }
            if snapshot.height() == Height(BLOCKS) {
                return reads;
            }
        }
    };
    std::thread::scope(|scope| {
        let readers = [1, 2, 3].map(|seed| {
            scope.spawn({
                let read_from = &read_from;
                move || read_from(seed)
            })
        });
        for height in 1..=BLOCKS {
            let changes: Vec<_> = (0..24).filter_map(|number| Some((number, stress_write(number, height)?))).collect();
            store.apply(block(&store.snapshot(), &content(&changes))).expect("applies");
            if height % 5 == 0 {
                store.commit().expect("commits");
            }
        }
        for reader in readers {
            assert!(reader.join().expect("reads") > 0);
        }
    });
    let counts = store.caches().state;
    assert!(counts.hits > 0 && counts.misses > 0, "{counts:?}");
}
