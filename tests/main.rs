//! End to end: the real binary, its real disk, its public interfaces.
//!
//! One binary for all of it, a target of `rustorium-node`'s manifest, so that cargo tells it where the
//! program is. Each test starts a node of its own on free ports and a directory of its own.

mod chain_client;
mod dev_node;
mod guests;
mod payer;

mod broker;
mod crash;
mod damage;
mod dev;
mod faults;
mod full_disk;
mod golden_path;
mod hostile;
mod liar;
mod localnet;
mod plain;
mod restart;
mod streams;
mod token;
mod validators;
mod watched;
