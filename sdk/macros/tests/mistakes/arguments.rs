//! Arguments that a caller cannot send.
use rustorium_sdk::prelude::*;

#[storage]
pub struct Vault {}

pub struct Deposit(u64);

#[contract]
impl Vault {
    #[call]
    pub fn rename(&mut self, name: &str) {}

    #[call]
    pub fn generic<T>(&mut self, value: T) {}

    #[call]
    pub fn late(&mut self, amount: u64, ctx: &Ctx) {}
}

#[storage]
pub struct Other {}

#[contract]
impl Other {
    #[call]
    pub fn rate(&mut self, rate: f64) {}

    #[call]
    pub fn deposit(&mut self) -> Deposit {
        Deposit(1)
    }
}

fn main() {}
