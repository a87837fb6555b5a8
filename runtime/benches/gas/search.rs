//! A search for the slowest module: mixes of classes, changed at random, the slower ones kept.
//!
//! A candidate is some classes, how often each comes in a round, and how much memory it walks through. A first
//! population is drawn at random: its mean is what a module takes on average. Then the slowest are varied until the
//! time is up. Both are measured again at the end, several times in turns, and the middle one counts: a machine is not
//! equally fast all the time.

use std::time::{Duration, Instant};

use crate::{
    classes::{self, Class},
    machine::World,
    middle,
};

/// Candidates that are drawn at random, whose mean is the average module.
const POPULATION: usize = 200;
/// Candidates that are varied.
const PARENTS: usize = 8;
/// Times that each is measured at the end, all others in between.
const FINAL_TURNS: usize = 5;
/// Classes of a candidate at the most.
const GENES: usize = 8;
/// Gas of a measurement, and of the last ones.
const GAS: u64 = 8_000_000;
const FINAL_GAS: u64 = 40_000_000;
/// How many times as much where the memory is larger than what stays resident: to set it up takes milliseconds, which
/// vary, and which are taken off.
const LARGE: u64 = 5;
/// Gas of a block.
const BLOCK: f64 = 1e9;
/// How many times longer than the average one the slowest may take.
const MOST: f64 = 2.0;

/// A module: classes by index with how often each comes, and pages to walk through.
#[derive(Clone, Debug)]
struct Candidate {
    genes: Vec<(usize, usize)>,
    pages: u32,
}

/// Numbers that are the same for the same seed (xorshift64*).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % bound
    }
}

struct Search {
    classes: Vec<Class>,
    random: Random,
    world: World,
}

impl Search {
    fn gene(&mut self) -> (usize, usize) {
        (self.random.below(self.classes.len()), 1 + self.random.below(8))
    }

    fn pages(&mut self) -> u32 {
        [1, 1, 8, 15, 31, 127, 255][self.random.below(7)]
    }

    fn draw(&mut self) -> Candidate {
        let genes = (0..1 + self.random.below(GENES)).map(|_| self.gene()).collect();
        Candidate { genes, pages: self.pages() }
    }

    fn vary(&mut self, parent: &Candidate) -> Candidate {
        let mut child = parent.clone();
        match self.random.below(5) {
            0 if child.genes.len() < GENES => child.genes.push(self.gene()),
            1 if child.genes.len() > 1 => _ = child.genes.remove(self.random.below(child.genes.len())),
            2 => child.pages = self.pages(),
            3 => {
                let gene = self.random.below(child.genes.len());
                child.genes[gene].1 = 1 + self.random.below(8);
            }
            _ => {
                let gene = self.random.below(child.genes.len());
                child.genes[gene] = self.gene();
            }
        }
        child
    }

    /// Nanoseconds that a unit of gas takes; none where classes get into each other's way.
    fn measure(&mut self, candidate: &Candidate, gas: u64, repeats: usize) -> Option<f64> {
        let genes: Vec<(&Class, usize)> =
            candidate.genes.iter().map(|(class, times)| (&self.classes[*class], *times)).collect();
        let needed = genes.iter().map(|(class, _)| class.pages).max().unwrap_or(1);
        let pages = candidate.pages.max(needed);
        let mut machine = self.world.machine(&genes, pages)?;
        let gas = if pages < 32 { gas } else { LARGE * gas };
        machine.speed(gas, repeats).map(|speed| speed.ns_per_gas())
    }

    fn describe(&self, candidate: &Candidate) -> String {
        let genes: Vec<String> =
            candidate.genes.iter().map(|(class, times)| format!("{times} × {}", self.classes[*class].name)).collect();
        format!("{}; {} pages", genes.join(", "), candidate.pages)
    }
}

/// Searches for so long, and says what was found.
pub fn run(seconds: u64, seed: u64) {
    // What is priced for what it leaves behind would only make the average module look fast.
    let classes = classes::all().into_iter().filter(|class| !class.keeps).collect();
    let random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let mut search = Search { classes, random, world: World::new() };
    let until = Instant::now() + Duration::from_secs(seconds);
    let mut ranked: Vec<(f64, Candidate)> = Vec::new();
    while ranked.len() < POPULATION {
        let candidate = search.draw();
        ranked.extend(search.measure(&candidate, GAS, 2).map(|speed| (speed, candidate)));
    }
    let population: Vec<Candidate> = ranked.iter().map(|(_, candidate)| candidate.clone()).collect();
    let mut tried = ranked.len();
    while Instant::now() < until {
        // A disturbance may outlast a measurement: of those that are varied each is looked at again now and then.
        let parent = search.random.below(PARENTS.min(ranked.len()));
        if search.random.below(4) == 0 {
            let again = search.measure(&ranked[parent].1.clone(), GAS, 2).unwrap_or_default();
            ranked[parent].0 = ranked[parent].0.min(again);
        }
        ranked.sort_by(|(one, _), (other, _)| other.total_cmp(one));
        ranked.truncate(PARENTS);
        // Now and then something new, lest the search stays where it began.
        let child = match search.random.below(6) {
            0 => search.draw(),
            _ => {
                let parent = search.random.below(ranked.len());
                let parent = ranked[parent].1.clone();
                search.vary(&parent)
            }
        };
        let Some(mut speed) = search.measure(&child, GAS, 2) else { continue };
        // A disturbance makes a candidate look slow: those that would be varied are looked at again.
        if speed > ranked[ranked.len().min(PARENTS) - 1].0 {
            speed = speed.min(search.measure(&child, GAS, 5).unwrap_or_default());
        }
        if speed > ranked[0].0 {
            println!("{speed:.3} ns/gas: {}", search.describe(&child));
        }
        ranked.push((speed, child));
        tried += 1;
    }
    ranked.sort_by(|(one, _), (other, _)| other.total_cmp(one));
    let (slowest, average) = finale(&mut search, &ranked[..PARENTS.min(ranked.len())], &population);
    println!("seed {seed}, {seconds} s, {tried} modules tried");
    println!("average: {average:.3} ns/gas, a block {:.0} ms", average * BLOCK / 1e6);
    println!("slowest: {:.3} ns/gas, a block {:.0} ms: {}", slowest.0, slowest.0 * BLOCK / 1e6, slowest.1);
    println!("ratio: {:.2}", slowest.0 / average);
    assert!(slowest.0 / average <= MOST, "the slowest module takes more than {MOST} times the average one's time");
}

/// The slowest of the slow, and the mean of the first population, measured once more.
fn finale(search: &mut Search, slow: &[(f64, Candidate)], population: &[Candidate]) -> ((f64, String), f64) {
    let candidates: Vec<&Candidate> = population.iter().chain(slow.iter().map(|(_, candidate)| candidate)).collect();
    let mut measured = vec![Vec::new(); candidates.len()];
    for _ in 0..FINAL_TURNS {
        for (candidate, speeds) in candidates.iter().zip(&mut measured) {
            speeds.push(search.measure(candidate, FINAL_GAS, 3).unwrap_or_default());
        }
    }
    let measured: Vec<f64> = measured.into_iter().map(|speeds| middle(speeds, |speed| *speed)).collect();
    let (average, slowest) = measured.split_at(population.len());
    let mean = average.iter().sum::<f64>() / average.len() as f64;
    let slowest = slowest.iter().zip(slow).max_by(|(one, _), (other, _)| one.total_cmp(other)).unwrap();
    ((*slowest.0, search.describe(&slowest.1.1)), mean)
}
