//! Losses, crashes and partitions: agreement always, progress whenever three of four reach each other.

use std::collections::BTreeSet;

use super::{
    headers::Schedule,
    world::{Link, World, simulate, simulate_power_cut},
};
use crate::Event;

#[test]
fn losses_and_delays_cost_time_only() {
    for seed in [1, 2, 3] {
        simulate(seed, Schedule::constant(4), 4, Link::BAD, |mut world| async move {
            world.start_all().await;
            world.until_height(0..4, 40).await;
            world.assert_honest();
            world
        });
    }
}

#[test]
fn a_crashed_validator_comes_back_and_catches_up() {
    for seed in [1, 2] {
        simulate(seed, Schedule::constant(4), 4, Link::BAD, |mut world| async move {
            world.start_all().await;
            world.until_height(0..4, 10).await;
            world.crash(3).await;
            let height = world.heights()[0];
            world.until_height(0..3, height + 20).await;
            // Whoever is away is skipped, and known to have been.
            let nullified = |event: &Event| matches!(event, Event::Nullified { .. });
            assert!(world.nodes[0].events.count(nullified) > 0);
            let absent = world.nodes[3].key.public_key();
            let accused = |event: &Event| matches!(event, Event::Nullified { leader, .. } if *leader == absent);
            assert!(world.nodes[0].events.count(accused) > 0);
            world.start(3).await;
            let height = world.heights()[0];
            world.until_height(0..4, height + 20).await;
            world.assert_honest();
            world
        });
    }
}

#[test]
fn every_validator_may_crash_in_turn() {
    simulate(5, Schedule::constant(4), 4, Link::BAD, |mut world| async move {
        world.start_all().await;
        for node in [0, 1, 2, 3, 0, 2] {
            let height = world.heights().into_iter().max().unwrap_or(0);
            world.until_height(0..4, height + 3).await;
            world.crash(node).await;
            world.sleep(1).await;
            world.start(node).await;
        }
        let height = world.heights().into_iter().max().unwrap_or(0);
        world.until_height(0..4, height + 10).await;
        world.assert_honest();
        world
    });
}

#[test]
fn all_may_crash_at_once() {
    simulate(6, Schedule::constant(4), 4, Link::GOOD, |mut world| async move {
        world.start_all().await;
        for _ in 0..3 {
            let height = world.heights().into_iter().max().unwrap_or(0);
            world.until_height(0..4, height + 7).await;
            for node in 0..4 {
                world.crash(node).await;
            }
            world.start_all().await;
        }
        let height = world.heights().into_iter().max().unwrap_or(0);
        world.until_height(0..4, height + 10).await;
        world.assert_honest();
        world
    });
}

#[test]
fn power_may_fail_everywhere_at_once() {
    for seed in 1..4 {
        let schedule = Schedule { epoch_length: 8, sets: vec![vec![0, 1, 2, 3]] };
        let before = |mut world: World| async move {
            world.start_all().await;
            world.until_height(0..4, 9 + seed).await;
            world
        };
        let after = |mut world: World| async move {
            let heights = world.heights();
            world.start_all().await;
            world.until_height(0..4, heights.iter().max().unwrap_or(&0) + 10).await;
            // Every journal went as far as what was signed before.
            for node in &world.nodes {
                let signed = node.events.all().into_iter().find_map(|event| match event {
                    Event::EpochEntered { signed, .. } => Some(signed),
                    _ => None,
                });
                assert!(signed.flatten().is_some_and(|view| view.0 >= 1), "{signed:?}");
            }
            world.assert_honest();
            world
        };
        simulate_power_cut(seed, schedule, 4, before, after);
    }
}

#[test]
fn two_of_four_halt_and_three_go_on() {
    simulate(3, Schedule::constant(4), 4, Link::GOOD, |mut world| async move {
        world.start_all().await;
        world.until_height(0..4, 10).await;
        world.crash(2).await;
        world.crash(3).await;
        // What was under way may end.
        world.sleep(2).await;
        let halted = world.heights();
        world.sleep(20).await;
        assert_eq!(world.heights(), halted);
        world.start(2).await;
        world.until_height(0..3, halted[0] + 10).await;
        world.start(3).await;
        world.until_height(0..4, halted[0] + 20).await;
        world.assert_honest();
        world
    });
}

#[test]
fn a_partition_halts_and_heals() {
    for seed in [1, 2] {
        simulate(seed, Schedule::constant(4), 4, Link::BAD, |mut world| async move {
            world.start_all().await;
            world.until_height(0..4, 10).await;
            world.network.cut(0..2, None).await;
            world.sleep(2).await;
            let halted = world.heights();
            world.sleep(15).await;
            assert_eq!(world.heights(), halted, "two of four are no quorum");
            world.network.cut(0..2, Some(Link::BAD)).await;
            world.until_height(0..4, halted.iter().max().unwrap_or(&0) + 10).await;
            world.assert_honest();
            world
        });
    }
}

#[test]
fn who_was_cut_off_for_long_catches_up() {
    simulate(4, Schedule::constant(4), 4, Link::GOOD, |mut world| async move {
        world.start_all().await;
        world.until_height(0..4, 5).await;
        world.network.cut(3..4, None).await;
        world.until_height(0..3, 150).await;
        assert!(world.heights()[3] < 10);
        world.network.cut(3..4, Some(Link::GOOD)).await;
        world.until_height(0..4, 170).await;
        world
    });
}

#[test]
fn who_lacks_records_does_not_vote_and_is_not_needed() {
    simulate(8, Schedule::constant(4), 4, Link::GOOD, |mut world| async move {
        world.start_all().await;
        world.until_height(0..4, 5).await;
        world.nodes[3].ledger.hold(true);
        let (height, heard) = (world.heights()[0], world.nodes[3].events.all().len());
        world.until_height(0..4, height + 20).await;
        // It votes to skip what it cannot propose, and for nothing else but what it held before.
        let (mut signed, mut skipped) = (BTreeSet::new(), BTreeSet::new());
        for event in world.nodes[3].events.all().into_iter().skip(heard) {
            match event {
                Event::Signed { view, .. } => drop(signed.insert(view.0)),
                Event::TimedOut { view, .. } => drop(skipped.insert(view.0)),
                _ => {}
            }
        }
        assert!(signed.difference(&skipped).count() <= 2, "signed {signed:?}, skipped {skipped:?}");
        // With another one that lacks them, nothing becomes final.
        world.nodes[2].ledger.hold(true);
        world.sleep(2).await;
        let halted = world.heights();
        world.sleep(10).await;
        assert_eq!(world.heights(), halted);
        world.nodes[2].ledger.hold(false);
        world.nodes[3].ledger.hold(false);
        world.until_height(0..4, halted[0] + 10).await;
        world.assert_honest();
        world
    });
}
