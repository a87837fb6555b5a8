//! What the log asks of a disk: a handful of named files of fixed length.
//!
//! A log lives on a [`Directory`]; on a [`MemoryDisk`](super::MemoryDisk) it lives through power losses that a
//! test chooses. Invariants: what [`DiskFile::write`] wrote is there after the process dies; what was followed
//! by [`DiskFile::sync`] is there after the machine does; a created file is there, whole, or not at all.

use std::{
    fs, io,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use rustix::{
    fs::{FallocateFlags, SeekFrom, fallocate, fdatasync, seek},
    io::Errno,
};

/// Where segments are kept.
pub trait Disk: Send + Sync {
    /// The names of all files, in any order.
    ///
    /// # Errors
    /// When the disk fails.
    fn names(&self) -> io::Result<Vec<String>>;

    /// Makes a file of `length` bytes that starts with `start` and is zero behind it. It is durable on return.
    ///
    /// # Errors
    /// When the disk fails or is full.
    fn create(&self, name: &str, length: u64, start: &[u8]) -> io::Result<Box<dyn DiskFile>>;

    /// Opens a file.
    ///
    /// # Errors
    /// When the disk fails or there is no such file.
    fn open(&self, name: &str) -> io::Result<Box<dyn DiskFile>>;
}

/// A file of a [`Disk`].
pub trait DiskFile: Send + Sync {
    /// A length up to which anything may have been written: all behind it is zero. It saves reading what was only
    /// reserved.
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
    /// When the disk fails.
    fn write(&self, offset: u64, bytes: &[u8]) -> io::Result<()>;

    /// Makes every write before it durable. After an error nothing may be believed of the writes since the
    /// last success, so it must not be tried again.
    ///
    /// # Errors
    /// When the disk fails.
    fn sync(&self) -> io::Result<()>;

    /// Makes everything from an offset zero, durably, and the file `length` bytes long.
    ///
    /// # Errors
    /// When the disk fails.
    fn cut(&self, offset: u64, length: u64) -> io::Result<()>;
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

    fn create(&self, name: &str, length: u64, start: &[u8]) -> io::Result<Box<dyn DiskFile>> {
        let temporary = self.path.join(format!("{name}.new"));
        let file = fs::File::options().read(true).write(true).create(true).truncate(true).open(&temporary)?;
        preallocate(&file, length)?;
        file.write_all_at(start, 0)?;
        file.sync_all()?;
        fs::rename(&temporary, self.path.join(name))?;
        fs::File::open(&self.path)?.sync_all()?;
        Ok(Box::new(file))
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(fs::File::options().read(true).write(true).open(self.path.join(name))?))
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

    fn cut(&self, offset: u64, length: u64) -> io::Result<()> {
        self.set_len(offset)?;
        preallocate(self, length)?;
        self.sync_all()
    }
}

/// Reserves blocks, so that a full disk is met when a segment is made and appending only fills what is there;
/// file systems without it get a sparse file.
fn preallocate(file: &fs::File, length: u64) -> io::Result<()> {
    match fallocate(file, FallocateFlags::empty(), 0, length) {
        Ok(()) => Ok(()),
        Err(Errno::OPNOTSUPP) => file.set_len(length),
        Err(error) => Err(error.into()),
    }
}
