//! cw20-base in cosmwasm-vm: the module pinned in its cache, a fresh instance for each call, and as backend the one of
//! its own tests, in memory, with addresses in bech32 as chains have them.

use std::hint::black_box;

use cosmwasm_std::{Checksum, Empty, Env, MessageInfo};
use cosmwasm_vm::{
    Backend, Cache, CacheOptions, InstanceOptions, Size, call_execute, call_instantiate, capabilities_from_csv,
    testing::{MockApi, MockQuerier, MockStorage, mock_backend, mock_env, mock_info},
};
use serde_json::json;
use tempfile::TempDir;

/// Of cosmwasm's gas; a transfer needs a hundredth of it.
const GAS: InstanceOptions = InstanceOptions { gas_limit: 100_000_000_000 };

/// A chain's virtual machine, with a token on it.
pub(crate) struct Cosmwasm {
    cache: Cache<MockApi, MockStorage, MockQuerier>,
    checksum: Checksum,
    /// Taken by an instance while it lives.
    backend: Option<Backend<MockApi, MockStorage, MockQuerier>>,
    env: Env,
    info: MessageInfo,
    transfer: Vec<u8>,
    /// Of the cache.
    _directory: TempDir,
}

impl Cosmwasm {
    pub(crate) fn new(wasm: &[u8]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let options =
            CacheOptions::new(directory.path(), capabilities_from_csv("iterator"), Size::mebi(200), Size::mebi(64));
        // SAFETY: nobody else writes into the directory.
        let cache = unsafe { Cache::new(options) }.unwrap();
        let checksum = cache.store_code(wasm, true, true).unwrap();
        cache.pin(&checksum).unwrap();

        let backend = mock_backend(&[]);
        let (sender, receiver) = (backend.api.addr_make("sender"), backend.api.addr_make("receiver"));
        let balance = |address| json!({"address": address, "amount": (1u128 << 100).to_string()});
        let token = json!({
            "name": "Gold", "symbol": "GLD", "decimals": 6, "initial_balances": [balance(&sender), balance(&receiver)],
        });
        let (env, info) = (mock_env(), mock_info(&sender, &[]));
        let mut instance = cache.get_instance(&checksum, backend, GAS).unwrap();
        let token = token.to_string();
        call_instantiate::<_, _, _, Empty>(&mut instance, &env, &info, token.as_bytes()).unwrap().unwrap();
        Self {
            backend: instance.recycle(),
            transfer: json!({"transfer": {"recipient": receiver, "amount": "1"}}).to_string().into(),
            cache,
            checksum,
            env,
            info,
            _directory: directory,
        }
    }

    pub(crate) fn transfer(&mut self) {
        let mut instance = self.cache.get_instance(&self.checksum, self.backend.take().unwrap(), GAS).unwrap();
        let done =
            call_execute::<_, _, _, Empty>(&mut instance, &self.env, &self.info, &self.transfer).unwrap().unwrap();
        assert_eq!(done.attributes.len(), 4, "what an event says");
        black_box(done);
        self.backend = instance.recycle();
    }
}
