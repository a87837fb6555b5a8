//! The node and tool behind the `rustorium` binary.

pub mod builder;
pub mod project;
pub mod rehearsal;
