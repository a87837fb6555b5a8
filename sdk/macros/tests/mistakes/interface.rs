//! An interface with a body, and one that is a struct.
use rustorium_sdk::prelude::*;

#[interface]
pub trait Receiver {
    fn on_tokens(&mut self, amount: u128) {}
}

#[interface]
pub struct Sender;

fn main() {}
