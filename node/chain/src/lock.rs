//! One node for each data directory.
//!
//! The lock is the operating system's, on the file `lock`, so it is gone with the process, however that ends. The
//! file says whose it is, for the message to the second.

use std::{
    fs, io,
    io::{Read, Seek, Write},
    path::{Path, PathBuf},
};

use rustix::fs::{FlockOperation, flock};
use thiserror::Error;

/// Holds a data directory until it is dropped.
#[derive(Debug)]
pub struct DirectoryLock {
    _file: fs::File,
}

/// Why a data directory cannot be had.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum LockError {
    /// Another process has it.
    #[error("{} is in use by another node{}; stop it or choose another data directory", path.display(), by(.process))]
    InUse {
        /// The directory.
        path: PathBuf,
        /// The other's process id, if it said.
        process: Option<u32>,
    },
    /// The directory or its lock file cannot be made or opened.
    #[error("{} cannot be used as a data directory", path.display())]
    Io {
        /// The directory.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

fn by(process: &Option<u32>) -> String {
    process.map(|process| format!(" (process {process})")).unwrap_or_default()
}

impl DirectoryLock {
    /// Takes a directory, which is made if it is not there.
    ///
    /// # Errors
    /// When another process has it, or it cannot be made or written.
    pub fn take(path: &Path) -> Result<Self, LockError> {
        let failed = |source| LockError::Io { path: path.to_owned(), source };
        fs::create_dir_all(path).map_err(failed)?;
        let file = fs::File::options().read(true).write(true).create(true).truncate(false).open(path.join("lock"));
        let mut file = file.map_err(failed)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => {
                let mut holder = String::new();
                // What the file says only helps the message.
                let _ = file.take(32).read_to_string(&mut holder);
                return Err(LockError::InUse { path: path.to_owned(), process: holder.trim().parse().ok() });
            }
            Err(error) => return Err(failed(error.into())),
        }
        file.set_len(0).map_err(failed)?;
        file.rewind().map_err(failed)?;
        writeln!(file, "{}", std::process::id()).map_err(failed)?;
        Ok(Self { _file: file })
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_second_node_is_refused_by_name() {
        let directory = tempfile::tempdir().unwrap();
        let first = DirectoryLock::take(directory.path()).unwrap();
        let error = DirectoryLock::take(directory.path()).unwrap_err();
        assert!(error.to_string().contains(&format!("another node (process {})", std::process::id())), "{error}");
        drop(first);
        DirectoryLock::take(directory.path()).unwrap();
    }
}
