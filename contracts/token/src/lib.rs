//! The standard fungible token.
//!
//! The caller of `init` gets the supply and may mint. Holders transfer, approve others to take, and burn.
//! Amounts are in the smallest unit; `decimals` is for people.

use rustorium_sdk::prelude::*;

mod error;
mod msg;
mod state;

pub use error::TokenError;
pub use msg::{Approval, ReceiverAt, Transfer};
pub use state::Token;

/// Gas for a contract that is told of tokens: enough to book them, too little to do much else with them.
const NOTICE_GAS: u64 = 200_000;

#[contract(error = TokenError)]
impl Token {
    /// Makes a token; the caller gets the supply.
    #[init]
    pub fn init(&mut self, ctx: &Ctx, symbol: String, decimals: u8, supply: u128) {
        self.owner.set(ctx.caller());
        self.symbol.set(symbol);
        self.decimals.set(decimals);
        self.create(ctx, ctx.caller(), supply);
    }

    /// Moves tokens of the caller.
    #[call]
    pub fn transfer(&mut self, ctx: &Ctx, to: Address, amount: u128) -> Result<()> {
        self.shift(ctx, ctx.caller(), to, amount)
    }

    /// Moves tokens of the caller and tells the receiving contract; its failure undoes the move.
    #[call]
    pub fn transfer_and_notify(&mut self, ctx: &Ctx, to: Address, amount: u128) -> Result<()> {
        self.shift(ctx, ctx.caller(), to, amount)?;
        ReceiverAt(to).gas(NOTICE_GAS).on_tokens(ctx, ctx.caller(), amount)?;
        Ok(())
    }

    /// Lets a spender take that much from the caller, in place of what was approved before.
    #[call]
    pub fn approve(&mut self, ctx: &Ctx, spender: Address, amount: u128) {
        self.allowances.set((ctx.caller(), spender), amount);
        ctx.emit(Approval { owner: ctx.caller(), spender, amount });
    }

    /// Moves tokens of a holder who approved the caller.
    #[call]
    pub fn transfer_from(&mut self, ctx: &Ctx, from: Address, to: Address, amount: u128) -> Result<()> {
        let spender = ctx.caller();
        self.allowances.try_update((from, spender), |allowed| {
            ensure!(allowed >= amount, TokenError::NotAllowed { spender, needed: amount, allowed });
            Ok(allowed - amount)
        })?;
        self.shift(ctx, from, to, amount)
    }

    /// Makes new tokens; only the owner can.
    #[call]
    pub fn mint(&mut self, ctx: &Ctx, to: Address, amount: u128) -> Result<()> {
        ensure!(ctx.caller() == self.owner.get(), TokenError::NotOwner { caller: ctx.caller() });
        self.create(ctx, to, amount);
        Ok(())
    }

    /// Destroys tokens of the caller.
    #[call]
    pub fn burn(&mut self, ctx: &Ctx, amount: u128) -> Result<()> {
        self.debit(ctx.caller(), amount)?;
        self.supply.sub(amount);
        ctx.emit(Transfer { from: Some(ctx.caller()), to: None, amount });
        Ok(())
    }

    /// What an account holds.
    #[view]
    pub fn balance_of(&self, account: Address) -> u128 {
        self.balances.get(account)
    }

    /// What a spender may still take from a holder.
    #[view]
    pub fn allowance(&self, owner: Address, spender: Address) -> u128 {
        self.allowances.get((owner, spender))
    }

    /// The sum of all balances.
    #[view]
    pub fn total_supply(&self) -> u128 {
        self.supply.get()
    }

    /// Who holds how much.
    #[view]
    pub fn holders(&self, page: PageRequest) -> Page<(Address, u128)> {
        self.balances.page(page)
    }

    /// What one token is called.
    #[view]
    pub fn symbol(&self) -> String {
        self.symbol.get()
    }

    /// Digits behind the point when people read an amount.
    #[view]
    pub fn decimals(&self) -> u8 {
        self.decimals.get()
    }

    /// Who may mint.
    #[view]
    pub fn owner(&self) -> Address {
        self.owner.get()
    }

    fn shift(&mut self, ctx: &Ctx, from: Address, to: Address, amount: u128) -> Result<()> {
        self.debit(from, amount)?;
        self.credit(to, amount);
        ctx.emit(Transfer { from: Some(from), to: Some(to), amount });
        Ok(())
    }

    fn create(&mut self, ctx: &Ctx, to: Address, amount: u128) {
        self.supply.add(amount);
        self.credit(to, amount);
        ctx.emit(Transfer { from: None, to: Some(to), amount });
    }

    fn credit(&mut self, to: Address, amount: u128) {
        if amount > 0 {
            self.balances.add(to, amount);
        }
    }

    fn debit(&mut self, from: Address, amount: u128) -> Result<()> {
        let rest = self.balances.try_update(from, |available| {
            ensure!(available >= amount, TokenError::Insufficient { needed: amount, available });
            Ok(available - amount)
        })?;
        if rest == 0 {
            self.balances.remove(from);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
