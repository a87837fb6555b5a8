//! Types that have no place in the ABI.
use rustorium_sdk::prelude::*;

#[abi]
pub struct Borrowed<'a> {
    name: &'a str,
}

#[abi]
pub enum Numbered {
    First = 5,
}

#[abi]
pub struct Ballot {
    choice: u8,
}

#[storage]
pub struct Votes {
    ballots: Map<Ballot, u64>,
}

fn main() {}
