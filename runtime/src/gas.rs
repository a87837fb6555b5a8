//! Prices, in gas. Two gas are about one nanosecond of the machine that `docs/performance.md` names.
//!
//! What a transaction uses is the sum of
//!
//! ```text
//! TRANSACTION + SIGNATURE × signatures + TRANSACTION_BYTE × bytes of the body
//! each message       its base here, and what its contracts use
//! each frame         entering a contract, by rule from its module (`enter`), never by what a cache holds
//! each instruction   1 fuel; bulk memory and table instructions 1 for each byte or element, too
//! each new page      `pages`
//! each host call     the base and the price per byte that the host table gives
//! ```
//!
//! A trap uses the whole limit of its frame: wasmtime's fuel is not exact at a trap. Nothing is refunded.
//! Every price is part of the protocol: the golden table at the end of `tests/gas.rs` freezes them.

use crate::validate::{Facts, Work};

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
/// A local times a block of new code: up to 0.8 µs of the compiler. What a block's gas pays for takes no longer than
/// what a block's bytes could otherwise hold.
const NEW_CODE_JOIN: u64 = 128;
/// A byte of the image that instances of new code start from: kept like a byte of a transaction.
const NEW_CODE_IMAGE_BYTE: u64 = 8;
/// A byte of code that is stored already: hashed and compared.
pub(crate) const KNOWN_CODE_BYTE: u64 = 1;

/// Taking a slot of the pool, setting it up, and giving it back clean.
const ENTER: u64 = 8_000;
/// A page of memory, of a new instance or by growth: 16 pages of the machine, each reset if it was touched, and any
/// may be: 2 µs.
const MEMORY_PAGE: u64 = 4_000;
/// A page beyond those that stay resident: the machine takes it away after the call and faults it in again: 20 µs.
const LARGE_MEMORY_PAGE: u64 = 40_000;
/// Pages of a memory that stay resident between calls: 2 MiB.
pub(crate) const RESIDENT_PAGES: u32 = 32;
/// 1 KiB of code: loading a compiled module that is not in memory, spread over calls.
const CODE_KIB: u64 = 32;
/// An element of the function table: it is cleared for each instance.
const TABLE_ELEMENT: u64 = 1;

/// The price of a memory's growth, in pages.
pub(crate) fn pages(from: u32, to: u32) -> u64 {
    let resident = to.min(RESIDENT_PAGES).saturating_sub(from);
    let large = to.saturating_sub(from.max(RESIDENT_PAGES));
    MEMORY_PAGE * u64::from(resident) + LARGE_MEMORY_PAGE * u64::from(large)
}

/// The price of compiling new code, beside that of its bytes.
pub(crate) fn compile(work: &Work) -> u64 {
    NEW_CODE_JOIN * work.joins + NEW_CODE_IMAGE_BYTE * work.image_bytes
}

/// The price of a fresh instance of a module.
pub(crate) fn enter(facts: &Facts) -> u64 {
    ENTER
        + pages(0, facts.memory_pages)
        + CODE_KIB * u64::from(facts.code_bytes.div_ceil(1024))
        + TABLE_ELEMENT * u64::from(facts.table_elements)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growing_in_steps_costs_the_same() {
        assert_eq!(pages(0, 256), 32 * MEMORY_PAGE + 224 * LARGE_MEMORY_PAGE);
        for middle in [0, 1, 31, 32, 33, 255, 256] {
            assert_eq!(pages(0, middle) + pages(middle, 256), pages(0, 256), "{middle}");
        }
    }
}
