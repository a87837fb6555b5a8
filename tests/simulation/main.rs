//! Lives of nodes whose disks are adversaries: what an outside observer was told is never contradicted.
//!
//! ```text
//! seed ──► Machine   tears, drops, fails (rustorium_chain::machine)
//!      └─► Life      deploys, calls, transfers, controls; commits, ends, failures and where they fall
//!           │
//!           ▼
//!          Observer  accepted, executed, certified: noted when told, held against every later process
//! ```
//!
//! What is replayed exactly: a life goes step by step, so everything in it is a function of its seed: what is
//! submitted, what goes into which block, every operation of every folder and what befalls it (a test compares two
//! runs). For that, records are submitted one at a time and the database is committed when the life says so.
//! What is not: [`hurried`] lives submit from several threads to a node that commits by itself, so that syncs are
//! shared and stages overlap; their inputs and failures are the seed's, the interleaving is the system's.
//!
//! `make simulate SEEDS=3000 FIRST=1` lives more of them; a failing seed is printed with the command for it alone.
//! `planted/` holds bugs that these lives must catch: `make planted`.
#![expect(clippy::unwrap_used, reason = "tests")]

mod hurried;
mod life;
mod node;
mod observer;
mod people;

use std::{
    env,
    panic::{self, AssertUnwindSafe},
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    thread,
    time::Instant,
};

/// Lives of a test run: a minute on two cores.
const SEEDS: u64 = 300;
/// Lives at a time.
const THREADS: u64 = 2;

/// Lives the seeds that the environment asks for, or `otherwise` many; a failing one is named.
fn each_seed(otherwise: u64, live: impl Fn(u64) + Sync) {
    let number = |name| env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    let first = number("FIRST").unwrap_or(1);
    let seeds = number("SEEDS").unwrap_or(otherwise);
    let (next, failed, started) = (AtomicU64::new(first), AtomicBool::new(false), Instant::now());
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                while !failed.load(Ordering::SeqCst) {
                    let seed = next.fetch_add(1, Ordering::SeqCst);
                    if seed >= first + seeds {
                        return;
                    }
                    if panic::catch_unwind(AssertUnwindSafe(|| live(seed))).is_err() {
                        failed.store(true, Ordering::SeqCst);
                        eprintln!("seed {seed} failed; this lives it again: make simulate FIRST={seed} SEEDS=1");
                    }
                }
            });
        }
    });
    assert!(!failed.load(Ordering::SeqCst), "a seed failed: it is named above");
    println!("{seeds} lives from seed {first} in {:?}", started.elapsed());
}

#[test]
fn whatever_befalls_a_node_nothing_is_lost() {
    each_seed(SEEDS, |seed| {
        life::live(seed);
    });
}

#[test]
fn a_node_in_a_hurry_loses_nothing_either() {
    each_seed(SEEDS / 15, hurried::live);
}

#[test]
fn a_life_is_its_seeds() {
    for seed in 1..=6 {
        assert_eq!(life::live(seed), life::live(seed), "seed {seed}");
    }
}
