//! A fungible token with Soroban's standard interface, SEP-41, and no more than it asks for: entries are not made to
//! live longer when they are used, which would be work of its own.
#![no_std]

use soroban_sdk::{
    Address, Env, MuxedAddress, String, contract, contracterror, contractevent, contractimpl, contracttype,
    panic_with_error, token::TokenInterface,
};

#[contract]
pub struct Token;

/// What is kept, under which key.
#[contracttype]
pub enum Key {
    /// What an account holds.
    Balance(Address),
    /// What a spender (second) may take from a holder (first).
    Allowance(Address, Address),
}

#[contracttype]
#[derive(Default)]
pub struct Allowance {
    amount: i128,
    live_until_ledger: u32,
}

#[contracterror]
#[derive(Clone, Copy)]
pub enum Error {
    Negative = 1,
    Insufficient = 2,
    NotAllowed = 3,
    Expired = 4,
}

#[contractevent(topics = ["transfer"], data_format = "single-value")]
pub struct Transfer {
    #[topic]
    from: Address,
    #[topic]
    to: Address,
    amount: i128,
}

#[contractevent(topics = ["burn"], data_format = "single-value")]
pub struct Burn {
    #[topic]
    from: Address,
    amount: i128,
}

#[contractevent(topics = ["approve"], data_format = "vec")]
pub struct Approve {
    #[topic]
    from: Address,
    #[topic]
    spender: Address,
    amount: i128,
    live_until_ledger: u32,
}

#[contractimpl]
impl Token {
    /// Gives the holder the supply.
    pub fn __constructor(env: Env, holder: Address, supply: i128) {
        set_balance(&env, holder, supply);
    }
}

#[contractimpl]
impl TokenInterface for Token {
    fn allowance(env: Env, from: Address, spender: Address) -> i128 {
        allowance(&env, from, spender).amount
    }

    fn approve(env: Env, from: Address, spender: Address, amount: i128, live_until_ledger: u32) {
        from.require_auth();
        check(&env, amount >= 0, Error::Negative);
        check(&env, amount == 0 || live_until_ledger >= env.ledger().sequence(), Error::Expired);
        let key = Key::Allowance(from.clone(), spender.clone());
        env.storage().temporary().set(&key, &Allowance { amount, live_until_ledger });
        Approve { from, spender, amount, live_until_ledger }.publish(&env);
    }

    fn balance(env: Env, id: Address) -> i128 {
        balance(&env, id)
    }

    fn transfer(env: Env, from: Address, to: MuxedAddress, amount: i128) {
        from.require_auth();
        shift(&env, from, to.address(), amount);
    }

    fn transfer_from(env: Env, spender: Address, from: Address, to: Address, amount: i128) {
        spender.require_auth();
        take_allowance(&env, from.clone(), spender, amount);
        shift(&env, from, to, amount);
    }

    fn burn(env: Env, from: Address, amount: i128) {
        from.require_auth();
        burn(&env, from, amount);
    }

    fn burn_from(env: Env, spender: Address, from: Address, amount: i128) {
        spender.require_auth();
        take_allowance(&env, from.clone(), spender, amount);
        burn(&env, from, amount);
    }

    fn decimals(_: Env) -> u32 {
        6
    }

    fn name(env: Env) -> String {
        String::from_str(&env, "Gold")
    }

    fn symbol(env: Env) -> String {
        String::from_str(&env, "GLD")
    }
}

fn shift(env: &Env, from: Address, to: Address, amount: i128) {
    debit(env, from.clone(), amount);
    set_balance(env, to.clone(), balance(env, to.clone()) + amount);
    Transfer { from, to, amount }.publish(env);
}

fn burn(env: &Env, from: Address, amount: i128) {
    debit(env, from.clone(), amount);
    Burn { from, amount }.publish(env);
}

fn debit(env: &Env, from: Address, amount: i128) {
    check(env, amount >= 0, Error::Negative);
    let available = balance(env, from.clone());
    check(env, available >= amount, Error::Insufficient);
    set_balance(env, from, available - amount);
}

fn balance(env: &Env, of: Address) -> i128 {
    env.storage().persistent().get(&Key::Balance(of)).unwrap_or_default()
}

fn set_balance(env: &Env, of: Address, amount: i128) {
    env.storage().persistent().set(&Key::Balance(of), &amount);
}

fn allowance(env: &Env, from: Address, spender: Address) -> Allowance {
    let kept: Option<Allowance> = env.storage().temporary().get(&Key::Allowance(from, spender));
    kept.filter(|kept| kept.live_until_ledger >= env.ledger().sequence()).unwrap_or_default()
}

fn take_allowance(env: &Env, from: Address, spender: Address, amount: i128) {
    let mut allowed = allowance(env, from.clone(), spender.clone());
    check(env, allowed.amount >= amount, Error::NotAllowed);
    allowed.amount -= amount;
    env.storage().temporary().set(&Key::Allowance(from, spender), &allowed);
}

fn check(env: &Env, holds: bool, error: Error) {
    if !holds {
        panic_with_error!(env, error);
    }
}
