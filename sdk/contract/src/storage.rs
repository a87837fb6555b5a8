//! Typed storage: what a contract keeps, field by field.
//!
//! A struct marked [`#[storage]`](crate::storage) has fields of these kinds. A field holds nothing but its
//! name; every read and write goes to the host, so a contract has no state of its own between two calls and a
//! re-entered one sees what was written before. Keys are `rustorium_types::key`'s: the field's name first,
//! so the order of fields means nothing and renaming one needs `#[stored_as = "old name"]`.
//!
//! | kind | keeps | costs |
//! |---|---|---|
//! | [`Item`] | one value | one entry |
//! | [`Map`] | a value for each key; the keys cannot be listed | one entry a key |
//! | [`List`] | values by position, appended and taken off at the end | one entry a value, and the length |
//! | [`EnumMap`] | a value for each key, and the keys in pages | two entries a key, and the count |
//!
//! Reading what was never written: `try_get` answers `None`; `get` answers the type's zero (0, empty, `None`)
//! and fails, naming the field, where the type has none, as `Address` and structs without `Default`.

mod enum_map;
mod item;
mod key;
mod list;
mod map;
mod page;

use borsh::{BorshDeserialize, BorshSerialize};

use crate::{
    abi::{self, AbiType},
    env,
};

pub use enum_map::EnumMap;
pub use item::Item;
pub use key::KeyOf;
pub use list::List;
pub use map::Map;
pub use page::{PAGE_LIMIT, Page, PageRequest};

/// A struct marked `#[storage]`.
pub trait Storage: Sized {
    /// Its name.
    const NAME: &'static str;
    /// Its doc comment.
    const DOC: &'static str;
    /// Its fields.
    const FIELDS: &'static [abi::Storage];

    /// The running contract's storage.
    fn open() -> Self;
}

/// A kind of storage field.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a kind of storage field",
    label = "must be Item<…>, Map<…>, List<…> or EnumMap<…>",
    note = "to keep one value of a type, write `Item<…>` around it"
)]
pub trait StorageField {
    /// How the ABI describes it.
    const LAYOUT: abi::Layout;

    /// The field of this name in storage keys.
    fn at(name: &'static str) -> Self;
}

/// The name of a field, and what every kind of field does with it.
#[derive(Clone, Copy, Debug)]
struct Field(&'static str);

impl Field {
    /// The start of the field's keys.
    fn key(self) -> Vec<u8> {
        rustorium_types::key::field(self.0)
    }

    fn read<T: BorshDeserialize>(self, key: &[u8]) -> Option<T> {
        env::storage_read(key).map(|bytes| {
            borsh::from_slice(&bytes).unwrap_or_else(|_| self.fail("what is stored is of another type than the field"))
        })
    }

    fn write(self, key: &[u8], value: &impl BorshSerialize) {
        let mut bytes = Vec::with_capacity(64);
        serialize(value, &mut bytes);
        env::storage_write(key, &bytes);
    }

    fn contains(self, key: &[u8]) -> bool {
        env::storage_read(key).is_some()
    }

    /// What `get` answers where nothing is stored.
    fn absent<T: AbiType>(self) -> T {
        T::absent().unwrap_or_else(|| self.fail("read before it is set; `try_get` answers `None` instead"))
    }

    fn sum<T: crate::Checked>(self, left: T, right: T) -> T {
        left.checked_add(right).unwrap_or_else(|| self.fail("overflow in addition"))
    }

    fn difference<T: crate::Checked>(self, left: T, right: T) -> T {
        left.checked_sub(right).unwrap_or_else(|| self.fail("overflow in subtraction"))
    }

    /// Ends the call with a trap that names the field.
    #[cold]
    fn fail(self, why: &str) -> ! {
        env::trap(&["storage field `", self.0, "`: ", why])
    }
}

/// Appends `borsh` of a value, which cannot fail in memory.
pub fn serialize(value: &(impl BorshSerialize + ?Sized), out: &mut Vec<u8>) {
    if value.serialize(out).is_err() {
        env::trap(&["a value does not serialize"]);
    }
}
