//! The failing disk: operations that fail when a plan says so.
//!
//! A sync that fails is the worst of them: of what was dirty some sectors reached the disk and the others never will,
//! all of them are still seen, and the next sync succeeds without having done anything about it, as Linux has it.

use std::{collections::BTreeMap, io};

use super::{Files, Operation, State, contents::SECTOR, off};

/// How an operation fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The power goes. The operation may or may not be done.
    Power,
    /// EIO, once.
    Broken,
    /// ENOSPC, to this many operations that need room, this one being the first.
    Full(u64),
}

/// Failures by the operation that they befall.
#[derive(Clone, Debug, Default)]
pub(super) struct Plan(BTreeMap<u64, Failure>);

impl Plan {
    pub(super) fn add(&mut self, operation: u64, failure: Failure) {
        self.0.insert(operation, failure);
    }

    /// What befalls an operation: a failure that is due, if it can befall this one.
    fn take(&mut self, number: u64, operation: Operation) -> Option<Failure> {
        let (at, failure) = self.0.iter().next().map(|(at, failure)| (*at, *failure))?;
        if at > number || (matches!(failure, Failure::Full(_)) && !operation.needs_room()) {
            return None;
        }
        self.0.remove(&at);
        if let Failure::Full(times) = failure
            && times > 1
        {
            self.0.insert(at, Failure::Full(times - 1));
        }
        Some(failure)
    }
}

impl Operation {
    const fn needs_room(self) -> bool {
        !matches!(self, Self::Rename | Self::SyncNames | Self::Shrink)
    }
}

impl State {
    /// Does an operation of a process on a folder, unless it fails. `what` goes into the trace.
    pub(super) fn operate<T>(
        &mut self,
        (folder, process): (super::Folder, u64),
        operation: Operation,
        what: &[&[u8]],
        apply: impl Fn(&mut Files) -> io::Result<T>,
    ) -> io::Result<T> {
        let is_full = self.is_full && matches!(operation, Operation::Create | Operation::Grow);
        let files = self.running(folder, process)?;
        let number = files.operations;
        files.operations += 1;
        let failure = files.plan.take(number, operation);
        files.trace.update(&[operation as u8, failure.map_or(0, Failure::mark)]);
        for part in what {
            files.trace.update(&(part.len() as u64).to_le_bytes()).update(part);
        }
        let Some(failure) = failure else {
            return if is_full { Err(io::ErrorKind::StorageFull.into()) } else { apply(files) };
        };
        if failure == Failure::Power {
            if operation != Operation::Sync && files.chance.one_in(2) {
                // Done, and nobody hears of it.
                let _ = apply(files);
            }
            self.has_power = false;
        }
        self.failures += 1;
        Err(match failure {
            Failure::Power => off(),
            Failure::Full(_) => io::ErrorKind::StorageFull.into(),
            Failure::Broken => io::Error::from_raw_os_error(EIO),
        })
    }
}

/// What Linux calls a disk that fails.
const EIO: i32 = 5;

impl Failure {
    const fn mark(self) -> u8 {
        match self {
            Self::Power => 1,
            Self::Broken => 2,
            Self::Full(_) => 3,
        }
    }
}

impl Files {
    /// What a failed sync leaves.
    pub(super) fn give_up(&mut self, file: u64) {
        let Self { contents, chance, .. } = self;
        if let Some(contents) = contents.get_mut(&file) {
            contents.sync(|| chance.one_in(2));
        }
    }

    /// What a failed write leaves: its first sectors, or nothing.
    pub(super) fn write_some(&mut self, file: u64, offset: usize, bytes: &[u8]) {
        let Some(contents) = self.contents.get_mut(&file) else { return };
        let room = contents.seen().len().saturating_sub(offset).min(bytes.len());
        let written = self.chance.below(room.div_ceil(SECTOR) as u64 + 1) as usize * SECTOR;
        contents.write(offset.min(contents.seen().len()), &bytes[..written.min(room)]);
    }
}
