//! Several chains that agree on cuts of each other's lanes. What consensus would do is done here by hand: a leader is
//! asked for a block, all are asked whether it holds, and a quorum's signatures make it final.

use std::sync::Mutex;

use rustorium_types::block::Header;

use super::*;
use crate::{
    cut::Parent,
    desk::{Asks, desk},
    exchange::Want,
    handle::Promise,
    submit::Accepted,
};

/// Where what a node says to others goes.
type Heard = Arc<Mutex<Vec<Said>>>;

enum Said {
    Appended { from: LanePosition, records: Vec<Bytes> },
    Wanted(Want),
    Forwarded { record: Bytes, answer: Promise<Result<Accepted, Refused>> },
}

struct Voice(Heard);

impl Peers for Voice {
    fn appended(&self, from: LanePosition, records: Vec<Bytes>) {
        self.0.lock().unwrap().push(Said::Appended { from, records });
    }

    fn wanted(&self, want: Want) {
        self.0.lock().unwrap().push(Said::Wanted(want));
    }

    fn forward(&self, record: Bytes, answer: Promise<Result<Accepted, Refused>>) {
        self.0.lock().unwrap().push(Said::Forwarded { record, answer });
    }
}

pub(super) struct Node {
    pub(super) key: SigningKey,
    /// None while it is away.
    chain: Option<Chain>,
    pub(super) asks: Asks,
    heard: Heard,
    /// Nothing that others say reaches it.
    is_deaf: bool,
}

/// Nodes of one chain, in the order of their validators' keys, and where they are kept.
pub(super) struct Committee {
    pub(super) places: Vec<Place>,
    pub(super) nodes: Vec<Node>,
    pub(super) head: Parent,
}

impl Node {
    pub(super) fn chain(&self) -> &Chain {
        self.chain.as_ref().expect("it is there")
    }
}

fn key(seed: u8) -> SigningKey {
    SigningKey::from_seed([seed; 32])
}

pub(super) fn keys(count: u8) -> Vec<SigningKey> {
    let mut keys: Vec<SigningKey> = (100..100 + count).map(key).collect();
    keys.sort_by_key(|key| key.public_key().0);
    keys
}

impl Committee {
    fn new(count: u8) -> Self {
        Self::sharing(count, 0)
    }

    /// Of so many nodes with so many shared lanes.
    fn sharing(count: u8, shards: u32) -> Self {
        let keys = keys(count);
        let validators: Vec<[u8; 32]> = keys.iter().map(|key| key.public_key().0).collect();
        let genesis = Genesis { validators, shards, dev: false, ..genesis() };
        let places = keys.iter().map(|_| Place::of(genesis.clone())).collect();
        Self::at(places, keys)
    }

    /// Nodes with these keys, on a chain as these places hold it.
    pub(super) fn at(places: Vec<Place>, keys: Vec<SigningKey>) -> Self {
        let nodes: Vec<Node> = keys.into_iter().zip(&places).map(|(key, place)| node(place, key)).collect();
        let newest = nodes[0].chain().snapshot().head().map(|sealed| Parent::of(sealed.hash, &sealed.header));
        let head = newest.unwrap_or_else(|| nodes[0].chain().rules().unwrap().first_parent());
        Self { places, nodes, head }
    }

    pub(super) fn leave(&mut self, index: usize) {
        self.nodes[index].chain.take().unwrap().shutdown().unwrap();
    }

    pub(super) fn come_back(&mut self, index: usize) {
        self.nodes[index] = node(&self.places[index], self.nodes[index].key.clone());
    }

    /// Carries what was said to those who hear it.
    pub(super) fn carry(&self) {
        for (speaker, node) in self.nodes.iter().enumerate() {
            for said in std::mem::take(&mut *node.heard.lock().unwrap()) {
                match said {
                    Said::Appended { from, records } => {
                        for (hearer, other) in self.nodes.iter().enumerate() {
                            if hearer != speaker && !other.is_deaf && other.chain.is_some() {
                                let end = other.chain().exchange().store(from, records.clone()).wait();
                                let Ok(end) = end else { continue };
                                node.chain().exchange().held(other.key.public_key().0, end);
                            }
                        }
                    }
                    Said::Wanted(want) => {
                        let others = self.nodes.iter().enumerate();
                        let others = others.filter(|(other, node)| *other != speaker && node.chain.is_some());
                        let found = others.filter_map(|(_, other)| read(other.chain(), &want)).next();
                        if let Some(records) = found {
                            node.chain().exchange().found(want, records);
                        }
                    }
                    Said::Forwarded { record, answer } => {
                        let first = self.nodes[0].chain().submit(record);
                        std::thread::spawn(move || answer.keep(first.wait()));
                    }
                }
            }
        }
    }

    /// Waits for an answer, while what is said is carried.
    pub(super) fn wait_for<T>(&self, mut handle: Handle<T>) -> T {
        loop {
            match handle.wait_timeout(Duration::from_millis(2)) {
                Ok(answer) => return answer.unwrap(),
                Err(later) => handle = later,
            }
            self.carry();
        }
    }

    /// A block of a leader's, made final by those who are there.
    pub(super) fn decide(&mut self, leader: usize, there: &[usize]) -> Header {
        let header = self.wait_for(self.nodes[leader].asks.propose(self.head.clone()));
        for index in there {
            let holds = self.nodes[*index].asks.verify(self.head.clone(), header.clone());
            assert!(self.wait_for(holds), "node {index} refuses {header:?}");
        }
        self.finalise(&header, there);
        header
    }

    pub(super) fn finalise(&mut self, header: &Header, there: &[usize]) {
        let hash = header.hash();
        for index in there {
            let told = self.nodes[*index].asks.finalised(header.clone(), Some(self.certificate(header)));
            self.wait_for(told);
        }
        self.head = Parent::of(hash, header);
        for index in there {
            while self.nodes[*index].chain().snapshot().height() < header.height {
                assert!(!self.nodes[*index].chain().is_stopped());
                std::thread::yield_now();
            }
        }
    }

    fn certificate(&self, header: &Header) -> Bytes {
        let genesis = &self.places[0].genesis;
        let proposal = crate::sole::proposal(header, header.hash(), genesis.epoch_length);
        let there = self.nodes.iter().filter_map(|node| node.chain.as_ref());
        let known = there.filter_map(|chain| chain.snapshot().validators_of(header.epoch).unwrap()).next();
        let set = ValidatorSet::new(&known.unwrap()).unwrap();
        let signs = |node: &&Node| set.keys().contains(&node.key.public_key());
        let signers = self.nodes.iter().filter(signs);
        let shares: Vec<_> = signers.map(|node| certificate::sign(&node.key, &genesis.hash(), &proposal)).collect();
        certificate::assemble(&proposal, &shares, &set).unwrap().into()
    }

    pub(super) fn assert_same(&self, there: &[usize]) {
        let first = results(&self.nodes[there[0]].chain().snapshot());
        for index in &there[1..] {
            assert_eq!(results(&self.nodes[*index].chain().snapshot()), first, "node {index}");
        }
    }
}

fn node(place: &Place, key: SigningKey) -> Node {
    let (asks, asked) = desk();
    let heard = Heard::default();
    let network = Network {
        consensus: Consensus::Desk(asked),
        peers: Box::new(Voice(Arc::clone(&heard))),
        shared: Box::new(Alone),
    };
    let chain = Chain::open_among(ChainConfig { key: key.clone(), ..place.config() }, network).unwrap();
    Node { key, chain: Some(chain), asks, heard, is_deaf: false }
}

/// What a node has of what another wants.
fn read(chain: &Chain, want: &Want) -> Option<Vec<Bytes>> {
    let (from, records) = chain.exchange().read(want.from, want.end).wait().ok()?;
    let waiting = Some(records).filter(|records| from == want.from && want.is_for(records));
    waiting.or_else(|| chain.records_of(want).unwrap())
}

#[test]
fn lanes_are_executed_by_turns_and_come_to_the_same_everywhere() {
    let mut committee = Committee::new(4);
    let all = [0, 1, 2, 3];
    let tickets: Vec<Ticket> = (1..=3_u8)
        .flat_map(|seed| {
            let mut wallet = Wallet::new(seed);
            let node = &committee.nodes[usize::from(seed)];
            (0..seed)
                .map(|_| node.chain().submit(wallet.signed(node.chain(), vec![transfer(BOB, 1)]).1))
                .collect::<Vec<_>>()
        })
        .collect();
    for ticket in tickets {
        // One other validator must have it on disk: what was said is carried meanwhile.
        assert!(committee.wait_for(ticket.into_handle()).is_ok());
    }
    let taken = |head: &Parent| head.lanes.iter().map(|cut| cut.end).sum::<u64>();
    while taken(&committee.head) < 6 {
        committee.decide(0, &all);
    }
    let last = committee.head.height;
    while committee.head.state_height < last {
        committee.decide(1, &all);
    }
    committee.assert_same(&all);
    let snapshot = committee.nodes[0].chain().snapshot();
    let senders: Vec<AccountId> = (1..=snapshot.height().0)
        .flat_map(|height| snapshot.block(Height(height)).unwrap().unwrap().receipts.clone())
        .map(|receipt| receipt.sender)
        .collect();
    assert_eq!(senders.len(), 6);
    let ends: Vec<u64> = committee.head.lanes.iter().map(|cut| cut.end).collect();
    assert_eq!(ends, [0, 1, 2, 3], "a lane each");
}

#[test]
fn a_record_is_accepted_once_another_has_it_on_disk() {
    let mut committee = Committee::new(4);
    for other in &mut committee.nodes[1..] {
        other.is_deaf = true;
    }
    let mut alice = Wallet::new(1);
    let chain = committee.nodes[0].chain();
    let ticket = chain.submit(alice.signed(chain, vec![transfer(BOB, 1)]).1);
    let appended = loop {
        if let Some(Said::Appended { from, records }) = committee.nodes[0].heard.lock().unwrap().pop() {
            break (from, records);
        }
        std::thread::yield_now();
    };
    let handle = ticket.into_handle();
    let Err(handle) = handle.wait_timeout(Duration::from_millis(50)) else { panic!("one disk is not enough") };
    let end = committee.nodes[2].chain().exchange().store(appended.0, appended.1).wait().unwrap();
    committee.nodes[0].chain().exchange().held(committee.nodes[2].key.public_key().0, end);
    assert!(handle.wait().unwrap().is_ok());
}

#[test]
fn what_a_block_takes_is_sought_where_it_was_not_heard() {
    let mut committee = Committee::new(4);
    let all = [0, 1, 2, 3];
    committee.nodes[3].is_deaf = true;
    let mut alice = Wallet::new(1);
    let chain = committee.nodes[0].chain().clone();
    for _ in 0..20 {
        drop(chain.submit(alice.signed(&chain, vec![transfer(BOB, 1)]).1));
    }
    // Node 3 votes only once it has the records, which it asks others for.
    while committee.head.lanes.first().is_none_or(|cut| cut.end < 20) {
        committee.decide(0, &all);
    }
    committee.assert_same(&all);
}

#[test]
fn a_node_that_was_away_is_given_final_blocks_and_their_records() {
    let mut committee = Committee::new(4);
    committee.decide(0, &[0, 1, 2, 3]);
    committee.leave(3);
    committee.nodes[3].is_deaf = true;
    let mut alice = Wallet::new(1);
    let mut missed = Vec::new();
    for round in 0..5 {
        let leader = round % 3;
        let chain = committee.nodes[leader].chain().clone();
        let ticket = chain.submit(alice.signed(&chain, vec![transfer(BOB, 1)]).1);
        missed.push(committee.decide(leader, &[0, 1, 2]));
        drop(ticket);
    }
    committee.come_back(3);
    // What it lacks is told in order, once more than needed: it knows what it has.
    let first = committee.nodes[0].chain().snapshot().header(Height(1)).unwrap().unwrap().header;
    for header in std::iter::once(first).chain(missed) {
        committee.finalise(&header, &[3]);
    }
    committee.assert_same(&[0, 1, 2, 3]);
    // Its own lane goes on.
    let chain = committee.nodes[3].chain().clone();
    committee.nodes[3].is_deaf = false;
    let executed = alice.signed(&chain, vec![transfer(BOB, 1)]);
    let mut done = chain.executed(executed.0).unwrap();
    drop(chain.submit(executed.1));
    while let Err(later) = done.wait_timeout(Duration::from_millis(1)) {
        committee.decide(3, &[0, 1, 2, 3]);
        done = later;
    }
    committee.assert_same(&[0, 1, 2, 3]);
}

#[test]
fn other_records_that_are_final_replace_what_was_heard() {
    let mut committee = Committee::new(4);
    let mut wallets = [Wallet::new(1), Wallet::new(2)];
    let chain = committee.nodes[0].chain().clone();
    let [(_, honest), (_, other)] = wallets.each_mut().map(|wallet| wallet.signed(&chain, vec![transfer(BOB, 1)]));
    // Node 1's lane as node 0 heard it is not as the others heard it: node 1 lied to somebody.
    let at = LanePosition { lane: 1, generation: 0, index: 0 };
    let _ = committee.nodes[0].chain().exchange().store(at, vec![other]).wait().unwrap();
    for index in [2, 3] {
        let _ = committee.nodes[index].chain().exchange().store(at, vec![honest.clone()]).wait().unwrap();
    }
    let proposed = committee.wait_for(committee.nodes[2].asks.propose(committee.head.clone()));
    // Node 0 withholds its vote, for the bytes are not those that it has.
    let vote = committee.nodes[0].asks.verify(committee.head.clone(), proposed.clone());
    let Err(_undecided) = vote.wait_timeout(Duration::from_millis(100)) else { panic!("a vote without the bytes") };
    committee.finalise(&proposed, &[2, 3]);
    committee.head = committee.nodes[2].chain().rules().unwrap().first_parent();
    committee.finalise(&proposed, &[0]);
    committee.assert_same(&[0, 2, 3]);
}

#[test]
fn what_a_broker_told_one_node_alone_is_replaced_and_logged_once_more() {
    let mut committee = Committee::sharing(4, 1);
    let mut wallets = [Wallet::new(1), Wallet::new(2)];
    let chain = committee.nodes[0].chain().clone();
    let [(_, lonely), (_, common)] = wallets.each_mut().map(|wallet| wallet.signed(&chain, vec![transfer(BOB, 1)]));
    // The broker has one record for node 0 and another for all others.
    let at = LanePosition { lane: 0, generation: 0, index: 0 };
    let _ = chain.exchange().store(at, vec![lonely, Bytes::from_static(b"junk")]).wait().unwrap();
    for index in [1, 2, 3] {
        let _ = committee.nodes[index].chain().exchange().store(at, vec![common.clone()]).wait().unwrap();
    }
    let proposed = committee.wait_for(committee.nodes[2].asks.propose(committee.head.clone()));
    committee.finalise(&proposed, &[1, 2, 3]);
    committee.head = committee.nodes[2].chain().rules().unwrap().first_parent();
    committee.finalise(&proposed, &[0]);
    committee.assert_same(&[0, 1, 2, 3]);
    // What was believed accepted is in node 0's own lane now, and the broker's next record is the one behind the block.
    let end = chain.exchange().store(at, Vec::new()).wait().unwrap();
    assert_eq!(end.index, 1);
    while account(&chain, BOB).balance < Amount(2) {
        committee.decide(0, &[0, 1, 2, 3]);
    }
    let ends: Vec<u64> = committee.head.lanes.iter().map(|cut| cut.end).collect();
    assert_eq!(ends, [1, 1, 0, 0, 0], "junk is not logged again");
    assert_eq!(chain.metrics().replaced.get(), 2);
}

#[test]
fn a_lane_that_two_halves_were_told_differently_does_not_stop_the_chain() {
    let mut committee = Committee::sharing(4, 1);
    let all = [0, 1, 2, 3];
    let mut wallets = [Wallet::new(1), Wallet::new(2)];
    let chain = committee.nodes[0].chain().clone();
    let told = wallets.each_mut().map(|wallet| wallet.signed(&chain, vec![transfer(BOB, 1)]).1);
    let at = LanePosition { lane: 0, generation: 0, index: 0 };
    for index in all {
        let _ = committee.nodes[index].chain().exchange().store(at, vec![told[index / 2].clone()]).wait().unwrap();
    }
    // Both halves' records are executed all the same: whoever sees that the lane is in doubt logs them in its own.
    while account(&chain, BOB).balance < Amount(2) {
        for leader in [0, 2] {
            let header = committee.wait_for(committee.nodes[leader].asks.propose(committee.head.clone()));
            let others = [(leader + 2) % 4, (leader + 3) % 4];
            if header.lanes[0].end > 0 {
                let vote = |index: usize| committee.nodes[index].asks.verify(committee.head.clone(), header.clone());
                let votes = others.map(vote).map(|vote| vote.wait_timeout(Duration::from_millis(50)));
                assert!(votes.iter().all(Result::is_err), "nobody votes without the bytes");
                continue;
            }
            for index in all {
                let holds = committee.nodes[index].asks.verify(committee.head.clone(), header.clone());
                assert!(committee.wait_for(holds), "node {index} refuses {header:?}");
            }
            committee.finalise(&header, &all);
        }
    }
    committee.assert_same(&all);
    assert_eq!((committee.head.lanes[0].end, account(&chain, BOB).balance), (0, Amount(2)));
}

#[test]
fn a_node_without_a_lane_hands_on_what_it_is_given() {
    let mut committee = Committee::new(4);
    let place = Place::of(committee.places[0].genesis.clone());
    let follower = node(&place, key(7));
    let mut alice = Wallet::new(1);
    let ticket = follower.chain().submit(alice.signed(follower.chain(), vec![transfer(BOB, 1)]).1);
    let handed_on = loop {
        if let Some(said) = follower.heard.lock().unwrap().pop() {
            break said;
        }
        std::thread::yield_now();
    };
    committee.nodes[1].heard.lock().unwrap().push(handed_on);
    let mut accepted = ticket.into_handle();
    let accepted = loop {
        committee.carry();
        match accepted.wait_timeout(Duration::from_millis(2)) {
            Ok(answer) => break answer.unwrap().unwrap(),
            Err(later) => accepted = later,
        }
    };
    assert_eq!(accepted.position.lane, 0);
    while committee.head.lanes.first().is_none_or(|cut| cut.end == 0) {
        committee.decide(0, &[0, 1, 2, 3]);
    }
}

#[test]
fn a_crash_keeps_the_lanes_of_others_too() {
    let mut committee = Committee::new(4);
    let mut alice = Wallet::new(1);
    let chain = committee.nodes[0].chain().clone();
    let ticket = chain.submit(alice.signed(&chain, vec![transfer(BOB, 1)]).1);
    let mut accepted = ticket.into_handle();
    loop {
        committee.carry();
        match accepted.wait_timeout(Duration::from_millis(2)) {
            Ok(answer) => break assert!(answer.unwrap().is_ok()),
            Err(later) => accepted = later,
        }
    }
    // The one that accepted it is gone for good; the others were restarted. One of them proposes it.
    for index in 0..4 {
        committee.leave(index);
    }
    drop(chain);
    for index in 1..4 {
        committee.come_back(index);
    }
    while committee.head.lanes.first().is_none_or(|cut| cut.end == 0) {
        committee.decide(1, &[1, 2, 3]);
    }
    committee.assert_same(&[1, 2, 3]);
    assert_eq!(account(committee.nodes[1].chain(), BOB).balance, Amount(1));
}
