//! Records of one lane that were read and are not in the log yet: without a gap, from where the log ends.
//!
//! ```text
//! log … end │ stretch: record, record, nothing, record │ next ─► the broker
//! ```

use std::collections::VecDeque;

use bytes::Bytes;
use rustorium_redpanda::{Body, Offset};
use rustorium_types::{id::Hash, record::OVERSIZE};

/// Offsets without a record that are taken for what they are: a marker of somebody's transaction is one of them. A
/// broker that says more of them makes up a lane.
const SKIPPED: u64 = 10_000;

/// What was read.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Stretch {
    from: u64,
    records: VecDeque<Bytes>,
    bytes: usize,
}

/// What became of a stretch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stored {
    /// The log has all of it.
    All,
    /// The log took some of it or none, and has no room for the rest now.
    Part,
    /// The log ends elsewhere: it has other records, from other nodes. Nothing is left of the stretch.
    Elsewhere,
}

/// More offsets without records than there can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooManySkipped(pub(super) u64);

impl Stretch {
    /// Of nothing, from an offset on.
    pub(super) fn at(from: Offset) -> Self {
        Self { from: from.0, ..Self::default() }
    }

    /// Where it begins.
    pub(super) const fn from(&self) -> Offset {
        Offset(self.from)
    }

    /// Where the next record goes.
    pub(super) fn next(&self) -> Offset {
        Offset(self.from + self.records.len() as u64)
    }

    /// How many records it has.
    pub(super) fn len(&self) -> usize {
        self.records.len()
    }

    /// Their bytes.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// The records.
    pub(super) fn records(&self) -> Vec<Bytes> {
        self.records.iter().cloned().collect()
    }

    /// Adds a record at its offset, and records without bytes for the offsets before it that hold none.
    pub(super) fn push(&mut self, offset: Offset, body: Body) -> Result<(), TooManySkipped> {
        let skipped = offset.0.saturating_sub(self.next().0);
        if skipped > SKIPPED {
            return Err(TooManySkipped(skipped));
        }
        // What lies below is here already.
        if offset < self.next() {
            return Ok(());
        }
        self.records.extend((0..skipped).map(|_| Bytes::new()));
        let record = match body {
            Body::Whole(bytes) => bytes,
            Body::Oversize { length, hash } => entered(length, &hash),
        };
        self.bytes += record.len();
        self.records.push_back(record);
        Ok(())
    }

    /// The log ends there now.
    pub(super) fn stored(&mut self, end: Offset) -> Stored {
        let is_within = (self.from..=self.next().0).contains(&end.0);
        if !is_within {
            *self = Self::at(end);
            return Stored::Elsewhere;
        }
        while self.from < end.0 {
            let record = self.records.pop_front().unwrap_or_default();
            self.bytes -= record.len();
            self.from += 1;
        }
        if self.records.is_empty() { Stored::All } else { Stored::Part }
    }
}

/// What enters a block in place of a record over the limit, as `rustorium_types::record` says.
fn entered(length: u64, hash: &Hash) -> Bytes {
    [&[OVERSIZE][..], &length.to_le_bytes(), &hash.0].concat().into()
}

#[cfg(test)]
mod tests {
    use rustorium_types::{
        hash::{Domain, hash},
        record,
    };

    use super::*;

    fn whole(byte: u8) -> Body {
        Body::Whole(vec![byte; 3].into())
    }

    #[test]
    fn offsets_without_records_are_records_without_bytes() {
        let mut stretch = Stretch::at(Offset(7));
        assert_eq!(stretch.push(Offset(7), whole(1)), Ok(()));
        assert_eq!(stretch.push(Offset(10), whole(2)), Ok(()));
        let nothing = Bytes::new();
        assert_eq!(stretch.records(), [vec![1; 3].into(), nothing.clone(), nothing, vec![2; 3].into()]);
        assert_eq!((stretch.next(), stretch.bytes()), (Offset(11), 6));
        assert_eq!(stretch.push(Offset(9), whole(3)), Ok(()), "what is here stays");
        assert_eq!(stretch.len(), 4);
        assert_eq!(stretch.push(Offset(11 + SKIPPED + 1), whole(3)), Err(TooManySkipped(SKIPPED + 1)));
        assert_eq!(stretch.push(Offset(u64::MAX), whole(3)), Err(TooManySkipped(u64::MAX - 11)));
    }

    #[test]
    fn a_record_over_the_limit_enters_as_every_node_has_it_enter() {
        let record = [9; 40];
        let body = Body::Oversize { length: 40, hash: hash(Domain::OversizeRecord, &[&record]) };
        let mut stretch = Stretch::default();
        assert_eq!(stretch.push(Offset(0), body), Ok(()));
        assert_eq!(stretch.records(), [Bytes::from(record::oversize(&record))]);
    }

    #[test]
    fn the_log_takes_all_or_some_or_is_elsewhere() {
        let stretch = || {
            let mut stretch = Stretch::at(Offset(5));
            for offset in 5..8 {
                assert_eq!(stretch.push(Offset(offset), whole(0)), Ok(()));
            }
            stretch
        };
        let stored = |end| {
            let mut stretch = stretch();
            (stretch.stored(Offset(end)), stretch.from().0, stretch.len(), stretch.bytes())
        };
        assert_eq!(stored(8), (Stored::All, 8, 0, 0));
        assert_eq!(stored(6), (Stored::Part, 6, 2, 6));
        assert_eq!(stored(5), (Stored::Part, 5, 3, 9));
        assert_eq!(stored(4), (Stored::Elsewhere, 4, 0, 0));
        assert_eq!(stored(9), (Stored::Elsewhere, 9, 0, 0));
        assert_eq!(Stretch::at(Offset(3)).stored(Offset(3)), Stored::All);
    }
}
