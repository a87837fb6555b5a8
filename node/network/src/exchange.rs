//! Peer exchange: the table of address records, and who may fill it.
//!
//! Anybody can make keys and sign records, so what a table keeps of hearsay is bounded for each peer that tells, and
//! what it has is not given up for what is newer: an attacker cannot flush out honest peers. A record that its own peer
//! brings over an authenticated connection is always taken. What gets old goes, unless a peer renews it.

use std::collections::HashMap;

use rustorium_types::id::{Hash, Timestamp};

use crate::{
    identity::PeerId,
    record::{RecordError, SignedRecord},
};

/// Records that are kept: far more than anybody dials.
pub const RECORDS: usize = 1_024;
/// Of these, those that one peer told about others.
pub const RECORDS_TOLD: usize = 64;
/// Records in an answer.
pub const RECORDS_ANSWERED: usize = 32;
/// Age of a record at the most, milliseconds: nodes renew theirs several times a day.
pub const RECORD_AGE_MS: u64 = 24 * 60 * 60 * 1_000;
/// How far a record may be ahead of this node's clock, milliseconds.
pub const RECORD_AHEAD_MS: u64 = 10 * 60 * 1_000;

#[derive(Debug)]
struct Entry {
    record: SignedRecord,
    /// Who told; the peer itself, when it did.
    source: PeerId,
}

/// Records by peer. Reads no clock.
#[derive(Debug)]
pub(crate) struct Records {
    chain: Hash,
    own: PeerId,
    entries: HashMap<PeerId, Entry>,
}

impl Records {
    pub(crate) fn new(chain: Hash, own: PeerId) -> Self {
        Self { chain, own, entries: HashMap::new() }
    }

    /// Takes a record that `source` sent, or says why not. Signatures are checked last, being what costs.
    pub(crate) fn learn(&mut self, signed: SignedRecord, source: PeerId, now: Timestamp) -> Result<(), RecordError> {
        let (peer, time) = (signed.record.peer, signed.record.time);
        if time.0 > now.0.saturating_add(RECORD_AHEAD_MS) {
            return Err(RecordError::Future);
        }
        if is_old(time, now) {
            return Err(RecordError::Old);
        }
        let known = self.entries.get(&peer);
        if peer == self.own || known.is_some_and(|known| known.record.record.time >= time) {
            return Err(RecordError::Known);
        }
        let leaves = if known.is_none() { self.make_room(peer == source, source, now)? } else { None };
        signed.verify(&self.chain)?;
        if let Some(leaves) = leaves {
            self.entries.remove(&leaves);
        }
        self.entries.insert(peer, Entry { record: signed, source });
        Ok(())
    }

    /// A peer's record.
    pub(crate) fn get(&self, peer: &PeerId) -> Option<&SignedRecord> {
        self.entries.get(peer).map(|entry| &entry.record)
    }

    /// All peers that are not too old to be dialled.
    pub(crate) fn fresh(&self, now: Timestamp) -> impl Iterator<Item = &SignedRecord> {
        self.entries.values().map(|entry| &entry.record).filter(move |record| !is_old(record.record.time, now))
    }

    /// What to tell a peer: the latest records but its own.
    pub(crate) fn answer(&self, to: &PeerId, now: Timestamp) -> Vec<SignedRecord> {
        let mut records: Vec<&SignedRecord> = self.fresh(now).filter(|record| record.record.peer != *to).collect();
        records.sort_unstable_by_key(|record| std::cmp::Reverse((record.record.time, record.record.peer)));
        records.into_iter().take(RECORDS_ANSWERED).cloned().collect()
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Refuses whoever there is no room for; answers who has to leave for a record that is sound.
    fn make_room(&mut self, is_own: bool, source: PeerId, now: Timestamp) -> Result<Option<PeerId>, RecordError> {
        if self.entries.len() >= RECORDS || self.told(&source) >= RECORDS_TOLD {
            self.entries.retain(|_, entry| !is_old(entry.record.record.time, now));
        }
        if !is_own && self.told(&source) >= RECORDS_TOLD {
            return Err(RecordError::Full);
        }
        if self.entries.len() < RECORDS {
            return Ok(None);
        }
        // Whoever comes itself gets the place of the oldest hearsay, or else of the oldest.
        let age = |(peer, entry): &(&PeerId, &Entry)| (**peer == entry.source, entry.record.record.time, **peer);
        let oldest = self.entries.iter().min_by_key(age).map(|(peer, _)| *peer);
        oldest.filter(|_| is_own).ok_or(RecordError::Full).map(Some)
    }

    /// Records that a peer told about others.
    fn told(&self, source: &PeerId) -> usize {
        self.entries.iter().filter(|(peer, entry)| entry.source == *source && *peer != source).count()
    }
}

const fn is_old(time: Timestamp, now: Timestamp) -> bool {
    time.0.saturating_add(RECORD_AGE_MS) < now.0
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::{identity::Identity, record::AddressRecord};

    const CHAIN: Hash = Hash([9; 32]);
    const NOW: Timestamp = Timestamp(1_000 * RECORD_AGE_MS);

    fn identity(number: u32) -> Identity {
        let mut seed = [0; 32];
        seed[..4].copy_from_slice(&number.to_le_bytes());
        Identity::from_seed(seed)
    }

    fn signed(number: u32, time: Timestamp) -> SignedRecord {
        let identity = identity(number);
        let addresses = vec!["192.0.2.1:8650".parse().unwrap()];
        AddressRecord { peer: identity.id(), time, addresses }.sign(&identity, &CHAIN)
    }

    fn table() -> Records {
        Records::new(CHAIN, identity(0).id())
    }

    #[test]
    fn old_replayed_future_and_forged_records_are_refused() {
        let (mut table, source) = (table(), identity(1_000).id());
        table.learn(signed(1, NOW), source, NOW).unwrap();
        assert_eq!(table.learn(signed(1, NOW), source, NOW), Err(RecordError::Known));
        assert_eq!(table.learn(signed(1, Timestamp(NOW.0 - 1)), source, NOW), Err(RecordError::Known));
        assert_eq!(table.learn(signed(0, NOW), source, NOW), Err(RecordError::Known));
        let ahead = |ms| Timestamp(NOW.0 + ms);
        assert_eq!(table.learn(signed(2, ahead(RECORD_AHEAD_MS + 1)), source, NOW), Err(RecordError::Future));
        let old = Timestamp(NOW.0 - RECORD_AGE_MS - 1);
        assert_eq!(table.learn(signed(2, old), source, NOW), Err(RecordError::Old));
        let mut forged = signed(2, NOW);
        forged.record.time = ahead(1);
        assert_eq!(table.learn(forged, source, NOW), Err(RecordError::Forged));
        // Later ones replace, and what gets old is neither dialled nor told.
        table.learn(signed(1, ahead(1)), source, NOW).unwrap();
        assert_eq!(table.get(&identity(1).id()).unwrap().record.time, ahead(1));
        assert_eq!(table.answer(&source, NOW).len(), 1);
        assert_eq!(table.answer(&identity(1).id(), NOW), []);
        assert_eq!(table.answer(&source, ahead(RECORD_AGE_MS + 2)), []);
    }

    #[test]
    fn one_peer_fills_its_share_and_many_flush_out_nobody() {
        let mut table = table();
        for number in 1..=RECORDS as u32 {
            // Sixty-four from each of sixteen.
            table.learn(signed(number, NOW), identity(10_000 + (number - 1) / RECORDS_TOLD as u32).id(), NOW).unwrap();
        }
        let refused = table.learn(signed(5_000, NOW), identity(10_000).id(), NOW);
        assert_eq!(refused, Err(RecordError::Full));
        assert_eq!(table.learn(signed(5_000, NOW), identity(10_100).id(), NOW), Err(RecordError::Full));
        // Whoever comes itself is always taken.
        table.learn(signed(5_000, NOW), identity(5_000).id(), NOW).unwrap();
        assert_eq!(table.len(), RECORDS);
        // And the old make room.
        let later = Timestamp(NOW.0 + RECORD_AGE_MS + 1);
        table.learn(signed(6_000, later), identity(10_100).id(), later).unwrap();
        assert_eq!(table.len(), 1);
    }
}
