//! Whoever sends much makes nobody else wait for long, and cannot use up anybody's share but its own.

use super::*;
use crate::submit::{QUEUED_RECORDS, Share, Source};

#[test]
fn a_flood_of_one_sender_delays_another_by_a_few_blocks() {
    // Five of these fill a block, and no block comes before the flood has arrived.
    let limits = Limits { block_gas: Gas(5 * GAS), ..Limits::default() };
    let place = Place { block_time: Duration::from_millis(50), ..Place::of(Genesis { limits, ..genesis() }) };
    let chain = place.open();
    let (mut alice, mut dave) = (Wallet::new(1), Wallet::new(4));
    let flood: Vec<_> = (0..250).map(|_| alice.signed(&chain, vec![transfer(BOB, 1)])).collect();
    let (hash, honest) = dave.signed(&chain, vec![transfer(BOB, 1)]);
    let last = chain.executed(flood[249].0).unwrap();
    for (_, record) in flood {
        drop(chain.submit_from(Source(1), record));
    }
    let executed = chain.executed(hash).unwrap();
    let before = chain.snapshot().height();
    chain.submit_from(Source(2), honest).wait().unwrap();
    let Ok(Outcomes::Receipt(position)) = executed.wait() else { unreachable!() };
    // One is executed, two wait in the log, batches of part of one are on their way there. The flood takes fifty.
    assert!(position.height.0 <= before.0 + 8, "{} after {before}", position.height);
    assert!(matches!(last.wait(), Ok(Outcomes::Receipt(_))), "the flood is served too, in its turns");
}

#[test]
fn forgeries_in_somebody_s_name_take_the_forger_s_turns() {
    let place = Place::new();
    let chain = place.open();
    let mut victim = Wallet::new(1);
    let (_, forged) = victim.signed(&chain, vec![transfer(BOB, 1_000)]);
    let mut forged = forged.to_vec();
    let at = forged.len() - 2;
    forged[at] ^= 1;
    let forged = Bytes::from(forged);
    victim.nonce = 0;
    let (hash, honest) = victim.signed(&chain, vec![transfer(BOB, 1)]);
    let executed = chain.executed(hash).unwrap();

    let forgeries: Vec<_> = (0..QUEUED_RECORDS).map(|_| chain.submit_from(Source(1), forged.clone())).collect();
    let refused = chain.metrics().refused.get();
    chain.submit_from(Source(2), honest).wait().unwrap();
    let overtaken = chain.log().queued();
    assert!(overtaken > 0, "it waited for all the forgeries; {refused} were refused before it came");
    assert!(matches!(executed.wait(), Ok(Outcomes::Receipt(_))), "the nonce and the share are the victim's");
    let mut full = 0;
    for forgery in forgeries {
        match forgery.wait() {
            Err(Refused::Busy(Share::Source)) => full += 1,
            other => assert_eq!(other, Err(Refused::Signature(crate::submit::Signer::Sender))),
        }
    }
    println!("{overtaken} forgeries overtaken, {full} refused because the forger's share was used up");
    assert_eq!(account(&chain, BOB).balance, Amount(1));
}

#[test]
fn a_sender_s_share_is_bounded_and_says_when_to_come_again() {
    // Nothing leaves the log for an hour, so that what is submitted piles up behind it.
    let limits = Limits { block_gas: Gas(5 * GAS), ..Limits::default() };
    let place = Place { block_time: Duration::from_secs(3_600), ..Place::of(Genesis { limits, ..genesis() }) };
    let chain = place.open();
    let mut alice = Wallet::new(1);
    // One nonce, many memos: all are signed well, and only one could ever run.
    let chain_hash = chain.snapshot().genesis_hash();
    let mut variants: Vec<_> = (0..900_u16)
        .map(|number| {
            alice.nonce = 0;
            let body = Body { memo: number.to_le_bytes().to_vec(), ..alice.body(&chain, vec![transfer(BOB, 1)]) };
            chain.submit(alice.sign(body, chain_hash).1)
        })
        .collect();
    let last = variants.pop().unwrap().wait().unwrap_err();
    assert_eq!(last, Refused::Busy(Share::Sender));
    assert!(last.retry_after().is_some());
    drop(variants);
}
