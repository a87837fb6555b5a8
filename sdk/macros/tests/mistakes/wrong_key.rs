//! Another type than the map's key, and arithmetic on what is no number.
use rustorium_sdk::prelude::*;

#[storage]
pub struct Vault {
    balances: Map<Address, u128>,
    names: Map<Address, String>,
}

#[contract]
impl Vault {
    #[call]
    pub fn wrong(&mut self, ctx: &Ctx) {
        self.balances.add(7u64, 1);
        self.names.add(ctx.caller(), "x".to_owned());
    }
}

fn main() {}
