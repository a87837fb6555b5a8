//! Write Rustorium contracts in Rust.
//!
//! A contract is a struct of storage fields and an `impl` of methods:
//!
//! ```
//! //! Counts.
//! use rustorium_sdk::prelude::*;
//!
//! #[storage]
//! pub struct Counter {
//!     count: Item<u64>,
//! }
//!
//! #[contract]
//! impl Counter {
//!     /// Counts up, and answers how far.
//!     #[call]
//!     pub fn increment(&mut self, by: u64) -> u64 {
//!         self.count.add(by);
//!         self.count.get()
//!     }
//!
//!     #[view]
//!     pub fn count(&self) -> u64 {
//!         self.count.get()
//!     }
//! }
//! ```
//!
//! `rustorium build` makes a module of it, in which each method is an export and a custom section describes
//! methods, events, errors, storage and types to everyone else. `cargo test` runs it natively on [`Mock`].
//! Everything comes with `use rustorium_sdk::prelude::*`.

// Attributes name this crate by its name, also in its own tests.
extern crate self as rustorium_sdk;

pub mod abi;
pub mod env;
#[cfg(not(target_arch = "wasm32"))]
pub mod mock;
pub mod prelude;

#[cfg(all(target_arch = "wasm32", feature = "allocator"))]
mod allocator;
mod bytes;
mod call;
mod contract;
mod ctx;
mod error;
mod event;
mod number;
mod probe;
mod storage;

pub use bytes::Bytes;
pub use call::{Call, CallFailed};
pub use contract::{Contract, Outcome};
pub use ctx::{Ctx, NewContract};
pub use error::ContractError;
pub use event::Event;
#[cfg(not(target_arch = "wasm32"))]
pub use mock::Mock;
pub use number::{Checked, Decimal, ParseNumberError, U256};
pub use rustorium_macros::{abi, call, contract, error, event, init, interface, migrate, receive, storage, view};
pub use rustorium_types::{
    code::Code,
    field::Field,
    id::{Address, Hash, Timestamp},
    key::StorageKey,
};
pub use storage::{EnumMap, Item, KeyOf, List, Map, PAGE_LIMIT, Page, PageRequest, Storage, StorageField};

/// What the macros' output needs; not for authors.
#[doc(hidden)]
pub mod __private {
    pub use borsh;

    pub use crate::contract::{answer, arguments};
    #[cfg(target_arch = "wasm32")]
    pub use crate::env::enter;
    #[cfg(not(target_arch = "wasm32"))]
    pub use crate::mock::entered;
    pub use crate::probe::{DefaultOf, Shown, ShownByDebug, WithoutDefault};
    pub use crate::storage::serialize as append;
}

/// The code of the guide runs with the documentation's tests.
#[cfg(doctest)]
mod guide {
    #[doc = include_str!("../../../docs/sdk/getting-started.md")]
    struct GettingStarted;
    #[doc = include_str!("../../../docs/sdk/storage.md")]
    struct Storage;
    #[doc = include_str!("../../../docs/sdk/calls-and-errors.md")]
    struct CallsAndErrors;
    #[doc = include_str!("../../../docs/sdk/testing.md")]
    struct Testing;
    #[doc = include_str!("../../../docs/sdk/types.md")]
    struct Types;
}
