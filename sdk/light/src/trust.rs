//! What is trusted without proof, and how it moves from one epoch to the next.
//!
//! A chain's validators are those of its genesis in epoch 0. The last header of each epoch, certified by that
//! epoch's validators, names the next ones; so who knows the genesis hash learns every later set from a chain of
//! [`EpochLink`]s, one for each epoch, and never from a node's word. A checkpoint is the hash of such a last
//! header, and shortens the chain.

use rustorium_types::{
    block::{self, Header},
    bundle::EpochLink,
    certificate::{self, CertificateError, Proposal, ValidatorSet, ValidatorSetError},
    genesis::{self as types, EpochRecord, Genesis},
    hash::{Domain, hash},
    id::{Epoch, Hash, Height},
};
use thiserror::Error;

/// Who speaks for a chain in one epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trust {
    chain: Hash,
    epoch: Epoch,
    /// Heights of an epoch.
    epoch_length: u64,
    validators: ValidatorSet,
}

/// Why something does not become trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TrustError {
    /// The bytes are of another genesis.
    #[error("this is the genesis of {found}, not of {expected}")]
    GenesisHash {
        /// Its hash.
        found: Hash,
        /// The trusted one.
        expected: Hash,
    },
    /// The genesis does not decode exactly, or is of another version.
    #[error("the genesis does not decode")]
    Genesis,
    /// The header is not the trusted checkpoint.
    #[error("this is header {found}, not the checkpoint {expected}")]
    CheckpointHash {
        /// Its hash.
        found: Hash,
        /// The trusted one.
        expected: Hash,
    },
    /// The checkpoint does not name the next validators.
    #[error("the header at height {height} is no checkpoint: only the last of an epoch is")]
    NoCheckpoint {
        /// Its height.
        height: Height,
    },
    /// The link is of another epoch.
    #[error("the link ends epoch {found}; epoch {expected} is trusted")]
    Epoch {
        /// Which it ends.
        found: Epoch,
        /// Which is trusted.
        expected: Epoch,
    },
    /// The header is not the last of its epoch.
    #[error("height {height} does not end epoch {epoch}")]
    NotLast {
        /// The header's height.
        height: Height,
        /// Its epoch.
        epoch: Epoch,
    },
    /// The epoch record is about another epoch.
    #[error("the record after epoch {epoch} is about another one")]
    Record {
        /// The epoch that ends.
        epoch: Epoch,
    },
    /// The next validators are no set.
    #[error("the validators are no set")]
    Validators(#[from] ValidatorSetError),
    /// The header is not certified.
    #[error("the header that ends epoch {epoch} is not certified: {error}")]
    Certified {
        /// The epoch.
        epoch: Epoch,
        /// Why not.
        error: CertifiedError,
    },
}

/// Why a header is not what validators certified.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CertifiedError {
    /// The certificate is of an epoch whose validators are not known.
    #[error("the certificate is of epoch {found}; the validators of epoch {trusted} are known")]
    Epoch {
        /// The certificate's.
        found: Epoch,
        /// The trusted one.
        trusted: Epoch,
    },
    /// The certificate is not valid.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// The certificate is over another header.
    #[error("the certificate is over header {certified}, not {found}")]
    Hash {
        /// What it is over.
        certified: Hash,
        /// What was shown.
        found: Hash,
    },
    /// The header's format is not known.
    #[error("headers of version {0} are not known")]
    Version(u16),
    /// The header is of another chain.
    #[error("the header is of chain {found}, not {expected}")]
    Chain {
        /// Its chain.
        found: Hash,
        /// The trusted one.
        expected: Hash,
    },
    /// The header's epoch is not the certificate's, or not that of its height.
    #[error("the header of height {height} claims epoch {epoch}")]
    HeaderEpoch {
        /// Its height.
        height: Height,
        /// Its claim.
        epoch: Epoch,
    },
}

/// Reads a genesis that has the trusted hash.
///
/// # Errors
///
/// If it has another, or does not decode.
pub fn genesis(expected: &Hash, bytes: &[u8]) -> Result<Genesis, TrustError> {
    let found = hash(Domain::Genesis, &[bytes]);
    if found != *expected {
        return Err(TrustError::GenesisHash { found, expected: *expected });
    }
    let genesis: Genesis = borsh::from_slice(bytes).map_err(|_| TrustError::Genesis)?;
    if genesis.version != types::VERSION || genesis.epoch_length == 0 {
        return Err(TrustError::Genesis);
    }
    Ok(genesis)
}

impl Trust {
    /// Trusts the validators of a genesis, for epoch 0.
    ///
    /// # Errors
    ///
    /// If they are no set.
    pub fn from_genesis(genesis: &Genesis) -> Result<Self, TrustError> {
        Ok(Self {
            chain: genesis.hash(),
            epoch: Epoch(0),
            epoch_length: genesis.epoch_length.max(1),
            validators: ValidatorSet::new(&genesis.validators)?,
        })
    }

    /// Trusts the header with this hash, the last of an epoch, for the epoch after it.
    ///
    /// # Errors
    ///
    /// If the header has another hash, or does not end an epoch.
    pub fn from_checkpoint(expected: &Hash, header: &Header) -> Result<Self, TrustError> {
        let found = header.hash();
        if found != *expected {
            return Err(TrustError::CheckpointHash { found, expected: *expected });
        }
        let no_checkpoint = TrustError::NoCheckpoint { height: header.height };
        let record = header.next_epoch.as_ref().ok_or(no_checkpoint)?;
        // The last height of epoch e is (e + 1) · length.
        let epochs = header.epoch.0.checked_add(1).ok_or(no_checkpoint)?;
        let epoch_length = header.height.0 / epochs;
        if epoch_length == 0 || !header.height.0.is_multiple_of(epochs) {
            return Err(no_checkpoint);
        }
        let validators = next_validators(header.epoch, record)?;
        Ok(Self { chain: header.chain, epoch: record.epoch, epoch_length, validators })
    }

    /// The chain: its genesis hash.
    pub const fn chain(&self) -> Hash {
        self.chain
    }

    /// The epoch whose validators are known.
    pub const fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// The epoch of a height.
    pub fn epoch_of(&self, height: Height) -> Epoch {
        Epoch(height.0.saturating_sub(1) / self.epoch_length)
    }

    /// The trust of the next epoch, by the header that ends this one.
    ///
    /// # Errors
    ///
    /// Says which check failed.
    pub fn follow(&self, link: &EpochLink) -> Result<Self, TrustError> {
        let (epoch, header) = (self.epoch, &link.header);
        if header.epoch != epoch {
            return Err(TrustError::Epoch { found: header.epoch, expected: epoch });
        }
        self.certified(&link.certificate, header).map_err(|error| TrustError::Certified { epoch, error })?;
        let not_last = TrustError::NotLast { height: header.height, epoch };
        let next = epoch.0.checked_add(1).ok_or(not_last)?;
        if next.checked_mul(self.epoch_length) != Some(header.height.0) {
            return Err(not_last);
        }
        let validators = match &header.next_epoch {
            Some(record) => next_validators(epoch, record)?,
            None => self.validators.clone(),
        };
        Ok(Self { epoch: Epoch(next), validators, ..*self })
    }

    /// Checks that the validators of this epoch certified this header of this chain and epoch.
    pub(crate) fn certified(&self, certificate: &[u8], header: &Header) -> Result<Hash, CertifiedError> {
        let Proposal { epoch: found, .. } = certificate::peek(certificate)?;
        if found != self.epoch {
            return Err(CertifiedError::Epoch { found, trusted: self.epoch });
        }
        let certified = certificate::verify(certificate, &self.validators, &self.chain)?.payload;
        let found = header.hash();
        if found != certified {
            return Err(CertifiedError::Hash { certified, found });
        }
        self.known(header)?;
        if header.epoch != self.epoch {
            return Err(CertifiedError::HeaderEpoch { height: header.height, epoch: header.epoch });
        }
        Ok(certified)
    }

    /// Checks that a header is of a known version, of this chain, and claims the epoch of its height.
    pub(crate) fn known(&self, header: &Header) -> Result<(), CertifiedError> {
        if header.version != block::VERSION {
            return Err(CertifiedError::Version(header.version));
        }
        if header.chain != self.chain {
            return Err(CertifiedError::Chain { found: header.chain, expected: self.chain });
        }
        if header.epoch != self.epoch_of(header.height) {
            return Err(CertifiedError::HeaderEpoch { height: header.height, epoch: header.epoch });
        }
        Ok(())
    }
}

fn next_validators(epoch: Epoch, record: &EpochRecord) -> Result<ValidatorSet, TrustError> {
    if epoch.0.checked_add(1) != Some(record.epoch.0) {
        return Err(TrustError::Record { epoch });
    }
    Ok(ValidatorSet::new(&record.validators)?)
}
