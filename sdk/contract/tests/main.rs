//! The SDK as a contract author uses it.
#![expect(clippy::unwrap_used, reason = "tests")]

mod abi;
mod calls;
mod host;
mod storage;
