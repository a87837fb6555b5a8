//! What `#[contract]` makes of a type, and what its methods may answer.
//!
//! An export runs a function of no parameters: it takes the arguments from the host, opens the storage, runs
//! the method and hands its value back. The same functions serve the imports' counterpart in the mock, so a
//! contract that is called by another one in a test goes the way that it goes on a chain.

use borsh::{BorshDeserialize, BorshSerialize};

use crate::{
    abi::{self, AbiType, MethodKind},
    env,
    error::ContractError,
    storage::{Storage, serialize},
};

/// A type with an `impl` marked `#[contract]`.
pub trait Contract: Storage {
    /// What it tells of itself.
    const ABI: abi::Section;
    /// What its `#[init]` method answers; `()` if it has none.
    type Init: Outcome;

    /// The function behind an export.
    fn method(kind: MethodKind, name: &str) -> Option<fn()>;
}

/// What a method may answer: a value, or a `Result` of a value and an error marked `#[error]`.
#[diagnostic::on_unimplemented(
    message = "a contract's method cannot return `{Self}`",
    label = "must be an ABI type, or a `Result` of one and an error marked `#[error]`",
    note = "mark your own struct or enum with `#[abi]`, and your error enum with `#[error]`"
)]
pub trait Outcome: Sized {
    /// The value of success.
    type Value: AbiType;
    /// The same with another value.
    type With<T>;
    /// How the ABI describes the value.
    const RETURNS: abi::Type = <Self::Value as AbiType>::TYPE;
    /// The errors.
    const ERRORS: &'static [abi::Variant];

    /// The value; an error ends the call instead.
    fn value_or_fail(self) -> Self::Value;

    /// Whether it is no error.
    fn is_success(&self) -> bool;

    /// The same with another value.
    fn with<T>(self, value: T) -> Self::With<T>;
}

impl<T: AbiType> Outcome for T {
    type Value = T;
    type With<U> = U;
    const ERRORS: &'static [abi::Variant] = &[];

    fn value_or_fail(self) -> T {
        self
    }

    fn is_success(&self) -> bool {
        true
    }

    fn with<U>(self, value: U) -> U {
        value
    }
}

impl<T: AbiType, E: ContractError> Outcome for Result<T, E> {
    type Value = T;
    type With<U> = Result<U, E>;
    const ERRORS: &'static [abi::Variant] = E::VARIANTS;

    fn value_or_fail(self) -> T {
        self.unwrap_or_else(|error| env::fail(error.name().as_bytes(), &error.fields()))
    }

    fn is_success(&self) -> bool {
        self.is_ok()
    }

    fn with<U>(self, value: U) -> Result<U, E> {
        self.map(|_| value)
    }
}

/// The call's arguments, decoded exactly; a trap if they are others.
pub fn arguments<T: BorshDeserialize>() -> T {
    borsh::from_slice(&env::arguments()).unwrap_or_else(|_| env::trap(&["the arguments are not those of this method"]))
}

/// Hands the method's value to the host.
pub fn answer(outcome: impl Outcome) {
    let mut bytes = Vec::with_capacity(64);
    serialize(&outcome.value_or_fail(), &mut bytes);
    if !bytes.is_empty() {
        env::return_data(&bytes);
    }
}

/// `borsh` of a value.
pub(crate) fn encoded(value: &(impl BorshSerialize + ?Sized)) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(64);
    serialize(value, &mut bytes);
    bytes
}
