//! A storage field that is a plain value, and one that takes another's place.
use rustorium_sdk::prelude::*;

#[storage]
pub struct Vault {
    total: u64,
}

#[storage]
pub struct Shop {
    stock: Item<u64>,
    #[stored_as = "stock"]
    goods: Item<u64>,
}

fn main() {}
