//! What a block takes from the lanes, and the header that says so: proposed and validated by one set of rules.
//!
//! ```text
//! lane 0   … parent's end │ record │ record │ … │ end │ waiting …
//!                          └──── this block's cut ────┘
//! lane 1   … parent's end │ end │ waiting …
//! ```
//!
//! The shared lanes come first, then each validator's own, in the order of their keys.
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
    certificate::{ValidatorSet, ValidatorSetError},
    genesis::{EpochRecord, Genesis},
    id::{Epoch, Gas, Hash, Height, Timestamp},
    merkle,
    record::{self, Control},
};
use thiserror::Error;

use crate::{
    exchange::Want,
    log::{LanePosition, MAX_BODY, RECORD_HEADER},
    storage::SealedHeader,
    turns::{deal, interleave},
    verify::{Checked, Meaning},
};

/// Milliseconds by which a proposal's time may be ahead of a validator's clock.
pub const CLOCK_AHEAD_MS: u64 = 500;
/// Shared lanes at the most: a header has a cut of each.
pub const MAX_SHARDS: u32 = 256;
/// Heights by which results may lag at the most: so many states are always kept, so that what the last header of an
/// epoch announces can be held against the one that it follows from.
pub const MAX_STATE_LAG: u64 = 16;

/// What the headers of a chain must obey, in one of its epochs.
#[derive(Clone, Debug)]
pub struct Rules {
    genesis: Arc<Genesis>,
    chain: Hash,
    epoch: Arc<EpochRecord>,
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
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Results {
    /// The newest of them.
    pub height: Height,
    /// The root over all up to it.
    pub root: Hash,
    /// Who is to validate from the next epoch on, as the state after it says; whoever does now, if it says nothing.
    pub validators: Option<Arc<[[u8; 32]]>>,
}

/// A header with the records of its cut.
#[derive(Clone, Debug)]
pub struct Block {
    /// What is decided.
    pub header: Header,
    /// Its hash.
    pub hash: Hash,
    /// The records, in execution order: each lane's in turn.
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
    /// The cuts are not of this epoch's lanes, or do not begin where the parent's end.
    #[error("the cuts do not follow from the parent's")]
    Lanes,
    /// More bytes, records or gas than a block may have.
    #[error("the block is over a limit")]
    Limits,
    /// A revert that is not the first record of its block.
    #[error("the block has a revert behind another record")]
    Revert,
    /// Its roots are over other records.
    #[error("the header's roots are over other records")]
    Records,
    /// Not over these records, though the lanes' roots are.
    #[error("the batch root is not over the records")]
    BatchRoot,
    /// Not the validators that the state says, or not in the epoch's last header.
    #[error("the header announces another next epoch than follows from the state")]
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
    /// More lanes than a header has room for.
    #[error("the genesis has {0} shards; there may be {MAX_SHARDS}")]
    Shards(u32),
    /// A transaction of the largest size or gas would fit no block, or not the log.
    #[error("the genesis' limits let a transaction be larger than a block, or than an entry of the log")]
    Limits,
    /// Results would never be committed.
    #[error("the genesis' state lag or epoch length is 0")]
    Zero,
    /// Results would be committed to when their state is kept no more.
    #[error("the genesis' state lag is {0}; it may be {MAX_STATE_LAG}")]
    StateLag(u64),
    /// No set of validators.
    #[error("the genesis' validators are no set: {0}")]
    Validators(#[from] ValidatorSetError),
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
        if genesis.shards > MAX_SHARDS {
            return Err(UnsupportedGenesis::Shards(genesis.shards));
        }
        if record::limit(limits) > (limits.block_bytes as usize).min(MAX_BODY - RECORD_HEADER)
            || limits.transaction_gas > limits.block_gas
            || limits.block_records == 0
        {
            return Err(UnsupportedGenesis::Limits);
        }
        if genesis.state_lag == 0 || genesis.epoch_length == 0 {
            return Err(UnsupportedGenesis::Zero);
        }
        if genesis.state_lag > MAX_STATE_LAG {
            return Err(UnsupportedGenesis::StateLag(genesis.state_lag));
        }
        ValidatorSet::new(&genesis.validators)?;
        let epoch = EpochRecord {
            epoch: Epoch(0),
            validators: genesis.validators.clone(),
            shards: genesis.shards,
            generation: 0,
            limits: genesis.limits,
            header_version: block::VERSION,
        };
        Ok(Self { chain: genesis.hash(), genesis: Arc::new(genesis), epoch: Arc::new(epoch) })
    }

    /// Who speaks, and over which lanes, in the epoch of the next header.
    pub const fn epoch(&self) -> &Arc<EpochRecord> {
        &self.epoch
    }

    /// Goes on behind a final header: the last of an epoch says what holds in the next.
    pub fn pass(&mut self, header: &Header) {
        if let Some(next) = &header.next_epoch {
            self.epoch = Arc::new(next.clone());
        }
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
        Parent {
            hash: self.chain,
            height: Height::ZERO,
            time: self.genesis.time,
            lanes: Vec::new(),
            state_height: Height::ZERO,
        }
    }

    /// Where the lanes of a block on top of `parent` begin: where the parent's end, but for lanes that are new with
    /// this epoch.
    pub fn lanes(&self, parent: &Parent) -> Vec<LaneCut> {
        let before = |lane: u32| parent.lanes.iter().find(|cut| cut.lane == lane);
        let begin = |lane: u32, generation: u32| {
            let end = before(lane).filter(|cut| cut.generation >= generation);
            let (generation, end) = end.map_or((generation, 0), |cut| (cut.generation, cut.end));
            LaneCut { lane, generation, end, root: merkle::empty_root() }
        };
        let shared = (0..self.epoch.shards).map(|lane| begin(lane, 0));
        // There are at most 512 validators.
        let own = (self.epoch.shards..).zip(&self.epoch.validators);
        shared.chain(own.map(|(lane, _)| begin(lane, self.epoch.generation))).collect()
    }

    /// The own lane of a validator of this epoch.
    pub fn lane_of(&self, validator: &[u8; 32]) -> Option<u32> {
        let index = self.epoch.validators.binary_search(validator).ok()?;
        Some(self.epoch.shards + u32::try_from(index).ok()?)
    }

    /// How many of the records that wait in each lane, from its first, fit a block. Lanes take turns; one whose next
    /// record does not fit has had its last.
    pub fn fill<'a, Lane>(&self, lanes: Vec<Lane>) -> Vec<usize>
    where
        Lane: Iterator<Item = &'a Checked>,
    {
        let mut lanes: Vec<_> = lanes.into_iter().map(Iterator::peekable).collect();
        let mut counts = vec![0; lanes.len()];
        // A revert undoes whole blocks, so it begins one, which is its lane's alone.
        let revert = lanes.iter_mut().position(|lane| lane.peek().is_some_and(|record| is_revert(record)));
        let mut open: Vec<usize> = revert.map_or_else(|| (0..lanes.len()).collect(), |lane| vec![lane]);
        let mut load = Load::default();
        while !open.is_empty() {
            open.retain(|lane| {
                let next = lanes[*lane].next();
                let takes =
                    |record: &&Checked| (load.records == 0 || !is_revert(record)) && load.add(record).fits(self);
                let takes = next.filter(takes).is_some();
                counts[*lane] += usize::from(takes);
                takes
            });
        }
        counts
    }

    /// The block that takes these records of each lane.
    pub fn propose(&self, parent: &Parent, clock: Timestamp, results: Results, taken: Vec<Vec<Arc<Checked>>>) -> Block {
        let lanes = self.lanes(parent).into_iter().zip(&taken).map(|(lane, records)| LaneCut {
            end: lane.end + records.len() as u64,
            root: root(records.iter()),
            ..lane
        });
        let lanes: Vec<LaneCut> = lanes.collect();
        let only = taken.len() == 1;
        let records = interleave(taken);
        // Of one lane, the execution order is the lane's.
        let batch_root = if only { lanes[0].root } else { root(records.iter()) };
        let header = Header {
            version: block::VERSION,
            chain: self.chain,
            epoch: self.genesis.epoch_of(parent.height.next()),
            height: parent.height.next(),
            parent: parent.hash,
            time: clock.max(Timestamp(parent.time.0.saturating_add(1))),
            gas_price: self.genesis.gas_price,
            lanes,
            batch_root,
            next_epoch: self.next_epoch(parent.height.next(), &results),
            state_height: results.height,
            results: results.root,
        };
        Block { hash: header.hash(), header, records }
    }

    /// Judges a block. `clock` is the validator's own; `results` answers the results up to a height, if they are executed
    /// here.
    pub fn validate(
        &self,
        parent: &Parent,
        block: &Block,
        clock: Timestamp,
        results: impl FnOnce(Height) -> Option<Results>,
    ) -> Verdict {
        if let Err(rejection) = self.check_header(parent, &block.header) {
            return Verdict::Reject(rejection);
        }
        let Some(results) = results(block.header.state_height) else { return Verdict::Wait(Missing::Results) };
        if results.root != block.header.results {
            return Verdict::Reject(Rejection::Results);
        }
        if self.next_epoch(block.header.height, &results) != block.header.next_epoch {
            return Verdict::Reject(Rejection::NextEpoch);
        }
        if block.header.time.0 > clock.0.saturating_add(CLOCK_AHEAD_MS) {
            return Verdict::Wait(Missing::Time);
        }
        // Last, because it is dear: all records are hashed.
        match self.check_records(parent, block) {
            Ok(()) => Verdict::Accept,
            Err(rejection) => Verdict::Reject(rejection),
        }
    }

    /// Whether execution is so far that a block on top of `parent` may commit to its newest results.
    pub fn is_ready(&self, parent: &Parent, results: Height) -> bool {
        (self.oldest_state(parent)..=parent.height).contains(&results)
    }

    /// The oldest result that a block on top of `parent` may commit to as its newest.
    fn oldest_state(&self, parent: &Parent) -> Height {
        let lag = Height(parent.height.next().0.saturating_sub(self.genesis.state_lag));
        parent.state_height.max(lag)
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
        // Whom it announces is for the state to say.
        ensure(header.next_epoch.is_some() == self.is_last(height), Rejection::NextEpoch)?;
        ensure(self.is_ready(parent, header.state_height), Rejection::StateHeight)
    }

    /// What a height announces that commits to these results. An epoch's last header always says who signs the next, so
    /// that light clients can follow by those headers alone.
    ///
    /// Validators are as the state says that the header commits to: a change that is executed later is announced an
    /// epoch later, unless another comes after it. Where they change, the lanes of their own begin anew.
    fn next_epoch(&self, height: Height, results: &Results) -> Option<EpochRecord> {
        let before = &self.epoch;
        let validators = results.validators.as_ref().map_or(before.validators.as_slice(), |validators| validators);
        self.is_last(height).then(|| EpochRecord {
            epoch: self.genesis.epoch_of(height.next()),
            validators: validators.to_vec(),
            generation: before.generation.saturating_add((validators != before.validators).into()),
            ..EpochRecord::clone(before)
        })
    }

    /// Whether a height is the last of its epoch.
    pub fn is_last(&self, height: Height) -> bool {
        self.genesis.epoch_of(height.next()) != self.genesis.epoch_of(height)
    }

    fn check_records(&self, parent: &Parent, block: &Block) -> Result<(), Rejection> {
        let mut load = Load::default();
        if !block.records.iter().all(|record| load.add(record).fits(self)) {
            return Err(Rejection::Limits);
        }
        if !block.records.iter().enumerate().all(|(index, record)| begins_no_other(index, record)) {
            return Err(Rejection::Revert);
        }
        let counts = self.counts(parent, &block.header)?;
        if counts.iter().sum::<usize>() != block.records.len() {
            return Err(Rejection::Lanes);
        }
        let dealt = deal(&counts, &block.records);
        let holds = |(cut, records): (&LaneCut, &Vec<&Arc<Checked>>)| cut.root == root(records.iter().copied());
        if !block.header.lanes.iter().zip(&dealt).all(holds) {
            return Err(Rejection::Records);
        }
        let batch_root = match block.header.lanes.as_slice() {
            [only] => only.root,
            _ => root(block.records.iter()),
        };
        if block.header.batch_root == batch_root { Ok(()) } else { Err(Rejection::BatchRoot) }
    }

    /// The records of a final block, lane by lane, as what a log without them wants.
    ///
    /// # Errors
    /// If the header's cuts do not begin where the parent's end, or are not over these records.
    pub fn deal(
        &self,
        parent: &Parent,
        header: &Header,
        records: &[Bytes],
    ) -> Result<Vec<(Want, Vec<Bytes>)>, Rejection> {
        let counts = self.counts(parent, header)?;
        if counts.iter().sum::<usize>() != records.len() {
            return Err(Rejection::Lanes);
        }
        let dealt = deal(&counts, records).into_iter().zip(self.lanes(parent)).zip(&header.lanes);
        let mut wanted = Vec::new();
        for ((records, begin), cut) in dealt {
            let from = LanePosition { lane: cut.lane, generation: cut.generation, index: begin.end };
            let want = Want { from, end: cut.end, root: cut.root, is_final: true };
            let records: Vec<Bytes> = records.into_iter().cloned().collect();
            if !want.is_for(&records) {
                return Err(Rejection::Records);
            }
            wanted.push((want, records));
        }
        Ok(wanted)
    }

    /// How many records a header on top of `parent` takes of each lane.
    ///
    /// # Errors
    /// If its cuts do not begin where the parent's end.
    pub fn counts(&self, parent: &Parent, header: &Header) -> Result<Vec<usize>, Rejection> {
        let lanes = self.lanes(parent);
        if lanes.len() != header.lanes.len() {
            return Err(Rejection::Lanes);
        }
        let count = |(begin, cut): (&LaneCut, &LaneCut)| {
            let same = (begin.lane, begin.generation) == (cut.lane, cut.generation);
            let count = cut.end.checked_sub(begin.end).filter(|_| same)?;
            usize::try_from(count).ok().filter(|count| *count <= self.genesis.limits.block_records as usize)
        };
        let counts: Option<Vec<usize>> = lanes.iter().zip(&header.lanes).map(count).collect();
        counts.ok_or(Rejection::Lanes)
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
    index == 0 || !is_revert(record)
}

fn is_revert(record: &Checked) -> bool {
    matches!(record.meaning, Meaning::Control(Control::Revert { .. }))
}

fn root<'a>(records: impl Iterator<Item = &'a Arc<Checked>>) -> Hash {
    merkle::root(records.map(|record| &record.entered))
}
