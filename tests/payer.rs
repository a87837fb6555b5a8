//! A dev account that signs transfers of its own making, many a second: its nonces go on from node to node.

use std::sync::atomic::{AtomicU64, Ordering};

use rustorium_types::{
    ed25519::SigningKey,
    hash::account_id,
    id::{Address, Amount, Gas, Hash, Nonce},
    transaction::{self, Authorisation, Body, Message},
};
use serde_json::{Value, json};

use crate::chain_client::{account_of, hex_bytes, hex_text};

/// An account that signs transfers.
pub(crate) struct Payer {
    key: SigningKey,
    genesis: Hash,
    receiver: Address,
    nonce: AtomicU64,
}

impl Payer {
    /// The dev account of this name, as a ready line has it, that pays another.
    pub(crate) fn of(ready: &Value, name: &str, receiver: &str) -> Self {
        let accounts = ready["accounts"].as_array().expect("the ready line lists accounts");
        let found = accounts.iter().find(|account| account["name"] == name).expect("a dev account");
        let seed = hex_bytes(&found["secretKey"]).try_into().expect("32 bytes");
        let genesis = Hash(hex_bytes(&ready["genesisHash"]).try_into().expect("32 bytes"));
        let receiver = account_of(ready, receiver).address.parse().expect("an address");
        Self { key: SigningKey::from_seed(seed), genesis, receiver, nonce: AtomicU64::new(0) }
    }

    /// A signed transfer of 1: its hash, and what is submitted.
    pub(crate) fn transfer(&self) -> (String, Value) {
        let public_key = self.key.public_key().0;
        let body = Body {
            version: transaction::VERSION,
            chain: self.genesis.0[..4].try_into().expect("4 bytes"),
            sender: account_id(0, &public_key),
            nonce: Nonce(self.nonce.fetch_add(1, Ordering::SeqCst) + 1),
            valid_until: None,
            gas_limit: Gas(1_000_000),
            max_gas_price: Amount(1_000_000_000),
            fee_payer: None,
            memo: Vec::new(),
            messages: vec![Message::Transfer { to: self.receiver, amount: Amount(1) }],
        };
        let hash = body.digest(&self.genesis);
        let authorisation = Authorisation::Ed25519 { public_key, signature: self.key.sign(hash.as_bytes()).0 };
        let encoded = |bytes: Result<Vec<u8>, borsh::io::Error>| hex_text(&bytes.expect("memory does not fail"));
        let auth = encoded(borsh::to_vec(&authorisation));
        (hash.to_string(), json!({ "body": encoded(borsh::to_vec(&body)), "auth": auth }))
    }
}
