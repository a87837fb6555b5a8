//! A view that could change state.
use rustorium_sdk::prelude::*;

#[storage]
pub struct Vault {
    total: Item<u64>,
}

#[contract]
impl Vault {
    #[view]
    pub fn total(&mut self) -> u64 {
        self.total.add(1)
    }
}

fn main() {}
