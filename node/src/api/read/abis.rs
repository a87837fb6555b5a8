//! The ABIs of codes, parsed once.
//!
//! A code never changes under its hash, so what is known of it stays true; the memory is bounded by forgetting
//! everything when it is full, which costs one parse for each code that is still in use.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use rustorium_runtime::{StateError, StateKey, StateRead};
use rustorium_types::{abi::Abi, id::Hash};

/// Codes that are remembered: of at most 128 KiB of ABI each, and mostly of a few.
const CODES: usize = 256;

/// What is known of codes. Code without an ABI, or with one that does not parse, has none.
#[derive(Debug, Default)]
pub(crate) struct Abis {
    known: Mutex<HashMap<Hash, Option<Arc<Abi>>>>,
}

impl Abis {
    /// The ABI of a code that the state holds.
    pub(crate) fn of_code(&self, state: &dyn StateRead, code: &Hash) -> Result<Option<Arc<Abi>>, StateError> {
        if let Some(known) = self.known.lock().unwrap_or_else(PoisonError::into_inner).get(code) {
            return Ok(known.clone());
        }
        let Some(wasm) = state.read(&StateKey::code(code))? else { return Ok(None) };
        let abi = parse(&wasm);
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= CODES {
            known.clear();
        }
        known.insert(*code, abi.clone());
        Ok(abi)
    }
}

/// The ABI of a module.
pub(crate) fn parse(wasm: &[u8]) -> Option<Arc<Abi>> {
    Abi::from_wasm(wasm).ok().flatten().map(Arc::new)
}
