//! The chain: log, blocks, engine, storage, state tree, cache.
//!
//! No tokio, no clock, no sockets: time is handed in, and what must wait returns a handle that blocks or is
//! awaited on any executor.

pub mod cache;
pub mod chain;
pub mod check;
pub mod clock;
pub mod consensus;
pub mod control;
pub mod cut;
pub mod desk;
pub mod dev;
mod doubts;
pub mod dump;
pub mod engine;
pub mod exchange;
pub mod fault;
mod follow;
pub mod genesis;
pub mod handle;
mod ledger;
pub mod lock;
pub mod log;
pub mod machine;
pub mod metrics;
mod offers;
pub mod pipeline;
pub mod replay;
pub mod room;
pub mod snapshot;
pub mod sole;
pub mod storage;
pub mod submit;
mod tickets;
pub mod trace;
mod tree;
mod turns;
pub mod verify;
pub mod waiters;
pub mod waiting;
