//! Nodes under load: several people at once, a database that commits by itself, and a failure in the middle of it.

use std::{
    sync::{Mutex, atomic::Ordering},
    thread,
    time::Duration,
};

use rustorium_chain::{
    chain::Chain,
    machine::{Chance, Failure, Folder},
    pipeline::CommitPolicy,
    submit::Refused,
};

use crate::{
    life::last_words,
    node::{Node, wait},
    observer::Observer,
    people::People,
};

/// Those who submit at a time.
const CLIENTS: u64 = 3;

/// Lives a seed.
pub(crate) fn live(seed: u64) {
    let mut chance = Chance::new(seed.wrapping_mul(5));
    let node = Node::new(seed, 16 << 10);
    let people = Mutex::new(People::of(&node.genesis));
    let observer = Observer::of(&node);
    for _ in 0..3 {
        let folder = [Folder::Log, Folder::Log, Folder::Database][chance.below(3) as usize];
        let failure = [Failure::Power, Failure::Broken, Failure::Full(2)][chance.below(3) as usize];
        node.machine.plan(folder, 20 + chance.below(300), failure);
        let commit = CommitPolicy {
            interval: Duration::from_millis(chance.below(10)),
            blocks: 1 + chance.below(4),
            ..CommitPolicy::default()
        };
        let Ok(chain) = node.open(commit, Duration::ZERO) else {
            assert!(node.machine.failures() > 0, "seed {seed}: the chain does not open");
            node.machine.lose_power();
            continue;
        };
        observer.meet(&chain);
        thread::scope(|scope| {
            for client in 0..CLIENTS {
                let chance = Chance::new(chance.number() ^ client);
                let (node, people, observer) = (&node, &people, &observer);
                let chain = chain.clone();
                scope.spawn(move || use_it(&chain, node, people, observer, chance));
            }
        });
        // It ends wherever it is just now.
        if chance.one_in(2) || !node.machine.has_power() {
            node.machine.lose_power()
        } else {
            node.machine.kill()
        }
        let _ = chain.shutdown();
    }
    last_words(&node, &observer, seed);
}

fn use_it(chain: &Chain, node: &Node, people: &Mutex<People>, observer: &Observer, mut chance: Chance) {
    for _ in 0..chance.below(25) {
        let time = node.clock.fetch_add(chance.below(50), Ordering::SeqCst);
        let ordered = people.lock().unwrap().order(&mut chance, time);
        let Ok(executed) = chain.executed(ordered.hash) else { return };
        match chain.submit(ordered.record.clone()).wait() {
            Ok(accepted) => observer.accepted(accepted.position, &ordered.record, Some(&ordered)),
            Err(Refused::NoRoom) => continue,
            Err(_) => return,
        }
        // A transaction that is too far ahead is void for now, and told so.
        let Some(executed) = wait(chain, executed) else { return };
        observer.executed(chain, ordered.hash, executed);
    }
}
