//! What an execution has changed so far, over a state that it only reads.
//!
//! Calls nest and may fail, so changes can be taken back to any earlier [`Mark`]: each write remembers what it
//! covered. Invariants: `reads` has every entry whose value below was asked for, of undone calls too, because the
//! outcome depends on those as well; what is read below is asked for once.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    sync::Arc,
};

use bytes::Bytes;
use foldhash::fast::RandomState;
use rustorium_types::id::Hash;

use crate::state::{StateError, StateKey, StateRead, Writes};

/// Changes over a state.
pub(crate) struct Overlay {
    below: Arc<dyn StateRead>,
    /// What the state below holds, of each entry that was asked for.
    reads: HashMap<StateKey, Option<Bytes>, RandomState>,
    /// Codes that ran. A compiled module stands for the entry, so that its value is not fetched.
    codes: HashSet<Hash, RandomState>,
    writes: HashMap<StateKey, Option<Bytes>, RandomState>,
    /// For each write, the write that it covered, if any.
    journal: Vec<(StateKey, Option<Option<Bytes>>)>,
}

/// A moment to which changes can be taken back.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark(usize);

impl Overlay {
    /// No changes yet.
    pub(crate) fn new(below: Arc<dyn StateRead>) -> Self {
        Self {
            below,
            reads: HashMap::default(),
            codes: HashSet::default(),
            writes: HashMap::default(),
            journal: Vec::new(),
        }
    }

    /// The value of an entry as of now.
    pub(crate) fn get(&mut self, key: &StateKey) -> Result<Option<Bytes>, StateError> {
        if let Some(value) = self.writes.get(key).or_else(|| self.reads.get(key)) {
            return Ok(value.clone());
        }
        let value = self.below.read(key)?;
        self.reads.insert(key.clone(), value.clone());
        Ok(value)
    }

    /// The value of an entry as of now, for somebody who only looks on: it is not counted among the reads.
    pub(crate) fn peek(&self, key: &StateKey) -> Result<Option<Bytes>, StateError> {
        match self.writes.get(key).or_else(|| self.reads.get(key)) {
            Some(value) => Ok(value.clone()),
            None => self.below.read(key),
        }
    }

    /// Notes that a code runs, which reads its entry.
    pub(crate) fn note_code(&mut self, code: Hash) {
        self.codes.insert(code);
    }

    /// Sets or removes an entry.
    pub(crate) fn set(&mut self, key: StateKey, value: Option<Bytes>) {
        let covered = self.writes.insert(key.clone(), value);
        self.journal.push((key, covered));
    }

    /// This moment.
    pub(crate) fn mark(&self) -> Mark {
        Mark(self.journal.len())
    }

    /// Takes back all changes since a moment.
    pub(crate) fn roll_back(&mut self, mark: Mark) {
        while self.journal.len() > mark.0 {
            match self.journal.pop() {
                Some((key, Some(covered))) => self.writes.insert(key, covered),
                Some((key, None)) => self.writes.remove(&key),
                None => break,
            };
        }
    }

    /// The changes, and the entries of the state below that were read.
    pub(crate) fn finish(self) -> (Writes, BTreeSet<StateKey>) {
        let mut reads: BTreeSet<StateKey> = self.reads.into_keys().collect();
        // A code that this very execution stored is not below.
        let codes = self.codes.iter().map(StateKey::code);
        reads.extend(codes.filter(|key| !self.writes.contains_key(key)));
        (self.writes.into_iter().collect(), reads)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use rustorium_types::id::ContractId;

    use super::*;
    use crate::state::InMemoryState;

    fn key(name: &'static str) -> StateKey {
        StateKey::new(ContractId([1; 32]), name.as_bytes())
    }

    fn value(text: &'static str) -> Option<Bytes> {
        Some(Bytes::from_static(text.as_bytes()))
    }

    #[test]
    fn nested_changes_are_taken_back_in_order() {
        let mut below = InMemoryState::default();
        below.set(key("a"), value("below"));
        let mut overlay = Overlay::new(Arc::new(below));
        overlay.set(key("a"), value("1"));
        let outer = overlay.mark();
        overlay.set(key("a"), None);
        overlay.set(key("b"), value("2"));
        let inner = overlay.mark();
        overlay.set(key("a"), value("3"));
        overlay.set(key("a"), value("4"));
        overlay.roll_back(inner);
        assert_eq!(overlay.get(&key("a")).unwrap(), None);
        assert_eq!(overlay.get(&key("b")).unwrap(), value("2"));
        overlay.roll_back(outer);
        assert_eq!(overlay.get(&key("a")).unwrap(), value("1"));
        assert_eq!(overlay.get(&key("b")).unwrap(), None);
        let (writes, reads) = overlay.finish();
        assert_eq!(writes, Writes::from([(key("a"), value("1"))]));
        assert_eq!(reads, BTreeSet::from([key("b")]), "what a write covers is not read");
    }
}
