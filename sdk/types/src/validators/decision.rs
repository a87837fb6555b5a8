//! Whether validators decided a change: a function of the change, its signatures, and who may decide.

use alloc::vec::Vec;

use thiserror::Error;

use super::{ValidatorChange, ValidatorSignature};
use crate::{
    certificate::{ValidatorSet, ValidatorSetError},
    code::Code,
    ed25519::{PublicKey, Signature, SignedMessage, SigningKey, verify_batch},
    hash::{Domain, hash},
    id::{Epoch, Hash},
};

/// What a change is held against: who decides, where and when.
#[derive(Clone, Copy, Debug)]
pub struct Electorate<'a> {
    /// The genesis hash.
    pub chain: &'a Hash,
    /// The epoch in which it is to be decided.
    pub epoch: Epoch,
    /// Changes that were made so far.
    pub changes: u64,
    /// The epoch's validators, in rising order.
    pub validators: &'a [[u8; 32]],
}

/// Why a change is not made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RefusedChange {
    /// Signed for another epoch.
    #[error("the change is signed for epoch {signed}, and this is epoch {current}: propose it again")]
    Epoch {
        /// Which.
        signed: Epoch,
        /// The block's.
        current: Epoch,
    },
    /// Made already, or overtaken by another.
    #[error("change {found} of the validators is made already, the next is {next}: propose it again")]
    Made {
        /// Its number.
        found: u64,
        /// The next one's.
        next: u64,
    },
    /// One before it is missing.
    #[error("this is change {found} of the validators, and the next is {next}")]
    Early {
        /// Its number.
        found: u64,
        /// The next one's.
        next: u64,
    },
    /// No set.
    #[error(transparent)]
    Set(#[from] ValidatorSetError),
    /// A key of the next set with which nobody can sign.
    #[error("{} is no ed25519 key", Hash(*.0))]
    Key([u8; 32]),
    /// A signer is twice there, or not behind the smaller ones.
    #[error("signatures are listed in rising order of validator, each once")]
    Order,
    /// Signed by somebody else.
    #[error("{} signed and is no validator of epoch {epoch}", Hash(*.validator))]
    Stranger {
        /// Who.
        validator: [u8; 32],
        /// The epoch.
        epoch: Epoch,
    },
    /// Too few signed.
    #[error("{signed} of {validators} validators signed the change, and {needed} must")]
    Quorum {
        /// How many did.
        signed: usize,
        /// How many must.
        needed: usize,
        /// How many there are.
        validators: usize,
    },
    /// A signature is not its validator's over this change.
    #[error("a signature is not its validator's over this change of this chain")]
    Signature,
}

impl RefusedChange {
    /// The code in the receipt.
    pub const fn code(&self) -> Code {
        match self {
            Self::Epoch { .. } => Code::WrongEpoch,
            Self::Made { .. } => Code::AlreadyExists,
            Self::Early { .. } | Self::Set(_) | Self::Key(_) | Self::Order => Code::BadUserInput,
            Self::Stranger { .. } => Code::Forbidden,
            Self::Quorum { .. } => Code::NoQuorum,
            Self::Signature => Code::InvalidSignature,
        }
    }
}

impl ValidatorChange {
    /// What validators sign.
    pub fn digest(&self, chain: &Hash) -> Hash {
        let bytes = borsh::to_vec(self).unwrap_or_default();
        hash(Domain::Validators, &[&chain.0, &bytes])
    }

    /// A validator's signature.
    pub fn sign(&self, key: &SigningKey, chain: &Hash) -> ValidatorSignature {
        let signature = key.sign(&self.digest(chain).0).0;
        ValidatorSignature { validator: key.public_key().0, signature }
    }

    /// Whether a quorum of the epoch's validators decided this change: validators count, however much is signed.
    /// What is cheap comes first.
    ///
    /// # Errors
    ///
    /// The first check that fails.
    pub fn check(&self, electorate: &Electorate<'_>, signed: &[ValidatorSignature]) -> Result<(), RefusedChange> {
        let Electorate { chain, epoch, changes, validators } = *electorate;
        if self.epoch != epoch {
            return Err(RefusedChange::Epoch { signed: self.epoch, current: epoch });
        }
        let (found, next) = (self.number, changes.saturating_add(1));
        if found < next {
            return Err(RefusedChange::Made { found, next });
        }
        if found > next {
            return Err(RefusedChange::Early { found, next });
        }
        let set = ValidatorSet::new(&self.validators)?;
        if !signed.is_sorted_by(|a, b| a.validator < b.validator) {
            return Err(RefusedChange::Order);
        }
        let speaks = |one: &&ValidatorSignature| validators.binary_search(&one.validator).is_err();
        if let Some(ValidatorSignature { validator, .. }) = signed.iter().find(speaks) {
            return Err(RefusedChange::Stranger { validator: *validator, epoch });
        }
        let needed = ValidatorSet::new(validators)?.quorum();
        if signed.len() < needed {
            return Err(RefusedChange::Quorum { signed: signed.len(), needed, validators: validators.len() });
        }
        if let Some(key) = set.keys().iter().find(|key| !key.is_point()) {
            return Err(RefusedChange::Key(key.0));
        }
        let digest = self.digest(chain);
        let messages: Vec<SignedMessage<'_>> = signed.iter().map(|one| one.over(&digest)).collect();
        verify_batch(&messages).map_err(|_| RefusedChange::Signature)
    }
}

impl ValidatorSignature {
    /// Whether it is its validator's over a change.
    pub fn is_over(&self, change: &ValidatorChange, chain: &Hash) -> bool {
        let digest = change.digest(chain);
        let SignedMessage { public_key, message, signature } = self.over(&digest);
        public_key.verify(message, &signature).is_ok()
    }

    fn over<'a>(&self, digest: &'a Hash) -> SignedMessage<'a> {
        SignedMessage {
            public_key: PublicKey(self.validator),
            message: &digest.0,
            signature: Signature(self.signature),
        }
    }
}
