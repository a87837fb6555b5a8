//! A dev chain's controls: what they set, what a revert undoes, and that a replay comes to the same.

use rustorium_runtime::Execution;
use rustorium_types::{
    hash::code_hash, limits::VALUE_BYTES, record::StateEntry, state::ContractRecord, transaction::MalformedTransaction,
};

use super::{
    rebuild::{all, options},
    *,
};
use crate::{
    check::check,
    control::Unfit,
    replay::{ReplayOptions, replay},
    snapshot::{AccountQuery, EventQuery, Undone},
    trace::trace,
};

/// As [`COUNTER`], but it adds ten.
fn tens() -> Vec<u8> {
    wat::parse_str(COUNTER.replace("(i64.const 1)", "(i64.const 10)")).unwrap()
}

fn entry(contract: ContractId, key: &[u8], value: Option<&[u8]>) -> StateEntry {
    StateEntry { contract, key: key.into(), value: value.map(Into::into) }
}

fn set_entries(entries: impl Into<Vec<StateEntry>>) -> Control {
    Control::SetEntries { entries: entries.into() }
}

fn system(key: &StateKey, value: Option<&[u8]>) -> StateEntry {
    entry(ContractId::SYSTEM, &key.key, value)
}

fn bytes(value: &impl borsh::BorshSerialize) -> Vec<u8> {
    borsh::to_vec(value).unwrap()
}

/// All entries of a height's state, in small pages.
fn state(snapshot: &Snapshot, height: Height) -> Vec<(StateKey, Bytes)> {
    let mut entries: Vec<(StateKey, Bytes)> = Vec::new();
    loop {
        let after = entries.last().map(|(key, _)| key.clone());
        let page = snapshot.dump(height, after.as_ref(), 3, usize::MAX).unwrap();
        entries.extend(page.entries);
        if !page.is_cut {
            return entries;
        }
    }
}

fn succeeds(chain: &Chain, signed: (Hash, Bytes)) -> TransactionPosition {
    let Outcomes::Receipt(position) = run(chain, signed) else { unreachable!() };
    assert!(chain.snapshot().receipt(position).unwrap().unwrap().succeeded());
    position
}

#[test]
fn storage_code_balances_and_nonces_are_set_out_of_nothing() {
    let place = Place::new();
    let chain = place.open();
    let mut alice = Wallet::new(1);
    let counter = deploy(&chain, &mut alice);
    control(&chain, set_entries([entry(counter, b"\x01n", Some(&41_u64.to_le_bytes()))]));
    let signed = alice.signed(&chain, vec![call(counter, "add")]);
    succeeds(&chain, signed);
    assert_eq!(counted(&chain, counter), Some(42));

    control(&chain, Control::SetCode { contract: counter, wasm: tens() });
    let signed = alice.signed(&chain, vec![call(counter, "add")]);
    succeeds(&chain, signed);
    assert_eq!(counted(&chain, counter), Some(52));
    let made = ContractId([7; 32]);
    let height = control(&chain, Control::SetCode { contract: made, wasm: tens() });
    let signed = alice.signed(&chain, vec![call(made, "add")]);
    succeeds(&chain, signed);
    assert_eq!(counted(&chain, made), Some(10));
    let snapshot = chain.snapshot();
    let record = snapshot.state(snapshot.height()).unwrap().read(&StateKey::contract(made)).unwrap().unwrap();
    let record: ContractRecord = borsh::from_slice(&record).unwrap();
    assert_eq!((record.code, record.admin, record.height), (code_hash(&tens()), None, height));

    control(&chain, set_entries([entry(counter, b"\x01n", None)]));
    assert_eq!(counted(&chain, counter), None);

    control(&chain, Control::SetNonce { account: alice.account, nonce: Nonce(1_000) });
    alice.nonce = 999;
    let used = alice.signed(&chain, vec![transfer(BOB, 1)]);
    assert!(matches!(run(&chain, used), Outcomes::Void(rustorium_runtime::NoOp::NonceUsed)));
    let signed = alice.signed(&chain, vec![transfer(BOB, 1)]);
    succeeds(&chain, signed);
    control(&chain, Control::SetNonce { account: alice.account, nonce: Nonce(0) });
    assert_eq!(account(&chain, alice.account).nonces.next(), Nonce(1));
    chain.shutdown().unwrap();
    assert_replays(&place);
}

/// Replays with commits of every grouping, into directories that are found whole, all with the original's blocks. Works
/// on a copy: whoever still holds a snapshot of the chain has its database open.
fn assert_replays(lived: &Place) {
    let place = &Place::of(lived.genesis.clone());
    std::fs::create_dir(place.path().join("log")).unwrap();
    for segment in lived.path().join("log").read_dir().unwrap() {
        let segment = segment.unwrap();
        std::fs::copy(segment.path(), place.path().join("log").join(segment.file_name())).unwrap();
    }
    std::fs::copy(lived.path().join("state.redb"), place.path().join("state.redb")).unwrap();
    check(place.path(), StoreOptions::default()).unwrap();
    let (results, blocks) = all(place.path(), &place.genesis);
    let compared = replay(options(place)).unwrap().compared;
    assert_eq!(compared, results.len() as u64);
    for group in [1, 3, u64::MAX] {
        let into = tempfile::tempdir().unwrap();
        let commit = CommitPolicy { blocks: group, ..NO_COMMITS };
        let store = StoreOptions { window: 2, ..StoreOptions::default() };
        let to = Some(into.path().to_owned());
        replay(ReplayOptions { into: to, commit, store: store.clone(), ..options(place) }).unwrap();
        check(into.path(), store).unwrap();
        let (again, same_blocks) = all(into.path(), &place.genesis);
        assert_eq!(again, results, "in groups of {group}");
        assert!(same_blocks == blocks, "records, receipts, events and certificates in groups of {group}");
    }
}

#[test]
fn what_would_break_the_chain_is_refused_and_does_nothing() {
    let place = Place::new();
    let chain = place.open();
    let mut alice = Wallet::new(1);
    let counter = deploy(&chain, &mut alice);
    let before = state(&chain.snapshot(), chain.snapshot().height());
    let missing = Hash([9; 32]);
    let record = |code| {
        bytes(&ContractRecord { code, admin: None, creator: counter.into(), height: Height(1), label: String::new() })
    };
    type Expected = fn(&Unfit) -> bool;
    let code = StateKey::code(&code_hash(&tens()));
    let contract = StateKey::contract(ContractId([7; 32]));
    let cases: Vec<(Control, Expected)> = vec![
        (set_entries([entry(counter, &[1; 257], None)]), |unfit| matches!(unfit, Unfit::Key(257))),
        (set_entries([entry(counter, b"k", Some(&[0; VALUE_BYTES + 1]))]), |unfit| matches!(unfit, Unfit::Value(_))),
        (set_entries([system(&StateKey::account(BOB), Some(&[1, 2]))]), |unfit| matches!(unfit, Unfit::Record)),
        (set_entries([entry(ContractId::SYSTEM, b"\x07devTime", Some(&[0; 16]))]), |unfit| {
            matches!(unfit, Unfit::System)
        }),
        (set_entries([entry(ContractId::SYSTEM, b"", Some(b"x"))]), |unfit| matches!(unfit, Unfit::System)),
        (set_entries([system(&contract, None)]), |unfit| matches!(unfit, Unfit::System)),
        (set_entries([system(&contract, Some(&record(missing)))]), |unfit| matches!(unfit, Unfit::NoCode(_))),
        (set_entries([system(&contract, Some(b"?"))]), |unfit| matches!(unfit, Unfit::Record)),
        (set_entries([system(&StateKey::code(&missing), Some(&tens()))]), |unfit| matches!(unfit, Unfit::OtherCode(_))),
        (set_entries([system(&code, None)]), |unfit| matches!(unfit, Unfit::System)),
        (
            set_entries([
                entry(counter, b"k", Some(b"v")),
                system(&StateKey::code(&code_hash(b"none")), Some(b"none")),
            ]),
            |unfit| matches!(unfit, Unfit::Code(_)),
        ),
        (Control::SetCode { contract: counter, wasm: b"none".to_vec() }, |unfit| matches!(unfit, Unfit::Code(_))),
        (Control::SetCode { contract: ContractId::SYSTEM, wasm: tens() }, |unfit| matches!(unfit, Unfit::SystemCode)),
        (Control::Revert { height: Height(1) }, |unfit| matches!(unfit, Unfit::NoSnapshot { .. })),
    ];
    for (case, expected) in cases {
        let unfit = chain.check_control(&case).unwrap().unwrap_err();
        assert!(expected(&unfit), "{unfit} ({unfit:?})");
        let height = control(&chain, case.clone());
        assert_eq!(state(&chain.snapshot(), height), before, "{case:?}");
    }
    let whole = [system(&code, Some(&tens())), system(&contract, Some(&record(code_hash(&tens()))))];
    chain.check_control(&set_entries(whole.clone())).unwrap().unwrap();
    control(&chain, set_entries(whole));
    let signed = alice.signed(&chain, vec![call(ContractId([7; 32]), "add"), call(counter, "add")]);
    succeeds(&chain, signed);
    chain.shutdown().unwrap();
    assert_replays(&place);
}

#[test]
fn other_chains_take_none_of_it() {
    let place = Place::of(Genesis { dev: false, ..genesis() });
    let chain = place.open();
    let mut alice = Wallet::new(1);
    let body = alice.body(&chain, vec![transfer(BOB, 1)]);
    for control in [
        Control::Mine,
        Control::SetNonce { account: BOB, nonce: Nonce(1) },
        set_entries([entry(ContractId([7; 32]), b"k", None)]),
        Control::SetCode { contract: ContractId([7; 32]), wasm: tens() },
        Control::Impersonate { body },
        Control::Snapshot,
        Control::Revert { height: Height(1) },
    ] {
        let refused = chain.submit(Record::Control(control.clone()).to_bytes().into()).wait();
        assert_eq!(refused, Err(Refused::NotADevChain), "{control:?}");
        assert_eq!(Refused::NotADevChain.code(), rustorium_types::code::Code::Forbidden);
    }
}

#[test]
fn an_impersonated_transaction_is_one_like_any_other() {
    let place = Place::new();
    let chain = place.open();
    let mut alice = Wallet::new(1);
    let body = alice.body(&chain, vec![transfer(BOB, 7)]);
    let hash = body.digest(&chain.snapshot().genesis_hash());
    let record: Bytes = Record::Control(Control::Impersonate { body: body.clone() }).to_bytes().into();
    let receipt = receipt(&chain, (hash, record.clone()));
    assert!(receipt.succeeded());
    assert_eq!((receipt.transaction, receipt.sender, receipt.nonce), (hash, alice.account, Nonce(1)));
    assert_eq!(account(&chain, alice.account).balance, Amount(FUNDS - 7 - receipt.fee.0));
    let signed = alice.sign(body.clone(), chain.snapshot().genesis_hash());
    assert!(matches!(run(&chain, signed), Outcomes::Receipt(_)), "it is the same transaction, and executed");
    assert_eq!(account(&chain, BOB).balance, Amount(7), "once");
    let position = chain.snapshot().transaction(&hash).unwrap().unwrap();
    trace(&chain.snapshot(), chain.runtime(), position, Default::default()).unwrap();

    let other = Body { chain: [0; 4], ..body };
    let refused = chain.submit(Record::Control(Control::Impersonate { body: other }).to_bytes().into()).wait();
    assert_eq!(refused, Err(Refused::Malformed(MalformedTransaction::WrongChain)));
    chain.shutdown().unwrap();
    assert_replays(&place);
}

fn names(snapshot: &Snapshot) -> Vec<(u64, u32)> {
    let events = snapshot.events(&EventQuery::all(100)).unwrap();
    events.iter().map(|found| (found.position.height.0, found.position.transaction)).collect()
}

fn sent(snapshot: &Snapshot, of: AccountId) -> Vec<u64> {
    let query = AccountQuery { after: None, before: None, limit: 100, reverse: false };
    let positions = snapshot.account_transactions(of, &query).unwrap();
    positions.iter().map(|position| position.height.0).collect()
}

#[test]
fn a_revert_brings_the_state_back_and_what_it_undid_can_be_done_again() {
    for commit in [CommitPolicy { blocks: 1, ..NO_COMMITS }, CommitPolicy { blocks: 4, ..NO_COMMITS }, NO_COMMITS] {
        let mut place = Place::new();
        place.commit = commit;
        let chain = place.open();
        let mut alice = Wallet::new(1);
        let counter = deploy(&chain, &mut alice);
        let kept = alice.signed(&chain, vec![call(counter, "add")]);
        let kept_at = succeeds(&chain, kept.clone());
        let snapshot_at = control(&chain, Control::Snapshot);
        let before = state(&chain.snapshot(), snapshot_at);

        let mut undone = Vec::new();
        for _ in 0..3 {
            undone.push(alice.signed(&chain, vec![call(counter, "add"), transfer(BOB, 5)]));
        }
        for signed in &undone {
            succeeds(&chain, signed.clone());
        }
        control(&chain, set_entries([entry(counter, b"more", Some(b"x"))]));
        control(&chain, Control::TimeOffset { milliseconds: 9_000 });
        let later = control(&chain, Control::Snapshot);
        assert_eq!(counted(&chain, counter), Some(4));
        let events = names(&chain.snapshot()).len();
        let void = Wallet { key: alice.key.clone(), account: alice.account, nonce: alice.nonce - 1 }
            .signed(&chain, vec![transfer(BOB, 77)]);
        assert!(matches!(run(&chain, void.clone()), Outcomes::Void(_)));

        let reverted_at = control(&chain, Control::Revert { height: snapshot_at });
        let snapshot = chain.snapshot();
        assert_eq!(state(&snapshot, reverted_at), before);
        let stretch = Undone { from: snapshot_at.next(), to: Height(reverted_at.0 - 1) };
        assert_eq!(snapshot.undone_at(later), Some(stretch));
        assert_eq!((snapshot.undone_at(snapshot_at), snapshot.undone_at(reverted_at)), (None, None));
        assert_eq!(snapshot.transaction(&kept.0).unwrap(), Some(kept_at));
        assert!(undone.iter().all(|(hash, _)| snapshot.transaction(hash).unwrap().is_none()));
        assert_eq!(names(&snapshot), [(kept_at.height.0, 0)], "{events} events before");
        assert!(sent(&snapshot, BOB).is_empty() && sent(&snapshot, alice.account).len() == 2);
        let unfit = chain.check_control(&Control::Revert { height: later }).unwrap().unwrap_err();
        assert!(matches!(unfit, Unfit::NoSnapshot { ref known, .. } if *known == [snapshot_at]), "{unfit}");

        // The same bytes again: nonces came back with the state. And what was void is so no more.
        let again = succeeds(&chain, undone[0].clone());
        assert!(again.height > reverted_at);
        assert_eq!(chain.snapshot().transaction(&undone[0].0).unwrap(), Some(again));
        assert_eq!(counted(&chain, counter), Some(2));
        assert_eq!(sent(&chain.snapshot(), BOB), [again.height.0]);
        let position = run(&chain, void);
        assert!(matches!(position, Outcomes::Receipt(_)), "{position:?}");

        // A snapshot outlives its use.
        let second = control(&chain, Control::Revert { height: snapshot_at });
        assert_eq!(state(&chain.snapshot(), second), before);
        assert_eq!(chain.snapshot().undone_at(again.height), Some(Undone { to: Height(second.0 - 1), ..stretch }));
        chain.shutdown().unwrap();
        drop(chain);

        let chain = place.open();
        let snapshot = chain.snapshot();
        assert_eq!(state(&snapshot, second), before);
        assert_eq!(names(&snapshot), [(kept_at.height.0, 0)], "after a restart");
        assert!(undone.iter().all(|(hash, _)| snapshot.transaction(hash).unwrap().is_none()));
        succeeds(&chain, undone[0].clone());
        control(&chain, Control::Revert { height: snapshot_at });
        chain.shutdown().unwrap();
        assert_replays(&place);
    }
}

#[test]
fn a_snapshot_keeps_its_state_however_much_comes_behind_it() {
    let mut place = Place::new();
    place.commit = CommitPolicy { blocks: 1, ..NO_COMMITS };
    let store = StoreOptions { window: 2, ..StoreOptions::default() };
    let chain = Chain::open(ChainConfig { store: store.clone(), ..place.config() }).unwrap();
    let mut alice = Wallet::new(1);
    let counter = deploy(&chain, &mut alice);
    let snapshot_at = control(&chain, Control::Snapshot);
    let before = state(&chain.snapshot(), snapshot_at);
    for _ in 0..25 {
        let signed = alice.signed(&chain, vec![call(counter, "add")]);
        succeeds(&chain, signed);
    }
    assert!(*chain.snapshot().retained().start() <= snapshot_at);
    let reverted_at = control(&chain, Control::Revert { height: snapshot_at });
    assert_eq!(state(&chain.snapshot(), reverted_at), before);
    chain.shutdown().unwrap();
    assert_replays(&place);
}

#[test]
fn a_revert_begins_its_block_and_undoes_whole_ones() {
    let mut place = Place::new();
    place.block_time = Duration::from_secs(3_600);
    let chain = place.open();
    let mut alice = Wallet::new(1);
    let submit = |record: Bytes| chain.submit(record).wait().unwrap().position;
    let command = |control: Control| submit(Record::Control(control).to_bytes().into());
    let included = |position| chain.included(position).unwrap().wait().unwrap();
    let snapshot_at = command(Control::Snapshot);
    included(command(Control::Mine));
    let snapshot_at = included(snapshot_at);
    let (first, record) = alice.signed(&chain, vec![transfer(BOB, 1)]);
    let first_at = submit(record);
    let revert_at = command(Control::Revert { height: snapshot_at });
    alice.nonce = 0;
    let (second, record) = alice.signed(&chain, vec![transfer(BOB, 2)]);
    let second_at = submit(record);
    included(command(Control::Mine));
    let [first_at, revert_at, second_at] = [first_at, revert_at, second_at].map(included);
    assert_eq!((revert_at, second_at), (first_at.next(), revert_at), "what comes behind it is in its block");
    let snapshot = chain.snapshot();
    assert_eq!(snapshot.transaction(&first).unwrap(), None);
    let position = TransactionPosition { height: second_at, index: 0 };
    assert_eq!(snapshot.transaction(&second).unwrap(), Some(position));
    assert_eq!(account(&chain, BOB).balance, Amount(2));
    trace(&snapshot, chain.runtime(), position, Default::default()).unwrap();
    chain.shutdown().unwrap();
    assert_replays(&place);
}

#[test]
fn a_state_goes_into_another_chain() {
    let place = Place::new();
    let chain = place.open();
    let mut alice = Wallet::new(1);
    let counter = deploy(&chain, &mut alice);
    let signed = alice.signed(&chain, vec![call(counter, "add"), transfer(BOB, 3)]);
    succeeds(&chain, signed);
    control(&chain, Control::TimeOffset { milliseconds: 5 });
    control(&chain, Control::Snapshot);
    let snapshot = chain.snapshot();
    let dumped = state(&snapshot, snapshot.height());
    drop(chain);

    let other = Place::of(Genesis { salt: [8; 32], ..genesis() });
    let chain = other.open();
    for part in dumped.chunks(2) {
        let entries: Vec<_> = part.iter().map(|(key, value)| entry(key.contract, &key.key, Some(value))).collect();
        chain.check_control(&set_entries(entries.clone())).unwrap().unwrap();
        control(&chain, set_entries(entries));
    }
    let snapshot = chain.snapshot();
    assert_eq!(state(&snapshot, snapshot.height()), dumped);
    let signed = alice.signed(&chain, vec![call(counter, "add")]);
    succeeds(&chain, signed);
    assert_eq!((counted(&chain, counter), account(&chain, BOB).balance), (Some(2), Amount(3)));
    chain.shutdown().unwrap();
    assert_replays(&other);
}

#[test]
fn every_past_transaction_is_traced_to_its_own_receipt() {
    let mut place = Place::new();
    place.block_time = Duration::from_millis(50);
    let chain = place.open();
    let mut alice = Wallet::new(1);
    let counter = deploy(&chain, &mut alice);
    // Several share a block, so that each runs on what those before it left.
    let mut waiting = Vec::new();
    for method in ["add", "fail", "add", "none", "add"] {
        let (hash, record) = alice.signed(&chain, vec![call(counter, method)]);
        waiting.push((chain.executed(hash).unwrap(), chain.submit(record)));
    }
    control(&chain, set_entries([entry(counter, b"\x01n", Some(&70_u64.to_le_bytes()))]));
    for (executed, _) in waiting {
        executed.wait().unwrap();
    }
    let snapshot = chain.snapshot();
    let mut shared = 0;
    for height in 1..=snapshot.height().0 {
        let block = snapshot.block(Height(height)).unwrap().unwrap();
        shared = shared.max(block.receipts.len());
        for (index, receipt) in (0..).zip(&block.receipts) {
            let at = TransactionPosition { height: Height(height), index };
            let traced = trace(&snapshot, chain.runtime(), at, Default::default()).unwrap();
            let Execution::Done(effects) = traced.execution else { unreachable!() };
            assert_eq!(effects.receipt, *receipt);
            let gas: u64 = traced.trace.messages.iter().map(|message| message.gas_used.0).sum();
            assert_eq!(traced.trace.intrinsic.0 + gas, receipt.gas_used.0);
        }
    }
    println!("{shared} transactions shared a block");
    chain.shutdown().unwrap();
}

#[test]
fn what_is_no_longer_kept_is_not_traced() {
    let mut place = Place::new();
    place.commit = CommitPolicy { blocks: 1, ..NO_COMMITS };
    let store = StoreOptions { window: 2, ..StoreOptions::default() };
    let chain = Chain::open(ChainConfig { store, ..place.config() }).unwrap();
    let mut alice = Wallet::new(1);
    let signed = alice.signed(&chain, vec![transfer(BOB, 1)]);
    let at = succeeds(&chain, signed);
    while *chain.snapshot().retained().start() <= at.height {
        control(&chain, Control::Mine);
    }
    let traced = trace(&chain.snapshot(), chain.runtime(), at, Default::default());
    let error = traced.map(|_| ()).unwrap_err();
    assert!(matches!(error, crate::trace::TraceError::Height(_)), "{error}");
}
