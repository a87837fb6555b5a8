//! What a unit of gas takes, for every class of instructions and every host function, and the slowest module that a
//! search finds. `docs/features/gas.md` says how prices follow from it.
//!
//! ```text
//! cargo bench --package rustorium-runtime --bench gas                     the table; fails where a price is too low
//! cargo bench --package rustorium-runtime --bench gas -- search 600 1     a search of so many seconds, from a seed
//! ```
//!
//! Everything is measured as contracts run: a transaction through the whole of `execute`. What is measured is the
//! difference between a run with many rounds of a class and one with none, in time and in gas, so that what a
//! transaction costs anyhow is in neither.
#![expect(clippy::unwrap_used, unreachable_pub, reason = "a bench")]

#[path = "../tests/chain.rs"]
#[allow(dead_code, reason = "made for tests")]
mod chain;
#[path = "gas/classes.rs"]
mod classes;
#[path = "gas/heavy.rs"]
mod heavy;
#[path = "gas/machine.rs"]
mod machine;
#[path = "gas/search.rs"]
mod search;
#[path = "../tests/table.rs"]
#[allow(dead_code, reason = "made for tests")]
mod table;

use classes::Class;
use machine::{Speed, World};

/// Gas of one measurement.
const MEASURED_GAS: u64 = 20_000_000;
/// Measurements of a class in each turn; the fastest counts, since whatever disturbs one only makes it slower.
const REPEATS: usize = 5;
/// Turns through all classes; the middle one counts. A machine may be slow for seconds, and now and then a class is fast
/// by chance: a fill of nothing takes 110 ns or 5, depending on the page that it starts at.
const TURNS: usize = 3;
/// How many times slower than the median a unit of gas of any class may be.
const MOST_OVER_MEDIAN: f64 = 3.0;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    let run = move || match &words[..] {
        [search, rest @ ..] if search == "search" => {
            let number = |index: usize, default| rest.get(index).map_or(default, |word: &String| word.parse().unwrap());
            search::run(number(0, 600), number(1, 1));
        }
        _ => table(),
    };
    rustorium_runtime::spawn("gas", run).unwrap().join().unwrap();
}

/// The one in the middle.
fn middle<T: Copy>(mut measured: Vec<T>, by: impl Fn(&T) -> f64) -> T {
    measured.sort_by(|one, other| by(one).total_cmp(&by(other)));
    measured[measured.len() / 2]
}

/// Measures every class and compares it with the median.
fn table() {
    let mut world = World::new();
    let mut measured: Vec<(Class, Vec<Speed>)> = classes::all().into_iter().map(|class| (class, Vec::new())).collect();
    for turn in 1..=TURNS {
        for (class, speeds) in &mut measured {
            let machine = world.machine(&[(class, 1)], class.pages);
            let speed = machine.and_then(|mut machine| machine.speed(MEASURED_GAS, REPEATS));
            let speed = speed.unwrap_or_else(|| panic!("{}: it fails", class.name));
            eprintln!("{turn} {:<44} {:>12.1} gas {:>12.1} ns", class.name, speed.gas, speed.ns);
            speeds.push(speed);
        }
    }
    let mut speeds: Vec<(Class, Speed)> =
        measured.into_iter().map(|(class, speeds)| (class, middle(speeds, Speed::ns_per_gas))).collect();
    speeds.sort_by(|(_, one), (_, other)| one.ns_per_gas().total_cmp(&other.ns_per_gas()));
    let median = speeds[speeds.len() / 2].1.ns_per_gas();
    println!("{:<44} {:>12} {:>12} {:>10} {:>9}", "class", "gas/round", "ns/round", "ns/gas", "median");
    for (class, speed) in &speeds {
        println!(
            "{:<44} {:>12.1} {:>12.1} {:>10.3} {:>8.2}x",
            class.name,
            speed.gas,
            speed.ns,
            speed.ns_per_gas(),
            speed.ns_per_gas() / median
        );
    }
    println!("median {median:.3} ns/gas: {:.1} gas a nanosecond", 1.0 / median);
    let cheap: Vec<&str> = speeds
        .iter()
        .filter(|(_, speed)| speed.ns_per_gas() > MOST_OVER_MEDIAN * median)
        .map(|(class, _)| class.name.as_str())
        .collect();
    assert!(cheap.is_empty(), "priced more than {MOST_OVER_MEDIAN} times below the median: {cheap:?}");
}
