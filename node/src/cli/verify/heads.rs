//! The highest height that was verified on each chain, so that no node can show an older state as the newest.
//!
//! ```text
//! PROJECT/.rustorium/heads.json   { "GENESIS HASH": HEIGHT, … }
//! ```
//!
//! It is a memory, not a proof: where it cannot be read or written, verification goes on without it.

use std::{collections::BTreeMap, fs, path::PathBuf};

use rustorium_types::id::{Hash, Height};

use crate::cli::names::project_folder;

fn path() -> Option<PathBuf> {
    let folder = project_folder(&std::env::current_dir().ok()?);
    folder.is_dir().then(|| folder.join("heads.json"))
}

fn read(path: &PathBuf) -> BTreeMap<String, u64> {
    fs::read_to_string(path).ok().and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default()
}

/// The highest height that was verified on a chain.
pub(super) fn highest(genesis: &Hash) -> Height {
    Height(path().and_then(|path| read(&path).get(&genesis.to_string()).copied()).unwrap_or_default())
}

/// Remembers a height that was verified.
pub(super) fn remember(genesis: &Hash, height: Height) {
    let Some(path) = path() else { return };
    let mut heads = read(&path);
    let known = heads.entry(genesis.to_string()).or_default();
    if *known >= height.0 {
        return;
    }
    *known = height.0;
    let temporary = path.with_extension(format!("json.{}", std::process::id()));
    let written = serde_json::to_string_pretty(&heads).map(|text| fs::write(&temporary, text + "\n"));
    if let Ok(Ok(())) = written {
        let _ = fs::rename(&temporary, &path);
    }
}
