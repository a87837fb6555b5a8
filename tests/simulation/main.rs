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
//! `make simulate-nodes SEEDS=3000 FIRST=1` lives more of them; a failing seed is printed with the command for it alone.
//! `planted/` holds bugs that these lives must catch: `make planted`.
#![expect(clippy::unwrap_used, reason = "tests")]

mod hurried;
mod life;
mod node;
mod observer;
mod people;
mod seeds;

use std::process::Command;

use self::seeds::each_seed;

/// Lives of a test run: a minute on two cores.
const SEEDS: u64 = 300;
#[test]
fn whatever_befalls_a_node_nothing_is_lost() {
    each_seed("simulate-nodes", SEEDS, |seed| {
        life::live(seed);
    });
}

#[test]
fn a_node_in_a_hurry_loses_nothing_either() {
    each_seed("simulate-nodes", SEEDS / 15, hurried::live);
}

/// What `make planted` plants fits the code as it is.
#[test]
fn bugs_can_be_planted() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
    let mut planted = 0;
    for folder in ["tests/simulation/planted", "tests/simulation/network/planted"] {
        for bug in std::fs::read_dir(format!("{root}/{folder}")).unwrap() {
            let patch = format!("{folder}/{}", bug.unwrap().file_name().display());
            let checked = Command::new("git").args(["apply", "--check", &patch]).current_dir(root).output().unwrap();
            assert!(checked.status.success(), "{patch}: {}", String::from_utf8_lossy(&checked.stderr));
            planted += 1;
        }
    }
    assert!(planted > 0);
}

#[test]
fn a_life_is_its_seeds() {
    for seed in 1..=6 {
        assert_eq!(life::live(seed), life::live(seed), "seed {seed}");
    }
}
