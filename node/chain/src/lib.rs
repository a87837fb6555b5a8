//! The chain: log, blocks, engine, storage, state tree, cache.
//!
//! No tokio, no clock, no sockets: time is handed in, and what must wait returns a handle that blocks or is
//! awaited on any executor.

pub mod handle;
pub mod log;
pub mod submit;
