//! A disk in memory that loses power when it is told to: what is not synced is lost, kept or torn, by chance.
//!
//! A real disk writes pages in any order and a page in sectors. So after [`MemoryDisk::lose_power`] each
//! 512-byte sector that was written since its file's last sync holds its old bytes or its new ones.

use std::{
    collections::BTreeMap,
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::disk::{Disk, DiskFile};

const SECTOR: usize = 512;

/// A disk for tests and simulation. Clones are the same disk.
#[derive(Clone, Debug, Default)]
pub struct MemoryDisk {
    files: Arc<Mutex<BTreeMap<String, Arc<Mutex<Contents>>>>>,
}

#[derive(Clone, Debug)]
struct Contents {
    /// What a reader sees.
    seen: Vec<u8>,
    /// What survives.
    durable: Vec<u8>,
}

#[derive(Debug)]
struct MemoryFile(Arc<Mutex<Contents>>);

impl MemoryDisk {
    /// Loses power. `keep` is asked of every sector that differs whether its new bytes reached the disk.
    pub fn lose_power(&self, mut keep: impl FnMut() -> bool) {
        for file in lock(&self.files).values() {
            let mut contents = lock(file);
            let Contents { seen, durable } = &mut *contents;
            durable.resize(seen.len(), 0);
            for (seen, durable) in seen.chunks_mut(SECTOR).zip(durable.chunks_mut(SECTOR)) {
                if seen != durable && keep() {
                    durable.copy_from_slice(seen);
                }
                seen.copy_from_slice(durable);
            }
        }
    }

    /// The disk as it is now, apart from this one.
    pub fn fork(&self) -> Self {
        let files = lock(&self.files);
        let copy = files.iter().map(|(name, file)| (name.clone(), Arc::new(Mutex::new(lock(file).clone()))));
        Self { files: Arc::new(Mutex::new(copy.collect())) }
    }
}

impl Disk for MemoryDisk {
    fn names(&self) -> io::Result<Vec<String>> {
        Ok(lock(&self.files).keys().cloned().collect())
    }

    fn create(&self, name: &str, length: u64, start: &[u8]) -> io::Result<Box<dyn DiskFile>> {
        let mut seen = start.to_vec();
        seen.resize(length as usize, 0);
        let contents = Arc::new(Mutex::new(Contents { durable: seen.clone(), seen }));
        lock(&self.files).insert(name.to_owned(), Arc::clone(&contents));
        Ok(Box::new(MemoryFile(contents)))
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        let files = lock(&self.files);
        let contents = files.get(name).ok_or(io::ErrorKind::NotFound)?;
        Ok(Box::new(MemoryFile(Arc::clone(contents))))
    }
}

impl DiskFile for MemoryFile {
    fn extent(&self) -> io::Result<u64> {
        Ok(lock(&self.0).seen.len() as u64)
    }

    fn read(&self, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        let contents = lock(&self.0);
        let start = contents.seen.len().min(offset as usize);
        let end = contents.seen.len().min(start + length);
        Ok(contents.seen[start..end].to_vec())
    }

    fn write(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let mut contents = lock(&self.0);
        let end = offset as usize + bytes.len();
        if contents.seen.len() < end {
            contents.seen.resize(end, 0);
        }
        contents.seen[offset as usize..end].copy_from_slice(bytes);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let mut contents = lock(&self.0);
        contents.durable = contents.seen.clone();
        Ok(())
    }

    fn cut(&self, offset: u64, length: u64) -> io::Result<()> {
        let mut contents = lock(&self.0);
        contents.seen.truncate(offset as usize);
        contents.seen.resize(length as usize, 0);
        contents.durable = contents.seen.clone();
        Ok(())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
