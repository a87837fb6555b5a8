//! What an execution comes to. Nothing of it is applied: the engine does that, in order.
//!
//! Invariants: `reads` holds every entry of the state below that the outcome depends on, present or absent
//! (what a witness must prove, and what a parallel scheduler must compare); `writes` holds the fee's debit and
//! the nonce also of a failed transaction, and nothing of what its messages did; fees are not credited here
//! but summed by block, else every transaction would conflict with every other. [`Diagnostics`] are for people
//! and are no part of any commitment.

use std::collections::BTreeSet;

use rustorium_types::{
    block::{Event, Failure, Receipt},
    id::{ContractId, Gas},
};

use crate::state::{StateKey, Writes};

/// What became of a record's transaction at its turn.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "almost every execution is the large one")]
pub enum Execution {
    /// Nothing happened, and there is no receipt.
    NoOp(NoOp),
    /// The nonce is consumed, and there is a receipt: success, failure or dropped.
    Done(Effects),
}

/// Why a transaction did nothing at its turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoOp {
    /// Its nonce was used: a retry, or it lost a race.
    NonceUsed,
    /// Its nonce is above the window.
    NonceTooFar,
}

/// The effects of a transaction that consumed its nonce.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effects {
    /// Entries that change.
    pub writes: Writes,
    /// Entries that were read from the state below.
    pub reads: BTreeSet<StateKey>,
    /// The receipt.
    pub receipt: Receipt,
    /// Its events, numbered from 0; `transaction_index` is 0 until the engine sets it.
    pub events: Vec<Event>,
    /// For people.
    pub diagnostics: Diagnostics,
}

/// What a view came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ViewOutcome {
    /// What it returned, or why it failed.
    pub result: Result<Vec<u8>, Failure>,
    /// Gas used.
    pub gas_used: Gas,
    /// Entries that were read: what a witness must prove.
    pub reads: BTreeSet<StateKey>,
    /// For people.
    pub diagnostics: Diagnostics,
}

/// What helps a person to understand an outcome; no part of any commitment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diagnostics {
    /// Of a failure: the panic's text, the kind of trap, or why a module is refused.
    pub message: Option<String>,
    /// Of a trap: the function in which it happened, from the module's name section, else its index.
    pub function: Option<String>,
    /// What contracts logged, of undone calls too, in order; cut at the limits.
    pub logs: Vec<LogLine>,
}

/// A line that a contract logged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// Which contract.
    pub contract: ContractId,
    /// The text.
    pub text: String,
}
