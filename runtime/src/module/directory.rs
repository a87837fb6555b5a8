//! Compiled modules as files of a directory.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

use super::ModuleDisk;

/// A directory of the file system.
#[derive(Debug)]
pub(crate) struct Directory {
    path: PathBuf,
    /// Makes the names of temporary files differ.
    written: AtomicU64,
}

impl Directory {
    /// The directory at a path, made if it is not there.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        fs::create_dir_all(path)?;
        Ok(Self { path: path.to_owned(), written: AtomicU64::new(0) })
    }
}

impl ModuleDisk for Directory {
    fn load(&self, name: &str) -> io::Result<Vec<u8>> {
        fs::read(self.path.join(name))
    }

    fn store(&self, name: &str, file: &[u8]) -> io::Result<()> {
        let path = self.path.join(name);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        // Written aside and renamed, so that a reader sees all of it or nothing. Nothing is synced: a torn one after
        // a power loss fails its checksum.
        let number = self.written.fetch_add(1, Ordering::Relaxed);
        let aside = path.with_extension(format!("{}-{number}.tmp", std::process::id()));
        let kept = fs::write(&aside, file).and_then(|()| fs::rename(&aside, &path));
        if kept.is_err() {
            // On a full disk, half a file would take what room there is.
            let _ = fs::remove_file(&aside);
        }
        kept
    }
}
