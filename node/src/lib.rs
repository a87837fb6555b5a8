//! The node and tool behind the `rustorium` binary.

mod admission;
pub mod api;
pub mod broker;
pub mod builder;
pub mod cli;
pub mod config;
pub mod dev;
mod feed;
pub mod founding;
pub mod genesis;
pub mod journal;
pub mod keystore;
pub mod load;
pub mod membership;
mod metrics;
pub mod node;
mod peers;
pub mod project;
pub mod rehearsal;
mod telemetry;
