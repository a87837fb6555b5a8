//! Validators agree, and what the chain gets is what clients can check.

use super::{
    headers::Schedule,
    world::{Link, simulate, simulate_with},
};
use crate::Event;

#[test]
fn four_agree_on_blocks_with_certificates() {
    simulate(1, Schedule::constant(4), 4, Link::GOOD, |mut world| async move {
        world.start_all().await;
        world.until_height(0..4, 40).await;
        // The ledgers have checked every certificate; without faults every block has its own.
        for node in &world.nodes {
            assert!(node.ledger.certified()[&0] >= 40, "{:?}", node.ledger.certified());
            // The first leader may have been heard by nobody who was up yet.
            assert_eq!(node.events.count(|event| matches!(event, Event::Nullified { view, .. } if view.0 > 1)), 0);
            assert_eq!(node.events.count(|event| matches!(event, Event::EpochEntered { votes: true, .. })), 1);
        }
        world.assert_honest();
        world
    });
}

#[test]
fn one_alone_agrees_with_itself() {
    simulate(1, Schedule::constant(1), 1, Link::GOOD, |mut world| async move {
        world.start_all().await;
        world.until_height(0..1, 20).await;
        world
    });
}

#[test]
fn old_blocks_are_forgotten() {
    simulate_with(1, Schedule::constant(1), 1, Link::GOOD, 100, |mut world| async move {
        world.start_all().await;
        world.until_height(0..1, 1_100).await;
        world.crash(0).await;
        world.start(0).await;
        world.until_height(0..1, 1_110).await;
        world
    });
}

#[test]
fn a_seed_replays_exactly() {
    let life = || {
        simulate(7, Schedule::constant(4), 4, Link::BAD, |mut world| async move {
            world.start_all().await;
            world.until_height(0..4, 15).await;
            world
        })
    };
    assert_eq!(life(), life());
}
