//! How long it takes from a submission until it is executed where it was submitted, by the number of validators and their
//! distance. Time is the simulation's: what machines take to compute is not in it, and a chain looks every millisecond
//! whether it is asked something.

use std::{collections::BTreeMap, time::Duration};

use rustorium_chain::{handle::Handle, pipeline::CommitPolicy, waiters::Executed};
use rustorium_consensus::simulation::{Link, Time, World, simulate};

use crate::{life::Kept, people};

/// One way between regions, in milliseconds: half of the round trips that public clouds name between us-east, us-west,
/// eu-west and ap-southeast.
const REGIONS: [[u64; 4]; 4] = [[1, 31, 38, 110], [31, 1, 70, 85], [38, 70, 1, 88], [110, 85, 88, 1]];
/// Submissions, at so many a second.
const SUBMISSIONS: u64 = 100;
const RATE: u64 = 20;
/// So long that none ends meanwhile.
const EPOCH: u64 = 100_000;
/// Before them, and behind: the start and the last answers are no part of it.
const QUIET: Duration = Duration::from_secs(3);

/// Prints the table.
pub(crate) fn measure() {
    println!("{:>10} {:>12} {:>8} {:>8} {:>9}", "validators", "distance", "p50 ms", "p99 ms", "blocks/s");
    for (name, is_far) in [("5 ms", false), ("4 regions", true)] {
        for validators in [4, 7, 16, 32] {
            let run = move || network(validators, is_far);
            let (mut latencies, blocks) = rustorium_runtime::spawn("network", run).unwrap().join().unwrap();
            latencies.sort_unstable();
            let at = |share: usize| latencies[(latencies.len() - 1) * share / 100].as_secs_f64() * 1e3;
            println!("{validators:>10} {name:>12} {:>8.0} {:>8.0} {blocks:>9.1}", at(50), at(99));
        }
    }
}

fn network(validators: u8, is_far: bool) -> (Vec<Duration>, f64) {
    let kept = Kept::new(1, validators, EPOCH);
    let (terms, keys) = (kept.terms(), kept.keys());
    simulate(1, terms, &keys, |world| async move { run(world, kept, is_far).await }).0
}

async fn run(mut world: World, mut kept: Kept, is_far: bool) -> (World, (Vec<Duration>, f64)) {
    link(&world, is_far).await;
    for validator in &mut kept.validators {
        validator.turn = Duration::from_millis(1);
        validator.start(&mut world, &kept.genesis, CommitPolicy::default()).await.unwrap();
    }
    let time = world.time();
    time.sleep(QUIET).await;
    let height = |kept: &Kept| kept.validators[0].chain().unwrap().snapshot().height().0;
    let (begun, before) = (time.elapsed(), height(&kept));
    let mut latencies = Vec::new();
    let mut waiting = BTreeMap::new();
    for number in 0..SUBMISSIONS {
        let ordered = kept.people.order(&mut kept.chance, people::START + time.elapsed().as_millis() as u64);
        let one = kept.chance.below(kept.validators.len() as u64) as usize;
        let chain = kept.validators[one].chain().unwrap();
        waiting.insert(number, (time.elapsed(), chain.executed(ordered.hash).unwrap()));
        drop(chain.submit(ordered.record));
        look(&time, Duration::from_millis(1_000 / RATE), &mut waiting, &mut latencies).await;
    }
    let blocks = (height(&kept) - before) as f64 / (time.elapsed() - begun).as_secs_f64();
    look(&time, QUIET, &mut waiting, &mut latencies).await;
    for validator in &mut kept.validators {
        validator.end(&mut world, false, None).await;
    }
    // Those that are far ahead, or void, never come to anything.
    assert!(latencies.len() as u64 > SUBMISSIONS / 2, "{} of {SUBMISSIONS} executed", latencies.len());
    (world, (latencies, blocks))
}

async fn link(world: &World, is_far: bool) {
    for from in 0..world.len() {
        for to in 0..world.len() {
            let milliseconds = if is_far { REGIONS[from % REGIONS.len()][to % REGIONS.len()] } else { 5 };
            let latency = Duration::from_millis(milliseconds);
            world.link(from, to, Some(Link { latency, jitter: latency / 10, arrive: 100 })).await;
        }
    }
}

/// Lets time pass, and notes what is executed meanwhile, to the millisecond.
async fn look(
    time: &Time,
    duration: Duration,
    waiting: &mut BTreeMap<u64, (Duration, Handle<Executed>)>,
    latencies: &mut Vec<Duration>,
) {
    let until = time.elapsed() + duration;
    while time.elapsed() < until {
        time.sleep(Duration::from_millis(1)).await;
        for (number, (since, handle)) in std::mem::take(waiting) {
            match handle.wait_timeout(Duration::ZERO) {
                Ok(Ok(Executed::Receipt(_))) => latencies.push(time.elapsed() - since),
                Ok(_) => {}
                Err(handle) => {
                    waiting.insert(number, (since, handle));
                }
            }
        }
    }
}
