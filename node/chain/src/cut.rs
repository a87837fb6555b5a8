//! What a block takes from the lanes, and the header that says so: proposed and validated by one set of rules.
//!
//! ```text
//! lane 0   … parent's end │ record │ record │ … │ end │ waiting …
//!                          └──── this block's cut ────┘
//! ```
//!
//! Everything here is a function of its arguments: the clock's time is handed in. Validation never answers
//! *reject* for something that is merely not known yet; that is *wait*.
//!
//! Invariants: a header's time is after its parent's; its cut begins where the parent's ends; `state_height` never
//! falls, and lags behind the height by at most the genesis' `state_lag`.

use std::sync::Arc;

use bytes::Bytes;
use rustorium_types::{
    block::{self, Header, LaneCut},
    genesis::{EpochRecord, Genesis},
    id::{Gas, Hash, Height, Timestamp},
    merkle,
    record::{self, Control},
};
use thiserror::Error;

use crate::{
    log::MAX_BODY,
    storage::SealedHeader,
    verify::{Checked, Meaning},
};

/// Milliseconds by which a proposal's time may be ahead of a validator's clock.
pub const CLOCK_AHEAD_MS: u64 = 500;

/// What the headers of a chain must obey.
#[derive(Clone, Debug)]
pub struct Rules {
    genesis: Arc<Genesis>,
    chain: Hash,
}

/// The header that a block builds on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parent {
    /// Its hash; the genesis hash below height 1.
    pub hash: Hash,
    /// Its height.
    pub height: Height,
    /// Its time; the genesis' below height 1.
    pub time: Timestamp,
    /// Where its cuts end.
    pub lanes: Vec<LaneCut>,
    /// The newest height whose result it commits to.
    pub state_height: Height,
}

/// The results that a header commits to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Results {
    /// The newest of them.
    pub height: Height,
    /// The root over all up to it.
    pub root: Hash,
}

/// A header with the records of its cut.
#[derive(Clone, Debug)]
pub struct Block {
    /// What is decided.
    pub header: Header,
    /// Its hash.
    pub hash: Hash,
    /// The records, in execution order.
    pub records: Vec<Arc<Checked>>,
}

/// What a validator makes of a proposal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It may be signed.
    Accept,
    /// It can never be signed.
    Reject(Rejection),
    /// It cannot be judged yet.
    Wait(Missing),
}

/// Why a proposal can never be signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Rejection {
    /// A version that this software does not make.
    #[error("the header's version is unknown")]
    Version,
    /// Another chain's.
    #[error("the header is another chain's")]
    Chain,
    /// Another parent, height or epoch.
    #[error("the header does not follow its parent")]
    Parent,
    /// Not after the parent's.
    #[error("the header's time is not after its parent's")]
    Time,
    /// Not the chain's.
    #[error("the gas price is not the chain's")]
    GasPrice,
    /// The cuts do not begin where the parent's end, or are not over these records.
    #[error("the cuts do not follow from the parent's and the records")]
    Lanes,
    /// More bytes, records or gas than a block may have.
    #[error("the block is over a limit")]
    Limits,
    /// A revert that is not the first record of its block.
    #[error("the block has a revert behind another record")]
    Revert,
    /// Not over these records.
    #[error("the batch root is not over the records")]
    BatchRoot,
    /// Not what the next epoch is, or not in the epoch's last header.
    #[error("the header announces another next epoch")]
    NextEpoch,
    /// The newest result falls, lags too far or is not executed before the header.
    #[error("the newest result that the header commits to is out of range")]
    StateHeight,
    /// Other results than execution came to.
    #[error("the header commits to other results than execution came to")]
    Results,
}

/// What a validator has yet to learn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// The header's time has not come.
    Time,
    /// The results that it commits to are not executed here yet.
    Results,
}

/// Why a genesis cannot have a chain of this software.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum UnsupportedGenesis {
    /// Of another version.
    #[error("the genesis has version {0}; this software knows {known}", known = rustorium_types::genesis::VERSION)]
    Version(u16),
    /// Not one lane.
    #[error("the genesis has {0} lanes; one embedded log is one lane")]
    Lanes(u32),
    /// A transaction of the largest size or gas would fit no block, or not the log.
    #[error("the genesis' limits let a transaction be larger than a block, or than an entry of the log")]
    Limits,
    /// Results would never be committed.
    #[error("the genesis' state lag or epoch length is 0")]
    Zero,
    /// No validator, or keys that do not rise.
    #[error("the genesis' validators are none, or not in rising order")]
    Validators,
}

impl Rules {
    /// Of a genesis.
    ///
    /// # Errors
    /// If this software cannot run such a chain.
    pub fn new(genesis: Genesis) -> Result<Self, UnsupportedGenesis> {
        let limits = &genesis.limits;
        if genesis.version != rustorium_types::genesis::VERSION {
            return Err(UnsupportedGenesis::Version(genesis.version));
        }
        if genesis.lanes != 1 {
            return Err(UnsupportedGenesis::Lanes(genesis.lanes));
        }
        if record::limit(limits) > (limits.block_bytes as usize).min(MAX_BODY)
            || limits.transaction_gas > limits.block_gas
            || limits.block_records == 0
        {
            return Err(UnsupportedGenesis::Limits);
        }
        if genesis.state_lag == 0 || genesis.epoch_length == 0 {
            return Err(UnsupportedGenesis::Zero);
        }
        if genesis.validators.is_empty() || !genesis.validators.is_sorted_by(|a, b| a < b) {
            return Err(UnsupportedGenesis::Validators);
        }
        Ok(Self { chain: genesis.hash(), genesis: Arc::new(genesis) })
    }

    /// The genesis.
    pub const fn genesis(&self) -> &Arc<Genesis> {
        &self.genesis
    }

    /// The genesis hash.
    pub const fn chain(&self) -> Hash {
        self.chain
    }

    /// What the first block builds on.
    pub fn first_parent(&self) -> Parent {
        let lane = LaneCut { lane: 0, generation: 0, end: 0, root: merkle::empty_root() };
        Parent {
            hash: self.chain,
            height: Height::ZERO,
            time: self.genesis.time,
            lanes: vec![lane],
            state_height: Height::ZERO,
        }
    }

    /// How many of the waiting records, from the first, fit a block.
    pub fn fill<'a>(&self, waiting: impl IntoIterator<Item = &'a Checked>) -> usize {
        let mut load = Load::default();
        let fits = |(index, record): &(usize, &Checked)| begins_no_other(*index, record) && load.add(record).fits(self);
        waiting.into_iter().enumerate().take_while(fits).count()
    }

    /// The block that takes these records.
    pub fn propose(&self, parent: &Parent, clock: Timestamp, results: Results, records: Vec<Arc<Checked>>) -> Block {
        let root = lane_root(&records);
        let header = Header {
            version: block::VERSION,
            chain: self.chain,
            epoch: self.genesis.epoch_of(parent.height.next()),
            height: parent.height.next(),
            parent: parent.hash,
            time: clock.max(Timestamp(parent.time.0.saturating_add(1))),
            gas_price: self.genesis.gas_price,
            lanes: cuts(parent, records.len(), root),
            // One lane: the execution order is the lane's.
            batch_root: root,
            next_epoch: self.next_epoch(parent.height.next()),
            state_height: results.height,
            results: results.root,
        };
        Block { hash: header.hash(), header, records }
    }

    /// Judges a block. `clock` is the validator's own; `results` answers the root over all results up to a height,
    /// if they are executed here.
    pub fn validate(
        &self,
        parent: &Parent,
        block: &Block,
        clock: Timestamp,
        results: impl FnOnce(Height) -> Option<Hash>,
    ) -> Verdict {
        if let Err(rejection) = self.check_header(parent, &block.header) {
            return Verdict::Reject(rejection);
        }
        if let Err(rejection) = self.check_records(parent, block) {
            return Verdict::Reject(rejection);
        }
        match results(block.header.state_height) {
            Some(root) if root != block.header.results => return Verdict::Reject(Rejection::Results),
            Some(_) => {}
            None => return Verdict::Wait(Missing::Results),
        }
        if block.header.time.0 > clock.0.saturating_add(CLOCK_AHEAD_MS) {
            return Verdict::Wait(Missing::Time);
        }
        Verdict::Accept
    }

    fn check_header(&self, parent: &Parent, header: &Header) -> Result<(), Rejection> {
        let height = parent.height.next();
        let ensure = |holds: bool, rejection| if holds { Ok(()) } else { Err(rejection) };
        ensure(header.version == block::VERSION, Rejection::Version)?;
        ensure(header.chain == self.chain, Rejection::Chain)?;
        let follows = header.height == height && header.parent == parent.hash;
        ensure(follows && header.epoch == self.genesis.epoch_of(height), Rejection::Parent)?;
        ensure(header.time > parent.time, Rejection::Time)?;
        ensure(header.gas_price == self.genesis.gas_price, Rejection::GasPrice)?;
        ensure(header.next_epoch == self.next_epoch(height), Rejection::NextEpoch)?;
        let newest = Height(height.0 - 1);
        let oldest = parent.state_height.max(Height(height.0.saturating_sub(self.genesis.state_lag)));
        ensure((oldest..=newest).contains(&header.state_height), Rejection::StateHeight)
    }

    /// What a height announces. An epoch's last header always says who signs the next, so that light clients can
    /// follow by those headers alone; so far nothing changes from one to the next.
    fn next_epoch(&self, height: Height) -> Option<EpochRecord> {
        let epoch = self.genesis.epoch_of(height.next());
        (epoch != self.genesis.epoch_of(height)).then(|| EpochRecord {
            epoch,
            validators: self.genesis.validators.clone(),
            lanes: self.genesis.lanes,
            limits: self.genesis.limits,
            header_version: block::VERSION,
        })
    }

    fn check_records(&self, parent: &Parent, block: &Block) -> Result<(), Rejection> {
        let mut load = Load::default();
        if !block.records.iter().all(|record| load.add(record).fits(self)) {
            return Err(Rejection::Limits);
        }
        if !block.records.iter().enumerate().all(|(index, record)| begins_no_other(index, record)) {
            return Err(Rejection::Revert);
        }
        let root = lane_root(&block.records);
        if block.header.lanes != cuts(parent, block.records.len(), root) {
            return Err(Rejection::Lanes);
        }
        if block.header.batch_root == root { Ok(()) } else { Err(Rejection::BatchRoot) }
    }
}

impl Parent {
    /// The parent that a finalised header is.
    pub fn of(hash: Hash, header: &Header) -> Self {
        Self {
            hash,
            height: header.height,
            time: header.time,
            lanes: header.lanes.clone(),
            state_height: header.state_height,
        }
    }

    /// Records of the embedded lane that are finalised with it.
    pub fn lane_end(&self) -> u64 {
        self.lanes.first().map_or(0, |lane| lane.end)
    }
}

impl Block {
    /// The block with its certificate's header, as storage keeps it.
    pub fn sealed(&self, certificate: Bytes) -> SealedHeader {
        SealedHeader { header: self.header.clone(), hash: self.hash, certificate }
    }
}

/// What some records add up to.
#[derive(Default)]
struct Load {
    records: u64,
    bytes: u64,
    gas: Gas,
}

impl Load {
    fn add(&mut self, record: &Checked) -> &Self {
        self.records += 1;
        self.bytes += record.entered.len() as u64;
        self.gas = Gas(self.gas.0.saturating_add(record.gas.0));
        self
    }

    fn fits(&self, rules: &Rules) -> bool {
        let limits = &rules.genesis.limits;
        self.records <= u64::from(limits.block_records)
            && self.bytes <= u64::from(limits.block_bytes)
            && self.gas <= limits.block_gas
    }
}

/// False for a record that must be the first of a block and is not: a revert undoes whole blocks, so nothing may stand
/// before it in its own.
fn begins_no_other(index: usize, record: &Checked) -> bool {
    index == 0 || !matches!(record.meaning, Meaning::Control(Control::Revert { .. }))
}

fn lane_root(records: &[Arc<Checked>]) -> Hash {
    merkle::root(records.iter().map(|record| &record.entered))
}

fn cuts(parent: &Parent, records: usize, root: Hash) -> Vec<LaneCut> {
    let next = |lane: &LaneCut| LaneCut { end: lane.end + records as u64, root, ..*lane };
    parent.lanes.iter().map(next).collect()
}
