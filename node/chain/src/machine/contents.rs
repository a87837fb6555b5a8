//! The bytes of a file: as processes see them, and as they are on the disk.

use std::collections::BTreeSet;

/// What a disk writes whole or not at all.
pub(super) const SECTOR: usize = 512;

/// A file.
#[derive(Clone, Debug, Default)]
pub(super) struct Contents {
    seen: Vec<u8>,
    durable: Vec<u8>,
    /// Sectors that were written since the last sync.
    dirty: BTreeSet<usize>,
}

impl Contents {
    pub(super) fn seen(&self) -> &[u8] {
        &self.seen
    }

    pub(super) fn write(&mut self, offset: usize, bytes: &[u8]) {
        let end = offset + bytes.len();
        if self.seen.len() < end {
            self.seen.resize(end, 0);
        }
        self.seen[offset..end].copy_from_slice(bytes);
        self.dirty.extend(offset / SECTOR..end.div_ceil(SECTOR));
    }

    pub(super) fn resize(&mut self, length: usize) {
        let old = self.seen.len();
        self.seen.resize(length, 0);
        // What is on the disk behind the old end is no longer what is seen there.
        self.dirty.extend(old / SECTOR..length.min(self.durable.len()).div_ceil(SECTOR));
    }

    /// Makes what is dirty durable, as far as `keep` says so of each sector and of the length. The rest is given up:
    /// it is seen, and no later sync answers for it.
    pub(super) fn sync(&mut self, mut keep: impl FnMut() -> bool) {
        if self.durable.len() != self.seen.len() && keep() {
            self.durable.resize(self.seen.len(), 0);
        }
        for sector in std::mem::take(&mut self.dirty) {
            let start = sector * SECTOR;
            let end = (start + SECTOR).min(self.seen.len()).min(self.durable.len());
            if start < end && keep() {
                self.durable[start..end].copy_from_slice(&self.seen[start..end]);
            }
        }
    }

    /// Shows what is on the disk.
    pub(super) fn reread(&mut self) {
        self.dirty.clear();
        self.seen.clone_from(&self.durable);
    }
}
