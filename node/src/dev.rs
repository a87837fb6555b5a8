//! What makes a chain a dev chain: accounts whose keys everybody knows, and a genesis that holds them.
//!
//! The accounts' keys are derived from their names, so every dev chain has the same ones; a random salt in the
//! genesis keeps two dev chains from ever sharing a hash, and with it a transaction. A seed decides the salt and
//! fixes the genesis time, so that one seed is one chain.

use rustorium_types::{
    ed25519::SigningKey,
    genesis::{self, Genesis},
    hash::account_id,
    id::{AccountId, Address, Amount, Timestamp},
    limits::Limits,
};

/// What each account starts with, in base units.
pub const BALANCE: Amount = Amount(1_000_000_000_000_000_000_000_000);
/// Heights of an epoch, unless a genesis says otherwise.
pub const EPOCH_LENGTH: u64 = 1_000;

const NAMES: [&str; 10] = ["alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi", "ivan", "judy"];
const ACCOUNT_CONTEXT: &str = "rustorium dev account 1";
const VALIDATOR_CONTEXT: &str = "rustorium dev validator 1";
const SALT_CONTEXT: &str = "rustorium dev salt 1";
/// The genesis time of seeded chains: 2026-01-01T00:00:00Z.
const SEEDED_TIME: Timestamp = Timestamp(1_767_225_600_000);

/// An account of every dev chain. Its key is public: value on it belongs to everybody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DevAccount {
    /// Its name.
    pub name: &'static str,
    /// Its address.
    pub address: AccountId,
    /// Its secret key.
    pub secret_key: [u8; 32],
}

/// The accounts, in the order in which ready lines and default senders take them.
pub fn accounts() -> Vec<DevAccount> {
    NAMES.into_iter().map(account).collect()
}

/// The account of a name, if there is one.
pub fn find(name: &str) -> Option<DevAccount> {
    NAMES.into_iter().find(|known| *known == name).map(account)
}

/// The account that receives the fees.
pub fn fee_account() -> AccountId {
    account("fees").address
}

/// The key with which a dev chain's only validator signs.
pub fn validator_key() -> SigningKey {
    SigningKey::from_seed(blake3::derive_key(VALIDATOR_CONTEXT, b""))
}

fn account(name: &'static str) -> DevAccount {
    let secret_key = blake3::derive_key(ACCOUNT_CONTEXT, name.as_bytes());
    let address = account_id(0, &SigningKey::from_seed(secret_key).public_key().0);
    DevAccount { name, address, secret_key }
}

/// A dev chain's genesis with so many shared lanes: of a seed, or a new one if it is empty.
///
/// # Errors
/// If the system has no randomness.
pub fn genesis(seed: &str, shards: u32) -> Result<Genesis, getrandom::Error> {
    let (salt, time) = if seed.is_empty() {
        let mut salt = [0; 32];
        getrandom::fill(&mut salt)?;
        (salt, crate::node::now())
    } else {
        (blake3::derive_key(SALT_CONTEXT, seed.as_bytes()), SEEDED_TIME)
    };
    let mut balances: Vec<_> =
        accounts().into_iter().map(|account| (Address::Account(account.address), BALANCE)).collect();
    balances.sort_by_key(|(address, _)| *address);
    Ok(Genesis {
        version: genesis::VERSION,
        chain_id: "rustorium-dev".into(),
        dev: true,
        salt,
        time,
        symbol: "DEV".into(),
        decimals: 18,
        balances,
        fee_account: fee_account(),
        gas_price: Amount(1),
        epoch_length: EPOCH_LENGTH,
        state_lag: 8,
        shards,
        limits: Limits::default(),
        validators: vec![validator_key().public_key().0],
        verifying_keys: Vec::new(),
    })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_seed_is_a_chain_and_no_seed_is_a_new_one() {
        let genesis = |seed| genesis(seed, 0).unwrap();
        assert_eq!(genesis("a").hash(), genesis("a").hash());
        assert_ne!(genesis("a").hash(), genesis("b").hash());
        assert_ne!(genesis("").hash(), genesis("").hash());
    }

    #[test]
    fn accounts_are_ten_and_differ() {
        let mut addresses: Vec<_> = accounts().into_iter().map(|account| account.address).collect();
        addresses.push(fee_account());
        addresses.sort_unstable();
        addresses.dedup();
        assert_eq!(addresses.len(), 11);
        assert_eq!(find("alice"), accounts().into_iter().next());
        assert_eq!(find("mallory"), None);
    }
}
