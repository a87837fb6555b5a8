//! What contracts can do and cannot, with contracts written in the text format, so that no compiler stands between
//! the test and the runtime.
#![expect(clippy::unwrap_used, unreachable_pub, reason = "tests")]

mod adapt;
mod calls;
mod chain;
mod gas;
mod generated;
mod hostile;
mod hosts;
mod modules;
mod smith;
mod spec;
mod stack;
mod table;
mod traces;
mod transactions;
mod validators;
mod worst;
