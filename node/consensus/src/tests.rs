//! Validators over a chain that only keeps headers (`ledger.rs`): in a simulated network whose every fault comes from a
//! seed (`world.rs`), and over real sockets (`loopback.rs`).
//!
//! A simulation's time is its own: tests wait for what is to happen, and fail with their seed. `CONSENSUS_SEEDS=1000`
//! adds 1000 to each seed: other lives of the same tests.

mod agreement;
mod caution;
mod epochs;
mod evidence;
mod faults;
pub(crate) mod headers;
mod ledger;
mod loopback;
mod world;
