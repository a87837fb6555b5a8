//! A validator that lost its journal of votes, or was given an older copy of all it had.

use rustorium_types::id::Height;
use tokio::sync::watch;

use super::{
    headers::Schedule,
    world::{Link, World, simulate},
};
use crate::{Caution, Event};

/// What the last node heard of, since it had heard of so much.
fn since(world: &World, heard: usize) -> Vec<Event> {
    world.nodes[3].events.all().into_iter().skip(heard).collect()
}

/// The node crashes and loses its journal.
async fn lose(world: &mut World) -> usize {
    world.crash(3).await;
    world.network.lose_journals(3);
    world.nodes[3].events.all().len()
}

fn votes(events: &[Event]) -> bool {
    events.iter().any(|event| matches!(event, Event::Signed { .. } | Event::EpochEntered { votes: true, .. }))
}

fn accusations(world: &World) -> usize {
    world.nodes.iter().map(|node| node.events.count(|event| matches!(event, Event::Evidence(_)))).sum()
}

/// What is to be prevented: without caution, whoever lost the journal and some blocks votes twice, and is found out.
#[test]
fn without_caution_a_lost_journal_is_two_votes() {
    simulate(1, Schedule::constant(4), 4, Link::GOOD, |mut world| async move {
        world.start_all().await;
        world.until_height(0..4, 20).await;
        let old = world.nodes[3].ledger.copy();
        world.until_height(0..4, 30).await;
        lose(&mut world).await;
        world.nodes[3].ledger = old;
        world.start(3).await;
        world.until("an accusation", |world| accusations(world) > 0).await;
        world
    });
}

#[test]
fn who_lost_the_journal_votes_again_behind_a_later_block() {
    for (seed, epoch_length, link) in
        [(1, 1_000_000, Link::BAD), (2, 40, Link::BAD), (3, 7, Link::GOOD), (4, 1, Link::GOOD)]
    {
        let schedule = Schedule { epoch_length, sets: vec![vec![0, 1, 2, 3]] };
        simulate(seed, schedule, 4, link, |mut world| async move {
            world.start_all().await;
            world.until_height(0..4, 20).await;
            let old = world.nodes[3].ledger.copy();
            world.until_height(0..4, 40).await;
            let heard = lose(&mut world).await;
            let lost = world.now();
            world.network.set_caution(3, Caution { journal_since: Some(lost), others: None });
            world.nodes[3].ledger = old;
            world.start(3).await;
            // It follows, and is not needed.
            let height = world.heights()[0];
            world.sleep(9).await;
            assert!(world.heights()[0] > height);
            assert!(!votes(&since(&world, heard)), "{:?}", since(&world, heard));
            world.until("votes", |world| votes(&since(world, heard))).await;
            assert!(world.now().0 >= lost.0 + 10_000);
            // Now it is needed, and there.
            world.crash(2).await;
            let height = world.heights()[0];
            world.until_height(0..2, height + 10).await;
            world.until_height(3..4, height + 10).await;
            // Another start has nothing to wait for.
            world.crash(3).await;
            let heard = world.nodes[3].events.all().len();
            world.start(3).await;
            world.until_height(3..4, height + 20).await;
            let entered = since(&world, heard).into_iter().find(|event| matches!(event, Event::EpochEntered { .. }));
            assert!(matches!(entered, Some(Event::EpochEntered { votes: true, .. })), "{entered:?}");
            world.assert_honest();
            world
        });
    }
}

#[test]
fn a_chain_that_stands_without_it_is_not_moved_by_a_new_journal() {
    simulate(5, Schedule::constant(4), 4, Link::GOOD, |mut world| async move {
        world.start_all().await;
        world.until_height(0..4, 10).await;
        world.crash(2).await;
        let heard = lose(&mut world).await;
        world.network.set_caution(3, Caution { journal_since: Some(world.now()), others: None });
        world.sleep(2).await;
        let halted = world.heights()[0];
        world.start(3).await;
        world.sleep(60).await;
        assert_eq!(world.heights()[..2], [halted, halted]);
        assert!(!votes(&since(&world, heard)));
        // With the one that has its journal, there are blocks again, and then votes behind them.
        world.start(2).await;
        world.until("votes", |world| votes(&since(world, heard))).await;
        world.assert_honest();
        world
    });
}

#[test]
fn who_does_not_know_where_the_others_are_listens() {
    simulate(6, Schedule { epoch_length: 50, sets: vec![vec![0, 1, 2, 3]] }, 4, Link::GOOD, |mut world| async move {
        world.start_all().await;
        world.until_height(0..4, 20).await;
        let old = world.nodes[3].ledger.copy();
        world.until_height(0..4, 40).await;
        let heard = lose(&mut world).await;
        let (tell, others) = watch::channel(None);
        world.network.set_caution(3, Caution { journal_since: None, others: Some(others) });
        world.nodes[3].ledger = old;
        world.start(3).await;
        let height = world.heights()[0];
        world.until_height(0..4, height + 100).await;
        assert!(!votes(&since(&world, heard)), "nobody said where the others are");
        let height = world.heights()[0] + 20;
        tell.send_replace(Some(Height(height)));
        world.until("votes", |world| votes(&since(world, heard))).await;
        assert!(world.heights()[3] >= height);
        world.assert_honest();
        world
    });
}
