//! The host interface: one table, from which the host half, the guest half, the mock and the docs follow.
//!
//! A contract imports these functions from the module [`MODULE`]. Once released none of them changes;
//! additions go to a module of the next number. Call `host_table!(callback)` with a macro that takes rows of
//!
//! ```text
//! /// doc
//! fn name(parameter: kind, …) -> kind, gas BASE + PER_BYTE;
//! ```
//!
//! A kind says what the WebAssembly signature is:
//!
//! | kind | as a parameter | as a result |
//! |---|---|---|
//! | `unit` | | no result |
//! | `never` | | no result; the call does not return |
//! | `u64` | `i64` | `i64` |
//! | `flag` | | `i32`: 0 or 1 |
//! | `fixed(N)` | `i32` pointer to N bytes | `i32` pointer parameter, last; N bytes are written |
//! | `maybe_fixed(N)` | | as `fixed(N)`, and an `i32` result: 1 written, 0 there is none |
//! | `bytes` | `i32` pointer, `i32` length | `i32` pointer and `i32` capacity, last; `i64` length |
//! | `maybe_bytes` | | as `bytes`; −1 if there is none |
//! | `outcome` | | as `bytes`; the length, plus status × 2³²: 0 the callee returned these bytes, else a [`Code`]'s number and these bytes are a `borsh` [`CallError`] |
//!
//! Of a result longer than its capacity the first bytes are written; `rest` then writes the whole again.
//! A pointer or length out of the guest's memory traps. Gas is BASE, and PER_BYTE for each byte that goes
//! in or comes out as `bytes`. Addresses are [`Address::to_bytes`](crate::id::Address::to_bytes), amounts
//! 16 bytes little-endian, field elements 32 bytes big-endian.

use borsh::{BorshDeserialize, BorshSerialize};

use crate::{block::TypedError, code::Code};

/// The import module of the table's functions.
pub const MODULE: &str = "rustorium.1";
/// The custom section that holds a contract's ABI.
pub const ABI_SECTION: &str = "rustorium.abi";
/// The export that runs once, when a contract is made.
pub const INIT: &str = "init";
/// The export that runs when a contract is given this code by an upgrade.
pub const MIGRATE: &str = "migrate";
/// The export that runs when native value is transferred to a contract.
pub const RECEIVE: &str = "receive";
/// What the exports of methods start with.
pub const CALL_PREFIX: &str = "call.";
/// What the exports of views start with.
pub const VIEW_PREFIX: &str = "view.";
/// The export of a contract's memory.
pub const MEMORY: &str = "memory";

/// What a caller learns of a callee's failure.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct CallError {
    /// The code; `CONTRACT_ERROR` for the callee's own errors.
    pub code: Code,
    /// The callee's own error.
    pub error: Option<TypedError>,
}

/// Passes the table of host functions to a macro.
#[macro_export]
macro_rules! host_table {
    ($callback:ident) => {
        $callback! {
            /// The arguments of this call: `borsh` of one struct.
            fn arguments() -> bytes, gas 260 + 1;
            /// The whole last result of kind `bytes`, `maybe_bytes` or `outcome`, for a buffer that was too small.
            fn rest() -> bytes, gas 260 + 1;
            /// What this call returns, `borsh`; the last one counts.
            fn return_data(data: bytes) -> unit, gas 260 + 1;
            /// Ends this call with an error of the contract's own: its name, and `borsh` of its fields.
            fn fail(name: bytes, fields: bytes) -> never, gas 260 + 1;
            /// Ends this call with a trap that says why.
            fn panic(message: bytes) -> never, gas 200 + 8;
            /// A line for whoever runs or debugs the contract; not part of any result.
            fn log(message: bytes) -> unit, gas 800 + 30;
            /// The value under a key of this contract's storage.
            fn storage_read(key: bytes) -> maybe_bytes, gas 3_000 + 1;
            /// Puts a value under a key of this contract's storage. Traps in a view.
            fn storage_write(key: bytes, value: bytes) -> unit, gas 20_000 + 30;
            /// Removes a key of this contract's storage. Traps in a view.
            fn storage_remove(key: bytes) -> unit, gas 20_000 + 3;
            /// Who called: an account or a contract. A view called from outside has no caller.
            fn caller() -> maybe_fixed(33), gas 200 + 0;
            /// This contract's address.
            fn this() -> fixed(33), gas 200 + 0;
            /// The native value that came with this call; it is in the balance already.
            fn value() -> fixed(16), gas 200 + 0;
            /// An address's native balance.
            fn balance(address: fixed(33)) -> fixed(16), gas 4_000 + 0;
            /// The block's height.
            fn height() -> u64, gas 200 + 0;
            /// The block's time, in milliseconds since the Unix epoch.
            fn time() -> u64, gas 200 + 0;
            /// The genesis hash, which names the chain.
            fn genesis_hash() -> fixed(32), gas 200 + 0;
            /// Sends native value; a contract that receives it runs `receive`. Traps in a view.
            fn transfer(to: fixed(33), amount: fixed(16), gas_limit: u64) -> outcome, gas 28_000 + 1;
            /// Runs a method of another contract. A gas limit of 0 is all but 1/64 of what is left. Traps in a view.
            fn call(contract: fixed(33), method: bytes, arguments: bytes, value: fixed(16), gas_limit: u64) -> outcome, gas 6_000 + 1;
            /// Runs a view of a contract, this one included.
            fn query(contract: fixed(33), view: bytes, arguments: bytes, gas_limit: u64) -> outcome, gas 6_000 + 1;
            /// Makes a contract; the result is its address, 33 bytes, and what `init` returned. The admin is an address or
            /// no bytes. Traps in a view.
            fn instantiate(code: fixed(32), salt: fixed(32), admin: bytes, label: bytes, arguments: bytes, value: fixed(16), gas_limit: u64) -> outcome, gas 30_000 + 1;
            /// Says that something happened: an event's name, and `borsh` of its fields. Traps in a view.
            fn emit(name: bytes, fields: bytes) -> unit, gas 4_000 + 10;
            /// SHA-256 (FIPS 180-4).
            fn sha256(data: bytes) -> fixed(32), gas 640 + 5;
            /// Keccak-256 with the padding of the original submission, as Ethereum uses it.
            fn keccak256(data: bytes) -> fixed(32), gas 3_000 + 20;
            /// BLAKE3.
            fn blake3(data: bytes) -> fixed(32), gas 680 + 6;
            /// Poseidon of two BN254 scalars, with circom's parameters. Traps if one is not below the modulus.
            fn poseidon(left: fixed(32), right: fixed(32)) -> fixed(32), gas 60_000 + 0;
            /// Whether an ed25519 signature is valid by ZIP-215: 1 or 0.
            fn ed25519_verify(public_key: fixed(32), signature: fixed(64), message: bytes) -> flag, gas 330_000 + 14;
        }
    };
}
