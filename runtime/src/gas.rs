//! Prices, in gas. Two gas are about one nanosecond of the machine that `docs/performance.md` names.
//!
//! What a transaction uses is the sum of
//!
//! ```text
//! TRANSACTION + SIGNATURE × signatures + TRANSACTION_BYTE × bytes of the body
//! each message       its base here, and what its contracts use
//! each frame         entering a contract, by rule from its module (`enter`), never by what a cache holds
//! each instruction   1 fuel; bulk memory and table instructions 1 for each byte or element, too
//! each new page      MEMORY_PAGE
//! each host call     the base and the price per byte that the host table gives
//! ```
//!
//! A trap uses the whole limit of its frame: wasmtime's fuel is not exact at a trap. Nothing is refunded.
//! Every price is part of the protocol: the golden table at the end of `tests/gas.rs` freezes them.

use crate::validate::Facts;

/// Decoding, the nonce, the fee, the receipt and the update of the sender's leaf.
pub(crate) const TRANSACTION: u64 = 20_000;
/// Checking one ed25519 signature in a batch: 19 µs.
pub(crate) const SIGNATURE: u64 = 40_000;
/// A byte of the body: it is logged, sent to every validator, hashed and kept.
pub(crate) const TRANSACTION_BYTE: u64 = 8;

/// Moving value: two account records. As the host function `transfer`.
pub(crate) const TRANSFER: u64 = 6_000;
/// Finding a contract and its method. As the host function `call`.
pub(crate) const CALL: u64 = 6_000;
/// Writing a contract record. As the host function `instantiate`.
pub(crate) const INSTANTIATE: u64 = 20_000;
/// Rewriting a contract record, and finding the code.
pub(crate) const UPGRADE: u64 = 20_000;
/// Rewriting a contract record.
pub(crate) const SET_ADMIN: u64 = 10_000;
/// Looking for a code.
pub(crate) const STORE_CODE: u64 = 20_000;
/// A byte of new code: validated, instrumented, compiled (1 MiB takes about a second on two cores) and kept for
/// ever. With the price of its transaction's bytes a code of the largest size still fits a transaction.
pub(crate) const NEW_CODE_BYTE: u64 = 64;
/// A byte of code that is stored already: hashed and compared.
pub(crate) const KNOWN_CODE_BYTE: u64 = 1;

/// Taking a slot of the pool, setting it up, and giving it back clean.
const ENTER: u64 = 8_000;
/// A page of a new instance's memory, or of a memory that grows: 16 pages of the machine, each faulted in and
/// reset if it is touched, and any may be.
pub(crate) const MEMORY_PAGE: u64 = 2_000;
/// 1 KiB of code: loading a compiled module that is not in memory, spread over calls.
const CODE_KIB: u64 = 32;
/// An element of the function table: it is cleared for each instance.
const TABLE_ELEMENT: u64 = 1;

/// The price of a fresh instance of a module.
pub(crate) fn enter(facts: &Facts) -> u64 {
    ENTER
        + MEMORY_PAGE * u64::from(facts.memory_pages)
        + CODE_KIB * u64::from(facts.code_bytes.div_ceil(1024))
        + TABLE_ELEMENT * u64::from(facts.table_elements)
}
