//! Validators come and go from epoch to epoch, and a sole validator's chain is opened to many.

use bytes::Bytes;
use rustorium_chain::{cut::Parent, sole};
use rustorium_types::{
    block::Header,
    certificate::{self, ValidatorSet},
};

use super::{
    headers::{BEGIN, CHAIN, Schedule, genesis, key},
    ledger::Ledger,
    world::{Link, simulate},
};
use crate::Event;

/// Whether a node voted in an epoch, as it said itself.
fn votes(events: &[Event], of: u64) -> Option<bool> {
    events.iter().find_map(|event| match event {
        Event::EpochEntered { epoch, votes, .. } if epoch.0 == of => Some(*votes),
        _ => None,
    })
}

#[test]
fn a_fifth_comes_and_the_first_goes() {
    for seed in [1, 2] {
        let sets = vec![vec![0, 1, 2, 3], vec![0, 1, 2, 3, 4], vec![1, 2, 3, 4]];
        simulate(seed, Schedule { epoch_length: 10, sets }, 5, Link::BAD, |mut world| async move {
            world.start_all().await;
            world.until_height(0..5, 45).await;
            let events: Vec<Vec<Event>> = world.nodes.iter().map(|node| node.events.all()).collect();
            for epoch in 0..4 {
                assert_eq!(votes(&events[0], epoch), Some(epoch < 2), "the first, epoch {epoch}");
                assert_eq!(votes(&events[1], epoch), Some(true), "the second, epoch {epoch}");
                assert_eq!(votes(&events[4], epoch), Some(epoch >= 1), "the fifth, epoch {epoch}");
            }
            world.assert_honest();
            world
        });
    }
}

#[test]
fn short_epochs_follow_each_other_with_crashes_between() {
    let sets = vec![vec![0, 1, 2, 3], vec![1, 2, 3, 4], vec![0, 2, 3, 4], vec![0, 1, 2, 3, 4]];
    simulate(3, Schedule { epoch_length: 3, sets }, 5, Link::BAD, |mut world| async move {
        world.start_all().await;
        for node in [1, 4, 2, 3] {
            let height = world.heights().into_iter().max().unwrap_or(0);
            world.until_height(0..5, height + 4).await;
            world.crash(node).await;
            world.sleep(1).await;
            world.start(node).await;
        }
        let height = world.heights().into_iter().max().unwrap_or(0);
        world.until_height(0..5, height + 12).await;
        world.assert_honest();
        world
    });
}

#[test]
fn epochs_of_one_height() {
    simulate(3, Schedule { epoch_length: 1, sets: vec![vec![0, 1, 2, 3]] }, 4, Link::GOOD, |mut world| async move {
        world.start_all().await;
        world.until_height(0..4, 8).await;
        world
    });
}

#[test]
fn who_slept_through_epochs_catches_up() {
    let sets = vec![vec![0, 1, 2, 3]];
    simulate(4, Schedule { epoch_length: 5, sets }, 4, Link::GOOD, |mut world| async move {
        world.start_all().await;
        world.until_height(0..4, 3).await;
        world.crash(3).await;
        world.until_height(0..3, 33).await;
        world.start(3).await;
        world.until_height(0..4, 50).await;
        assert_eq!(votes(&world.nodes[3].events.all(), 9), Some(true));
        world.assert_honest();
        world
    });
}

/// What a sole validator's chain looks like at the end of its first epoch.
fn sole_chain(schedule: &Schedule) -> Vec<(Header, Option<Bytes>)> {
    let validators = ValidatorSet::new(&schedule.validators(0)).expect("a set");
    let mut parent = genesis();
    let mut blocks = Vec::new();
    for _ in 0..schedule.epoch_length {
        let header = schedule.next(&parent, BEGIN);
        let hash = header.hash();
        let proposal = sole::proposal(&header, hash, schedule.epoch_length);
        let share = certificate::sign(&key(0), &CHAIN, &proposal);
        let certificate = certificate::assemble(&proposal, &[share], &validators).expect("a quorum of one");
        parent = Parent::of(hash, &header);
        blocks.push((header, Some(Bytes::from(certificate))));
    }
    blocks
}

#[test]
fn a_sole_chain_is_opened_to_four() {
    let schedule = Schedule { epoch_length: 10, sets: vec![vec![0], vec![0, 1, 2, 3]] };
    simulate(2, schedule, 4, Link::GOOD, |mut world| async move {
        let blocks = sole_chain(&world.schedule);
        for node in &mut world.nodes {
            node.ledger = Ledger::of(blocks.clone());
        }
        world.start_all().await;
        world.until_height(0..4, 15).await;
        // A restart in its first common epoch, and one in the next.
        for node in [1, 2] {
            world.crash(node).await;
            world.sleep(1).await;
            world.start(node).await;
            let height = world.heights()[0];
            world.until_height(0..4, height + 8).await;
        }
        assert!(world.nodes[3].ledger.certified()[&1] > 0);
        world.assert_honest();
        world
    });
}

#[test]
fn a_lost_directory_is_made_up_from_the_chains_log() {
    // Never with the same key in the same epoch, in earnest: here nothing was voted for in the epoch yet.
    let schedule = Schedule { epoch_length: 10, sets: vec![vec![0], vec![0, 1, 2, 3]] };
    simulate(2, schedule, 4, Link::GOOD, |mut world| async move {
        let blocks = sole_chain(&world.schedule);
        for node in 0..3 {
            world.nodes[node].ledger = Ledger::of(blocks.clone());
            world.start(node).await;
        }
        world.until_height(0..3, 17).await;
        // The fourth has the chain from elsewhere, up to the middle of an epoch.
        world.nodes[3].ledger = world.nodes[0].ledger.copy();
        world.start(3).await;
        world.until_height(0..4, 35).await;
        world.assert_honest();
        world
    });
}
