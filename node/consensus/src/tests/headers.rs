//! Headers with made-up cuts, and who signs them.

use rustorium_chain::cut::Parent;
use rustorium_types::{
    block::{Header, LaneCut},
    ed25519::SigningKey,
    genesis::EpochRecord,
    id::{Amount, Epoch, Hash, Height, Timestamp},
    limits::Limits,
};

/// The chain of all tests.
pub(crate) const CHAIN: Hash = Hash([0xab; 32]);
/// When it began.
pub(crate) const BEGIN: Timestamp = Timestamp(0);

/// Who signs in which epoch: sets of numbers of keys; the last is for all epochs behind it.
#[derive(Clone, Debug)]
pub(crate) struct Schedule {
    pub(crate) epoch_length: u64,
    pub(crate) sets: Vec<Vec<u8>>,
}

impl Schedule {
    /// One set for ever.
    pub(crate) fn constant(validators: u8) -> Self {
        Self { epoch_length: 1_000_000, sets: vec![(0..validators).collect()] }
    }

    pub(crate) fn epoch_of(&self, height: u64) -> u64 {
        height.saturating_sub(1) / self.epoch_length
    }

    /// An epoch's validators, in rising order.
    pub(crate) fn validators(&self, epoch: u64) -> Vec<[u8; 32]> {
        let set = self.sets.get(epoch as usize).or(self.sets.last()).expect("a set");
        let mut keys: Vec<[u8; 32]> = set.iter().map(|number| key(*number).public_key().0).collect();
        keys.sort_unstable();
        keys
    }

    /// The block on top of another.
    pub(crate) fn next(&self, parent: &Parent, now: Timestamp) -> Header {
        let height = parent.height.next();
        let epoch = self.epoch_of(height.0);
        let next = self.epoch_of(height.0 + 1);
        let cut = |lane: &LaneCut| LaneCut { end: lane.end + 1, root: Hash([height.0 as u8; 32]), ..*lane };
        Header {
            version: rustorium_types::block::VERSION,
            chain: CHAIN,
            epoch: Epoch(epoch),
            height,
            parent: parent.hash,
            time: now.max(Timestamp(parent.time.0 + 1)),
            gas_price: Amount::default(),
            lanes: parent.lanes.iter().map(cut).collect(),
            batch_root: Hash([height.0 as u8; 32]),
            next_epoch: (next != epoch).then(|| self.record(next)),
            state_height: Height(height.0 - 1),
            results: Hash([0; 32]),
        }
    }

    fn record(&self, epoch: u64) -> EpochRecord {
        EpochRecord {
            epoch: Epoch(epoch),
            validators: self.validators(epoch),
            shards: 0,
            generation: 0,
            limits: Limits::default(),
            header_version: rustorium_types::block::VERSION,
        }
    }
}

/// A validator's key, by number.
pub(crate) fn key(number: u8) -> SigningKey {
    SigningKey::from_seed([number + 1; 32])
}

/// What the first block builds on.
pub(crate) fn genesis() -> Parent {
    let lane = LaneCut { lane: 0, generation: 0, end: 0, root: Hash([0; 32]) };
    Parent { hash: CHAIN, height: Height(0), time: BEGIN, lanes: vec![lane], state_height: Height(0) }
}

/// The first block.
pub(crate) fn first() -> Header {
    Schedule::constant(4).next(&genesis(), BEGIN)
}
