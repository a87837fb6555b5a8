//! What a token keeps.

use rustorium_sdk::prelude::*;

/// A fungible token.
#[storage]
pub struct Token {
    /// Who may mint.
    pub(crate) owner: Item<Address>,
    /// What one token is called.
    pub(crate) symbol: Item<String>,
    /// Digits behind the point when people read an amount.
    pub(crate) decimals: Item<u8>,
    /// The sum of all balances.
    pub(crate) supply: Item<u128>,
    /// Who holds how much; who holds nothing has no entry. Pages by point reads, so views over it are provable.
    pub(crate) balances: EnumMap<Address, u128>,
    /// How much the second may take from the first.
    pub(crate) allowances: Map<(Address, Address), u128>,
}
