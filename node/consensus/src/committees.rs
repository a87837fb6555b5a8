//! Who signs in which epoch: what certificates are checked with, and what this node signs with.
//!
//! A committee is entered when the last header of the epoch before is final and in the chain's log, and forgotten when
//! no certificate of its epoch can be asked for any more. Signed bytes and certificates are those of
//! `rustorium_types::certificate`.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use commonware_codec::DecodeExt;
use commonware_consensus::{simplex::scheme::ed25519::Scheme, types::Epoch};
use commonware_cryptography::{
    Signer,
    certificate::{Provider, Scheme as _, Scoped},
    ed25519,
};
use commonware_utils::ordered::Set;
use rustorium_types::{
    certificate::ValidatorSet,
    ed25519::{PublicKey, SigningKey},
    id::Hash,
};

/// What stands before the chain in what is signed.
const NAMESPACE: &[u8] = b"rustorium";

/// The committees that are known. Clones are the same.
#[derive(Clone)]
pub(crate) struct Committees {
    namespace: Arc<[u8]>,
    key: ed25519::PrivateKey,
    known: Arc<Mutex<BTreeMap<u64, Arc<Scheme>>>>,
}

impl Committees {
    /// Of a chain, for whoever has this key. Nobody is known yet.
    ///
    /// Answers nothing for a key that commonware cannot read, which none of ours is.
    pub(crate) fn new(chain: Hash, key: &SigningKey) -> Option<Self> {
        let namespace = [NAMESPACE, &chain.0].concat();
        let key = private_key(key)?;
        Some(Self { namespace: namespace.into(), key, known: Arc::default() })
    }

    /// Makes the validators of an epoch known; this node signs nothing. Nothing, if a key is no key.
    pub(crate) fn listen(&self, epoch: u64, validators: &ValidatorSet) -> Option<Arc<Scheme>> {
        Some(self.know(epoch, Scheme::verifier(&self.namespace, keys(validators)?)))
    }

    /// Makes the validators of an epoch known; this node signs if it is one. Nothing, if a key is no key.
    pub(crate) fn enter(&self, epoch: u64, validators: &ValidatorSet) -> Option<Arc<Scheme>> {
        let keys = keys(validators)?;
        let scheme = Scheme::signer(&self.namespace, keys.clone(), self.key.clone())
            .unwrap_or_else(|| Scheme::verifier(&self.namespace, keys));
        Some(self.know(epoch, scheme))
    }

    /// The place of this node in a committee, whether it signs or not.
    pub(crate) fn place(&self, scheme: &Scheme) -> Option<usize> {
        scheme.participants().position(&self.key.public_key())
    }

    fn know(&self, epoch: u64, scheme: Scheme) -> Arc<Scheme> {
        let scheme = Arc::new(scheme);
        self.lock().insert(epoch, Arc::clone(&scheme));
        scheme
    }

    /// The committee of an epoch.
    pub(crate) fn get(&self, epoch: u64) -> Option<Arc<Scheme>> {
        self.lock().get(&epoch).cloned()
    }

    /// Forgets the epochs before this one.
    pub(crate) fn forget_before(&self, epoch: u64) {
        self.lock().retain(|known, _| *known >= epoch);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, Arc<Scheme>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Provider for Committees {
    type Scope = Epoch;
    type Scheme = Scheme;

    fn scoped(&self, epoch: Epoch) -> Option<Scoped<Scheme>> {
        self.get(epoch.get()).map(Scoped::scheme)
    }
}

fn keys(validators: &ValidatorSet) -> Option<Set<ed25519::PublicKey>> {
    let keys: Vec<ed25519::PublicKey> = validators.keys().iter().map(public_key).collect::<Option<_>>()?;
    Some(Set::from_iter_dedup(keys))
}

/// Our key as commonware's.
pub(crate) fn public_key(key: &PublicKey) -> Option<ed25519::PublicKey> {
    ed25519::PublicKey::decode(Bytes::copy_from_slice(&key.0)).ok()
}

/// commonware's key as ours.
pub(crate) fn our_key(key: &ed25519::PublicKey) -> PublicKey {
    let mut bytes = [0; 32];
    bytes.copy_from_slice(key.as_ref());
    PublicKey(bytes)
}

/// Our key as commonware's.
pub(crate) fn private_key(key: &SigningKey) -> Option<ed25519::PrivateKey> {
    ed25519::PrivateKey::decode(Bytes::copy_from_slice(&key.seed())).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whatever a change of the validators may name, commonware can read; or an epoch would never begin.
    #[test]
    fn whatever_is_a_point_is_a_key_here_too() {
        // Canonical and not, of small order and not: an encoding is a y coordinate and a sign.
        let small = (0..=255_u8).flat_map(|low| [0_u8, 0x7f, 0x80, 0xff].map(|high| (low, high)));
        let encodings = small.flat_map(|(low, high)| {
            [0_u8, 0xff].map(|middle| {
                let mut key = [middle; 32];
                (key[0], key[31]) = (low, high);
                key
            })
        });
        let (mut points, mut others) = (0, 0);
        for key in encodings.map(PublicKey) {
            assert_eq!(key.is_point(), public_key(&key).is_some(), "{key:?}");
            if key.is_point() { points += 1 } else { others += 1 }
        }
        assert!(points > 100 && others > 100, "{points} and {others}");
    }
}
