//! A chain made by hand: four validators, epochs of five heights, a few entries and receipts.

use std::{collections::BTreeMap, time::Duration};

use rustorium_light::{Policy, Trust, Wanted};
use rustorium_types::{
    block::{self, BlockResult, Header, Outcome, Receipt},
    bundle::{EpochLink, HeadProof, ReceiptProof, StateProof, Witness, WitnessEntry},
    certificate::{Proposal, ValidatorSet, View, assemble, sign},
    ed25519::SigningKey,
    field::Field,
    genesis::{self, EpochRecord, Genesis},
    id::{AccountId, Amount, ContractId, Epoch, Gas, Hash, Height, Nonce, Timestamp},
    limits::Limits,
    merkle,
    tree::{KEY_BITS, KeyDigest, LeafContent, Step, TreeProof, branch_hash, key_bit, key_digest, leaf_hash},
};

pub(crate) const EPOCH_LENGTH: u64 = 5;
pub(crate) const TOKEN: ContractId = ContractId([7; 32]);
/// The time of height 0; each block is a second later.
const START: u64 = 1_700_000_000_000;

type Entries = BTreeMap<(ContractId, Vec<u8>), Vec<u8>>;

pub(crate) struct Chain {
    pub(crate) genesis: Genesis,
    /// From height 1.
    pub(crate) headers: Vec<Header>,
    results: Vec<BlockResult>,
    /// The same at every height.
    entries: Entries,
}

/// The validators of an epoch: seed `10 epoch + i`. Every epoch has others.
pub(crate) fn keys(epoch: u64) -> Vec<SigningKey> {
    let mut keys: Vec<_> = (0..4).map(|index| SigningKey::from_seed([(10 * epoch + index + 1) as u8; 32])).collect();
    keys.sort_by_key(SigningKey::public_key);
    keys
}

fn public(epoch: u64) -> Vec<[u8; 32]> {
    keys(epoch).iter().map(|key| key.public_key().0).collect()
}

impl Chain {
    /// A chain of so many blocks.
    pub(crate) fn of(heights: u64) -> Self {
        let genesis = Genesis {
            version: genesis::VERSION,
            chain_id: "light".into(),
            dev: false,
            salt: [1; 32],
            time: Timestamp(START),
            symbol: "RST".into(),
            decimals: 18,
            balances: vec![],
            fee_account: AccountId([2; 32]),
            gas_price: Amount(1),
            epoch_length: EPOCH_LENGTH,
            state_lag: 8,
            shards: 0,
            limits: Limits::default(),
            validators: public(0),
            verifying_keys: vec![],
        };
        let entries = (0..20_u8).map(|index| ((TOKEN, vec![index]), vec![index; usize::from(index) * 8])).collect();
        let mut chain = Self { genesis, headers: vec![], results: vec![], entries };
        (1..=heights).for_each(|height| chain.extend(height));
        chain
    }

    fn extend(&mut self, height: u64) {
        let leaves = self.results.iter().map(|result| borsh::to_vec(result).unwrap());
        let epoch = (height - 1) / EPOCH_LENGTH;
        let next_epoch = height.is_multiple_of(EPOCH_LENGTH).then(|| EpochRecord {
            epoch: Epoch(epoch + 1),
            validators: public(epoch + 1),
            shards: 0,
            generation: 0,
            limits: Limits::default(),
            header_version: block::VERSION,
        });
        let header = Header {
            version: block::VERSION,
            chain: self.genesis.hash(),
            epoch: Epoch(epoch),
            height: Height(height),
            parent: self.headers.last().map_or(self.genesis.hash(), Header::hash),
            time: Timestamp(START + height * 1_000),
            gas_price: Amount(1),
            lanes: vec![],
            batch_root: merkle::empty_root(),
            next_epoch,
            state_height: Height(height - 1),
            results: merkle::root(leaves),
        };
        self.results.push(BlockResult {
            height: Height(height),
            header_hash: header.hash(),
            state_root: self.tree().0.into(),
            receipts_root: merkle::root(receipts(height).iter().map(|receipt| borsh::to_vec(receipt).unwrap())),
            events_root: merkle::empty_root(),
        });
        self.headers.push(header);
    }

    fn tree(&self) -> (Field, Vec<(KeyDigest, &Vec<u8>)>) {
        let mut leaves: Vec<_> =
            self.entries.iter().map(|((contract, key), value)| (key_digest(*contract, key), value)).collect();
        leaves.sort();
        (root(&leaves), leaves)
    }

    pub(crate) fn header(&self, height: u64) -> &Header {
        &self.headers[height as usize - 1]
    }

    pub(crate) fn trust(&self) -> Trust {
        Trust::from_genesis(&self.genesis).unwrap()
    }

    /// A certificate over any header, by the first three of an epoch's validators.
    pub(crate) fn certify(&self, header: &Header, epoch: u64) -> Vec<u8> {
        let proposal =
            Proposal { epoch: Epoch(epoch), view: View(header.height.0), parent_view: View(0), payload: header.hash() };
        let shares: Vec<_> = keys(epoch)[..3].iter().map(|key| sign(key, &self.genesis.hash(), &proposal)).collect();
        assemble(&proposal, &shares, &ValidatorSet::new(&public(epoch)).unwrap()).unwrap()
    }

    pub(crate) fn link(&self, epoch: u64) -> EpochLink {
        let header = self.header((epoch + 1) * EPOCH_LENGTH).clone();
        EpochLink { certificate: self.certify(&header, epoch), header }
    }

    /// The result of `height`, certified by the header of `certifier`.
    pub(crate) fn head(&self, height: u64, certifier: u64) -> HeadProof {
        let certifier = self.header(certifier).clone();
        let size = certifier.state_height.0 as usize;
        let leaves: Vec<Hash> =
            self.results[..size].iter().map(|result| merkle::leaf_hash(&borsh::to_vec(result).unwrap())).collect();
        HeadProof {
            certificate: self.certify(&certifier, certifier.epoch.0),
            result: self.results[height as usize - 1],
            result_path: merkle::prove(&leaves, height - 1).unwrap(),
            header: self.header(height).clone(),
            certifier,
        }
    }

    pub(crate) fn entry(&self, contract: ContractId, key: &[u8]) -> WitnessEntry {
        let (_, leaves) = self.tree();
        let proof = prove(&leaves, &key_digest(contract, key), vec![]);
        let value = self.entries.get(&(contract, key.to_vec())).cloned();
        WitnessEntry { contract, key: key.to_vec(), value, proof }
    }

    pub(crate) fn state(&self, height: u64, certifier: u64, key: &[u8]) -> StateProof {
        StateProof { head: self.head(height, certifier), entry: self.entry(TOKEN, key) }
    }

    pub(crate) fn witness(&self, height: u64, certifier: u64, keys: &[&[u8]]) -> Witness {
        let entries = keys.iter().map(|key| self.entry(TOKEN, key)).collect();
        Witness { head: self.head(height, certifier), entries }
    }

    pub(crate) fn receipt(&self, height: u64, certifier: u64, index: usize) -> ReceiptProof {
        let receipts = receipts(height);
        let leaves: Vec<Hash> =
            receipts.iter().map(|receipt| merkle::leaf_hash(&borsh::to_vec(receipt).unwrap())).collect();
        ReceiptProof {
            head: self.head(height, certifier),
            receipt: receipts[index].clone(),
            path: merkle::prove(&leaves, index as u64).unwrap(),
        }
    }
}

/// Insists on the newest height and on a head of at most ten seconds; the time is a second after `height`'s.
pub(crate) fn policy(height: u64) -> Policy {
    Policy {
        now: Timestamp(START + (height + 1) * 1_000),
        max_age: Some(Duration::from_secs(10)),
        height: Wanted::Newest,
    }
}

fn receipts(height: u64) -> Vec<Receipt> {
    let receipt = |index: u8| Receipt {
        transaction: Hash([index; 32]),
        sender: AccountId([3; 32]),
        nonce: Nonce(height),
        gas_used: Gas(100),
        fee: Amount(100),
        paid_by: AccountId([3; 32]),
        outcome: Outcome::Success { results: vec![] },
    };
    (0..3).map(receipt).collect()
}

type Leaves<'a> = Vec<(KeyDigest, &'a Vec<u8>)>;

/// Halves leaves at the first bit in which their keys differ.
fn split<'a>(leaves: &[(KeyDigest, &'a Vec<u8>)]) -> (u8, Leaves<'a>, Leaves<'a>) {
    let differs = |bit: &u8| leaves.iter().any(|(key, _)| key_bit(key, *bit) != key_bit(&leaves[0].0, *bit));
    let bit = (0..KEY_BITS).find(differs).unwrap();
    let (right, left) = leaves.iter().copied().partition(|(key, _)| key_bit(key, bit));
    (bit, left, right)
}

fn root(leaves: &[(KeyDigest, &Vec<u8>)]) -> Field {
    match leaves {
        [] => Field::ZERO,
        [(key, value)] => leaf_hash(key, value),
        _ => {
            let (bit, left, right) = split(leaves);
            branch_hash(bit, root(&left), root(&right))
        }
    }
}

fn prove(leaves: &[(KeyDigest, &Vec<u8>)], key: &KeyDigest, mut path: Vec<Step>) -> TreeProof {
    match leaves {
        [] => TreeProof::Empty,
        [(other, _)] if other == key => TreeProof::Present { path },
        [(other, value)] => TreeProof::Absent { path, key: *other, content: LeafContent::of(value) },
        _ => {
            let (bit, left, right) = split(leaves);
            let (near, far) = if key_bit(key, bit) { (right, left) } else { (left, right) };
            path.push(Step { bit, sibling: root(&far) });
            prove(&near, key, path)
        }
    }
}
