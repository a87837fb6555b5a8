//! Every limit, and why that number. Those a chain may choose are in its genesis, these being the defaults;
//! the rest are part of the protocol.

use borsh::{BorshDeserialize, BorshSerialize};

use crate::id::Gas;

/// Bytes of all records of a block: what a validator fetches, keeps and re-reads within a block's time.
pub const BLOCK_BYTES: u32 = 4 << 20;
/// Records of a block: bounds the receipts row and the time to prove one.
pub const BLOCK_RECORDS: u32 = 50_000;
/// Bytes of a code: a large contract with `serde` inside is 350 KB; compiling 1 MiB stays near a second.
pub const CODE_BYTES: u32 = 1 << 20;
/// Bytes of a signed transaction: one code and 64 KiB around it.
pub const TRANSACTION_BYTES: u32 = CODE_BYTES + (64 << 10);
/// Messages of a transaction: more is a contract's work.
pub const MESSAGES: usize = 32;
/// Validators of an epoch: their certificate is 33 KB and takes 8 ms to check.
pub const VALIDATORS: usize = 512;
/// Bytes of a memo: a payment reference, not a document.
pub const MEMO_BYTES: usize = 256;
/// Bytes of a contract's label.
pub const LABEL_BYTES: usize = 64;
/// Bytes of a method's, event's, error's or field's name.
pub const NAME_BYTES: usize = 64;
/// Gas of a block.
pub const BLOCK_GAS: Gas = Gas(1_000_000_000);
/// Gas of a transaction: a tenth of a block, so that ten senders fit.
pub const TRANSACTION_GAS: Gas = Gas(100_000_000);
/// Bytes of an instance's memory: 256 pages.
pub const MEMORY_BYTES: u32 = 16 << 20;
/// Frames of the call stack between contracts.
pub const CALL_DEPTH: u32 = 32;
/// Frames of one instance's WebAssembly stack, counted by instrumentation.
pub const WASM_FRAMES: u32 = 1_024;
/// Bytes of a storage key, its field name included.
pub const KEY_BYTES: usize = 256;
/// Bytes of a storage value. System records are exempt.
pub const VALUE_BYTES: usize = 64 << 10;
/// Bytes of a method's return data.
pub const RETURN_BYTES: usize = 64 << 10;
/// Bytes of a method's arguments.
pub const ARGUMENT_BYTES: usize = 64 << 10;
/// Events of a transaction.
pub const EVENTS: usize = 1_024;
/// Bytes of one event's fields.
pub const EVENT_BYTES: usize = 16 << 10;
/// Bytes of one error's fields.
pub const ERROR_BYTES: usize = 4 << 10;
/// Indexed fields of an event: each is a row in every node's index.
pub const INDEXED_FIELDS: usize = 4;
/// Bytes of one log line or panic message; longer ones are cut.
pub const LOG_BYTES: usize = 4 << 10;
/// Log lines kept of a transaction.
pub const LOG_LINES: usize = 256;
/// Nonces below the highest used one that an account remembers.
pub const NONCE_BITMAP: u64 = 512;
/// Nonces above the highest used one that are accepted.
pub const NONCE_AHEAD: u64 = 256;
/// Snapshots that a dev chain keeps, the newest ones: each keeps all state since. Test suites nest a few.
pub const SNAPSHOTS: usize = 64;
/// Of a frame's gas, the part that it keeps when it calls: 1/64, enough to handle the callee's failure.
pub const GAS_KEPT_SHIFT: u32 = 6;

/// The limits that a genesis fixes for its chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Limits {
    /// Bytes of all records of a block.
    pub block_bytes: u32,
    /// Records of a block.
    pub block_records: u32,
    /// Gas of a block.
    pub block_gas: Gas,
    /// Bytes of a signed transaction.
    pub transaction_bytes: u32,
    /// Gas of a transaction.
    pub transaction_gas: Gas,
    /// Bytes of a code.
    pub code_bytes: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            block_bytes: BLOCK_BYTES,
            block_records: BLOCK_RECORDS,
            block_gas: BLOCK_GAS,
            transaction_bytes: TRANSACTION_BYTES,
            transaction_gas: TRANSACTION_GAS,
            code_bytes: CODE_BYTES,
        }
    }
}
