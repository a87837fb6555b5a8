//! One life after the other, two at a time.

use std::{
    env,
    panic::{self, AssertUnwindSafe},
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    thread,
    time::Instant,
};

/// Lives at a time.
const THREADS: u64 = 2;

/// Lives the seeds that the environment asks for, or `otherwise` many; a failing one is named with the `make` command that
/// lives it again.
pub(crate) fn each_seed(command: &str, otherwise: u64, live: impl Fn(u64) + Sync) {
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
                        eprintln!("seed {seed} failed; this lives it again: make {command} FIRST={seed} SEEDS=1");
                    }
                }
            });
        }
    });
    assert!(!failed.load(Ordering::SeqCst), "a seed failed: it is named above");
    println!("{seeds} lives from seed {first} in {:?}", started.elapsed());
}
