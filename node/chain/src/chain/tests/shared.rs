//! Shared lanes on a broker that is a list in this process: what a chain offers waits in it until a test brings it back,
//! loses it, or writes something else.

use std::{num::NonZeroU32, sync::Mutex};

use rustorium_types::hash::shard;

use super::*;
use crate::{exchange::SharedLanes, submit::Accepted};

const SHARDS: u32 = 2;
/// Longer than any test.
const FOREVER: Duration = Duration::from_secs(1 << 20);

/// A broker. Clones are the same one.
#[derive(Clone)]
struct Broker {
    state: Arc<Mutex<State>>,
    patience: Duration,
}

#[derive(Default)]
struct State {
    is_down: bool,
    /// Takes records, and forgets them.
    is_forgetful: bool,
    lanes: [Vec<Bytes>; SHARDS as usize],
    offered: usize,
}

impl SharedLanes for Broker {
    fn offer(&self, lane: u32, record: Bytes) -> bool {
        let mut state = self.state.lock().unwrap();
        if state.is_down {
            return false;
        }
        state.offered += 1;
        if !state.is_forgetful {
            state.lanes[lane as usize].push(record);
        }
        true
    }

    fn is_up(&self, _: u32) -> bool {
        !self.state.lock().unwrap().is_down
    }

    fn patience(&self) -> Duration {
        self.patience
    }
}

impl Broker {
    fn new(patience: Duration) -> Self {
        Self { state: Arc::default(), patience }
    }

    fn write(&self, lane: u32, record: Bytes) {
        self.state.lock().unwrap().lanes[lane as usize].push(record);
    }

    fn set_down(&self, is_down: bool) {
        self.state.lock().unwrap().is_down = is_down;
    }

    fn set_forgetful(&self, is_forgetful: bool) {
        self.state.lock().unwrap().is_forgetful = is_forgetful;
    }

    fn offered(&self) -> usize {
        self.state.lock().unwrap().offered
    }

    /// Waits until so many records were offered.
    fn await_offers(&self, count: usize) {
        while self.offered() < count {
            std::thread::yield_now();
        }
        assert_eq!(self.offered(), count);
    }

    /// What a reader does: gives a chain what it has not got of each lane.
    fn bring(&self, chain: &Chain) {
        for lane in 0..SHARDS {
            let from = end_of(chain, lane);
            let records = self.state.lock().unwrap().lanes[lane as usize][from.index as usize..].to_vec();
            let count = records.len() as u64;
            let end = chain.exchange().store(from, records).wait().unwrap();
            assert_eq!(end.index, from.index + count);
        }
    }
}

fn end_of(chain: &Chain, lane: u32) -> LanePosition {
    chain.exchange().store(LanePosition { lane, ..LanePosition::default() }, Vec::new()).wait().unwrap()
}

fn shared_genesis() -> Genesis {
    Genesis { shards: SHARDS, ..genesis() }
}

fn open(place: &Place, broker: &Broker) -> Chain {
    let network = Network { shared: Box::new(broker.clone()), ..Network::default() };
    Chain::open_among(place.config(), network).unwrap()
}

fn lane_of(wallet: &Wallet) -> u32 {
    shard(wallet.account, NonZeroU32::new(SHARDS).unwrap())
}

fn accepted(ticket: Ticket) -> Accepted {
    ticket.wait().unwrap()
}

#[test]
fn a_transaction_is_accepted_where_it_stands_in_its_sender_s_lane() {
    let place = Place::of(shared_genesis());
    let broker = Broker::new(FOREVER);
    let chain = open(&place, &broker);
    let mut tickets = Vec::new();
    for seed in 1..6 {
        let mut wallet = Wallet::new(seed);
        let (hash, record) = wallet.signed(&chain, vec![transfer(BOB, 1)]);
        tickets.push((lane_of(&wallet), chain.executed(hash).unwrap(), chain.submit(record).into_handle()));
    }
    broker.await_offers(5);
    let (lane, executed, ticket) = tickets.remove(0);
    let Err(ticket) = ticket.wait_timeout(Duration::from_millis(20)) else { panic!("the broker alone has it") };
    tickets.insert(0, (lane, executed, ticket));
    broker.bring(&chain);
    for (lane, executed, ticket) in tickets {
        let position = ticket.wait().unwrap().unwrap().position;
        assert_eq!((position.lane, position.generation), (lane, 0));
        assert!(matches!(executed.wait().unwrap(), Outcomes::Receipt(_)));
    }
    assert_eq!(account(&chain, BOB).balance, Amount(5));
    assert_eq!((chain.metrics().returned.get(), chain.metrics().fallen_back.get()), (5, 0));
}

#[test]
fn while_the_broker_is_down_and_for_controls_there_is_the_own_lane() {
    let place = Place::of(shared_genesis());
    let broker = Broker::new(FOREVER);
    let chain = open(&place, &broker);
    let mut alice = Wallet::new(1);
    broker.set_down(true);
    let (_, record) = alice.signed(&chain, vec![transfer(BOB, 1)]);
    assert_eq!(accepted(chain.submit(record)).position, LanePosition { lane: SHARDS, generation: 0, index: 0 });
    // It comes back by itself, and what waits when it goes does not wait any longer.
    broker.set_down(false);
    let (_, record) = alice.signed(&chain, vec![transfer(BOB, 1)]);
    let waiting = chain.submit(record);
    broker.await_offers(1);
    broker.set_down(true);
    let mine = Record::Control(Control::Mine).to_bytes().into();
    assert_eq!(accepted(chain.submit(mine)).position.lane, SHARDS, "nobody sends a control");
    assert_eq!(accepted(waiting).position.lane, SHARDS);
    assert_eq!(chain.metrics().fallen_back.get(), 1);
}

#[test]
fn what_does_not_come_back_in_time_is_executed_once_whatever_comes_later() {
    let place = Place::of(shared_genesis());
    let broker = Broker::new(Duration::from_millis(1));
    let chain = open(&place, &broker);
    let mut alice = Wallet::new(1);
    let lane = lane_of(&alice);
    let lost = alice.signed(&chain, vec![transfer(BOB, 1)]);
    assert!(matches!(run(&chain, lost.clone()), Outcomes::Receipt(_)), "by the own lane");
    assert_eq!((broker.offered(), end_of(&chain, SHARDS).index), (1, 1));
    // Its lane rests: the next one is not offered.
    let next = alice.signed(&chain, vec![transfer(BOB, 1)]);
    assert!(matches!(run(&chain, next), Outcomes::Receipt(_)));
    assert_eq!((broker.offered(), end_of(&chain, SHARDS).index), (1, 2));
    // Late, and twice: its nonce is used.
    broker.write(lane, lost.1);
    broker.bring(&chain);
    let last = LanePosition { lane, generation: 0, index: 1 };
    chain.included(last).unwrap().wait().unwrap();
    assert_eq!(account(&chain, BOB).balance, Amount(2));
    chain.shutdown().unwrap();
    assert_eq!(chain.metrics().no_ops.get(), 2);
}

#[test]
fn the_same_bytes_are_offered_once_and_all_who_submitted_them_hear() {
    let place = Place::of(shared_genesis());
    let broker = Broker::new(FOREVER);
    let chain = open(&place, &broker);
    let mut alice = Wallet::new(1);
    let (hash, record) = alice.signed(&chain, vec![transfer(BOB, 1)]);
    let tickets: Vec<Ticket> = (0..3).map(|_| chain.submit(record.clone())).collect();
    // A sender's are taken in order: when this one is, the three are.
    let marker = chain.submit(alice.signed(&chain, vec![transfer(BOB, 1)]).1);
    broker.await_offers(2);
    broker.bring(&chain);
    let positions: Vec<LanePosition> = tickets.into_iter().map(|ticket| accepted(ticket).position).collect();
    assert!(positions.windows(2).all(|pair| pair[0] == pair[1]), "{positions:?}");
    accepted(marker);
    assert!(matches!(chain.executed(hash).unwrap().wait().unwrap(), Outcomes::Receipt(_)));
    assert_eq!(account(&chain, BOB).balance, Amount(2));
}

#[test]
fn a_lane_that_has_enough_for_the_next_blocks_is_not_offered_more() {
    let limits = Limits { transaction_gas: Gas(GAS), block_gas: Gas(2 * GAS), ..Limits::default() };
    let place = Place::of(Genesis { limits, ..shared_genesis() });
    let broker = Broker::new(FOREVER);
    let chain = open(&place, &broker);
    let mut alice = Wallet::new(1);
    let mut submit = || chain.submit(alice.signed(&chain, vec![transfer(BOB, 1)]).1);
    let offered: Vec<Ticket> = (0..4).map(|_| submit()).collect();
    broker.await_offers(4);
    assert_eq!(accepted(submit()).position.lane, SHARDS);
    broker.bring(&chain);
    assert!(offered.into_iter().all(|ticket| accepted(ticket).position.lane < SHARDS));
    broker.await_offers(4);
}

#[test]
fn a_restart_goes_on_where_the_log_ends_and_a_stop_keeps_what_is_under_way() {
    let mut place = Place::of(shared_genesis());
    place.commit = NO_COMMITS;
    let broker = Broker::new(FOREVER);
    let chain = open(&place, &broker);
    let mut alice = Wallet::new(1);
    let lane = lane_of(&alice);
    for count in 1..=3 {
        let (hash, record) = alice.signed(&chain, vec![transfer(BOB, 1)]);
        let (executed, ticket) = (chain.executed(hash).unwrap(), chain.submit(record));
        broker.await_offers(count);
        broker.bring(&chain);
        assert_eq!(accepted(ticket).position.index, count as u64 - 1);
        executed.wait().unwrap();
    }
    broker.set_forgetful(true);
    let waiting = chain.submit(alice.signed(&chain, vec![transfer(BOB, 1)]).1);
    broker.await_offers(4);
    chain.shutdown().unwrap();
    assert_eq!(accepted(waiting).position.lane, SHARDS, "on this disk, if nowhere else");
    let before = results(&chain.snapshot());
    drop(chain);

    let chain = open(&place, &broker);
    assert_eq!(end_of(&chain, lane).index, 3);
    assert_eq!(results(&chain.snapshot())[..before.len()], before);
    let next = alice.signed(&chain, vec![transfer(BOB, 1)]);
    broker.set_forgetful(false);
    let (executed, ticket) = (chain.executed(next.0).unwrap(), chain.submit(next.1));
    broker.await_offers(5);
    broker.bring(&chain);
    assert_eq!(accepted(ticket).position, LanePosition { lane, generation: 0, index: 3 });
    executed.wait().unwrap();
    assert_eq!(account(&chain, BOB).balance, Amount(5));
}

#[test]
fn junk_and_nothing_in_a_shared_lane_are_no_ops_at_their_places() {
    let place = Place::of(shared_genesis());
    let broker = Broker::new(FOREVER);
    let chain = open(&place, &broker);
    let mut alice = Wallet::new(1);
    let lane = lane_of(&alice);
    let oversize = rustorium_types::record::oversize(&[1; 9]).into();
    for record in [Bytes::new(), Bytes::from_static(b"junk"), oversize] {
        broker.write(lane, record);
    }
    let signed = alice.signed(&chain, vec![transfer(BOB, 1)]);
    let (executed, ticket) = (chain.executed(signed.0).unwrap(), chain.submit(signed.1));
    broker.await_offers(1);
    broker.bring(&chain);
    assert_eq!(accepted(ticket).position.index, 3);
    executed.wait().unwrap();
    chain.shutdown().unwrap();
    // The log alone comes to the same.
    drop(chain);
    let report = crate::check::check(place.path(), StoreOptions::default()).unwrap();
    assert_eq!(report.records, 4);
}
