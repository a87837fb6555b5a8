//! Collects what `make bench` measured, and measures the node as its users see it.
//!
//! ```text
//! criterion's results of the libraries ─┐
//!                                       ├─► target/bench/results.json, and a table
//! a node, asked over its public API ────┘
//! ```
//!
//! A figure of a library is a criterion group of that name: the function `rustorium` is ours, the other one, if
//! there is one, is what we compare with.

mod criterion;
mod delivery;
#[expect(dead_code, reason = "a bench needs less of it than the tests")]
#[path = "../dev_node.rs"]
mod dev_node;
mod node;
mod reads;
mod report;
mod transfers;

use std::path::Path;

use crate::criterion::Unit;

/// The figures that criterion measures, in the order in which they are shown.
const FIGURES: [(&str, Unit); 8] = [
    ("poseidon_hash", Unit::Nanoseconds),
    ("poseidon_batch_hash", Unit::Nanoseconds),
    ("tree_updates_memory", Unit::PerSecond),
    ("tree_updates_durable", Unit::PerSecond),
    ("contract_transfer_one_thread", Unit::PerSecond),
    ("contract_transfer_two_threads", Unit::PerSecond),
    ("groth16_prove_d32", Unit::Milliseconds),
    ("groth16_verify", Unit::Milliseconds),
];

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    // The binary is in `release/` of the target directory.
    let binary = Path::new(env!("CARGO_BIN_EXE_rustorium"));
    let target = binary.ancestors().nth(2).unwrap_or(Path::new("target"));
    let mut figures = criterion::collect(&target.join("criterion"), &FIGURES)?;
    figures.extend(transfers::many().await?);
    figures.extend(transfers::latencies().await?);
    figures.extend(delivery::measure().await?);
    report::write(&target.join("bench"), &figures)?;
    print!("{}", report::table(&figures));
    Ok(())
}
