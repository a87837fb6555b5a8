//! Executes Rustorium contracts. The only crate that names wasmtime.
//!
//! Execution is a function from state to effects: it reads through [`StateRead`], and nothing but its result
//! leaves it. A node applies the effects, a dry run drops them, a witness is made of its reads.
//!
//! ```text
//! Runtime ─ execute ─ message ─┐
//!         └ view ──────────────┴─ call ─ module (validate, instrument, compile) ─ pool
//!                                   └─ host ─ session ─ overlay ─► StateRead
//! ```

mod call;
mod context;
mod effects;
mod error;
mod execute;
mod gas;
mod host;
mod instrument;
mod message;
mod module;
mod overlay;
mod pool;
mod runtime;
mod session;
mod stack;
mod state;
mod trace;
mod validate;
mod view;

pub use context::{BlockContext, Transaction};
pub use effects::{Diagnostics, Effects, Execution, LogLine, NoOp, ViewOutcome};
pub use error::{EngineError, ExecuteError, RuntimeError};
pub use module::ModuleDisk;
pub use runtime::{CodeInfo, Runtime, RuntimeConfig};
pub use stack::spawn;
pub use state::{CacheManager, Damage, InMemoryState, StateError, StateKey, StateRead, Storage, Writes};
pub use trace::{Action, Argument, Excerpt, FrameTrace, MessageTrace, Step, Trace, TraceLimits, TracedFailure};
pub use validate::InvalidModule;
