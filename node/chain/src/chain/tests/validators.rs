//! Validators that change at the end of an epoch: what headers announce, what becomes of lanes, who goes on.

use rustorium_types::{block::Header, genesis::EpochRecord, validators::ValidatorChange};

use super::{
    lanes::{Committee, keys},
    *,
};
use crate::{replay::ReplayOptions, sole::NotSole};

const EPOCH: u64 = 6;

/// Five nodes, the last four of which are to validate from epoch 1 on; in epoch 0 the first four do.
fn committee() -> Committee {
    let keys = keys(5);
    let genesis = Genesis { validators: public(&keys[..4]), dev: false, epoch_length: EPOCH, ..genesis() };
    Committee::at(keys.iter().map(|_| Place::of(genesis.clone())).collect(), keys)
}

fn public(keys: &[SigningKey]) -> Vec<[u8; 32]> {
    keys.iter().map(|key| key.public_key().0).collect()
}

/// A change that these decide in an epoch, as a message.
fn decided(place: &Place, epoch: u64, number: u64, by: &[SigningKey], next: &[SigningKey]) -> Message {
    let change = ValidatorChange { epoch: Epoch(epoch), number, validators: public(next) };
    let chain = place.genesis.hash();
    let signatures = by.iter().map(|key| change.sign(key, &chain)).collect();
    Message::SetValidators { change, signatures }
}

const ALL: [usize; 5] = [0, 1, 2, 3, 4];

impl Committee {
    /// Goes on to a height without anything to do.
    fn until(&mut self, height: u64, leader: usize) -> Header {
        loop {
            let header = self.decide(leader, &ALL);
            if header.height.0 >= height {
                return header;
            }
        }
    }

    /// Submits at a node.
    fn submit(&self, node: usize, (_, record): (Hash, Bytes)) -> Handle<Result<crate::submit::Accepted, Refused>> {
        self.nodes[node].chain().submit(record).into_handle()
    }
}

fn takes(header: &Header) -> bool {
    header.lanes.iter().any(|cut| cut.root != merkle::empty_root())
}

#[test]
fn the_last_header_of_an_epoch_announces_what_was_decided() {
    let mut committee = committee();
    let (old, new) = (keys(5)[..4].to_vec(), keys(5)[1..].to_vec());
    let mut alice = Wallet::new(1);
    let change = decided(&committee.places[0], 0, 1, &old[..3], &new);
    let signed = alice.signed(committee.nodes[0].chain(), vec![change]);
    let _accepted = committee.submit(0, signed);
    while !takes(&committee.decide(0, &ALL)) {}
    committee.until(EPOCH - 1, 1);

    // A validator that announces another set than the state says finds nobody who votes for it.
    let honest = committee.wait_for(committee.nodes[2].asks.propose(committee.head.clone()));
    let announced = honest.next_epoch.clone().unwrap();
    let expected = EpochRecord { epoch: Epoch(1), validators: public(&new), generation: 1, ..announced.clone() };
    assert_eq!(announced, expected);
    type Alter = fn(&mut EpochRecord);
    let alterations: [Alter; 4] = [
        |record| record.validators.truncate(3),
        |record| record.validators = public(&keys(5)[..4]),
        |record| record.generation = 0,
        |record| record.epoch = Epoch(2),
    ];
    for alter in alterations {
        let mut lie = honest.clone();
        alter(lie.next_epoch.as_mut().unwrap());
        let vote = committee.nodes[1].asks.verify(committee.head.clone(), lie);
        assert!(!committee.wait_for(vote), "nobody votes for a lie");
    }
    let silent = Header { next_epoch: None, ..honest.clone() };
    assert!(!committee.wait_for(committee.nodes[1].asks.verify(committee.head.clone(), silent)));

    // Node 0 leaves. What it accepted late, nobody loses: whoever has it logs it once more.
    let late = alice.signed(committee.nodes[0].chain(), vec![transfer(BOB, 7)]);
    let executed = committee.nodes[1].chain().executed(late.0).unwrap();
    let ticket = committee.submit(0, late);
    assert!(committee.wait_for(ticket).is_ok());
    committee.finalise(&honest, &ALL);
    // Node 4 leads, and its lane takes what is submitted there.
    let signed = alice.signed(committee.nodes[4].chain(), vec![transfer(BOB, 1)]);
    let done = committee.nodes[4].chain().executed(signed.0).unwrap();
    let _accepted = committee.submit(4, signed);
    let mut handles = vec![executed, done];
    while let Some(handle) = handles.pop() {
        if let Err(later) = handle.wait_timeout(Duration::from_millis(1)) {
            handles.insert(0, later);
            committee.decide(4, &ALL);
        }
    }
    committee.assert_same(&ALL);
    assert_eq!(account(committee.nodes[2].chain(), BOB).balance, Amount(8), "once each");
    assert!(committee.head.lanes.iter().all(|cut| cut.generation == 1), "{:?}", committee.head.lanes);

    // Whoever slept comes back to the same, and the log alone comes to it too.
    committee.leave(3);
    committee.come_back(3);
    committee.assert_same(&ALL);
    committee.leave(2);
    let options = ReplayOptions {
        directory: committee.places[2].path().to_owned(),
        into: None,
        runtime: runtime(),
        store: StoreOptions::default(),
        commit: CommitPolicy::default(),
    };
    let report = crate::replay::replay(options).unwrap();
    assert_eq!(report.height, committee.head.height);
    let checked = crate::check::check(committee.places[2].path(), StoreOptions::default()).unwrap();
    assert_eq!(checked.blocks, committee.head.height.0);
}

#[test]
fn a_change_that_comes_too_late_is_announced_an_epoch_later() {
    let mut committee = committee();
    let (old, new) = (keys(5)[..4].to_vec(), keys(5)[1..].to_vec());
    let mut alice = Wallet::new(1);
    committee.until(EPOCH - 1, 0);
    let change = decided(&committee.places[0], 0, 1, &old, &new);
    let signed = alice.signed(committee.nodes[0].chain(), vec![change]);
    let executed = committee.nodes[0].chain().executed(signed.0).unwrap();
    let _accepted = committee.submit(0, signed);
    // The last block of the epoch takes it, and so its header cannot commit to it.
    let last = loop {
        let proposed = committee.wait_for(committee.nodes[0].asks.propose(committee.head.clone()));
        if takes(&proposed) {
            committee.finalise(&proposed, &ALL);
            break proposed;
        }
    };
    assert_eq!(last.height, Height(EPOCH));
    let Ok(Outcomes::Receipt(position)) = executed.wait() else { panic!("no receipt") };
    let receipt = committee.nodes[0].chain().snapshot().receipt(position).unwrap().unwrap();
    assert!(receipt.succeeded(), "{receipt:?}");
    let record = last.next_epoch.unwrap();
    assert_eq!((record.validators, record.generation), (public(&old), 0));
    let record = committee.until(2 * EPOCH, 1).next_epoch.unwrap();
    assert_eq!((record.validators, record.generation), (public(&new), 1));
    committee.until(2 * EPOCH + 2, 4);
    committee.assert_same(&ALL);
}

/// A sole validator hands over to four.
fn handed_over() -> (Place, Vec<SigningKey>) {
    let place = Place::of(Genesis { epoch_length: EPOCH, ..genesis() });
    let chain = place.open();
    let mut alice = Wallet::new(1);
    let four = keys(4);
    let signed = alice.signed(&chain, vec![decided(&place, 0, 1, &[validator()], &four)]);
    assert!(receipt(&chain, signed).succeeded());
    while chain.snapshot().height() < Height(EPOCH) {
        // A closing block may be the last one before this comes.
        if let Ok(accepted) = chain.submit(Record::Control(Control::Mine).to_bytes().into()).wait() {
            chain.included(accepted.position).unwrap().wait().unwrap();
        }
    }
    let last = chain.snapshot().head().unwrap().header.clone();
    assert_eq!((last.height, last.next_epoch.unwrap().validators), (Height(EPOCH), public(&four)));
    // It is not its chain any more.
    let signed = alice.signed(&chain, vec![transfer(BOB, 1)]);
    assert_eq!(chain.submit(signed.1).wait().map(|_| ()), Err(Refused::Stopped));
    assert_eq!(chain.snapshot().height(), Height(EPOCH));
    chain.shutdown().unwrap();
    (place, four)
}

#[test]
fn a_sole_validator_stops_where_others_take_over() {
    let (place, _) = handed_over();
    let error = place.try_open().map(|_| ()).unwrap_err();
    let OpenError::Key(NotSole::HandedOver { epoch, count }) = error else { panic!("{error}") };
    assert_eq!((epoch, count), (Epoch(1), 4));
    assert_eq!(
        error.to_string(),
        "from epoch 1 on this chain has 4 validators, and one alone cannot go on with it: `rustorium start` runs one of \
         several"
    );
}

#[test]
fn four_open_the_directory_that_one_has_left() {
    let (place, four) = handed_over();
    let copy = |_: &SigningKey| {
        let copy = Place::of(place.genesis.clone());
        std::fs::create_dir_all(copy.path().join("log")).unwrap();
        for entry in std::fs::read_dir(place.path().join("log")).unwrap() {
            let entry = entry.unwrap();
            std::fs::copy(entry.path(), copy.path().join("log").join(entry.file_name())).unwrap();
        }
        std::fs::copy(place.path().join("state.redb"), copy.path().join("state.redb")).unwrap();
        copy
    };
    let mut committee = Committee::at(four.iter().map(copy).collect(), four);
    let all = [0, 1, 2, 3];
    let mut bob = Wallet::new(2);
    for leader in all {
        let signed = bob.signed(committee.nodes[leader].chain(), vec![transfer(BOB, 1)]);
        let ticket = committee.nodes[leader].chain().submit(signed.1).into_handle();
        assert!(committee.wait_for(ticket).is_ok());
        committee.decide(leader, &all);
    }
    while account(committee.nodes[0].chain(), BOB).balance < Amount(4) {
        committee.decide(0, &all);
    }
    committee.assert_same(&all);
    assert!(committee.head.height > Height(EPOCH));
}
