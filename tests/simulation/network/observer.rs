//! Somebody outside, who believes what any validator says and forgets nothing.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard},
};

use rustorium_chain::{chain::Chain, cut::CLOCK_AHEAD_MS, pipeline::Published, snapshot::Snapshot};
use rustorium_runtime::{StateKey, StateRead};
use rustorium_types::{
    block::{BlockResult, Receipt},
    certificate::{self, ValidatorSet},
    genesis::Genesis,
    id::{AccountId, Epoch, Hash, Height, Nonce, Timestamp},
    merkle,
    state::Account,
};

use crate::people::Ordered;

/// What was told so far. Clones are the same observer.
#[derive(Clone)]
pub(crate) struct Observer(Arc<Mutex<Told>>);

struct Told {
    chain: Hash,
    /// Who signs in each epoch, as its last header before said.
    validators: BTreeMap<Epoch, ValidatorSet>,
    /// Transactions that some validator accepted.
    accepted: BTreeMap<Hash, Ordered>,
    /// Headers and what they came to, by height: the same at all validators.
    headers: BTreeMap<Height, Hash>,
    results: BTreeMap<Height, BlockResult>,
    /// Where each transaction was executed, and what came of it.
    executed: BTreeMap<Hash, (Height, Receipt)>,
    nonces: BTreeMap<(AccountId, Nonce), Hash>,
    /// How far each validator has told of blocks.
    reached: BTreeMap<usize, Height>,
}

impl Observer {
    pub(crate) fn of(genesis: &Genesis) -> Self {
        let first = ValidatorSet::new(&genesis.validators).unwrap();
        Self(Arc::new(Mutex::new(Told {
            chain: genesis.hash(),
            validators: BTreeMap::from([(Epoch(0), first)]),
            accepted: BTreeMap::new(),
            headers: BTreeMap::new(),
            results: BTreeMap::new(),
            executed: BTreeMap::new(),
            nonces: BTreeMap::new(),
            reached: BTreeMap::new(),
        })))
    }

    /// Is told of every block of a validator's process from now on, and holds what the process has already against what
    /// is known.
    /// `now` tells the time, which all clocks but one show.
    pub(crate) fn meet(&self, validator: usize, chain: &Chain, now: impl Fn() -> Timestamp + Send + Sync + 'static) {
        self.hold_against(validator, &chain.snapshot());
        let listener = self.clone();
        chain.on_publish(Box::new(move |published| {
            let header = &published.block.sealed.header;
            let ahead = header.time.0.saturating_sub(now().0);
            assert!(ahead <= CLOCK_AHEAD_MS, "block {} is {ahead} ms ahead of a quorum's clocks", header.height);
            listener.published(validator, published);
        }));
    }

    pub(crate) fn accepted(&self, ordered: &Ordered) {
        self.told().accepted.insert(ordered.hash, ordered.clone());
    }

    /// The highest block that anybody told of.
    pub(crate) fn height(&self) -> Height {
        self.told().headers.last_key_value().map_or(Height::ZERO, |(height, _)| *height)
    }

    /// How many transactions were accepted.
    pub(crate) fn count(&self) -> usize {
        self.told().accepted.len()
    }

    fn published(&self, validator: usize, published: &Arc<Published>) {
        let sealed = &published.block.sealed;
        let header = &sealed.header;
        let height = header.height;
        let mut told = self.told();
        if !sealed.certificate.is_empty() {
            let validators = &told.validators[&header.epoch];
            let proposal = certificate::verify(&sealed.certificate, validators, &told.chain).unwrap();
            assert_eq!((proposal.payload, proposal.epoch), (sealed.hash, header.epoch));
        }
        told.know(validator, &published.snapshot, height);
        let reached = told.reached.insert(validator, height);
        assert!(reached.is_none_or(|reached| reached < height), "{validator} told of {height} twice");
    }

    fn hold_against(&self, validator: usize, snapshot: &Snapshot) {
        let mut told = self.told();
        let reached = told.reached.get(&validator).copied().unwrap_or(Height::ZERO);
        assert!(snapshot.height() >= reached, "{validator} told of {reached} and is at {}", snapshot.height());
        for height in 1..=snapshot.height().0 {
            told.know(validator, snapshot, Height(height));
        }
        told.reached.insert(validator, snapshot.height());
    }

    /// Whether everything accepted is executed, or provably never will be.
    pub(crate) fn unsettled(&self, chain: &Chain) -> Option<Hash> {
        let told = self.told();
        let snapshot = chain.snapshot();
        let mut highest = HashMap::new();
        let mut is_settled = |ordered: &Ordered| {
            let highest = *highest.entry(ordered.sender).or_insert_with(|| highest_nonce(&snapshot, ordered.sender));
            told.executed.contains_key(&ordered.hash)
                || told.nonces.contains_key(&(ordered.sender, ordered.nonce))
                || ordered.nonce.0 > highest.0 + 256
        };
        told.accepted.values().find(|ordered| !is_settled(ordered)).map(|ordered| ordered.hash)
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        self.0.lock().unwrap()
    }
}

impl Told {
    /// Holds a block of a validator against those of the others.
    fn know(&mut self, validator: usize, snapshot: &Snapshot, height: Height) {
        let header = snapshot.header(height).unwrap().unwrap();
        let known = *self.headers.entry(height).or_insert(header.hash);
        assert_eq!(known, header.hash, "{validator} has another block {height}");
        let result = snapshot.result(height).unwrap().unwrap();
        let known = self.results.entry(height).or_insert(result);
        assert_eq!(*known, result, "{validator} came to another result of block {height}");
        // No result is skipped, and none is another than the header says.
        let results =
            self.results.range(..=header.header.state_height).map(|(_, result)| borsh::to_vec(result).unwrap());
        assert_eq!(merkle::root(results), header.header.results, "block {height} commits to other results");
        if let Some(next) = &header.header.next_epoch {
            self.validators.insert(next.epoch, ValidatorSet::new(&next.validators).unwrap());
        }
        for receipt in &snapshot.block(height).unwrap().unwrap().receipts {
            self.receipt(height, receipt);
        }
    }

    /// Each transaction is executed once, and so is each nonce used.
    fn receipt(&mut self, height: Height, receipt: &Receipt) {
        let told = self.executed.entry(receipt.transaction).or_insert_with(|| (height, receipt.clone()));
        assert_eq!(*told, (height, receipt.clone()), "{} was executed twice", receipt.transaction);
        let used = *self.nonces.entry((receipt.sender, receipt.nonce)).or_insert(receipt.transaction);
        assert_eq!(used, receipt.transaction, "nonce {} of {} was used twice", receipt.nonce, receipt.sender);
    }
}

fn highest_nonce(snapshot: &Snapshot, account: AccountId) -> Nonce {
    let state = snapshot.state(snapshot.height()).unwrap();
    let entry = state.read(&StateKey::account(account)).unwrap();
    entry.map_or(Nonce(0), |bytes| borsh::from_slice::<Account>(&bytes).unwrap().nonces.highest)
}
