//! What the log asks of a disk: a handful of named files.
//!
//! A log lives on a [`Directory`]; on a simulated [`Machine`](crate::machine::Machine) it lives through power losses
//! and failures that a seed chooses. Invariants: what [`DiskFile::write`] wrote is there after the process dies; what
//! was followed by [`DiskFile::sync`] is there after the machine does; which files there are, and under which names,
//! is only certain after [`Disk::sync`].

use std::{
    fs, io,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use rustix::{
    fs::{FallocateFlags, SeekFrom, fallocate, fdatasync, seek},
    io::Errno,
};

static ZEROS: [u8; 256 << 10] = [0; 256 << 10];

/// Where segments are kept.
pub trait Disk: Send + Sync {
    /// The names of all files, in any order.
    ///
    /// # Errors
    /// When the disk fails.
    fn names(&self) -> io::Result<Vec<String>>;

    /// Makes an empty file, in the place of one of this name.
    ///
    /// # Errors
    /// When the disk fails or is full.
    fn create(&self, name: &str) -> io::Result<Box<dyn DiskFile>>;

    /// Opens a file.
    ///
    /// # Errors
    /// When the disk fails or there is no such file.
    fn open(&self, name: &str) -> io::Result<Box<dyn DiskFile>>;

    /// Gives a file another name, in the place of one that has it.
    ///
    /// # Errors
    /// When the disk fails.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Makes durable which files there are and how they are called.
    ///
    /// # Errors
    /// When the disk fails.
    fn sync(&self) -> io::Result<()>;
}

/// A file of a [`Disk`].
pub trait DiskFile: Send + Sync {
    /// A length up to which anything may have been written: all behind it is zero, so nobody needs to read it.
    ///
    /// # Errors
    /// When the disk fails.
    fn extent(&self) -> io::Result<u64>;

    /// Up to `length` bytes from an offset; fewer at the file's end.
    ///
    /// # Errors
    /// When the disk fails.
    fn read(&self, offset: u64, length: usize) -> io::Result<Vec<u8>>;

    /// Writes all of the bytes at an offset.
    ///
    /// # Errors
    /// When the disk fails, or is full and had no room reserved here; some of the bytes may be written then.
    fn write(&self, offset: u64, bytes: &[u8]) -> io::Result<()>;

    /// Makes every write before it durable. After an error nothing may be believed of the writes since the last
    /// success: a second sync would answer for nothing unless they are written again first.
    ///
    /// # Errors
    /// When the disk fails.
    fn sync(&self) -> io::Result<()>;

    /// Makes the file at least `length` bytes long, zero where it grows, with room on the disk for all of them.
    ///
    /// # Errors
    /// When the disk fails or is full.
    fn reserve(&self, length: u64) -> io::Result<()>;

    /// Cuts the file to `length` bytes.
    ///
    /// # Errors
    /// When the disk fails.
    fn truncate(&self, length: u64) -> io::Result<()>;
}

/// A directory of the file system.
#[derive(Clone, Debug)]
pub struct Directory {
    path: PathBuf,
}

impl Directory {
    /// The directory at a path, made if it is not there.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn open(path: &Path) -> io::Result<Self> {
        fs::create_dir_all(path)?;
        Ok(Self { path: path.to_owned() })
    }
}

impl Disk for Directory {
    fn names(&self) -> io::Result<Vec<String>> {
        fs::read_dir(&self.path)?.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        let mut options = fs::File::options();
        options.read(true).write(true).create(true).truncate(true);
        Ok(Box::new(options.open(self.path.join(name))?))
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(fs::File::options().read(true).write(true).open(self.path.join(name))?))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.path.join(from), self.path.join(to))
    }

    fn sync(&self) -> io::Result<()> {
        fs::File::open(&self.path)?.sync_all()
    }
}

impl DiskFile for fs::File {
    fn extent(&self) -> io::Result<u64> {
        let length = self.metadata()?.len();
        let (mut at, mut end) = (0, 0);
        // Blocks that are reserved and were never written count as holes.
        while at < length {
            at = match seek(self, SeekFrom::Data(at)) {
                Ok(data) => data,
                Err(Errno::NXIO) => break,
                Err(_) => return Ok(length),
            };
            at = seek(self, SeekFrom::Hole(at))?;
            end = at;
        }
        Ok(end)
    }

    fn read(&self, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; length];
        let mut filled = 0;
        while filled < length {
            match self.read_at(&mut bytes[filled..], offset + filled as u64) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        bytes.truncate(filled);
        Ok(bytes)
    }

    fn write(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.write_all_at(bytes, offset)
    }

    fn sync(&self) -> io::Result<()> {
        Ok(fdatasync(self)?)
    }

    fn reserve(&self, length: u64) -> io::Result<()> {
        let mut end = self.metadata()?.len();
        match fallocate(self, FallocateFlags::empty(), 0, length) {
            // File systems without it meet a full disk in what follows.
            Ok(()) | Err(Errno::OPNOTSUPP) => {}
            Err(error) => return Err(error.into()),
        }
        // Room that was written once is only overwritten by what comes: a sync of that changes nothing in the file
        // system's own records, and so waits for nobody else's changes to them.
        while end < length {
            let zeros = ZEROS.len().min((length - end) as usize);
            self.write_all_at(&ZEROS[..zeros], end)?;
            end += zeros as u64;
        }
        Ok(())
    }

    fn truncate(&self, length: u64) -> io::Result<()> {
        self.set_len(length)
    }
}
