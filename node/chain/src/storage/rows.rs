//! Many items in one row, each of which can be read alone: the records, receipts and events of a block.
//!
//! ```text
//! row   count n, 4 │ end of item 0, 4 │ … │ end of item n − 1, 4 │ item 0 │ … │ item n − 1
//! ```
//!
//! Numbers are little-endian; an end counts from the first byte of item 0.

/// Packs items.
pub(crate) fn pack<T: AsRef<[u8]>>(items: impl IntoIterator<Item = T>) -> Vec<u8> {
    let mut ends = Vec::new();
    let mut bytes = Vec::new();
    for item in items {
        bytes.extend_from_slice(item.as_ref());
        ends.push(bytes.len() as u32);
    }
    let mut row = Vec::with_capacity(4 + 4 * ends.len() + bytes.len());
    row.extend_from_slice(&(ends.len() as u32).to_le_bytes());
    ends.iter().for_each(|end| row.extend_from_slice(&end.to_le_bytes()));
    row.extend_from_slice(&bytes);
    row
}

/// A packed row.
#[derive(Clone, Copy)]
pub(crate) struct Rows<'a> {
    ends: &'a [[u8; 4]],
    bytes: &'a [u8],
}

impl<'a> Rows<'a> {
    /// Looks at a row; `None` if it is not packed.
    pub(crate) fn new(row: &'a [u8]) -> Option<Self> {
        let (count, rest) = row.split_first_chunk()?;
        let table = (u32::from_le_bytes(*count) as usize).checked_mul(4)?;
        let (ends, bytes) = rest.split_at_checked(table)?;
        Some(Self { ends: ends.as_chunks().0, bytes })
    }

    /// How many items.
    pub(crate) const fn len(&self) -> usize {
        self.ends.len()
    }

    /// The item of an index.
    pub(crate) fn get(&self, index: usize) -> Option<&'a [u8]> {
        let end = u32::from_le_bytes(*self.ends.get(index)?) as usize;
        let start = match index.checked_sub(1) {
            Some(before) => u32::from_le_bytes(*self.ends.get(before)?) as usize,
            None => 0,
        };
        self.bytes.get(start..end)
    }

    /// All items; `None` where one is damaged.
    pub(crate) fn iter(self) -> impl Iterator<Item = Option<&'a [u8]>> {
        (0..self.len()).map(move |index| self.get(index))
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn items_come_back(items in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..40), 0..20)) {
            let row = pack(&items);
            let rows = Rows::new(&row).unwrap();
            prop_assert_eq!(rows.iter().map(|item| item.unwrap().to_vec()).collect::<Vec<_>>(), items.clone());
            prop_assert_eq!(rows.get(items.len()), None);
        }

        #[test]
        fn nothing_that_is_read_breaks(row in proptest::collection::vec(any::<u8>(), 0..64)) {
            if let Some(rows) = Rows::new(&row) {
                rows.iter().for_each(drop);
            }
        }
    }
}
