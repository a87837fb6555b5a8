//! Events: what a contract says to those who watch.

use borsh::{BorshDeserialize, BorshSerialize};

use crate::abi;

/// A struct marked `#[event]`.
#[diagnostic::on_unimplemented(message = "`{Self}` is not an event", label = "must be a struct marked `#[event]`")]
pub trait Event: BorshSerialize + BorshDeserialize {
    /// How the ABI describes it.
    const EVENT: abi::Event;
}
