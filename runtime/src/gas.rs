//! Prices, in gas. Ten gas are about one nanosecond of the machine that `docs/performance.md` names, for what
//! is measured at its worst: see `docs/features/gas.md`.
//!
//! What a transaction uses is the sum of
//!
//! ```text
//! TRANSACTION + SIGNATURE × signatures + TRANSACTION_BYTE × bytes of the body
//! each message       its base here, and what its contracts use
//! each frame         entering a contract, by rule from its module (`enter`), never by what a cache holds
//! each instruction   its fuel by `instructions`; bulk ones for each byte or element, too
//! each growth        `GROWTH`, and of its pages `pages`
//! each host call     the base and the price per byte that the host table gives
//! each failure       of a callee, to its caller, `CATCH`
//! ```
//!
//! A trap uses the whole limit of its frame: wasmtime's fuel is not exact at a trap. Nothing is refunded.
//! Every price is part of the protocol: the golden table at the end of `tests/gas.rs` freezes them.

use crate::validate::{Facts, Work};

mod instructions;

pub(crate) use instructions::{SURCHARGE, instructions, is_load, is_store};

/// Decoding, the nonce, the fee, the receipt and the update of the sender's leaf.
pub(crate) const TRANSACTION: u64 = 20_000;
/// Checking one ed25519 signature in a batch: 19 µs.
pub(crate) const SIGNATURE: u64 = 40_000;
/// A byte of the body: it is logged, sent to every validator, hashed and kept.
pub(crate) const TRANSACTION_BYTE: u64 = 8;

/// Moving value: two account records; from a contract, the host function `transfer` pays for leaving its frame, too.
pub(crate) const TRANSFER: u64 = 20_000;
/// Finding a contract and its method; from a contract, the host function `call` pays for leaving its frame, too.
pub(crate) const CALL: u64 = 6_000;
/// Writing a contract record. As the host function `instantiate`.
pub(crate) const INSTANTIATE: u64 = 30_000;
/// Rewriting a contract record, and finding the code.
pub(crate) const UPGRADE: u64 = 20_000;
/// Rewriting a contract record.
pub(crate) const SET_ADMIN: u64 = 10_000;
/// Reading and writing the newest change of the validators, and what a batch of signatures costs however few it has.
const SET_VALIDATORS: u64 = 300_000;
/// A validator of the next set: that its key is a point, and 32 bytes of the record.
const NEXT_VALIDATOR: u64 = 80_000;
/// A validator's signature over a change of the validators, in their batch, and that its key is one of theirs.
const VALIDATOR_SIGNATURE: u64 = 150_000;
/// Looking for a code.
pub(crate) const STORE_CODE: u64 = 20_000;
/// A byte of new code: validated, instrumented, compiled (1 MiB takes about a second on two cores) and kept for
/// ever. With the price of its transaction's bytes a code of the largest size still fits a transaction.
pub(crate) const NEW_CODE_BYTE: u64 = 64;
/// A local times a block of new code: up to 0.8 µs of the compiler. What a block's gas pays for takes no longer than
/// what a block's bytes could otherwise hold.
const NEW_CODE_JOIN: u64 = 128;
/// Nanoseconds of the compiler that a byte of new code pays for: what it takes for the standard contracts, on one core.
const NEW_CODE_BYTE_NS: u64 = 4_000;
/// Nanoseconds of the compiler, beyond those, that a unit of gas pays for. More than of other work, because codes of
/// the largest size must fit; but a block's gas buys no more of them than a block's bytes do.
const COMPILER_NS: u64 = 5;
/// A byte of the image that instances of new code start from: kept like a byte of a transaction.
const NEW_CODE_IMAGE_BYTE: u64 = 8;
/// A byte of code that is stored already: hashed and compared.
pub(crate) const KNOWN_CODE_BYTE: u64 = 1;

/// Taking a slot of the pool, setting it up, and giving it back clean: 6 µs.
const ENTER: u64 = 36_000;
/// A callee that ended before its time: its stack is unwound to whoever called: up to 17 µs, with the signal of a trap.
pub(crate) const CATCH: u64 = 130_000;
/// A page of memory, of a new instance or by growth: 16 pages of the machine, each of them reset if it was touched,
/// and any may be: 2.5 µs.
const MEMORY_PAGE: u64 = 9_000;
/// A page beyond those: it pushes as much of its callers' memories out of the machine's second cache, and each of their
/// loads of that waits for the third: 1,024 lines, some 10 ns each beyond what a load costs.
const EVICTING_PAGE: u64 = 70_000;
/// Pages of a memory that the second cache holds beside those of callers: 512 KiB.
const CACHED_PAGES: u32 = 8;
/// A growth of memory, by however many pages: the machine is asked for them.
pub(crate) const GROWTH: u64 = 8_000;
/// A page beyond those that stay resident: the machine takes it away after the call and faults it in again: 50 µs.
const LARGE_MEMORY_PAGE: u64 = 180_000;
/// Pages of a memory that stay resident between calls: 2 MiB.
pub(crate) const RESIDENT_PAGES: u32 = 32;
/// 1 KiB of code: loading a compiled module that is not in memory, spread over calls.
const CODE_KIB: u64 = 32;
/// An element of the function table: it is cleared for each instance, and looked up when it is called first.
const TABLE_ELEMENT: u64 = 4;

/// Pages that a memory may come to for its loads to be the cheapest ones: 1 MiB, which the second cache holds.
const SMALL_MEMORY_PAGES: u64 = 16;

/// How large a module's memory is or can become, which decides what its loads wait for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Reach {
    /// The machine's second cache holds it.
    #[default]
    Small,
    /// It stays resident; the third cache holds it.
    Medium,
    /// Its loads wait for memory.
    Large,
}

impl Reach {
    /// Of a memory of at most so many pages.
    pub(crate) fn of(pages: u64) -> Self {
        if pages <= SMALL_MEMORY_PAGES {
            Self::Small
        } else if pages <= RESIDENT_PAGES.into() {
            Self::Medium
        } else {
            Self::Large
        }
    }
}

/// The price of a memory's growth, in pages.
pub(crate) fn pages(from: u32, to: u32) -> u64 {
    let between = |least: u32, most: u32| u64::from(to.min(most).saturating_sub(from.max(least)));
    MEMORY_PAGE * between(0, CACHED_PAGES)
        + EVICTING_PAGE * between(CACHED_PAGES, RESIDENT_PAGES)
        + LARGE_MEMORY_PAGE * between(RESIDENT_PAGES, u32::MAX)
}

/// The price of a change of the validators. What the most of them can decide on fits a transaction.
pub(crate) fn set_validators(validators: usize, signatures: usize) -> u64 {
    SET_VALIDATORS + NEXT_VALIDATOR * validators as u64 + VALIDATOR_SIGNATURE * signatures as u64
}

/// The price of compiling new code of so many bytes, beside that of the bytes.
pub(crate) fn compile(work: &Work, bytes: usize) -> u64 {
    let unpaid = work.compile_ns.saturating_sub(NEW_CODE_BYTE_NS * bytes as u64);
    NEW_CODE_JOIN * work.joins + NEW_CODE_IMAGE_BYTE * work.image_bytes + unpaid / COMPILER_NS
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
        assert_eq!(pages(0, 256), 8 * MEMORY_PAGE + 24 * EVICTING_PAGE + 224 * LARGE_MEMORY_PAGE);
        for middle in [0, 1, 7, 8, 9, 31, 32, 33, 255, 256] {
            assert_eq!(pages(0, middle) + pages(middle, 256), pages(0, 256), "{middle}");
        }
    }
}
