//! The formats of `rustorium-types`, frozen.

mod abi;
mod formats;
mod proofs;
mod validators;
