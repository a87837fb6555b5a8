//! `contracts/token`, through the whole runtime and in bare wasmtime.

use std::{mem::take, sync::Arc};

use rustorium_types::id::{AccountId, Address};
use wasmtime::{Config, Enabled, InstanceAllocationStrategy, PoolingAllocationConfig};

use crate::{
    bare::{Bare, Entries},
    chain::{Chain, Repeated, SENDER, call},
    compare::Call,
};

const RECEIVER: AccountId = AccountId([2; 32]);
const SUPPLY: u128 = 1 << 100;

/// The module.
pub(crate) struct Token(Vec<u8>);

impl Token {
    pub(crate) fn new(wasm: Vec<u8>) -> Self {
        Self(wasm)
    }

    /// A transfer between two who hold some.
    pub(crate) fn ours(&self) -> Repeated {
        let mut chain = Chain::new();
        let token = chain.deploy(self.0.clone(), init());
        chain.run(vec![call(token, "transfer", transfer())]);
        chain.repeat(call(token, "transfer", transfer()))
    }

    /// The same transfer; each of the calls has a storage of its own.
    pub(crate) fn bare(&self, config: Config) -> impl Fn() -> Call + use<> {
        let bare = Arc::new(Bare::new(config, &self.0, Address::from(SENDER).to_bytes().to_vec()));
        let arguments = transfer();
        let first = bare.call("call.transfer", &arguments, bare.call("init", &init(), Entries::new()));
        let second = bare.call("call.transfer", &arguments, first.clone());
        assert!(second.len() == first.len() && second != first, "a transfer changes balances that are there");
        move || {
            let (bare, arguments, mut entries) = (bare.clone(), arguments.clone(), first.clone());
            Box::new(move || entries = bare.call("call.transfer", &arguments, take(&mut entries)))
        }
    }
}

fn init() -> Vec<u8> {
    borsh::to_vec(&("GLD", 6u8, SUPPLY)).unwrap()
}

fn transfer() -> Vec<u8> {
    borsh::to_vec(&(Address::from(RECEIVER), 1u128)).unwrap()
}

/// wasmtime with what makes instances cheap, as the runtime sets it.
pub(crate) fn pool() -> Config {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_core_instances(64)
        .total_memories(64)
        .total_tables(64)
        .linear_memory_keep_resident(2 << 20)
        .table_keep_resident(64 << 10)
        .pagemap_scan(Enabled::Auto);
    let mut config = Config::new();
    config
        .concurrency_support(false)
        .gc_support(false)
        .generate_address_map(false)
        .native_unwind_info(false)
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    config
}
