//! A SEP-41 token in soroban-env-host, by the function that nodes call for each transaction: everything goes in and
//! comes out as XDR, the module is parsed and in the cache, the sender has authorized as the transaction's source.

use std::hint::black_box;

use sha2::{Digest, Sha256};
use soroban_env_host::{
    Host, LedgerInfo, ModuleCache,
    budget::Budget,
    e2e_invoke::{TtlLedgerEntryMeta, invoke_host_function},
    xdr::{
        AccountId, ContractCodeEntry, ContractCodeEntryExt, ContractDataDurability, ContractDataEntry,
        ContractExecutable, ContractId, ExtensionPoint, Hash, HostFunction, Int128Parts, InvokeContractArgs,
        LedgerEntry, LedgerEntryData, LedgerEntryExt, LedgerFootprint, LedgerKey, LedgerKeyContractCode,
        LedgerKeyContractData, Limits, PublicKey, ScAddress, ScContractInstance, ScSymbol, ScVal,
        SorobanAuthorizationEntry, SorobanAuthorizedFunction, SorobanAuthorizedInvocation, SorobanCredentials,
        SorobanResources, Uint256, WriteXdr,
    },
};

/// The newest protocol that this version of the host knows.
const PROTOCOL: u32 = 30;
const TOKEN: ContractId = ContractId(Hash([9; 32]));
const LEDGER: u32 = 1_000;
const LIVE_UNTIL: u32 = 1_000_000;

/// A ledger with a token on it, and a transfer: all of it encoded, as a node has it.
pub(crate) struct Soroban {
    cache: ModuleCache,
    function: Vec<u8>,
    resources: Vec<u8>,
    source: Vec<u8>,
    authorization: Vec<u8>,
    entries: Vec<Vec<u8>>,
}

impl Soroban {
    pub(crate) fn new(wasm: &[u8]) -> Self {
        let host = Host::default();
        let cache = ModuleCache::new(&host).unwrap();
        cache.parse_and_cache_module_simple(&host, PROTOCOL, wasm).unwrap();

        let code = Hash(Sha256::digest(wasm).into());
        let [sender, receiver] = [1, 2].map(account);
        let args = InvokeContractArgs {
            contract_address: ScAddress::Contract(TOKEN),
            function_name: symbol("transfer"),
            args: vec![address(&sender), address(&receiver), amount(1)].try_into().unwrap(),
        };
        let authorization = SorobanAuthorizationEntry {
            credentials: SorobanCredentials::SourceAccount,
            root_invocation: SorobanAuthorizedInvocation {
                function: SorobanAuthorizedFunction::ContractFn(args.clone()),
                sub_invocations: Vec::new().try_into().unwrap(),
            },
        };
        let instance = ScContractInstance { executable: ContractExecutable::Wasm(code.clone()), storage: None };
        let (instance_key, instance) = data(ScVal::LedgerKeyContractInstance, ScVal::ContractInstance(instance));
        let code_key = LedgerKey::ContractCode(LedgerKeyContractCode { hash: code.clone() });
        let code = LedgerEntryData::ContractCode(ContractCodeEntry {
            ext: ContractCodeEntryExt::V0,
            hash: code,
            code: wasm.try_into().unwrap(),
        });
        let (sender_key, sender_balance) = balance(&sender);
        let (receiver_key, receiver_balance) = balance(&receiver);
        let resources = SorobanResources {
            footprint: LedgerFootprint {
                read_only: vec![instance_key, code_key].try_into().unwrap(),
                read_write: vec![sender_key, receiver_key].try_into().unwrap(),
            },
            instructions: 100_000_000,
            disk_read_bytes: 0,
            write_bytes: 10_000,
        };
        Self {
            cache,
            function: encode(&HostFunction::InvokeContract(args)),
            resources: encode(&resources),
            source: encode(&sender),
            authorization: encode(&authorization),
            entries: [instance, code, sender_balance, receiver_balance].map(entry).into(),
        }
    }

    pub(crate) fn transfer(&self) {
        let entries: Vec<_> = self.entries.iter().map(|entry| (Some(entry.as_slice()), Some(kept(entry)))).collect();
        let done = invoke_host_function(
            &Budget::default(),
            false,
            self.function.as_slice(),
            self.resources.as_slice(),
            &[],
            self.source.as_slice(),
            [self.authorization.as_slice()].into_iter(),
            ledger(),
            entries.into_iter(),
            [0; 32].as_slice(),
            &mut Vec::new(),
            None,
            Some(self.cache.clone()),
        )
        .unwrap();
        assert!(done.encoded_invoke_result.is_ok(), "{:?}", done.encoded_invoke_result);
        let written = done.ledger_changes.iter().filter(|change| change.encoded_new_value.is_some()).count();
        assert_eq!((written, done.encoded_contract_events.len()), (2, 1), "two balances and an event");
        black_box(done);
    }
}

fn ledger() -> LedgerInfo {
    LedgerInfo {
        protocol_version: PROTOCOL,
        sequence_number: LEDGER,
        timestamp: 1,
        network_id: [7; 32],
        base_reserve: 1,
        min_temp_entry_ttl: 16,
        min_persistent_entry_ttl: 4_096,
        max_entry_ttl: 6_312_000,
    }
}

fn kept(entry: &[u8]) -> TtlLedgerEntryMeta {
    TtlLedgerEntryMeta { live_until_ledger: LIVE_UNTIL, entry_size_for_rent: entry.len() as u32 }
}

/// The entry of a balance, as the contract keeps it.
fn balance(of: &AccountId) -> (LedgerKey, LedgerEntryData) {
    let key = vec![ScVal::Symbol(symbol("Balance")), address(of)];
    data(ScVal::Vec(Some(key.try_into().unwrap())), amount(1 << 100))
}

fn data(key: ScVal, val: ScVal) -> (LedgerKey, LedgerEntryData) {
    let (contract, durability) = (ScAddress::Contract(TOKEN), ContractDataDurability::Persistent);
    let name = LedgerKeyContractData { contract: contract.clone(), key: key.clone(), durability };
    let entry = ContractDataEntry { ext: ExtensionPoint::V0, contract, key, durability, val };
    (LedgerKey::ContractData(name), LedgerEntryData::ContractData(entry))
}

fn entry(data: LedgerEntryData) -> Vec<u8> {
    encode(&LedgerEntry { last_modified_ledger_seq: 1, data, ext: LedgerEntryExt::V0 })
}

fn account(number: u8) -> AccountId {
    AccountId(PublicKey::PublicKeyTypeEd25519(Uint256([number; 32])))
}

fn address(account: &AccountId) -> ScVal {
    ScVal::Address(ScAddress::Account(account.clone()))
}

fn amount(number: i128) -> ScVal {
    ScVal::I128(Int128Parts { hi: (number >> 64) as i64, lo: number as u64 })
}

fn symbol(text: &str) -> ScSymbol {
    ScSymbol(text.try_into().unwrap())
}

fn encode(value: &impl WriteXdr) -> Vec<u8> {
    value.to_xdr(Limits::none()).unwrap()
}
