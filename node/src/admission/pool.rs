//! What is accepted and not yet executed.
//!
//! It answers "is it under way?" and "which nonce is free?", and bounds what waits. It is memory only: after a
//! crash the log says what was accepted, and it is executed before anybody can ask.

use std::{
    collections::{BTreeMap, HashMap, VecDeque, hash_map::Entry},
    sync::{Mutex, MutexGuard, PoisonError},
};

use rustorium_types::{
    id::{AccountId, Hash, Height, Nonce, Timestamp},
    transaction::{Body, Signed},
};

use super::Refusal;
use crate::config;

/// Void transactions that are remembered, so that whoever asks learns why theirs never ran.
const VOID: usize = 10_000;

/// What the pool knows of a transaction.
#[derive(Clone, Debug)]
pub(crate) enum Known {
    /// It is in the log and not yet executed.
    Accepted(Accepted),
    /// Another transaction consumed its nonce, at this height at the latest.
    Void(Height),
}

/// A transaction in the log.
#[derive(Clone, Debug)]
pub(crate) struct Accepted {
    /// When this node accepted it.
    pub(crate) at: Timestamp,
    /// The transaction.
    pub(crate) signed: std::sync::Arc<Signed>,
    bytes: usize,
}

/// The transactions that are under way.
#[derive(Debug)]
pub(crate) struct Pool {
    state: Mutex<State>,
    limit: usize,
    limit_per_sender: usize,
    limit_bytes: usize,
}

#[derive(Debug, Default)]
struct State {
    accepted: HashMap<Hash, Accepted>,
    nonces: HashMap<AccountId, BTreeMap<Nonce, Hash>>,
    bytes: usize,
    void: HashMap<Hash, Height>,
    void_order: VecDeque<Hash>,
}

impl Pool {
    pub(crate) fn new(bounds: &config::Admission) -> Self {
        Self {
            state: Mutex::default(),
            limit: bounds.pending,
            limit_per_sender: bounds.pending_per_sender,
            limit_bytes: bounds.pending_bytes,
        }
    }

    /// Whether there is room for a transaction, and its nonce is free among those under way.
    pub(crate) fn check(&self, body: &Body) -> Result<(), Refusal> {
        let state = self.lock();
        if state.accepted.len() >= self.limit || state.bytes >= self.limit_bytes {
            return Err(Refusal::Busy("the node holds as many transactions as it may"));
        }
        let Some(nonces) = state.nonces.get(&body.sender) else { return Ok(()) };
        if let Some(by) = nonces.get(&body.nonce) {
            return Err(Refusal::NonceTaken { sender: body.sender, nonce: body.nonce, by: *by });
        }
        if nonces.len() >= self.limit_per_sender {
            return Err(Refusal::Busy("the sender has as many transactions under way as it may"));
        }
        Ok(())
    }

    /// Remembers a transaction that the chain accepted.
    pub(crate) fn insert(&self, hash: Hash, signed: Signed, at: Timestamp) {
        let bytes = borsh::object_length(&signed).unwrap_or_default();
        let mut state = self.lock();
        let (sender, nonce) = (signed.body.sender, signed.body.nonce);
        if let Entry::Vacant(entry) = state.accepted.entry(hash) {
            entry.insert(Accepted { at, signed: signed.into(), bytes });
            state.bytes += bytes;
            state.nonces.entry(sender).or_default().entry(nonce).or_insert(hash);
        }
    }

    /// Forgets transactions whose nonces were consumed; another of the same nonce is void.
    pub(crate) fn executed(&self, consumed: &[(Hash, AccountId, Nonce)], height: Height) {
        let mut state = self.lock();
        for (hash, sender, nonce) in consumed {
            state.forget(hash);
            let other = state.nonces.get(sender).and_then(|nonces| nonces.get(nonce)).copied();
            if let Some(other) = other {
                state.forget(&other);
                state.make_void(other, height);
            }
        }
    }

    /// Forgets a transaction that did nothing at its turn, because its nonce was used.
    pub(crate) fn no_op(&self, hash: Hash, height: Height) {
        let mut state = self.lock();
        state.forget(&hash);
        state.make_void(hash, height);
    }

    /// Forgets what was void: a revert has given nonces back.
    pub(crate) fn reverted(&self) {
        let mut state = self.lock();
        state.void.clear();
        state.void_order.clear();
    }

    /// What is known of a transaction.
    pub(crate) fn known(&self, hash: &Hash) -> Option<Known> {
        let state = self.lock();
        match state.accepted.get(hash) {
            Some(accepted) => Some(Known::Accepted(accepted.clone())),
            None => state.void.get(hash).map(|height| Known::Void(*height)),
        }
    }

    /// The first nonce from this one on that no transaction under way has.
    pub(crate) fn next_nonce(&self, sender: AccountId, from: Nonce) -> Nonce {
        let state = self.lock();
        let Some(nonces) = state.nonces.get(&sender) else { return from };
        let mut next = from;
        for taken in nonces.range(from..).map(|(nonce, _)| *nonce) {
            if taken != next {
                break;
            }
            next = Nonce(next.0 + 1);
        }
        next
    }

    /// How many are under way.
    pub(crate) fn len(&self) -> usize {
        self.lock().accepted.len()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn forget(&mut self, hash: &Hash) {
        let Some(accepted) = self.accepted.remove(hash) else { return };
        self.bytes -= accepted.bytes;
        let body = &accepted.signed.body;
        if let Entry::Occupied(mut nonces) = self.nonces.entry(body.sender) {
            if nonces.get().get(&body.nonce) == Some(hash) {
                nonces.get_mut().remove(&body.nonce);
            }
            if nonces.get().is_empty() {
                nonces.remove();
            }
        }
    }

    fn make_void(&mut self, hash: Hash, height: Height) {
        if self.void.insert(hash, height).is_none() {
            self.void_order.push_back(hash);
        }
        while self.void_order.len() > VOID {
            if let Some(oldest) = self.void_order.pop_front() {
                self.void.remove(&oldest);
            }
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use rustorium_types::{
        id::{Amount, Gas},
        transaction::Authorisation,
    };

    use super::*;

    const SENDER: AccountId = AccountId([1; 32]);

    fn signed(nonce: u64) -> Signed {
        Signed {
            body: Body {
                version: 1,
                chain: [0; 4],
                sender: SENDER,
                nonce: Nonce(nonce),
                valid_until: None,
                gas_limit: Gas(1),
                max_gas_price: Amount(1),
                fee_payer: None,
                memo: Vec::new(),
                messages: Vec::new(),
            },
            authorisation: Authorisation::Ed25519 { public_key: [0; 32], signature: [0; 64] },
            fee_payer_authorisation: None,
        }
    }

    fn pool(pending_per_sender: usize) -> Pool {
        Pool::new(&config::Admission { pending_per_sender, ..config::Admission::default() })
    }

    fn hash(number: u8) -> Hash {
        Hash([number; 32])
    }

    #[test]
    fn free_nonces_skip_those_under_way() {
        let pool = pool(9);
        for nonce in [1, 2, 4] {
            pool.insert(hash(nonce), signed(nonce.into()), Timestamp(0));
        }
        assert_eq!(pool.next_nonce(SENDER, Nonce(1)), Nonce(3));
        assert_eq!(pool.next_nonce(SENDER, Nonce(4)), Nonce(5));
        pool.executed(&[(hash(2), SENDER, Nonce(2))], Height(1));
        assert_eq!(pool.next_nonce(SENDER, Nonce(2)), Nonce(2));
        assert_eq!(pool.len(), 2);
    }

    #[test]
    fn who_lost_the_nonce_is_void_and_bytes_are_given_back() {
        let pool = pool(1);
        pool.insert(hash(1), signed(1), Timestamp(0));
        assert!(matches!(pool.check(&signed(1).body), Err(Refusal::NonceTaken { by, .. }) if by == hash(1)));
        assert!(matches!(pool.check(&signed(2).body), Err(Refusal::Busy(_))));
        pool.executed(&[(hash(7), SENDER, Nonce(1))], Height(5));
        assert!(matches!(pool.known(&hash(1)), Some(Known::Void(Height(5)))));
        assert_eq!((pool.len(), pool.lock().bytes), (0, 0));
        pool.check(&signed(2).body).unwrap();
    }

    #[test]
    fn the_memory_of_void_ones_is_bounded() {
        let pool = pool(1);
        for number in 0..=VOID as u32 {
            let mut bytes = [0; 32];
            bytes[..4].copy_from_slice(&number.to_le_bytes());
            pool.no_op(Hash(bytes), Height(1));
        }
        assert!(pool.known(&Hash([0; 32])).is_none());
        assert_eq!(pool.lock().void.len(), VOID);
    }
}
