//! The whole path inside this crate: signed records in, receipts, events and certified roots out, with the real
//! runtime and contracts in WAT.
#![expect(clippy::unwrap_used, reason = "tests")]

mod crash;
mod dev;
mod disks;
mod fairness;
mod lanes;
mod rebuild;
mod rules;
mod shared;
mod validators;

use std::sync::{
    OnceLock,
    atomic::{AtomicU64, Ordering},
};

use rustorium_runtime::{RuntimeConfig, StateKey, StateRead};
use rustorium_types::{
    block::{BlockResult, MessageResult, Outcome, Receipt},
    certificate::{self, ValidatorSet, View},
    hash,
    id::{AccountId, Address, Amount, ContractId, Epoch, Gas, Nonce, Timestamp},
    limits::Limits,
    merkle,
    record::{Control, Record},
    state::Account,
    transaction::{self, Authorisation, Body, Message, Signed},
};
use tempfile::TempDir;

use super::*;
use crate::{storage::TransactionPosition, submit::Refused, waiters::Executed as Outcomes};

const FUNDS: u128 = 1_000_000_000_000;
const GAS: u64 = 20_000_000;
const FEES: AccountId = AccountId([0xfe; 32]);
const BOB: AccountId = AccountId([0xb0; 32]);
const START: u64 = 1_700_000_000_000;

/// What the tests call.
const COUNTER: &str = include_str!("tests/counter.wat");

/// One runtime for all tests: it reserves much address space.
fn runtime() -> Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    let config = RuntimeConfig { executions: 4, ..RuntimeConfig::default() };
    RUNTIME.get_or_init(|| Runtime::new(config).unwrap()).clone()
}

/// Never: what a crash finds in the database is what was there at the start.
const NO_COMMITS: CommitPolicy =
    CommitPolicy { interval: Duration::from_secs(1 << 30), bytes: usize::MAX, blocks: u64::MAX };

fn validator() -> SigningKey {
    SigningKey::from_seed([99; 32])
}

fn genesis() -> Genesis {
    let alice = Wallet::new(1).account;
    let mut balances = vec![(Address::Account(alice), Amount(FUNDS))];
    balances.extend((2..6).map(|seed| (Address::Account(Wallet::new(seed).account), Amount(FUNDS))));
    balances.sort_unstable();
    Genesis {
        version: 1,
        chain_id: "test".into(),
        dev: true,
        salt: [5; 32],
        time: Timestamp(START),
        symbol: "RST".into(),
        decimals: 18,
        balances,
        fee_account: FEES,
        gas_price: Amount(2),
        epoch_length: 1_000,
        state_lag: 8,
        shards: 0,
        limits: Limits::default(),
        validators: vec![validator().public_key().0],
        verifying_keys: Vec::new(),
    }
}

/// A directory and what its chain is opened with.
struct Place {
    directory: TempDir,
    genesis: Genesis,
    clock: Arc<AtomicU64>,
    commit: CommitPolicy,
    block_time: Duration,
}

impl Place {
    fn new() -> Self {
        Self::of(genesis())
    }

    fn of(genesis: Genesis) -> Self {
        Self {
            directory: tempfile::tempdir().unwrap(),
            genesis,
            clock: Arc::new(AtomicU64::new(START)),
            commit: CommitPolicy::default(),
            block_time: Duration::ZERO,
        }
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    fn config(&self) -> ChainConfig {
        let clock = Arc::clone(&self.clock);
        ChainConfig {
            directory: self.path().to_owned(),
            genesis: self.genesis.clone(),
            key: validator(),
            clock: Clock::new(move || Timestamp(clock.load(Ordering::SeqCst))),
            runtime: runtime(),
            store: StoreOptions::default(),
            commit: self.commit,
            block_time: self.block_time,
        }
    }

    fn open(&self) -> Chain {
        self.try_open().unwrap()
    }

    fn try_open(&self) -> Result<Chain, OpenError> {
        Chain::open(self.config())
    }
}

/// An account that signs.
struct Wallet {
    key: SigningKey,
    account: AccountId,
    nonce: u64,
}

impl Wallet {
    fn new(seed: u8) -> Self {
        let key = SigningKey::from_seed([seed; 32]);
        let account = hash::account_id(0, &key.public_key().0);
        Self { key, account, nonce: 0 }
    }

    fn body(&mut self, chain: &Chain, messages: Vec<Message>) -> Body {
        self.nonce += 1;
        Body {
            version: transaction::VERSION,
            chain: chain.snapshot().genesis_hash().0[..4].try_into().unwrap(),
            sender: self.account,
            nonce: Nonce(self.nonce),
            valid_until: None,
            gas_limit: Gas(GAS),
            max_gas_price: Amount(3),
            fee_payer: None,
            memo: Vec::new(),
            messages,
        }
    }

    fn sign(&self, body: Body, chain: Hash) -> (Hash, Bytes) {
        let digest = body.digest(&chain);
        let authorisation = authorise(&self.key, &digest);
        let signed = Signed { body, authorisation, fee_payer_authorisation: None };
        (digest, Record::Transaction(signed).to_bytes().into())
    }

    fn signed(&mut self, chain: &Chain, messages: Vec<Message>) -> (Hash, Bytes) {
        let body = self.body(chain, messages);
        self.sign(body, chain.snapshot().genesis_hash())
    }
}

fn authorise(key: &SigningKey, digest: &Hash) -> Authorisation {
    Authorisation::Ed25519 { public_key: key.public_key().0, signature: key.sign(digest.as_bytes()).0 }
}

fn transfer(to: impl Into<Address>, amount: u128) -> Message {
    Message::Transfer { to: to.into(), amount: Amount(amount) }
}

fn call(contract: ContractId, method: &str) -> Message {
    Message::Call { contract, method: method.into(), args: Vec::new(), value: Amount::ZERO }
}

/// Submits a signed transaction and waits until it is executed.
fn run(chain: &Chain, (transaction, record): (Hash, Bytes)) -> Outcomes {
    let executed = chain.executed(transaction).unwrap();
    assert_eq!(chain.submit(record).wait().unwrap().transaction, Some(transaction));
    executed.wait().unwrap()
}

fn receipt(chain: &Chain, signed: (Hash, Bytes)) -> Receipt {
    match run(chain, signed) {
        Outcomes::Receipt(position) => chain.snapshot().receipt(position).unwrap().unwrap(),
        Outcomes::Void(why) => unreachable!("void: {why:?}"),
    }
}

fn control(chain: &Chain, control: Control) -> Height {
    let accepted = chain.submit(Record::Control(control).to_bytes().into()).wait().unwrap();
    chain.included(accepted.position).unwrap().wait().unwrap()
}

fn account(chain: &Chain, address: impl Into<Address>) -> Account {
    let snapshot = chain.snapshot();
    let state = snapshot.state(snapshot.height()).unwrap();
    let entry = state.read(&StateKey::account(address)).unwrap();
    entry.map_or_else(Account::default, |bytes| borsh::from_slice(&bytes).unwrap())
}

fn counted(chain: &Chain, contract: ContractId) -> Option<u64> {
    let snapshot = chain.snapshot();
    let state = snapshot.state(snapshot.height()).unwrap();
    let entry = state.read(&StateKey::new(contract, &b"\x01n"[..])).unwrap()?;
    Some(u64::from_le_bytes(entry[..].try_into().unwrap()))
}

fn deploy(chain: &Chain, wallet: &mut Wallet) -> ContractId {
    let wasm = wat::parse_str(COUNTER).unwrap();
    let code = hash::code_hash(&wasm);
    let salt = [1; 32];
    let instantiate = Message::Instantiate {
        code,
        salt,
        admin: None,
        label: "counter".into(),
        args: Vec::new(),
        value: Amount::ZERO,
    };
    let signed = wallet.signed(chain, vec![Message::StoreCode { wasm }, instantiate]);
    let receipt = receipt(chain, signed);
    assert!(receipt.succeeded(), "{receipt:?}");
    hash::contract_id(Address::Account(wallet.account), &salt)
}

/// All results, from height 1.
fn results(snapshot: &Snapshot) -> Vec<BlockResult> {
    (1..=snapshot.height().0).map(|height| snapshot.result(Height(height)).unwrap().unwrap()).collect()
}

#[test]
fn a_new_chain_certifies_its_first_result() {
    let place = Place::new();
    let chain = place.open();
    assert_eq!(chain.certified(Height(1)).wait(), Ok(Height(1)));
    let snapshot = chain.snapshot();
    assert_eq!((snapshot.height(), snapshot.certified()), (Height(2), Height(1)));
    let first = snapshot.header(Height(1)).unwrap().unwrap().header;
    assert_eq!((first.parent, first.results), (snapshot.genesis_hash(), merkle::empty_root()));
    assert!(first.time > Timestamp(START));
    chain.shutdown().unwrap();
}

#[test]
fn transfers_and_calls_go_all_the_way() {
    let place = Place::new();
    let chain = place.open();
    let published = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&published);
    chain.certified(Height(1)).wait().unwrap();
    chain.on_publish(Box::new(move |block| heard.lock().unwrap().push(Arc::clone(block))));

    let mut alice = Wallet::new(1);
    let counter = deploy(&chain, &mut alice);
    for expected in 1..=3_u64 {
        let signed = alice.signed(&chain, vec![call(counter, "add")]);
        let receipt = receipt(&chain, signed);
        let Outcome::Success { results } = receipt.outcome else { unreachable!("{receipt:?}") };
        assert_eq!(results, [MessageResult::Call { returned: expected.to_le_bytes().to_vec() }]);
    }
    let signed = alice.signed(&chain, vec![transfer(BOB, 7), transfer(BOB, 8)]);
    let outcome = run(&chain, signed);
    let Outcomes::Receipt(TransactionPosition { height, .. }) = outcome else { unreachable!("{outcome:?}") };
    assert!(chain.certified(height).wait().unwrap() >= height);

    assert_eq!(counted(&chain, counter), Some(3));
    assert_eq!(account(&chain, BOB).balance, Amount(15));
    let fees = account(&chain, FEES).balance;
    assert!(fees > Amount::ZERO);
    assert_eq!(account(&chain, alice.account).balance, Amount(FUNDS - 15 - fees.0));
    assert_eq!(account(&chain, alice.account).nonces.highest, Nonce(5));

    chain.shutdown().unwrap();
    let blocks = published.lock().unwrap();
    let heights: Vec<u64> = blocks.iter().map(|block| block.block.sealed.header.height.0).collect();
    assert!(heights.is_sorted_by(|a, b| a + 1 == *b), "{heights:?}");
    let events: Vec<_> = blocks.iter().flat_map(|block| &block.block.events).collect();
    assert_eq!(events.len(), 3);
    assert!(events.iter().all(|event| event.contract == counter && event.name == "Added"));
    let certificates = ValidatorSet::new(&place.genesis.validators).unwrap();
    for block in blocks.iter() {
        let sealed = &block.block.sealed;
        let chain = place.genesis.hash();
        let proposal = certificate::verify(&sealed.certificate, &certificates, &chain).unwrap();
        assert_eq!((proposal.payload, proposal.view), (sealed.hash, View(sealed.header.height.0)));
    }
}

#[test]
fn a_directory_is_opened_where_it_was_left_and_by_one_node_only() {
    let place = Place::new();
    let chain = place.open();
    let mut alice = Wallet::new(1);
    let counter = deploy(&chain, &mut alice);
    let second = place.try_open().map(|_| ()).unwrap_err();
    assert!(matches!(second, OpenError::Lock(LockError::InUse { .. })), "{second}");
    chain.shutdown().unwrap();
    let left = results(&chain.snapshot());
    assert_eq!(chain.submit(Bytes::from_static(&[0])).wait(), Err(Refused::Stopped));
    drop(chain);

    let chain = place.open();
    let again = results(&chain.snapshot());
    assert_eq!(again[..left.len()], left);
    let signed = alice.signed(&chain, vec![call(counter, "add")]);
    assert!(receipt(&chain, signed).succeeded());
    assert_eq!(counted(&chain, counter), Some(1));
    drop(chain);
    let other = Genesis { salt: [6; 32], ..place.genesis.clone() };
    let refused = Chain::open(ChainConfig { genesis: other, ..place.config() }).map(|_| ()).unwrap_err();
    assert!(matches!(refused, OpenError::Store(StoreError::OtherGenesis { .. })), "{refused}");
}

#[test]
fn after_the_closing_block_there_is_silence() {
    let place = Place::new();
    let chain = place.open();
    let mut alice = Wallet::new(1);
    for _ in 0..3 {
        let signed = alice.signed(&chain, vec![transfer(BOB, 1)]);
        let Outcomes::Receipt(position) = run(&chain, signed) else { unreachable!() };
        chain.certified(position.height).wait().unwrap();
        // Only time shows that nothing happens: several times the quiet after which a block would be sealed.
        thread::sleep(Duration::from_millis(40));
        assert_eq!(chain.snapshot().height(), position.height.next());
    }
}

#[test]
fn epochs_end_with_a_record_and_views_begin_anew() {
    let place = Place::of(Genesis { epoch_length: 3, ..genesis() });
    let chain = place.open();
    let mut alice = Wallet::new(1);
    for _ in 0..4 {
        let signed = alice.signed(&chain, vec![transfer(BOB, 1)]);
        receipt(&chain, signed);
    }
    let snapshot = chain.snapshot();
    for height in 1..=snapshot.height().0 {
        let sealed = snapshot.header(Height(height)).unwrap().unwrap();
        let proposal = certificate::peek(&sealed.certificate).unwrap();
        assert_eq!(sealed.header.epoch, Epoch((height - 1) / 3));
        assert_eq!((proposal.epoch, proposal.view), (sealed.header.epoch, View((height - 1) % 3 + 1)));
        let announced = sealed.header.next_epoch.map(|record| (record.epoch, record.validators));
        let expected = (height % 3 == 0).then(|| (Epoch(height / 3), place.genesis.validators.clone()));
        assert_eq!(announced, expected, "height {height}");
    }
}

#[test]
fn many_senders_at_once_share_blocks_and_lose_nothing() {
    let place = Place::new();
    let chain = place.open();
    let before = chain.certified(Height(1)).wait().unwrap();
    let mut tickets = Vec::new();
    for seed in 1..6 {
        let mut wallet = Wallet::new(seed);
        tickets.extend((0..200).map(|_| {
            let (hash, record) = wallet.signed(&chain, vec![transfer(BOB, 1)]);
            (chain.executed(hash).unwrap(), chain.submit(record))
        }));
    }
    for (executed, ticket) in tickets {
        ticket.wait().unwrap();
        assert!(matches!(executed.wait().unwrap(), Outcomes::Receipt(_)));
    }
    assert_eq!(account(&chain, BOB).balance, Amount(1_000));
    let metrics = chain.metrics();
    assert_eq!((metrics.accepted.get(), metrics.transactions.get()), (1_000, 1_000));
    let blocks = chain.snapshot().height().0 - before.0;
    println!("1000 transfers in {blocks} blocks, {} log syncs", metrics.log_syncs.get());
    assert!(blocks < 1_000);
}
