//! The machine as what a node's parts ask for.

use std::io;

use redb::StorageBackend;
use rustorium_runtime::ModuleDisk;

use super::{Folder, Machine, Naming, Open, Operation, contents::Contents};
use crate::log::{Disk, DiskFile};

/// A folder, as a process has it.
#[derive(Clone)]
pub(super) struct Process {
    pub(super) machine: Machine,
    pub(super) folder: Folder,
    pub(super) process: u64,
}

/// The log's.
pub(super) struct Segments(pub(super) Process);

/// The compiled modules'.
pub(super) struct ModuleFiles(pub(super) Process);

impl Process {
    fn create(&self, name: &str) -> io::Result<Open> {
        let place = (self.folder, self.process);
        let file = self.machine.lock().operate(place, Operation::Create, &[name.as_bytes()], |files| {
            files.created += 1;
            let file = files.created;
            files.contents.insert(file, Contents::default());
            files.rename(Naming::Create { name: name.to_owned(), file });
            Ok(file)
        })?;
        Ok(self.open_file(file))
    }

    fn open(&self, name: &str) -> io::Result<Open> {
        let file = self.machine.lock().running(self.folder, self.process)?.file(name)?;
        Ok(self.open_file(file))
    }

    fn open_file(&self, file: u64) -> Open {
        Open { machine: self.machine.clone(), folder: self.folder, file, process: self.process }
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let (place, names) = ((self.folder, self.process), [from.as_bytes(), to.as_bytes()]);
        self.machine.lock().operate(place, Operation::Rename, &names, |files| {
            files.rename(Naming::Rename { from: from.to_owned(), to: to.to_owned() });
            Ok(())
        })
    }

    fn sync(&self) -> io::Result<()> {
        self.machine.lock().operate((self.folder, self.process), Operation::SyncNames, &[], |files| {
            files.durable.clone_from(&files.seen);
            files.dirty.clear();
            Ok(())
        })
    }

    /// The database's file, made if it is not there.
    pub(super) fn database(&self) -> io::Result<Box<dyn StorageBackend>> {
        const FILE: &str = "state.redb";
        let file = match self.open(FILE) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let file = self.create(FILE)?;
                self.sync()?;
                file
            }
            file => file?,
        };
        Ok(Box::new(file))
    }
}

impl Open {
    fn length(&self) -> io::Result<usize> {
        Ok(self.machine.lock().running(self.folder, self.process)?.contents(self.file)?.seen().len())
    }

    fn resize(&self, length: usize) -> io::Result<()> {
        let place = (self.folder, self.process);
        let operation = if length > self.length()? { Operation::Grow } else { Operation::Shrink };
        self.machine.lock().operate(place, operation, &[&length.to_le_bytes()], |files| {
            files.contents(self.file)?.resize(length);
            Ok(())
        })
    }

    fn write_at(&self, offset: usize, bytes: &[u8]) -> io::Result<()> {
        let place = (self.folder, self.process);
        let operation = if offset + bytes.len() > self.length()? { Operation::Grow } else { Operation::Write };
        let mut state = self.machine.lock();
        let written = state.operate(place, operation, &[&offset.to_le_bytes(), bytes], |files| {
            files.contents(self.file)?.write(offset, bytes);
            Ok(())
        });
        if written.is_err()
            && let Ok(files) = state.running(self.folder, self.process)
        {
            files.write_some(self.file, offset, bytes);
        }
        written
    }

    fn sync_all(&self) -> io::Result<()> {
        let place = (self.folder, self.process);
        let mut state = self.machine.lock();
        let synced = state.operate(place, Operation::Sync, &[], |files| {
            files.contents(self.file)?.sync(|| true);
            Ok(())
        });
        if synced.is_err()
            && let Ok(files) = state.running(self.folder, self.process)
        {
            files.give_up(self.file);
        }
        synced
    }

    fn read_at(&self, offset: usize, length: usize) -> io::Result<Vec<u8>> {
        let mut state = self.machine.lock();
        let seen = state.running(self.folder, self.process)?.contents(self.file)?.seen();
        let start = seen.len().min(offset);
        Ok(seen[start..seen.len().min(start + length)].to_vec())
    }
}

impl Disk for Segments {
    fn names(&self) -> io::Result<Vec<String>> {
        Ok(self.0.machine.lock().running(self.0.folder, self.0.process)?.seen.keys().cloned().collect())
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(self.0.create(name)?))
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(self.0.open(name)?))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.0.rename(from, to)
    }

    fn sync(&self) -> io::Result<()> {
        self.0.sync()
    }
}

impl DiskFile for Open {
    fn extent(&self) -> io::Result<u64> {
        Ok(self.length()? as u64)
    }

    fn read(&self, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        self.read_at(offset as usize, length)
    }

    fn write(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.write_at(offset as usize, bytes)
    }

    fn sync(&self) -> io::Result<()> {
        self.sync_all()
    }

    fn reserve(&self, length: u64) -> io::Result<()> {
        self.resize(self.length()?.max(length as usize))
    }

    fn truncate(&self, length: u64) -> io::Result<()> {
        self.resize(length as usize)
    }
}

impl StorageBackend for Open {
    fn len(&self) -> io::Result<u64> {
        Ok(self.length()? as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let bytes = self.read_at(offset as usize, out.len())?;
        if bytes.len() != out.len() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        out.copy_from_slice(&bytes);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.resize(len as usize)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.sync_all()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.write_at(offset as usize, data)
    }
}

impl ModuleDisk for ModuleFiles {
    fn load(&self, name: &str) -> io::Result<Vec<u8>> {
        let file = self.0.open(name)?;
        file.read_at(0, file.length()?)
    }

    fn store(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        // As a directory does it: aside, renamed, nothing synced.
        let aside = format!("{name}.tmp");
        self.0.create(&aside)?.write_at(0, bytes)?;
        self.0.rename(&aside, name)
    }
}
