//! A sentence about a field that there is not, a variant that is added, and an error that is not marked.
use rustorium_sdk::prelude::*;

#[error]
pub enum VaultError {
    #[message("needs {neded}")]
    Insufficient { needed: u64 },
}

#[error]
pub enum OtherError {
    CallFailed,
}

pub enum Unmarked {
    Closed,
}

#[storage]
pub struct Vault {}

#[contract(error = Unmarked)]
impl Vault {
    #[call]
    pub fn open(&mut self) -> Result<()> {
        Err(Unmarked::Closed)
    }
}

fn main() {}
