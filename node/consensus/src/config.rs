//! What consensus is started with, and from where.

use std::{num::NonZeroU64, path::PathBuf, time::Duration};

use bytes::Bytes;
use commonware_codec::Decode;
use commonware_consensus::simplex::{scheme::ed25519::Scheme, types::Finalization};
use commonware_cryptography::Digested;
use rustorium_chain::{chain::Chain, cut::Parent, storage::StoreError};
use rustorium_types::{
    block::Header,
    certificate::{self, CertificateError, ValidatorSet, ValidatorSetError},
    ed25519::{PublicKey, SigningKey},
    genesis::Genesis,
    id::Hash,
};
use thiserror::Error;

use crate::{
    block::{Block, Digest},
    caution::Caution,
    committees::public_key,
    epochs::Epochs,
};

/// The settings of a validator's consensus. [`Config::new`] has the defaults.
#[derive(Clone, Debug)]
pub struct Config {
    /// The genesis hash.
    pub chain: Hash,
    /// Heights of an epoch, as the genesis has it.
    pub epoch_length: u64,
    /// What this node votes with, where it is a validator. One key has one running consensus and one directory.
    pub key: SigningKey,
    /// Where the journals are: what was voted for, blocks and certificates that are not final or not taken by the chain
    /// yet. A directory of its own. Whoever loses it must not vote with the same key without [`Caution`].
    pub directory: PathBuf,
    /// How long to wait for what.
    pub timeouts: Timeouts,
    /// What must be so before this node votes. Default nothing.
    pub caution: Caution,
    /// Final blocks that are kept for validators that fell behind, besides those that the chain has not taken. Default
    /// 16,384.
    pub retained_blocks: u64,
    /// Threads of consensus' runtime. Default 1: it verifies signatures, and waits.
    pub threads: usize,
}

/// How long to wait for what. All nodes of a chain should agree on the first four.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// For a leader's proposal, before its view is given up. Default 500 ms.
    pub leader: Duration,
    /// For a view's notarisation and the records of its block; longer than `leader`. Default 1 s.
    pub certification: Duration,
    /// Before a vote to give up a view is sent again. Default 500 ms.
    pub retry: Duration,
    /// For a sign of life of a validator, before views that it leads are given up at once; longer than `certification`
    /// and `retry`. Default 10 s.
    pub silence: Duration,
    /// For a peer's answer with a certificate or a block. Default 500 ms.
    pub fetch: Duration,
    /// Between two tries to fetch the same. Default 100 ms.
    pub fetch_retry: Duration,
}

/// Where consensus goes on. What its journals know beyond is told to the chain first.
#[derive(Clone, Debug)]
pub enum Start {
    /// At the first block.
    Genesis {
        /// What it builds on.
        parent: Parent,
        /// The genesis' validators.
        validators: Vec<[u8; 32]>,
    },
    /// Behind a final block: the last of the chain's log that has a certificate. It may be one that a sole driver
    /// signed.
    After {
        /// The block.
        header: Box<Header>,
        /// Its own certificate.
        certificate: Bytes,
        /// The validators of its epoch.
        validators: Vec<[u8; 32]>,
    },
}

/// Why consensus does not start.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StartError {
    /// An epoch of no height.
    #[error("the epoch length is 0")]
    EpochLength,
    /// The timeouts contradict each other.
    #[error("timeouts are positive, and in this order: leader < certification < silence, retry < silence")]
    Timeouts,
    /// Validators that are no set.
    #[error(transparent)]
    Validators(#[from] ValidatorSetError),
    /// A validator's key, or this node's, is no ed25519 key.
    #[error("a validator's key is no ed25519 key")]
    Key,
    /// The certificate of the last block does not hold.
    #[error("the certificate of the last block does not hold")]
    Certificate(#[from] CertificateError),
    /// It is of another block, or the block of another chain or epoch.
    #[error("the last block, its certificate and this chain do not belong together")]
    Block,
    /// The last block of an epoch says nothing of the next.
    #[error("the last block of an epoch names no usable validators of the next")]
    NextEpoch,
    /// The thread or its directory.
    #[error("cannot start consensus' thread")]
    Thread(#[source] std::io::Error),
}

impl Config {
    /// The defaults for a chain, a key and a directory.
    pub fn new(genesis: &Genesis, key: SigningKey, directory: PathBuf) -> Self {
        Self {
            chain: genesis.hash(),
            epoch_length: genesis.epoch_length,
            key,
            directory,
            timeouts: Timeouts::default(),
            caution: Caution::default(),
            retained_blocks: 16_384,
            threads: 1,
        }
    }

    pub(crate) fn epochs(&self) -> Result<Epochs, StartError> {
        NonZeroU64::new(self.epoch_length).map(Epochs::new).ok_or(StartError::EpochLength)
    }
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            leader: Duration::from_millis(500),
            certification: Duration::from_secs(1),
            retry: Duration::from_millis(500),
            silence: Duration::from_secs(10),
            fetch: Duration::from_millis(500),
            fetch_retry: Duration::from_millis(100),
        }
    }
}

impl Timeouts {
    pub(crate) fn check(&self) -> Result<(), StartError> {
        let positive = ![self.leader, self.retry, self.fetch].contains(&Duration::ZERO);
        let rising = self.leader < self.certification && self.certification.max(self.retry) < self.silence;
        if positive && rising { Ok(()) } else { Err(StartError::Timeouts) }
    }
}

/// A place to go on from, checked.
pub(crate) struct Origin {
    /// The last final block.
    pub(crate) block: Digested<Block>,
    /// Why it is final; nothing for height 0.
    pub(crate) finalization: Option<Finalization<Scheme, Digest>>,
    /// Who signs in its epoch; for height 0, in the first.
    pub(crate) validators: ValidatorSet,
    /// What the first block builds on, at height 0.
    pub(crate) first: Option<Parent>,
}

impl Start {
    /// Behind the newest final block of a chain that has a certificate, or at its genesis. None if the chain lacks what
    /// it must have: the validators of that block's epoch.
    ///
    /// # Errors
    /// When its database fails.
    pub fn of(chain: &Chain) -> Result<Option<Self>, StoreError> {
        let snapshot = chain.snapshot();
        let Some(sealed) = snapshot.certifier().cloned() else {
            let rules = chain.rules()?;
            let validators = rules.epoch().validators.clone();
            return Ok(Some(Self::Genesis { parent: rules.first_parent(), validators }));
        };
        let validators = snapshot.validators_of(sealed.header.epoch)?;
        Ok(validators.map(|validators| Self::After {
            header: Box::new(sealed.header.clone()),
            certificate: sealed.certificate.clone(),
            validators,
        }))
    }

    pub(crate) fn check(self, chain: Hash, epochs: Epochs) -> Result<Origin, StartError> {
        match self {
            Self::Genesis { parent, validators } => {
                if parent.hash != chain || parent.height.0 != 0 {
                    return Err(StartError::Block);
                }
                let validators = usable(&validators)?;
                Ok(Origin { block: Block::genesis(chain), finalization: None, validators, first: Some(parent) })
            }
            Self::After { header, certificate, validators } => {
                let validators = usable(&validators)?;
                let proposal = certificate::verify(&certificate, &validators, &chain)?;
                let (hash, height) = (header.hash(), header.height.0);
                let fits = header.chain == chain
                    && height > 0
                    && header.epoch.0 == epochs.of(height)
                    && (proposal.payload, proposal.epoch) == (hash, header.epoch);
                if !fits {
                    return Err(StartError::Block);
                }
                let record = header.next_epoch.as_ref().filter(|_| epochs.is_last(height));
                if epochs.is_last(height) && record.is_none_or(|record| usable(&record.validators).is_err()) {
                    return Err(StartError::NextEpoch);
                }
                let finalization = decode(&certificate, validators.keys().len()).ok_or(StartError::Block)?;
                let block = Block::new(*header);
                Ok(Origin { block, finalization: Some(finalization), validators, first: None })
            }
        }
    }
}

/// A set of validators whose keys commonware can read too.
fn usable(keys: &[[u8; 32]]) -> Result<ValidatorSet, StartError> {
    let readable = keys.iter().all(|key| public_key(&PublicKey(*key)).is_some());
    let set = ValidatorSet::new(keys)?;
    if readable { Ok(set) } else { Err(StartError::Key) }
}

/// A certificate as commonware's.
fn decode(certificate: &Bytes, validators: usize) -> Option<Finalization<Scheme, Digest>> {
    Finalization::decode_cfg(certificate.clone(), &validators).ok()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use rustorium_types::id::Height;

    use super::*;
    use crate::tests::headers::{CHAIN, Schedule, first, genesis, key};

    /// A first block, signed by one validator.
    fn signed() -> (Header, Bytes, Vec<[u8; 32]>) {
        let header = first();
        let validators = Schedule::constant(1).validators(0);
        let proposal = rustorium_chain::sole::proposal(&header, header.hash(), 10);
        let share = certificate::sign(&key(0), &CHAIN, &proposal);
        let set = ValidatorSet::new(&validators).unwrap();
        (header, certificate::assemble(&proposal, &[share], &set).unwrap().into(), validators)
    }

    fn check(
        header: Header,
        certificate: Bytes,
        validators: Vec<[u8; 32]>,
        epoch_length: u64,
    ) -> Result<(), StartError> {
        let epochs = Epochs::new(NonZeroU64::new(epoch_length).unwrap());
        let start = Start::After { header: Box::new(header), certificate, validators };
        start.check(CHAIN, epochs).map(|_| ())
    }

    #[test]
    fn a_place_to_start_from_is_checked() {
        let (header, certificate, validators) = signed();
        assert!(check(header.clone(), certificate.clone(), validators.clone(), 10).is_ok());

        let other = Header { height: Height(2), ..header.clone() };
        let error = check(other, certificate.clone(), validators.clone(), 10);
        assert!(matches!(error, Err(StartError::Block)));
        let error = check(header.clone(), certificate.clone(), Schedule::constant(4).validators(0), 10);
        assert!(matches!(error, Err(StartError::Certificate(_))));
        let error = check(header.clone(), certificate.slice(1..), validators.clone(), 10);
        assert!(matches!(error, Err(StartError::Certificate(_))));
        let error = check(header.clone(), certificate.clone(), Vec::new(), 10);
        assert!(matches!(error, Err(StartError::Validators(_))));
        // Where it is the last of an epoch, it must say who comes next.
        assert!(matches!(check(header, certificate, validators, 1), Err(StartError::NextEpoch)));

        let parent = Parent { hash: Hash([1; 32]), ..genesis() };
        let start = Start::Genesis { parent, validators: Schedule::constant(4).validators(0) };
        let epochs = Epochs::new(NonZeroU64::MIN);
        assert!(matches!(start.check(CHAIN, epochs), Err(StartError::Block)));
    }

    #[test]
    fn timeouts_rise() {
        let good = Timeouts::default();
        assert!(good.check().is_ok());
        let bad = [
            Timeouts { leader: Duration::ZERO, ..good },
            Timeouts { leader: good.certification, ..good },
            Timeouts { silence: good.certification, ..good },
            Timeouts { retry: good.silence, ..good },
        ];
        assert!(bad.iter().all(|timeouts| timeouts.check().is_err()));
    }
}
