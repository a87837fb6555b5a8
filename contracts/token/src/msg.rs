//! What a token tells others: events for those who watch, and a call for contracts that receive.

use rustorium_sdk::prelude::*;

/// Tokens moved.
#[event]
pub struct Transfer {
    /// Who held them; none if they were minted.
    #[indexed]
    pub from: Option<Address>,
    /// Who holds them; none if they were burnt.
    #[indexed]
    pub to: Option<Address>,
    /// How many.
    pub amount: u128,
}

/// A holder lets somebody take tokens.
#[event]
pub struct Approval {
    /// Who holds them.
    #[indexed]
    pub owner: Address,
    /// Who may take them.
    #[indexed]
    pub spender: Address,
    /// How many from now on.
    pub amount: u128,
}

/// A contract that wants to know when it receives tokens.
#[interface]
pub trait Receiver {
    /// Tokens came. A failure here undoes the transfer.
    fn on_tokens(&mut self, from: Address, amount: u128);
}
