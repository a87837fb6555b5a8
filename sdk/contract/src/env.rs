//! The host's functions as Rust functions, generated from [`rustorium_types::host_table`].
//!
//! On wasm32 they are imports (`guest`); elsewhere the mock host answers ([`native`]), so that a contract's
//! tests run as ordinary tests. This is the one file that knows the difference. Kinds of the table become:
//!
//! | kind | parameter | result |
//! |---|---|---|
//! | `unit`, `never` | | `()`, `!` |
//! | `u64`, `flag` | `u64` | `u64`, `bool` |
//! | `fixed(N)`, `maybe_fixed(N)` | `&[u8; N]` | `[u8; N]`, `Option<[u8; N]>` |
//! | `bytes`, `maybe_bytes` | `&[u8]` | `Answer`, `Option<Answer>` |
//! | `outcome` | | `Result<Answer, CallError>` |

#[cfg(target_arch = "wasm32")]
mod guest;
#[cfg(not(target_arch = "wasm32"))]
mod native;

#[cfg(target_arch = "wasm32")]
pub use guest::*;
#[cfg(not(target_arch = "wasm32"))]
pub use native::*;

/// The Rust type of a parameter's kind.
macro_rules! parameter {
    (u64) => {
        u64
    };
    (bytes) => {
        &[u8]
    };
    (fixed $n:literal) => {
        &[u8; $n]
    };
}
use parameter;

/// The Rust type of a result's kind.
macro_rules! result {
    (unit) => { () };
    (never) => { ! };
    (u64) => { u64 };
    (flag) => { bool };
    (fixed $n:literal) => { [u8; $n] };
    (maybe_fixed $n:literal) => { Option<[u8; $n]> };
    (bytes) => { Answer };
    (maybe_bytes) => { Option<Answer> };
    (outcome) => { Result<Answer, rustorium_types::host::CallError> };
}
use result;

/// Ends the call with a trap that says why. Parts instead of a format string: formatting would be the
/// largest part of a small contract.
#[cold]
pub fn trap(why: &[&str]) -> ! {
    panic(why.concat().as_bytes())
}
