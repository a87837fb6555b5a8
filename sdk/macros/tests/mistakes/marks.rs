//! Marks that are misspelt, doubled, or where no contract is.
use rustorium_sdk::prelude::*;

#[storage]
pub struct Vault {}

#[contract]
impl Vault {
    #[init]
    pub fn init(&mut self) {}

    #[call(payble)]
    pub fn deposit(&mut self) {}

    #[call]
    #[view]
    pub fn both(&mut self) {}
}

#[storage]
pub struct Twice {}

#[contract]
impl Twice {
    #[init]
    pub fn init(&mut self) {}

    #[init]
    pub fn again(&mut self) {}
}

pub struct Plain;

impl Plain {
    #[call]
    pub fn stray(&mut self) {}
}

#[storage]
pub struct Silent {}

#[contract]
impl Silent {
    pub fn helper(&self) {}
}

fn main() {}
