//! Lives of networks: four whole nodes, but for sockets and threads, on bad disks behind bad links.
//!
//! ```text
//! seed ──► World      loses, delays, cuts off, crashes (rustorium_consensus::simulation)
//!      ├─► Machine    of each validator: tears, drops, fails (rustorium_chain::machine)
//!      └─► Life       submits here and there, starts and ends validators, sets adversaries on them
//!           │
//!           ▼
//!          Observer   accepted, executed, certified at any of them: held against all of them, at every block
//! ```
//!
//! A validator is what the node makes of it: consensus over simplex and marshal with their journals, a chain with its
//! lanes, its log, real contracts in a real engine, redb and the state tree. Its stages run on the simulation's thread,
//! its clock is the simulation's, so that a life is a function of its seed, to the last byte of every disk: a test
//! compares two runs.
//!
//! What must hold after every life: no two different blocks at a height, everything accepted executed once or provably
//! void, equal roots everywhere, and, when everything is mended, progress.
//!
//! `make simulate-networks SEEDS=1000 FIRST=1` lives more of them; a failing seed is printed with the command for it
//! alone. `adversaries/` has those who break the rules.
#![expect(clippy::unwrap_used, reason = "tests")]

mod adversaries;
mod finality;
mod lanes;
mod life;
mod observer;
#[allow(dead_code, reason = "lives of one node also set balances")]
#[path = "../people.rs"]
mod people;
#[path = "../seeds.rs"]
mod seeds;
mod validator;

use self::seeds::each_seed;

/// Lives of a test run: some minutes on two cores.
const SEEDS: u64 = 200;

#[test]
fn whatever_befalls_a_network_it_agrees_and_goes_on() {
    each_seed("simulate-networks", SEEDS, |seed| {
        life::live(seed);
    });
}

#[test]
fn whatever_befalls_a_network_it_survives_a_power_cut() {
    each_seed("simulate-networks", SEEDS / 8, life::live_through_a_power_cut);
}

#[test]
#[ignore = "a measurement: make finality"]
fn finality_by_number_and_distance() {
    finality::measure();
}

#[test]
fn a_life_is_its_seeds() {
    for seed in 1..=3 {
        assert_eq!(life::live(seed), life::live(seed), "seed {seed}");
    }
}
