//! A map whose keys can be listed, by point reads alone, so that views over it can be proven.

use core::{convert::Infallible, marker::PhantomData};

use borsh::{BorshDeserialize, BorshSerialize};
use rustorium_types::key::StorageKey;

use super::{Field, KeyOf, Page, PageRequest, StorageField};
use crate::{
    Checked,
    abi::{AbiType, Layout},
    env,
};

/// A value for each key, and the keys in pages.
///
/// ```text
/// field │ 'n'                 count, u32
/// field │ 'v' │ key           position, u32 │ borsh(value)
/// field │ 'k' │ position      borsh(key)
/// ```
///
/// Invariant: the positions are 0 to count − 1, each with one key. Removing a key moves the last one into its
/// position, so positions are no order that anybody should rely on. Changing the value of a key that is there
/// writes one entry, as a [`Map`](crate::Map) does; a new key writes three.
#[derive(Debug)]
pub struct EnumMap<K, V> {
    field: Field,
    entry: PhantomData<(K, V)>,
}

/// What is stored of a key.
#[derive(BorshSerialize, BorshDeserialize)]
struct Entry<V> {
    position: u32,
    value: V,
}

impl<K: AbiType + StorageKey, V: AbiType> StorageField for EnumMap<K, V> {
    const LAYOUT: Layout = Layout::EnumMap(K::TYPE, V::TYPE);

    fn at(name: &'static str) -> Self {
        Self { field: Field(name), entry: PhantomData }
    }
}

impl<K: AbiType + StorageKey, V: AbiType> EnumMap<K, V> {
    /// How many keys there are.
    pub fn len(&self) -> u32 {
        self.field.read(&self.count_key()).unwrap_or(0)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The value of a key, or its type's zero if there is none.
    ///
    /// # Panics
    ///
    /// If there is none and the type has no zero.
    pub fn get(&self, key: impl KeyOf<K>) -> V {
        self.try_get(key).unwrap_or_else(|| self.field.absent())
    }

    /// The value of a key, or `None` if there is none.
    pub fn try_get(&self, key: impl KeyOf<K>) -> Option<V> {
        self.entry(&self.value_key(&key)).map(|entry| entry.value)
    }

    /// The value of a key, or another if there is none.
    pub fn get_or(&self, key: impl KeyOf<K>, other: V) -> V {
        self.try_get(key).unwrap_or(other)
    }

    /// Whether there is this key.
    pub fn contains(&self, key: impl KeyOf<K>) -> bool {
        self.field.contains(&self.value_key(&key))
    }

    /// Sets the value of a key.
    pub fn set(&mut self, key: impl KeyOf<K>, value: V) {
        let Ok(_) = self.change(key, |_| Ok::<_, Infallible>(value));
    }

    /// Sets the value of a key to what becomes of the one before, which is as [`get`](Self::get) answers.
    /// Answers the new value.
    pub fn update(&mut self, key: impl KeyOf<K>, change: impl FnOnce(V) -> V) -> V {
        let Ok(value) = self.try_update(key, |value| Ok::<_, Infallible>(change(value)));
        value
    }

    /// As [`update`](Self::update), of a change that can fail and then changes nothing.
    ///
    /// # Errors
    ///
    /// Those of the change.
    pub fn try_update<E>(&mut self, key: impl KeyOf<K>, change: impl FnOnce(V) -> Result<V, E>) -> Result<V, E> {
        let field = self.field;
        self.change(key, |value| change(value.unwrap_or_else(|| field.absent())))
    }

    /// Adds to the value of a key, and answers the sum.
    ///
    /// # Panics
    ///
    /// If the sum overflows; the message names the field.
    pub fn add(&mut self, key: impl KeyOf<K>, amount: V) -> V
    where
        V: Checked,
    {
        let field = self.field;
        self.update(key, |value| field.sum(value, amount))
    }

    /// Subtracts from the value of a key, and answers the difference.
    ///
    /// # Panics
    ///
    /// If the difference overflows, for unsigned types below zero; the message names the field.
    pub fn sub(&mut self, key: impl KeyOf<K>, amount: V) -> V
    where
        V: Checked,
    {
        let field = self.field;
        self.update(key, |value| field.difference(value, amount))
    }

    /// Removes a key and its value; answers the value, or `None` if there was none.
    pub fn remove(&mut self, key: impl KeyOf<K>) -> Option<V> {
        let value_key = self.value_key(&key);
        let Entry { position, value } = self.entry(&value_key)?;
        let last = self.field.difference(self.len(), 1);
        if position != last {
            let moved: K = self.key_at(last);
            let moved_key = self.value_key(&moved);
            if let Some(entry) = self.entry(&moved_key) {
                self.field.write(&moved_key, &Entry { position, ..entry });
            }
            self.field.write(&self.position_key(position), &moved);
        }
        env::storage_remove(&self.position_key(last));
        env::storage_remove(&value_key);
        self.field.write(&self.count_key(), &last);
        Some(value)
    }

    /// The keys with their values.
    pub fn iter(&self) -> impl Iterator<Item = (K, V)> + '_ {
        (0..self.len()).map(|position| self.at_position(position))
    }

    /// A part of the keys with their values.
    pub fn page(&self, page: PageRequest) -> Page<(K, V)> {
        page.answer(self.len(), |position| self.at_position(position))
    }

    /// Sets the value of a key to what becomes of the one before, if there was one; a new key gets the next
    /// position.
    fn change<E>(&mut self, key: impl KeyOf<K>, change: impl FnOnce(Option<V>) -> Result<V, E>) -> Result<V, E> {
        let value_key = self.value_key(&key);
        let entry = match self.entry(&value_key) {
            Some(entry) => Entry { value: change(Some(entry.value))?, position: entry.position },
            None => Entry { value: change(None)?, position: self.append(&key) },
        };
        self.field.write(&value_key, &entry);
        Ok(entry.value)
    }

    fn at_position(&self, position: u32) -> (K, V) {
        let key = self.key_at(position);
        let value = self.get(&key);
        (key, value)
    }

    fn key_at(&self, position: u32) -> K {
        self.field
            .read(&self.position_key(position))
            .unwrap_or_else(|| self.field.fail("its positions have a gap: something else wrote under this field"))
    }

    fn entry(&self, value_key: &[u8]) -> Option<Entry<V>> {
        self.field.read(value_key)
    }

    fn append(&mut self, key: &impl KeyOf<K>) -> u32 {
        let position = self.len();
        let mut bytes = Vec::with_capacity(64);
        key.write_value(&mut bytes);
        env::storage_write(&self.position_key(position), &bytes);
        self.field.write(&self.count_key(), &self.field.sum(position, 1));
        position
    }

    fn count_key(&self) -> Vec<u8> {
        let mut bytes = self.field.key();
        bytes.push(b'n');
        bytes
    }

    fn value_key(&self, key: &impl KeyOf<K>) -> Vec<u8> {
        let mut bytes = self.field.key();
        bytes.push(b'v');
        key.write_key(&mut bytes);
        bytes
    }

    fn position_key(&self, position: u32) -> Vec<u8> {
        let mut bytes = self.field.key();
        bytes.push(b'k');
        position.encode_key(&mut bytes);
        bytes
    }
}
