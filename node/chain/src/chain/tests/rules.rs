//! What becomes of transactions and records that are not plain successes.

use rustorium_runtime::NoOp;
use rustorium_types::{code::Code, limits};

use super::*;
use crate::{
    log::{Kind, record_entry},
    submit::Signer as By,
};

#[test]
fn a_failed_transaction_undoes_all_its_messages_and_still_pays() {
    let place = Place::new();
    let chain = place.open();
    let mut alice = Wallet::new(1);
    let counter = deploy(&chain, &mut alice);
    let before = account(&chain, alice.account).balance;
    let signed = alice.signed(&chain, vec![transfer(BOB, 5), call(counter, "add"), call(counter, "fail")]);
    let receipt = receipt(&chain, signed);
    let Outcome::Failure(failure) = &receipt.outcome else { unreachable!("{receipt:?}") };
    assert_eq!((failure.code, failure.message_index), (Code::Trap, 2));
    assert!(receipt.fee > Amount::ZERO);
    assert_eq!(account(&chain, alice.account).balance, Amount(before.0 - receipt.fee.0));
    assert_eq!((account(&chain, BOB).balance, counted(&chain, counter)), (Amount::ZERO, None));
    let snapshot = chain.snapshot();
    let position = snapshot.transaction(&receipt.transaction).unwrap().unwrap();
    let block = snapshot.block(position.height).unwrap().unwrap();
    assert!(block.events.is_empty());
    assert!(block.diagnostics.contains_key(&position.index), "a trap says where");
}

#[test]
fn nonces_may_come_with_gaps_and_out_of_order_and_count_once() {
    let place = Place::new();
    let chain = place.open();
    let mut alice = Wallet::new(1);
    for nonce in [4, 2, 200, 3, 1] {
        alice.nonce = nonce - 1;
        let signed = alice.signed(&chain, vec![transfer(BOB, 1)]);
        assert!(receipt(&chain, signed).succeeded(), "nonce {nonce}");
    }
    // The same bytes once more: accepted, and the answer is the receipt that there is.
    alice.nonce = 0;
    let signed = alice.signed(&chain, vec![transfer(BOB, 1)]);
    let first = chain.snapshot().transaction(&signed.0).unwrap().unwrap();
    assert_eq!(run(&chain, signed), Outcomes::Receipt(first));
    // Others with a used nonce, and with one far above the window.
    alice.nonce = 199;
    let signed = alice.signed(&chain, vec![transfer(BOB, 2)]);
    let hash = signed.0;
    assert_eq!(run(&chain, signed), Outcomes::Void(NoOp::NonceUsed));
    assert_eq!(chain.executed(hash).unwrap().wait(), Ok(Outcomes::Void(NoOp::NonceUsed)), "asked late");
    alice.nonce = 200 + limits::NONCE_AHEAD;
    let signed = alice.signed(&chain, vec![transfer(BOB, 1)]);
    assert_eq!(run(&chain, signed), Outcomes::Void(NoOp::NonceTooFar));
    assert_eq!(account(&chain, BOB).balance, Amount(5));
    assert_eq!(chain.metrics().no_ops.get(), 3);
}

#[test]
fn expired_and_unpaid_transactions_are_dropped_with_a_receipt() {
    let place = Place::new();
    let chain = place.open();
    let genesis = chain.snapshot().genesis_hash();
    let (mut alice, mut poor) = (Wallet::new(1), Wallet::new(77));
    let expired = Body { valid_until: Some(Timestamp(START)), ..alice.body(&chain, vec![transfer(BOB, 1)]) };
    let cheap = Body { max_gas_price: Amount(1), ..alice.body(&chain, vec![transfer(BOB, 1)]) };
    let unpaid = poor.body(&chain, vec![transfer(BOB, 1)]);
    for (wallet, body, code) in
        [(&alice, expired, Code::Expired), (&alice, cheap, Code::FeeUnpaid), (&poor, unpaid, Code::FeeUnpaid)]
    {
        let receipt = receipt(&chain, wallet.sign(body, genesis));
        assert_eq!(receipt.outcome, Outcome::Dropped { code });
        assert_eq!((receipt.fee, receipt.gas_used), (Amount::ZERO, Gas::ZERO));
    }
    assert_eq!(account(&chain, alice.account).nonces.highest, Nonce(2), "dropped consumes the nonce");
    assert_eq!(account(&chain, poor.account).nonces.highest, Nonce(1));
    assert_eq!(account(&chain, FEES).balance, Amount::ZERO);
}

#[test]
fn a_fee_payer_pays_and_must_have_signed() {
    let place = Place::new();
    let chain = place.open();
    let genesis = chain.snapshot().genesis_hash();
    let (mut alice, carol) = (Wallet::new(1), Wallet::new(2));
    let body = Body { fee_payer: Some(carol.account), ..alice.body(&chain, vec![transfer(BOB, 1)]) };
    let digest = body.digest(&genesis);
    let with = |payer: &SigningKey| {
        let fee_payer_authorisation = Some(authorise(payer, &digest));
        let authorisation = authorise(&alice.key, &digest);
        let signed = Signed { body: body.clone(), authorisation, fee_payer_authorisation };
        Bytes::from(Record::Transaction(signed).to_bytes())
    };
    let refused = chain.submit(with(&alice.key)).wait();
    assert_eq!(refused, Err(Refused::Signature(By::FeePayer)));
    let receipt = receipt(&chain, (digest, with(&carol.key)));
    assert_eq!((receipt.succeeded(), receipt.paid_by), (true, carol.account));
    assert_eq!(account(&chain, carol.account).balance, Amount(FUNDS - receipt.fee.0));
    assert_eq!(account(&chain, alice.account).balance, Amount(FUNDS - 1));
}

#[test]
fn what_could_never_run_is_refused_at_the_door() {
    let place = Place::new();
    let chain = place.open();
    let mut alice = Wallet::new(1);
    let (_, good) = alice.signed(&chain, vec![transfer(BOB, 1)]);
    let mut forged = good.to_vec();
    *forged.last_mut().unwrap() = 1;
    let other = Wallet::new(1)
        .sign(Body { chain: [0; 4], ..alice.body(&chain, vec![transfer(BOB, 1)]) }, chain.snapshot().genesis_hash());
    let limit = limits::TRANSACTION_BYTES as usize + 1;
    for (record, expected) in [
        (Bytes::from(good[..good.len() - 9].to_vec()), Code::BadUserInput),
        (Bytes::from([&good[..], &[0]].concat()), Code::BadUserInput),
        (Bytes::from_static(&[]), Code::BadUserInput),
        (Bytes::from(flip(&good, good.len() - 40)), Code::InvalidSignature),
        (other.1, Code::WrongChain),
        (Bytes::from(vec![0; limit + 1]), Code::TooLarge),
    ] {
        assert_eq!(chain.submit(record).wait().unwrap_err().code(), expected);
    }
    assert_eq!(chain.log().progress().records(), 0);
    assert_eq!(chain.metrics().refused.get(), 6);
}

fn flip(bytes: &[u8], at: usize) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes[at] ^= 1;
    bytes
}

#[test]
fn control_records_command_a_dev_chain_and_outlive_a_restart() {
    let place = Place { commit: NO_COMMITS, ..Place::new() };
    let chain = place.open();
    let day = 86_400_000;
    control(&chain, Control::TimeOffset { milliseconds: day });
    let at = control(&chain, Control::Mine);
    let time = |chain: &Chain, height| chain.snapshot().header(height).unwrap().unwrap().header.time;
    assert_shows(START + day, time(&chain, at));
    control(&chain, Control::SetBalance { address: BOB.into(), amount: Amount(123) });
    assert_eq!(account(&chain, BOB).balance, Amount(123));
    control(&chain, Control::TimeAtLeast { time: Timestamp(START + 5 * day) });
    let snapshot = chain.snapshot();
    assert!(snapshot.block(at).unwrap().unwrap().receipts.is_empty(), "control records have no receipts");
    drop((chain, snapshot));

    let chain = place.open();
    let at = control(&chain, Control::Mine);
    assert!(time(&chain, at) >= Timestamp(START + 5 * day));
    place.clock.store(START + 6 * day, Ordering::SeqCst);
    let at = control(&chain, Control::Mine);
    // The offset is still there.
    assert_shows(START + 7 * day, time(&chain, at));
}

/// The clock stands still here, so a closing block may take the very millisecond, and the next one follows it.
fn assert_shows(expected: u64, time: Timestamp) {
    assert!((expected..expected + 10).contains(&time.0), "{time} instead of {expected}");
}

#[test]
fn a_block_time_gathers_records_and_mine_does_not_wait_for_it() {
    let place = Place { block_time: Duration::from_secs(3_600), ..Place::new() };
    let chain = place.open();
    chain.certified(Height(1)).wait().unwrap();
    let mut alice = Wallet::new(1);
    let waiting: Vec<_> = (0..5)
        .map(|_| {
            let (hash, record) = alice.signed(&chain, vec![transfer(BOB, 1)]);
            chain.submit(record).wait().unwrap();
            chain.executed(hash).unwrap()
        })
        .collect();
    let at = control(&chain, Control::Mine);
    for executed in waiting {
        let Ok(Outcomes::Receipt(position)) = executed.wait() else { unreachable!() };
        assert_eq!(position.height, at);
    }
}

/// Records that nobody checked before they came into the log, as on a broker that others can write to.
#[test]
fn junk_in_the_log_is_a_no_op_and_stops_nothing() {
    let limits = Limits { transaction_bytes: 2_000, ..Limits::default() };
    let place = Place::of(Genesis { dev: false, limits, ..genesis() });
    let chain = place.open();
    let mut alice = Wallet::new(1);
    let (good_hash, good) = alice.signed(&chain, vec![transfer(BOB, 1)]);
    let (_, forged) = alice.signed(&chain, vec![transfer(BOB, 100)]);
    assert_eq!(chain.submit(Record::Control(Control::Mine).to_bytes().into()).wait(), Err(Refused::NotADevChain));
    chain.certified(Height(1)).wait().unwrap();
    drop(chain);

    let control = Control::SetBalance { address: BOB.into(), amount: Amount(1_000) };
    let oversize = Bytes::from(vec![7; 3_000]);
    let records = [
        Bytes::from_static(b"junk"),
        Record::Control(control).to_bytes().into(),
        flip(&forged, forged.len() - 40).into(),
        oversize.clone(),
        good.clone(),
        good,
    ];
    let (chain_hash, bytes) = (place.genesis.hash(), genesis_bytes(&place.genesis));
    let disk = log_disk(place.path()).unwrap();
    let (mut log, _) = Log::open(disk, &bytes, chain_hash, Height::ZERO, LogOptions::default()).unwrap();
    for (index, record) in (0..).zip(&records) {
        let position = LanePosition { index, ..LanePosition::default() };
        log.append(Kind::Record, &record_entry(position, record)).unwrap();
    }
    log.sync().unwrap();
    drop(log);

    let chain = place.open();
    let Ok(Outcomes::Receipt(position)) = chain.executed(good_hash).unwrap().wait() else { unreachable!() };
    let snapshot = chain.snapshot();
    let block = snapshot.block(position.height).unwrap().unwrap();
    assert_eq!((block.records.len(), block.receipts.len()), (6, 1));
    assert_eq!(block.transactions, [4]);
    let entered = rustorium_types::record::oversize(&oversize);
    assert_eq!((entered.len(), &block.records[3][..]), (41, &entered[..]));
    let header = &block.sealed.header;
    assert_eq!((header.lanes[0].end, header.batch_root), (6, merkle::root(&block.records)));
    assert_eq!(account(&chain, BOB).balance, Amount(1));
}

#[test]
fn a_block_takes_no_more_than_its_limits() {
    let limits =
        Limits { block_records: 3, block_gas: Gas(5 * GAS), transaction_gas: Gas(2 * GAS), ..Limits::default() };
    let place = Place { block_time: Duration::from_millis(20), ..Place::of(Genesis { limits, ..genesis() }) };
    let chain = place.open();
    let mut alice = Wallet::new(1);
    let greedy: Vec<_> =
        (0..4).map(|_| Body { gas_limit: Gas(10 * GAS), ..alice.body(&chain, vec![transfer(BOB, 1)]) }).collect();
    let modest: Vec<_> = (0..7).map(|_| alice.body(&chain, vec![transfer(BOB, 1)])).collect();
    let waiting: Vec<_> = greedy
        .into_iter()
        .chain(modest)
        .map(|body| {
            let (hash, record) = alice.sign(body, chain.snapshot().genesis_hash());
            drop(chain.submit(record));
            chain.executed(hash).unwrap()
        })
        .collect();
    for executed in waiting {
        executed.wait().unwrap();
    }
    let snapshot = chain.snapshot();
    let blocks = (1..=snapshot.height().0).map(|height| snapshot.block(Height(height)).unwrap().unwrap());
    for block in blocks {
        // Two of the greedy count 4 × GAS; a third would be 6.
        assert!(block.records.len() <= 3, "{}", block.records.len());
        let greedy = block.receipts.iter().filter(|receipt| receipt.nonce.0 <= 4).count();
        assert!(greedy <= 2, "{greedy}");
    }
}
