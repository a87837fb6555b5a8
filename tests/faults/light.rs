//! A light client that trusts a genesis hash and follows the chain's heads through all nodes and faults.
//!
//! It asks each node in turn for a proof of an account, checks it with `rustorium-light` down to the genesis hash, and
//! remembers what each height was. Two nodes, or one at two times, that prove different things of one height would be
//! the chain's failure; a node that does not answer, or says that it cannot, is not.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use rustorium_client::{Client, model};
use rustorium_light::{Policy, Trust, VerifiedHead, Wanted, genesis, verify_state};
use rustorium_types::{
    bundle::{EpochLink, StateProof},
    certificate,
    id::{Address, ContractId, Hash, Height, Timestamp},
    state::account_key,
};
use tokio::task::JoinHandle;

use super::{
    load::RECEIVER,
    network::{Addresses, Network},
};
use crate::chain_client::account_of;

/// Between two questions.
const PAUSE: Duration = Duration::from_millis(50);

/// The client, while it follows.
pub(crate) struct Follower {
    stops: Arc<AtomicBool>,
    newest: Arc<AtomicU64>,
    task: JoinHandle<Seen>,
}

/// What it knows.
struct Light {
    addresses: Addresses,
    trusted: Hash,
    /// Who speaks for each epoch, from the first on.
    trust: Vec<Trust>,
    account: Address,
    /// Header and state root of each height that was proven.
    heights: BTreeMap<u64, (Hash, Hash)>,
    /// The parent that the header of a height names.
    parents: BTreeMap<u64, Hash>,
    seen: Seen,
}

/// What it saw.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    /// Heads that were proven.
    pub(crate) heads: u64,
    /// The newest height among them.
    pub(crate) newest: u64,
    /// Questions that no proof answered.
    pub(crate) unanswered: u64,
}

impl Follower {
    /// Follows a network, from its genesis hash on.
    pub(crate) fn start(network: &Network) -> Self {
        let trusted = network.ready["genesisHash"].as_str().expect("a hash").parse().expect("a hash");
        let account = account_of(&network.ready, RECEIVER).address.parse().expect("an address");
        let mut light = Light {
            addresses: Arc::clone(&network.addresses),
            trusted,
            trust: Vec::new(),
            account,
            heights: BTreeMap::new(),
            parents: BTreeMap::new(),
            seen: Seen::default(),
        };
        let (stops, newest) = (Arc::<AtomicBool>::default(), Arc::<AtomicU64>::default());
        let (ends, told) = (Arc::clone(&stops), Arc::clone(&newest));
        let task = tokio::spawn(async move {
            for turn in 0.. {
                if ends.load(Ordering::SeqCst) {
                    break;
                }
                light.ask(turn).await;
                told.store(light.seen.newest, Ordering::SeqCst);
                tokio::time::sleep(PAUSE).await;
            }
            light.seen
        });
        Self { stops, newest, task }
    }

    /// The newest height that was proven so far.
    pub(crate) fn newest(&self) -> u64 {
        self.newest.load(Ordering::SeqCst)
    }

    /// Waits until a height is proven.
    pub(crate) async fn reaches(&self, height: u64) {
        while self.newest() < height {
            assert!(!self.task.is_finished(), "the light client saw a contradiction");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Ends it; what it saw, which contradicted nothing.
    pub(crate) async fn stop(self) -> Seen {
        self.stops.store(true, Ordering::SeqCst);
        self.task.await.expect("the light client saw no contradiction")
    }
}

impl Light {
    async fn ask(&mut self, turn: usize) {
        let address = {
            let addresses = self.addresses.read().expect("unpoisoned");
            addresses[turn % addresses.len()].clone()
        };
        let Some(client) = address.and_then(|address| Client::new(&address).ok()) else { return };
        match self.proven(&client).await {
            Some(head) => self.hold(&head),
            None => self.seen.unanswered += 1,
        }
    }

    /// A proven head; nothing if the node has no answer. What it answers must hold.
    async fn proven(&mut self, client: &Client) -> Option<VerifiedHead> {
        if self.trust.is_empty() {
            let bytes = client.genesis().await.ok()?;
            let genesis = genesis(&self.trusted, &bytes).expect("the trusted genesis");
            self.trust.push(Trust::from_genesis(&genesis).expect("validators"));
        }
        let path = format!("/v1/accounts/{}", self.account);
        let answer: model::Account = client.get(&path, &[("proof", "true".into())]).await.ok()?;
        let proof = StateProof::from_bytes(&answer.proof?.bytes).expect("a proof");
        let epoch = certificate::peek(&proof.head.certificate).expect("a certificate").epoch;
        while let Some(newest) = self.trust.last().filter(|newest| newest.epoch() < epoch) {
            let link = EpochLink::from_bytes(&client.epoch(newest.epoch()).await.ok()?).expect("a link");
            let next = newest.follow(&link).expect("an epoch follows from the one before");
            self.trust.push(next);
        }
        let trust = self.trust.iter().find(|trust| trust.epoch() == epoch).expect("followed");
        let policy = Policy { now: now(), max_age: None, height: Wanted::Newest };
        let key = account_key(self.account);
        let verified = verify_state(trust, &policy, ContractId::SYSTEM, &key, proof).expect("a proof that holds");
        Some(verified.head)
    }

    /// Holds a head against all that was seen.
    fn hold(&mut self, head: &VerifiedHead) {
        let Height(height) = head.height();
        let (header, root) = (head.header().hash(), head.result().state_root);
        let known = self.heights.entry(height).or_insert((header, root));
        assert_eq!(*known, (header, root), "two histories at height {height}");
        self.parents.insert(height, head.header().parent);
        if let Some((parent, _)) = height.checked_sub(1).and_then(|below| self.heights.get(&below)) {
            assert_eq!(*parent, head.header().parent, "height {height} is not on top of {}", height - 1);
        }
        if let Some(parent) = self.parents.get(&(height + 1)) {
            assert_eq!(*parent, header, "height {} is not on top of {height}", height + 1);
        }
        self.seen.heads += 1;
        self.seen.newest = self.seen.newest.max(height);
    }
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    Timestamp(u64::try_from(since.as_millis()).expect("before the year 584,556,019"))
}
