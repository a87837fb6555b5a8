//! The tables of the database.
//!
//! ```text
//! meta            name                                   → format, genesis, newest height, oldest height kept
//! headers         height                                 → borsh (header, certificate)
//! header_index    first 16 bytes of the header's hash    → height
//! bodies          height                                 → rows of the records, then which record each receipt is of
//! receipts        height                                 → rows of borsh(Receipt)
//! events          height                                 → rows of borsh(Event); no row for a block without any
//! diagnostics     height                                 → borsh, by receipt; no row where there are none
//! results         height                                 → borsh(BlockResult)
//! result_tree     level, index                           → hash of a complete subtree over results
//! values          contract, storage key                  → the height that wrote it, and the value or none
//! keys            digest                                 → contract, storage key
//! pages           prefix                                 → the height that wrote it, and the page
//! roots           height                                 → what leads to the tree, a node; empty for no entries
//! undo_values     height                                 → rows of the values that it replaced
//! undo_pages      height                                 → rows of the pages that it replaced
//! undone          height of a revert                     → the height that it went back to
//! event_index     topic 16, height                       → (transaction, event) …
//! field_index     topic 16, height, transaction, event   →
//! account_index   account, height, transaction           →
//! tx_index        first 16 bytes of the hash             → height, transaction
//! ```
//!
//! Of state the newest version is stored as it is, older ones as what each height replaced (see [`super::undo`]).
//! Almost everything else is keyed by height or ends in one, so that appending touches the end of few subtrees. A
//! topic is the digest of what is searched for (see [`super::index`]); 16 bytes of a hash make a collision as dear as
//! 2⁶⁴ hashes, and what is found through one is compared with what was asked for wherever that is stored.

use redb::{ReadOnlyTable, ReadTransaction, TableDefinition, WriteTransaction};
use rustorium_types::id::Hash;

use super::error::StoreError;

/// The format that this software writes.
pub(crate) const FORMAT: u16 = 2;
/// The format of pages; another one is rebuilt from the values.
pub(crate) const PAGE_FORMAT: u16 = 1;

/// In `meta`: [`FORMAT`].
pub(crate) const META_FORMAT: &str = "format";
/// In `meta`: [`PAGE_FORMAT`].
pub(crate) const META_PAGE_FORMAT: &str = "page format";
/// In `meta`: `borsh(Genesis)`.
pub(crate) const META_GENESIS: &str = "genesis";
/// In `meta`: the newest height.
pub(crate) const META_HEIGHT: &str = "height";
/// In `meta`: the oldest height whose state is kept.
pub(crate) const META_OLDEST: &str = "oldest";

/// The start of a hash.
pub(crate) type Short = [u8; 16];

/// The start of a hash, as indexes keep it.
pub(crate) fn short(hash: &Hash) -> Short {
    let mut short = [0; 16];
    short.copy_from_slice(&hash.0[..16]);
    short
}

/// Key of `values`: contract, storage key.
pub(crate) type ValueKey = (&'static [u8; 32], &'static [u8]);
/// Row of `values`: the height that wrote it, and the value, or none if it removed the entry.
pub(crate) type StoredValue = (u64, Option<&'static [u8]>);
/// Key of `field_index`.
pub(crate) type FieldKey = (&'static Short, u64, u32, u32);

/// Read at opening only.
pub(crate) const META: TableDefinition<'static, &'static str, &'static [u8]> = TableDefinition::new("meta");
/// Read at opening only: snapshots carry what it says.
pub(crate) const UNDONE: TableDefinition<'static, u64, u64> = TableDefinition::new("undone");

macro_rules! tables {
    ($($field:ident: $constant:ident $name:literal ($key:ty => $value:ty);)*) => {
        $(pub(crate) const $constant: TableDefinition<'static, $key, $value> = TableDefinition::new($name);)*

        /// What readers read, as of one read transaction.
        pub(crate) struct Tables {
            $(pub(crate) $field: ReadOnlyTable<$key, $value>,)*
        }

        impl Tables {
            /// Opens them; each must exist.
            pub(crate) fn open(transaction: &ReadTransaction) -> Result<Self, StoreError> {
                Ok(Self { $($field: transaction.open_table($constant)?,)* })
            }
        }

        /// Makes the tables that do not exist.
        pub(crate) fn create(transaction: &WriteTransaction) -> Result<(), StoreError> {
            transaction.open_table(META)?;
            transaction.open_table(UNDONE)?;
            $(transaction.open_table($constant)?;)*
            Ok(())
        }
    };
}

tables! {
    headers: HEADERS "headers" (u64 => &'static [u8]);
    header_index: HEADER_INDEX "header_index" (&'static Short => u64);
    bodies: BODIES "bodies" (u64 => &'static [u8]);
    receipts: RECEIPTS "receipts" (u64 => &'static [u8]);
    events: EVENTS "events" (u64 => &'static [u8]);
    diagnostics: DIAGNOSTICS "diagnostics" (u64 => &'static [u8]);
    results: RESULTS "results" (u64 => &'static [u8]);
    result_tree: RESULT_TREE "result_tree" ((u8, u64) => &'static [u8; 32]);
    values: VALUES "values" (ValueKey => StoredValue);
    keys: KEYS "keys" (&'static [u8; 31] => (&'static [u8; 32], &'static [u8]));
    pages: PAGES "pages" (&'static [u8] => (u64, &'static [u8]));
    roots: ROOTS "roots" (u64 => &'static [u8]);
    undo_values: UNDO_VALUES "undo_values" (u64 => &'static [u8]);
    undo_pages: UNDO_PAGES "undo_pages" (u64 => &'static [u8]);
    event_index: EVENT_INDEX "event_index" ((&'static Short, u64) => &'static [u8]);
    field_index: FIELD_INDEX "field_index" (FieldKey => ());
    account_index: ACCOUNT_INDEX "account_index" ((&'static [u8; 32], u64, u32) => ());
    tx_index: TX_INDEX "tx_index" (&'static Short => (u64, u32));
}
