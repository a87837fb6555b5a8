//! The file under the database.
//!
//! Invariants: redb never learns that the disk is full while the chain runs, because after one failed write it
//! serves nothing any more, not even reads: a write without room waits for some. A failed sync is passed on, whatever
//! its reason, because nothing can be believed of what was written before it.
//!
//! With durability `none` the file is written and never synced: what was committed survives the end of the
//! process, not of the machine.

use std::{
    fs::OpenOptions,
    io,
    ops::Bound,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use redb::{BackendError, StorageBackend, backends::FileBackend};

use super::{Durability, StoreError};
use crate::room::Room;

/// Bytes at the start of a database that are only written once the rest of a new one is durable.
const MAGIC_BYTES: u64 = 9;

/// Opens or makes the database's file.
pub(crate) fn open_file(path: &Path) -> Result<Box<dyn StorageBackend>, StoreError> {
    let failed = |source| StoreError::Open { path: path.to_owned(), source };
    let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path).map_err(failed)?;
    Ok(Box::new(FileBackend::new(file)?))
}

/// A file that waits for room.
#[derive(Debug)]
pub(crate) struct Patient {
    file: Box<dyn StorageBackend>,
    durability: Durability,
    room: Arc<Room>,
    length: Arc<AtomicU64>,
}

impl Patient {
    pub(crate) fn new(file: Box<dyn StorageBackend>, durability: Durability, room: Arc<Room>) -> Self {
        Self { file, durability, room, length: Arc::default() }
    }

    /// How long the file is, kept up to date.
    pub(crate) fn length(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.length)
    }

    /// Empties a file that was being made when the process or the machine ended: redb writes its name into the first
    /// bytes last, and takes a longer file without it for somebody else's.
    pub(crate) fn clear_unfinished(&self) -> io::Result<()> {
        let length = self.file.len()?;
        let mut magic = [0; MAGIC_BYTES as usize];
        let start = &mut magic[..length.min(MAGIC_BYTES) as usize];
        self.file.read(0, start)?;
        if length > 0 && start.iter().all(|byte| *byte == 0) { self.file.set_len(0) } else { Ok(()) }
    }
}

impl StorageBackend for Patient {
    fn len(&self) -> io::Result<u64> {
        let length = self.file.len()?;
        self.length.store(length, Ordering::Relaxed);
        Ok(length)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.room.patiently(|| self.file.set_len(len))?;
        self.length.store(len, Ordering::Relaxed);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        match self.durability {
            Durability::Fsync => self.file.sync_data(),
            Durability::None => Ok(()),
        }
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.room.patiently(|| self.file.write(offset, data))
    }

    fn close(&self) -> io::Result<()> {
        self.file.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.try_lock_range(start, end)
    }

    fn try_lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.try_lock_shared_range(start, end)
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.lock_range(start, end)
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.lock_shared_range(start, end)
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.query_lock_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.unlock_range(start, end)
    }
}
