//! Those who use the chain: accounts that sign, and what they ask for.

use bytes::Bytes;
use rustorium_chain::machine::Chance;
use rustorium_types::{
    ed25519::SigningKey,
    genesis::Genesis,
    hash,
    id::{AccountId, Address, Amount, ContractId, Gas, Hash, Nonce, Timestamp},
    limits::Limits,
    record::Record,
    transaction::{self, Authorisation, Body, Message, Signed},
};

/// When the chain begins.
pub(crate) const START: u64 = 1_700_000_000_000;
/// Accounts with funds.
const PEOPLE: u8 = 4;
const FUNDS: u128 = 1_000_000_000_000;
const GAS: u64 = 20_000_000;
/// So far ahead of what is used that no life comes near it.
const FAR: u64 = 5_000;

/// What people make and call.
const COUNTER: &str = include_str!("../../node/chain/src/chain/tests/counter.wat");

/// The validator's key.
pub(crate) fn validator() -> SigningKey {
    SigningKey::from_seed([99; 32])
}

/// A dev chain on which all people have funds.
pub(crate) fn genesis(salt: u64) -> Genesis {
    let mut bytes = [7; 32];
    bytes[..8].copy_from_slice(&salt.to_le_bytes());
    let mut balances: Vec<_> =
        (0..PEOPLE).map(|person| (Address::Account(Person::new(person).account), Amount(FUNDS))).collect();
    balances.sort_unstable();
    Genesis {
        version: rustorium_types::genesis::VERSION,
        chain_id: "simulated".into(),
        dev: true,
        salt: bytes,
        time: Timestamp(START),
        symbol: "RST".into(),
        decimals: 18,
        balances,
        fee_account: AccountId([0xfe; 32]),
        gas_price: Amount(2),
        // Short, so that lives see several.
        epoch_length: 11,
        state_lag: 8,
        shards: 0,
        limits: Limits::default(),
        validators: vec![validator().public_key().0],
        verifying_keys: Vec::new(),
    }
}

/// A transaction, and what its observer must know of it.
#[derive(Clone)]
pub(crate) struct Ordered {
    pub(crate) hash: Hash,
    pub(crate) record: Bytes,
    pub(crate) sender: AccountId,
    pub(crate) nonce: Nonce,
}

/// An account that signs.
pub(crate) struct Person {
    key: SigningKey,
    account: AccountId,
    next: u64,
    /// Nonces below the next that nobody used.
    gaps: Vec<u64>,
    ordered: Vec<Ordered>,
    contract: Option<ContractId>,
}

/// All of them.
pub(crate) struct People {
    chain: Hash,
    everybody: Vec<Person>,
}

impl People {
    pub(crate) fn of(genesis: &Genesis) -> Self {
        Self { chain: genesis.hash(), everybody: (0..PEOPLE).map(Person::new).collect() }
    }

    /// Somebody's account.
    pub(crate) fn anybody(&self, chance: &mut Chance) -> AccountId {
        self.everybody[chance.below(self.everybody.len() as u64) as usize].account
    }

    /// Something that somebody wants done. `time` is the chain's.
    pub(crate) fn order(&mut self, chance: &mut Chance, time: u64) -> Ordered {
        let index = chance.below(self.everybody.len() as u64) as usize;
        let receiver = Person::new(chance.below(u64::from(PEOPLE)) as u8).account;
        let person = &mut self.everybody[index];
        // The same bytes again, as somebody sends them who heard no answer.
        if chance.one_in(12) && !person.ordered.is_empty() {
            let again = chance.below(person.ordered.len() as u64) as usize;
            return person.ordered[again].clone();
        }
        let messages = person.messages(chance, receiver);
        let valid_until = chance.one_in(10).then(|| time - 1 + 3 * chance.below(2) * 1_000_000);
        let nonce = person.nonce(chance);
        let body = Body {
            version: transaction::VERSION,
            chain: self.chain.0[..4].try_into().unwrap(),
            sender: person.account,
            nonce: Nonce(nonce),
            valid_until: valid_until.map(Timestamp),
            gas_limit: Gas(GAS),
            max_gas_price: Amount(3),
            fee_payer: None,
            memo: Vec::new(),
            messages,
        };
        let hash = body.digest(&self.chain);
        let (public_key, signature) = (person.key.public_key().0, person.key.sign(hash.as_bytes()).0);
        let authorisation = Authorisation::Ed25519 { public_key, signature };
        let signed = Signed { body, authorisation, fee_payer_authorisation: None };
        let record = Record::Transaction(signed).to_bytes().into();
        let ordered = Ordered { hash, record, sender: person.account, nonce: Nonce(nonce) };
        person.ordered.push(ordered.clone());
        ordered
    }
}

impl Person {
    fn new(seed: u8) -> Self {
        let key = SigningKey::from_seed([seed + 1; 32]);
        let account = hash::account_id(0, &key.public_key().0);
        Self { key, account, next: 1, gaps: Vec::new(), ordered: Vec::new(), contract: None }
    }

    fn nonce(&mut self, chance: &mut Chance) -> u64 {
        match chance.below(12) {
            // Leaves a gap for later.
            0 => {
                self.gaps.push(self.next);
                self.next += 2;
                self.next - 1
            }
            1 | 2 if !self.gaps.is_empty() => self.gaps.remove(0),
            // One that is taken: this transaction is void.
            3 if self.next > 1 => 1 + chance.below(self.next - 1),
            4 if chance.one_in(4) => self.next + FAR,
            _ => {
                self.next += 1;
                self.next - 1
            }
        }
    }

    fn messages(&mut self, chance: &mut Chance, receiver: AccountId) -> Vec<Message> {
        let transfer = |amount| Message::Transfer { to: receiver.into(), amount: Amount(amount) };
        let Some(contract) = self.contract.filter(|_| !chance.one_in(15)) else { return self.deploy(chance) };
        let call =
            |method: &str| Message::Call { contract, method: method.into(), args: Vec::new(), value: Amount::ZERO };
        match chance.below(8) {
            0 => vec![call("fail")],
            1 => vec![transfer(FUNDS * 9)],
            2 => vec![transfer(u128::from(chance.below(100)))],
            3 => vec![call("add"), transfer(5), call("add")],
            4 => vec![call("add"), call("fail")],
            _ => vec![call("add")],
        }
    }

    /// Code of its own each time, so that modules are compiled and kept.
    fn deploy(&mut self, chance: &mut Chance) -> Vec<Message> {
        let mut wasm = wat::parse_str(COUNTER).unwrap();
        // A custom section that makes the code another one.
        wasm.extend_from_slice(&[0, 10, 1, b'n']);
        wasm.extend_from_slice(&chance.below(3).to_le_bytes());
        let mut salt = [0; 32];
        salt[..8].copy_from_slice(&chance.number().to_le_bytes());
        self.contract = Some(hash::contract_id(Address::Account(self.account), &salt));
        let instantiate = Message::Instantiate {
            code: hash::code_hash(&wasm),
            salt,
            admin: None,
            label: "counter".into(),
            args: Vec::new(),
            value: Amount::ZERO,
        };
        vec![Message::StoreCode { wasm }, instantiate]
    }
}
