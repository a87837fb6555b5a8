//! Opening: a new database gets the genesis state, an old one is checked for format and chain.

use std::{
    fs::{self, File},
    path::Path,
    sync::{Arc, Mutex},
};

use arc_swap::ArcSwap;
use redb::{
    Builder, Database, ReadTransaction, ReadableDatabase, ReadableTable, StorageBackend, TableError, WriteTransaction,
    backends::InMemoryBackend,
};
use rustorium_types::{
    genesis::Genesis,
    id::{Hash, Height},
};

use super::{
    Durability, Store, StoreError, StoreOptions, Writer,
    backend::{self, Patient},
    check, commit,
    index::Abis,
    runs::Runs,
    schema::{
        self, FORMAT, META, META_FORMAT, META_GENESIS, META_HEIGHT, META_OLDEST, META_PAGE_FORMAT, PAGE_FORMAT, Tables,
        UNDONE,
    },
};
use crate::{
    cache::{Clock, StateCache},
    genesis as first,
    room::Room,
    snapshot::{Base, Shared, Snapshot, Undone},
};

/// The database's file in a data directory.
const FILE: &str = "state.redb";

impl Store {
    /// Opens the store of a data directory, or makes one with the state of a genesis.
    ///
    /// # Errors
    /// If the directory cannot be written, is in use, of another chain or of a newer format, or damaged.
    pub fn open(dir: &Path, genesis: &Genesis, options: &StoreOptions) -> Result<Self, StoreError> {
        Self::open_on(Self::file(dir, options.durability)?, genesis, options)
    }

    /// The database's file in a data directory, made if it is not there.
    pub(crate) fn file(dir: &Path, durability: Durability) -> Result<Box<dyn StorageBackend>, StoreError> {
        let path = dir.join(FILE);
        let failed = |source| StoreError::Open { path: path.clone(), source };
        fs::create_dir_all(dir).map_err(failed)?;
        let is_new = !path.exists();
        let file = backend::open_file(&path)?;
        if is_new && durability == Durability::Fsync {
            File::open(dir).and_then(|dir| dir.sync_all()).map_err(failed)?;
        }
        Ok(file)
    }

    /// As [`Store::open`], with the database in a file of the caller's.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub(crate) fn open_on(
        file: Box<dyn StorageBackend>,
        genesis: &Genesis,
        options: &StoreOptions,
    ) -> Result<Self, StoreError> {
        let room = Arc::<Room>::default();
        let file = Patient::new(file, options.durability, Arc::clone(&room));
        file.clear_unfinished().map_err(redb::StorageError::Io)?;
        let length = file.length();
        let mut builder = Builder::new();
        builder.set_cache_size(options.database_cache_bytes);
        let mut store = Self::of(builder.create_with_backend(file)?, genesis, options)?;
        (store.room, store.length) = (room, length);
        Ok(store)
    }

    /// A store in memory: the same tables, caches and tree, for simulations and tests.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub fn in_memory(genesis: &Genesis, options: &StoreOptions) -> Result<Self, StoreError> {
        let mut builder = Builder::new();
        builder.set_cache_size(options.database_cache_bytes);
        Self::of(builder.create_with_backend(InMemoryBackend::new())?, genesis, options)
    }

    /// The genesis of a data directory's chain; `None` if it has no store.
    ///
    /// # Errors
    /// If it is in use, of a newer format or damaged.
    pub fn stored_genesis(dir: &Path) -> Result<Option<Genesis>, StoreError> {
        let path = dir.join(FILE);
        if !path.exists() {
            return Ok(None);
        }
        let database = Builder::new().open(&path)?;
        match Meta::read(&database.begin_read()?)? {
            Some(meta) => Ok(Some(borsh::from_slice(&meta.genesis).map_err(|_| StoreError::damaged("the genesis"))?)),
            None => Ok(None),
        }
    }

    pub(super) fn of(database: Database, genesis: &Genesis, options: &StoreOptions) -> Result<Self, StoreError> {
        let bytes = borsh::to_vec(genesis).unwrap_or_default();
        let genesis_hash = genesis.hash();
        let stored = Meta::read(&database.begin_read()?)?;
        let (height, oldest) = match stored {
            None => {
                initialise(&database, genesis, &bytes)?;
                (Height::ZERO, Height::ZERO)
            }
            Some(meta) => {
                meta.check_genesis(&bytes, genesis_hash)?;
                meta.check_format()?;
                if meta.page_format == PAGE_FORMAT {
                    (meta.height, meta.oldest)
                } else {
                    check::rebuild_pages(&database, meta.height)?;
                    (meta.height, meta.height)
                }
            }
        };
        complete(&database)?;
        let base = Arc::new(Base::open(&database, height, oldest)?);
        let undone = undone(&database)?;
        let shared = Arc::new(Shared {
            genesis: genesis.clone(),
            genesis_hash,
            state: StateCache::new(options.state_cache_bytes, height),
            pages: Clock::new(options.page_cache_bytes),
            blocks: Clock::new(options.block_cache_bytes),
        });
        let snapshot = Snapshot::new(shared.clone(), base, Vec::new(), Runs::default(), undone)?;
        Ok(Self {
            database,
            length: Arc::default(),
            room: Arc::default(),
            window: options.window,
            shared,
            published: ArcSwap::from_pointee(snapshot),
            writer: Mutex::new(Writer { staged: Vec::new(), runs: Runs::default(), tree: None, abis: Abis::default() }),
            committing: Mutex::new(()),
        })
    }
}

impl Base {
    /// What is committed now.
    pub(crate) fn open(database: &Database, height: Height, oldest: Height) -> Result<Self, StoreError> {
        Ok(Self { tables: Tables::open(&database.begin_read()?)?, height, oldest })
    }
}

/// Begins a transaction whose commit is durable, and after which a crash needs no walk through the whole file.
pub(super) fn begin(database: &Database) -> Result<WriteTransaction, StoreError> {
    let mut transaction = database.begin_write()?;
    transaction.set_durability(redb::Durability::Immediate)?;
    transaction.set_quick_repair(true);
    Ok(transaction)
}

/// Makes the tables that came after the database was made.
fn complete(database: &Database) -> Result<(), StoreError> {
    match database.begin_read()?.open_table(UNDONE) {
        Err(TableError::TableDoesNotExist(_)) => {}
        table => return table.map(drop).map_err(StoreError::from),
    }
    let transaction = begin(database)?;
    schema::create(&transaction)?;
    transaction.commit()?;
    Ok(())
}

/// The stretches that reverts have undone.
fn undone(database: &Database) -> Result<Arc<Vec<Undone>>, StoreError> {
    let mut undone = Arc::default();
    for row in database.begin_read()?.open_table(UNDONE)?.iter()? {
        let (at, to) = row?;
        undone = Undone::after(&undone, Height(at.value()), Some(Height(to.value())));
    }
    Ok(undone)
}

fn initialise(database: &Database, genesis: &Genesis, bytes: &[u8]) -> Result<(), StoreError> {
    let writes = first::writes(genesis);
    let tree = first::tree(&writes)?;
    let transaction = begin(database)?;
    schema::create(&transaction)?;
    commit::write_values(&transaction, [(Height::ZERO, &writes)].into_iter())?;
    commit::write_trees(&transaction, &first::NoPages, [&tree].into_iter())?;
    {
        let mut meta = transaction.open_table(META)?;
        meta.insert(META_FORMAT, FORMAT.to_le_bytes().as_slice())?;
        meta.insert(META_PAGE_FORMAT, PAGE_FORMAT.to_le_bytes().as_slice())?;
        meta.insert(META_GENESIS, bytes)?;
    }
    commit::set_height(&transaction, META_HEIGHT, Height::ZERO)?;
    commit::set_height(&transaction, META_OLDEST, Height::ZERO)?;
    transaction.commit()?;
    Ok(())
}

/// What a database says of itself.
struct Meta {
    genesis: Vec<u8>,
    format: u16,
    page_format: u16,
    height: Height,
    oldest: Height,
}

impl Meta {
    /// `None` if the database is empty.
    fn read(transaction: &ReadTransaction) -> Result<Option<Self>, StoreError> {
        let table = match transaction.open_table(META) {
            Err(TableError::TableDoesNotExist(_)) => return Ok(None),
            table => table?,
        };
        let row = |name| -> Result<Vec<u8>, StoreError> {
            let row = table.get(name)?.ok_or(StoreError::damaged("a row of `meta`"))?;
            Ok(row.value().to_vec())
        };
        let damaged = |_| StoreError::damaged("a row of `meta`");
        let number = |name| Ok::<_, StoreError>(u16::from_le_bytes(row(name)?.try_into().map_err(damaged)?));
        let height = |name| Ok::<_, StoreError>(Height(u64::from_le_bytes(row(name)?.try_into().map_err(damaged)?)));
        let found = number(META_FORMAT)?;
        if found > FORMAT {
            return Err(StoreError::NewerFormat { found, known: FORMAT });
        }
        let page_format = number(META_PAGE_FORMAT)?;
        if page_format > PAGE_FORMAT {
            return Err(StoreError::NewerFormat { found: page_format, known: PAGE_FORMAT });
        }
        Ok(Some(Self {
            genesis: row(META_GENESIS)?,
            format: found,
            page_format,
            height: height(META_HEIGHT)?,
            oldest: height(META_OLDEST)?,
        }))
    }

    /// Refuses tables that are no longer read. The genesis of such a directory is still known.
    fn check_format(&self) -> Result<(), StoreError> {
        if self.format == FORMAT {
            return Ok(());
        }
        Err(StoreError::OlderFormat { found: self.format, known: FORMAT })
    }

    fn check_genesis(&self, wanted: &[u8], hash: Hash) -> Result<(), StoreError> {
        if self.genesis == wanted {
            return Ok(());
        }
        let stored: Genesis = borsh::from_slice(&self.genesis).map_err(|_| StoreError::damaged("the genesis"))?;
        Err(StoreError::OtherGenesis { stored: stored.hash(), wanted: hash })
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::{
        super::testing::{Content, block, genesis, options},
        *,
    };

    fn refused(dir: &Path, genesis: &Genesis) -> StoreError {
        Store::open(dir, genesis, &options(8)).err().expect("is refused")
    }

    #[test]
    fn another_chain_is_refused_by_name() {
        let dir = tempfile::tempdir().unwrap();
        drop(Store::open(dir.path(), &genesis(), &options(8)).unwrap());
        let other = Genesis { salt: [9; 32], ..genesis() };
        let error = refused(dir.path(), &other);
        assert!(matches!(error, StoreError::OtherGenesis { .. }));
        assert!(error.to_string().contains(&other.hash().to_string()));
        assert_eq!(Store::stored_genesis(dir.path()).unwrap(), Some(genesis()));
    }

    #[test]
    fn a_newer_format_is_refused_with_a_sentence() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path(), &genesis(), &options(8)).unwrap();
        let transaction = begin(&store.database).unwrap();
        transaction.open_table(META).unwrap().insert(META_FORMAT, [9, 0].as_slice()).unwrap();
        transaction.commit().unwrap();
        drop(store);
        let error = refused(dir.path(), &genesis());
        assert_eq!(
            error.to_string(),
            "the data directory has format 9; this software knows formats up to 2: use a newer version"
        );
    }

    #[test]
    fn a_store_has_one_user() {
        let dir = tempfile::tempdir().unwrap();
        let _store = Store::open(dir.path(), &genesis(), &options(8)).unwrap();
        assert!(matches!(refused(dir.path(), &genesis()), StoreError::InUse));
        assert!(matches!(Store::stored_genesis(dir.path()), Err(StoreError::InUse)));
    }

    #[test]
    fn an_empty_directory_has_no_genesis() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(Store::stored_genesis(dir.path()).unwrap(), None);
        let fsync = StoreOptions { durability: Durability::Fsync, ..options(8) };
        let store = Store::open(&dir.path().join("new/one"), &genesis(), &fsync).unwrap();
        store.apply(block(&store.snapshot(), &Content::default())).unwrap();
        store.commit().unwrap();
        assert!(store.file_bytes() > 0);
    }
}
