//! What can go wrong with the store.

use std::{io, path::PathBuf};

use rustorium_runtime::StateError;
use rustorium_types::id::{Hash, Height};
use thiserror::Error;

use crate::room;

/// Why the store cannot answer.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The file or its directory cannot be opened.
    #[error("{} cannot be opened", path.display())]
    Open {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Another process has the database open.
    #[error("the database is in use by another process")]
    InUse,
    /// The database failed.
    #[error("the database failed")]
    Database(#[source] Box<redb::Error>),
    /// The database's file is not what was written.
    #[error("the database is damaged; make it again from the log with `rustorium replay --into`")]
    Broken(#[source] Box<redb::Error>),
    /// The database was written by newer software.
    #[error("the data directory has format {found}; this software knows formats up to {known}: use a newer version")]
    NewerFormat {
        /// The format found.
        found: u16,
        /// The newest that is known.
        known: u16,
    },
    /// The database was written by older software, in tables that are no longer read.
    #[error(
        "the data directory has format {found}, which this software no longer reads: make it again from its log, in \
         format {known}, with `rustorium replay --into DIR`"
    )]
    OlderFormat {
        /// The format found.
        found: u16,
        /// The one that is written.
        known: u16,
    },
    /// The database belongs to another chain.
    #[error("the data directory belongs to the chain {stored}, not to {wanted}")]
    OtherGenesis {
        /// The chain of the directory.
        stored: Hash,
        /// The chain that was asked for.
        wanted: Hash,
    },
    /// A row is missing, or is not what was written.
    #[error(
        "the database is damaged: {0} is missing or is not what was written; make it again from the log with \
         `rustorium replay --into`"
    )]
    Damaged(&'static str),
    /// A block was handed in out of order.
    #[error("height {expected} is next, not {found}")]
    Order {
        /// The height that is next.
        expected: Height,
        /// The height that came.
        found: Height,
    },
    /// State could not be read.
    #[error(transparent)]
    State(#[from] StateError),
    /// State of a height that is not there.
    #[error(transparent)]
    Height(#[from] HeightError),
    /// No sealed header covers the result of a height yet.
    #[error("the result of height {0} is not certified yet")]
    NotCertified(Height),
    /// There is no such block.
    #[error("there is no block {0}")]
    NoBlock(Height),
    /// A query names fields without saying of which event.
    #[error("a query by field names a contract and an event")]
    FieldQuery,
}

/// Why there is no state of a height.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum HeightError {
    /// It is older than what is kept.
    #[error("state is kept for heights {from} to {to}")]
    Pruned {
        /// The oldest height kept.
        from: Height,
        /// The newest.
        to: Height,
    },
    /// It is not executed yet.
    #[error("the newest executed height is {newest}")]
    Future {
        /// The newest executed height.
        newest: Height,
    },
}

impl StoreError {
    /// The disk is full: nothing is broken.
    pub fn is_full(&self) -> bool {
        matches!(self, Self::Database(error) if matches!(&**error, redb::Error::Io(source) if room::is_full(source)))
    }

    /// A row that is missing, or is not what was written.
    pub(crate) const fn damaged(what: &'static str) -> Self {
        Self::Damaged(what)
    }
}

macro_rules! from_redb {
    ($($error:ty),*) => {$(
        impl From<$error> for StoreError {
            fn from(error: $error) -> Self {
                Self::from(redb::Error::from(error))
            }
        }
    )*};
}
from_redb!(redb::CommitError, redb::DatabaseError, redb::StorageError, redb::TableError, redb::TransactionError);

impl From<redb::Error> for StoreError {
    fn from(error: redb::Error) -> Self {
        match error {
            redb::Error::DatabaseAlreadyOpen => Self::InUse,
            redb::Error::Corrupted(_) => Self::Broken(Box::new(error)),
            redb::Error::Io(ref source) if source.kind() == io::ErrorKind::InvalidData => Self::Broken(Box::new(error)),
            error => Self::Database(Box::new(error)),
        }
    }
}

impl From<redb::SetDurabilityError> for StoreError {
    fn from(error: redb::SetDurabilityError) -> Self {
        Self::from(redb::Error::from(error))
    }
}

impl From<StoreError> for StateError {
    fn from(error: StoreError) -> Self {
        Self::Storage(Box::new(error))
    }
}
