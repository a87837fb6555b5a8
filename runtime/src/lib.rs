//! Executes Rustorium contracts. The only crate that names wasmtime.
//!
//! Execution is a function from state to effects: it reads through [`StateRead`], and nothing but its result
//! leaves it. A node applies the effects, a dry run drops them, a witness is made of its reads.

mod context;
mod effects;
mod state;

pub use context::{BlockContext, Transaction};
pub use effects::{Diagnostics, Effects, Execution, LogLine, NoOp, ViewOutcome};
pub use state::{CacheManager, Damage, InMemoryState, StateError, StateKey, StateRead, Storage, Writes};
