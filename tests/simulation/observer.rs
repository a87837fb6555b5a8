//! Somebody outside, who believes what a node says and forgets nothing.

use std::{
    collections::{BTreeMap, HashMap},
    error::Error,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use rustorium_chain::{
    chain::Chain,
    log::{LanePosition, TransactionProcessor},
    machine::Machine,
    pipeline::Published,
    snapshot::Snapshot,
    storage::TransactionPosition,
    waiters::Executed,
};
use rustorium_runtime::StateRead;
use rustorium_types::{
    block::Receipt,
    certificate::{self, ValidatorSet},
    id::{AccountId, Hash, Height, Nonce},
    state::Account,
};

use crate::{node::Node, people::Ordered};

/// What was told so far. Clones are the same observer.
#[derive(Clone)]
pub(crate) struct Observer(Arc<Mutex<Told>>);

struct Told {
    machine: Machine,
    chain: Hash,
    validators: ValidatorSet,
    /// Records that are accepted, by position.
    accepted: BTreeMap<u64, bytes::Bytes>,
    /// Transactions among them.
    transactions: HashMap<Hash, Ordered>,
    executed: HashMap<Hash, (TransactionPosition, Receipt)>,
    /// Headers that were published with a certificate.
    headers: BTreeMap<Height, Hash>,
}

impl Observer {
    pub(crate) fn of(node: &Node) -> Self {
        let genesis = &node.genesis;
        Self(Arc::new(Mutex::new(Told {
            machine: node.machine.clone(),
            chain: genesis.hash(),
            validators: ValidatorSet::new(&genesis.validators).unwrap(),
            accepted: BTreeMap::new(),
            transactions: HashMap::new(),
            executed: HashMap::new(),
            headers: BTreeMap::new(),
        })))
    }

    /// Is told of every block from now on, and holds what a process that just started says against what it knows.
    pub(crate) fn meet(&self, chain: &Chain) {
        let listener = self.clone();
        chain.on_publish(Box::new(move |published| listener.published(published)));
        self.hold_against(chain);
    }

    /// Is told that a record is accepted.
    pub(crate) fn accepted(&self, position: LanePosition, record: &bytes::Bytes, ordered: Option<&Ordered>) {
        let mut told = self.told();
        let other = told.accepted.insert(position.index, record.clone());
        assert!(other.is_none(), "two records were accepted at position {}", position.index);
        if let Some(ordered) = ordered {
            told.transactions.insert(ordered.hash, ordered.clone());
        }
    }

    /// Is told that a transaction is executed, and reads its receipt.
    pub(crate) fn executed(&self, chain: &Chain, hash: Hash, executed: Executed) {
        let Executed::Receipt(position) = executed else { return };
        let Ok(receipt) = chain.snapshot().receipt(position).map(Option::unwrap) else { return };
        assert_eq!(receipt.transaction, hash);
        let mut told = self.told();
        let before = told.executed.insert(hash, (position, receipt.clone()));
        assert!(before.is_none_or(|before| before == (position, receipt)), "{hash} was executed twice");
    }

    fn published(&self, published: &Arc<Published>) {
        let sealed = &published.block.sealed;
        let mut told = self.told();
        let proposal = certificate::verify(&sealed.certificate, &told.validators, &told.chain).unwrap();
        assert_eq!(proposal.payload, sealed.hash);
        let height = sealed.header.height;
        let other = told.headers.insert(height, sealed.hash).filter(|other| *other != sealed.hash);
        assert!(other.is_none(), "two headers were certified at height {height}");
    }

    fn hold_against(&self, chain: &Chain) {
        if let Err(unread) = self.compare(chain) {
            // A node whose disk fails under the question has not answered.
            let has_power = self.told().machine.has_power();
            let has_stopped = || chain.stopped().wait_timeout(Duration::from_secs(30)).is_ok();
            assert!(!has_power || has_stopped(), "a running node cannot read: {unread}");
        }
    }

    fn compare(&self, chain: &Chain) -> Result<(), Box<dyn Error>> {
        let told = self.told();
        let snapshot = chain.snapshot();
        for (height, hash) in &told.headers {
            let header = snapshot.header(*height)?;
            assert_eq!(header.map(|sealed| sealed.hash), Some(*hash), "another header at height {height}");
        }
        for (hash, (position, receipt)) in &told.executed {
            assert_eq!(snapshot.receipt(*position)?.as_ref(), Some(receipt), "{hash} has another receipt");
        }
        for (index, record) in &told.accepted {
            let position = LanePosition { index: *index, ..LanePosition::default() };
            let logged = chain.log().get_transaction(position)?;
            assert_eq!(logged.as_ref(), Some(record), "what was accepted at position {index} is not there");
        }
        Ok(())
    }

    /// Everything accepted is executed by now: each transaction once, or provably never.
    pub(crate) fn settle(&self, chain: &Chain) {
        self.hold_against(chain);
        let told = self.told();
        let snapshot = chain.snapshot();
        let mut receipts = HashMap::new();
        let mut nonces: HashMap<(AccountId, Nonce), Hash> = HashMap::new();
        for height in 1..=snapshot.height().0 {
            let block = snapshot.block(Height(height)).unwrap().unwrap();
            for receipt in &block.receipts {
                let twice = receipts.insert(receipt.transaction, height);
                assert!(twice.is_none(), "{} has two receipts", receipt.transaction);
                let twice = nonces.insert((receipt.sender, receipt.nonce), receipt.transaction);
                assert!(twice.is_none(), "nonce {} of {} was used twice", receipt.nonce, receipt.sender);
            }
        }
        for (hash, ordered) in &told.transactions {
            let is_void = || {
                nonces.contains_key(&(ordered.sender, ordered.nonce))
                    || ordered.nonce.0 > highest(&snapshot, ordered.sender).0 + 256
            };
            assert!(receipts.contains_key(hash) || is_void(), "{hash} was accepted and nothing came of it");
        }
        let end = snapshot.head().map_or(0, |sealed| sealed.header.lanes[0].end);
        let last = told.accepted.last_key_value().map_or(0, |(index, _)| index + 1);
        assert!(end >= last, "records up to {last} were accepted, and blocks end at {end}");
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        self.0.lock().unwrap()
    }
}

fn highest(snapshot: &Snapshot, account: AccountId) -> Nonce {
    let state = snapshot.state(snapshot.height()).unwrap();
    let entry = state.read(&rustorium_runtime::StateKey::account(account)).unwrap();
    entry.map_or(Nonce(0), |bytes| borsh::from_slice::<Account>(&bytes).unwrap().nonces.highest)
}
