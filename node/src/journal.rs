//! The journal of votes, and that it is the one that belongs to the validator's key.
//!
//! ```text
//! DIR/keys/validator.journal     id                 beside the key, so that a copy of the key names its journal
//! DIR/consensus/journal.toml     id, since_ms?, signed?
//! ```
//!
//! A key whose journal is lost could sign two things of one view. So a validator votes only where both have the same id,
//! which is drawn when the journal is made. A copy of the directory has the same id, and an older journal: what the other
//! validators can show that the key signed is held against it (`peers/heads.rs`), and a journal that turned out to be
//! older says so from then on.
//!
//! A journal may be made anew for a key, on its operator's word that nothing else signs with it any more. It says when,
//! and consensus votes only behind blocks of later than that: [`Caution`](rustorium_consensus::Caution) says why this is
//! enough.

use std::{
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use rustorium_types::{
    certificate::View,
    id::{Epoch, Timestamp},
};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::founding::VALIDATOR_KEY;

/// Where consensus keeps its journals.
const DIRECTORY: &str = "consensus";
/// What names a journal, in that directory.
const JOURNAL: &str = "journal.toml";

/// What a validator that must not vote may do.
const WAYS_OUT: &str = "restore the directory as it last was; or move keys/validator.json away, and it follows; or, if \
                        nothing else will ever sign with this key again, start it with `--new-journal`, and it votes \
                        behind blocks that are yet to come (docs/operations/recovery.md)";

/// A journal that may be voted with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Journal {
    /// Consensus' directory.
    pub(crate) directory: PathBuf,
    /// When it was made, if it was made anew.
    pub(crate) since: Option<Timestamp>,
}

/// What a key signed that its journal does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signed {
    epoch: u64,
    view: u64,
}

/// Why a validator must not vote.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum JournalError {
    /// The journal is not there, or another is, or the key names none.
    #[error(
        "this validator must not vote: {missing} in {}, so that it does not know what its key has signed. {WAYS_OUT}",
        .directory.display()
    )]
    Lost {
        /// Consensus' directory.
        directory: PathBuf,
        /// What is wrong.
        missing: &'static str,
    },
    /// The journal is older than what the key signed.
    #[error(
        "this validator must not vote: its key has signed view {} of epoch {}, which the journal in {} does not have: the \
         directory is an older copy. {WAYS_OUT}",
        .signed.view, .signed.epoch, .directory.display()
    )]
    Older {
        /// Consensus' directory.
        directory: PathBuf,
        /// What the key signed.
        signed: Signed,
    },
    /// A file cannot be read or written, or is not one of ours.
    #[error("{}: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The system has no randomness.
    #[error("the system has no randomness: {0}")]
    Randomness(getrandom::Error),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    since_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    signed: Option<Signed>,
}

impl Signed {
    /// A view of an epoch.
    pub(crate) const fn new(epoch: Epoch, view: View) -> Self {
        Self { epoch: epoch.0, view: view.0 }
    }
}

/// Makes the journal of a key that has signed nothing yet.
///
/// # Errors
/// If it cannot be written.
pub fn found(home: &Path) -> Result<(), JournalError> {
    make(home, None).map(|_| ())
}

/// The journal of a node's validator key.
///
/// # Errors
/// If the key must not sign.
pub(crate) fn open(home: &Path) -> Result<Journal, JournalError> {
    let directory = home.join(DIRECTORY);
    let lost = |missing| Err(JournalError::Lost { directory: directory.clone(), missing });
    let Some(named) = read(&name_of(home))? else { return lost("the key names no journal, and which one is") };
    let Some(text) = read(&directory.join(JOURNAL))? else { return lost("there is no journal of votes") };
    let file: File = toml::from_str(&text).map_err(|error| JournalError::File {
        path: directory.join(JOURNAL),
        source: io::Error::new(io::ErrorKind::InvalidData, error),
    })?;
    if file.id != named.trim() {
        return lost("there is a journal of votes that is not the key's");
    }
    match file.signed {
        Some(signed) => Err(JournalError::Older { directory, signed }),
        None => Ok(Journal { directory, since: file.since_ms.map(Timestamp) }),
    }
}

/// The same; where there is none to vote with, a new one is made, and what is left of the old one put aside.
///
/// # Errors
/// If it cannot be read or written.
pub(crate) fn open_or_renew(home: &Path, now: Timestamp) -> Result<Journal, JournalError> {
    match open(home) {
        Err(JournalError::Lost { directory, .. } | JournalError::Older { directory, .. }) => {
            if directory.exists() {
                let aside = home.join(format!("{DIRECTORY}-until-{}", now.0));
                fs::rename(&directory, &aside).map_err(|source| JournalError::File { path: aside, source })?;
            }
            make(home, Some(now))
        }
        opened => opened,
    }
}

/// Says in a journal that its key signed what it does not have: it is not voted with again.
pub(crate) fn refuse(home: &Path, signed: Signed) -> JournalError {
    let directory = home.join(DIRECTORY);
    let path = directory.join(JOURNAL);
    let marked = read(&path).and_then(|text| {
        let file = text.and_then(|text| toml::from_str::<File>(&text).ok());
        file.map_or(Ok(()), |file| write(&path, &toml_of(&File { signed: Some(signed), ..file })))
    });
    marked.err().unwrap_or(JournalError::Older { directory, signed })
}

fn make(home: &Path, since: Option<Timestamp>) -> Result<Journal, JournalError> {
    let mut id = [0; 16];
    getrandom::fill(&mut id).map_err(JournalError::Randomness)?;
    let (id, directory) = (hex::encode(id), home.join(DIRECTORY));
    let failed = |source| JournalError::File { path: directory.clone(), source };
    fs::create_dir_all(&directory).map_err(failed)?;
    let file = File { id: id.clone(), since_ms: since.map(|since| since.0), signed: None };
    // The journal first: a key that names one which is not there does not vote.
    write(&directory.join(JOURNAL), &toml_of(&file))?;
    fs::File::open(home).and_then(|home| home.sync_all()).map_err(failed)?;
    write(&name_of(home), &format!("{id}\n"))?;
    Ok(Journal { directory, since })
}

fn name_of(home: &Path) -> PathBuf {
    home.join("keys").join(format!("{VALIDATOR_KEY}.journal"))
}

fn toml_of(file: &File) -> String {
    let text = toml::to_string(file).unwrap_or_default();
    format!(
        "# Which journal of votes this is. keys/{VALIDATOR_KEY}.journal names it: one is no good without the other.\n{text}"
    )
}

fn read(path: &Path) -> Result<Option<String>, JournalError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(JournalError::File { path: path.to_owned(), source }),
    }
}

/// Whole or not at all, and durable.
fn write(path: &Path, text: &str) -> Result<(), JournalError> {
    let temporary = path.with_extension("new");
    let written = fs::File::create(&temporary).and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&temporary, path)?;
        path.parent().map_or(Ok(()), |folder| fs::File::open(folder)?.sync_all())
    });
    written.map_err(|source| JournalError::File { path: path.to_owned(), source })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_000);

    fn home() -> tempfile::TempDir {
        let home = tempfile::tempdir().unwrap();
        fs::create_dir(home.path().join("keys")).unwrap();
        home
    }

    fn says(home: &Path, part: &str) {
        let error = open(home).unwrap_err().to_string();
        assert!(error.contains(part) && error.contains("--new-journal"), "{error}");
    }

    #[test]
    fn a_key_and_its_journal_belong_together() {
        let (home, other) = (home(), home());
        let (home, other) = (home.path(), other.path());
        says(home, "names no journal");
        found(home).unwrap();
        found(other).unwrap();
        let journal = open(home).unwrap();
        assert_eq!(journal, Journal { directory: home.join("consensus"), since: None });
        assert_eq!(open_or_renew(home, NOW).unwrap(), journal, "nothing to make anew");

        // Another's, then none.
        fs::copy(other.join("consensus/journal.toml"), home.join("consensus/journal.toml")).unwrap();
        says(home, "not the key's");
        fs::remove_dir_all(home.join("consensus")).unwrap();
        says(home, "there is no journal of votes");
        let renewed = Journal { since: Some(NOW), ..journal };
        assert_eq!(open_or_renew(home, NOW).unwrap(), renewed);
        assert_eq!(open(home).unwrap(), renewed, "it stays new");
        assert_eq!(open_or_renew(home, Timestamp(2_000)).unwrap(), renewed, "once is enough");
        // The copy that was made before is no good any more.
        fs::copy(other.join("keys/validator.journal"), home.join("keys/validator.journal")).unwrap();
        says(home, "not the key's");
    }

    #[test]
    fn an_older_journal_is_refused_from_then_on_and_put_aside() {
        let home = home();
        let home = home.path();
        found(home).unwrap();
        fs::write(home.join("consensus/votes"), "old").unwrap();
        let refused = refuse(home, Signed::new(Epoch(3), View(812)));
        assert!(refused.to_string().contains("has signed view 812 of epoch 3"), "{refused}");
        says(home, "view 812 of epoch 3");
        assert_eq!(open_or_renew(home, NOW).unwrap().since, Some(NOW));
        assert!(!home.join("consensus/votes").exists());
        assert_eq!(fs::read_to_string(home.join("consensus-until-1000/votes")).unwrap(), "old");
    }

    #[test]
    fn what_is_no_journal_is_an_error_and_not_made_anew() {
        let home = home();
        let home = home.path();
        found(home).unwrap();
        for text in ["id = 3", "id = \"1\"\nunknown = 1", "\u{0}"] {
            fs::write(home.join("consensus/journal.toml"), text).unwrap();
            assert!(matches!(open(home), Err(JournalError::File { .. })), "{text}");
            assert!(matches!(open_or_renew(home, NOW), Err(JournalError::File { .. })), "{text}");
        }
    }
}
