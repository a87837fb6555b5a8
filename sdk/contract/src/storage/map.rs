//! A value for each key.

use core::marker::PhantomData;

use rustorium_types::key::StorageKey;

use super::{Field, KeyOf, StorageField};
use crate::{
    Checked,
    abi::{AbiType, Layout},
    env,
};

/// A value for each key. The keys cannot be listed; [`EnumMap`](crate::EnumMap) can, at twice the price.
///
/// ```text
/// field │ key        borsh(value)
/// ```
///
/// Keys are passed as `K`, `&K`, or `&str` for `String`.
#[derive(Debug)]
pub struct Map<K, V> {
    field: Field,
    entry: PhantomData<(K, V)>,
}

impl<K: AbiType + StorageKey, V: AbiType> StorageField for Map<K, V> {
    const LAYOUT: Layout = Layout::Map(K::TYPE, V::TYPE);

    fn at(name: &'static str) -> Self {
        Self { field: Field(name), entry: PhantomData }
    }
}

impl<K: AbiType + StorageKey, V: AbiType> Map<K, V> {
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
        self.field.read(&self.key(key))
    }

    /// The value of a key, or another if there is none.
    pub fn get_or(&self, key: impl KeyOf<K>, other: V) -> V {
        self.try_get(key).unwrap_or(other)
    }

    /// Whether a key has a value.
    pub fn contains(&self, key: impl KeyOf<K>) -> bool {
        self.field.contains(&self.key(key))
    }

    /// Sets the value of a key.
    pub fn set(&mut self, key: impl KeyOf<K>, value: V) {
        self.field.write(&self.key(key), &value);
    }

    /// Removes a key and its value.
    pub fn remove(&mut self, key: impl KeyOf<K>) {
        env::storage_remove(&self.key(key));
    }

    /// Sets the value of a key to what becomes of the one before, which is as [`get`](Self::get) answers.
    /// Answers the new value.
    pub fn update(&mut self, key: impl KeyOf<K>, change: impl FnOnce(V) -> V) -> V {
        let key = self.key(key);
        let value = change(self.at(&key));
        self.field.write(&key, &value);
        value
    }

    /// As [`update`](Self::update), of a change that can fail and then changes nothing.
    ///
    /// # Errors
    ///
    /// Those of the change.
    pub fn try_update<E>(&mut self, key: impl KeyOf<K>, change: impl FnOnce(V) -> Result<V, E>) -> Result<V, E> {
        let key = self.key(key);
        let value = change(self.at(&key))?;
        self.field.write(&key, &value);
        Ok(value)
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

    fn at(&self, key: &[u8]) -> V {
        self.field.read(key).unwrap_or_else(|| self.field.absent())
    }

    fn key(&self, key: impl KeyOf<K>) -> Vec<u8> {
        let mut bytes = self.field.key();
        key.write_key(&mut bytes);
        bytes
    }
}
