//! The torn disk: what is left when the power goes.
//!
//! A real disk writes pages in any order and a page in sectors. So each sector that was written since its file's last
//! sync, and each length, is the old one or the new one. Names are journalled by file systems: of the changes since
//! the folder was last synced, the first few are left. A file whose name survived and whose bytes were never synced
//! has any of them.

use super::Files;

impl Files {
    /// Forgets what did not reach the disk.
    pub(super) fn tear(&mut self) {
        let Self { contents, chance, .. } = self;
        for contents in contents.values_mut() {
            contents.sync(|| chance.one_in(2));
            contents.reread();
        }
        let kept = self.chance.below(self.dirty.len() as u64 + 1) as usize;
        for change in self.dirty.drain(..).take(kept) {
            change.apply(&mut self.durable);
        }
        self.seen.clone_from(&self.durable);
        self.contents.retain(|file, _| self.seen.values().any(|named| named == file));
    }
}
