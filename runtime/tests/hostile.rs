//! What attacks the machine: modules that must not be accepted, and code that must not get further than its gas.
//! Each refusal is checked by the words that its user reads.

mod bombs;
mod code;
mod compilers;
mod depths;
mod modules;
mod pointers;
mod sections;

use rustorium_runtime::InvalidModule;

use crate::chain::Chain;

/// Why a module is refused.
fn refusal_of(wasm: &[u8]) -> InvalidModule {
    match Chain::new().runtime.inspect(wasm) {
        Err(refused) => refused,
        Ok(info) => panic!("accepted: {info:?}"),
    }
}

/// Why a module of text is refused.
fn refusal(wat: &str) -> InvalidModule {
    refusal_of(&wat::parse_str(wat).unwrap())
}
