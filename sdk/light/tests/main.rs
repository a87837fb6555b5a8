//! The light client against an honest chain, and against every lie that a node could tell.
#![expect(clippy::unwrap_used, reason = "tests")]

mod chain;
mod golden;
mod honest;
mod hostile;
