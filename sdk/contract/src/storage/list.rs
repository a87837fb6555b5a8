//! Values by position.

use core::marker::PhantomData;

use rustorium_types::key::StorageKey;

use super::{Field, Page, PageRequest, StorageField};
use crate::{
    abi::{AbiType, Layout},
    env,
};

/// Values by position, from 0; they are appended and taken off at the end.
///
/// ```text
/// field                length, u32
/// field │ position     borsh(value)
/// ```
#[derive(Debug)]
pub struct List<T> {
    field: Field,
    value: PhantomData<T>,
}

impl<T: AbiType> StorageField for List<T> {
    const LAYOUT: Layout = Layout::List(T::TYPE);

    fn at(name: &'static str) -> Self {
        Self { field: Field(name), value: PhantomData }
    }
}

impl<T: AbiType> List<T> {
    /// How many values there are.
    pub fn len(&self) -> u32 {
        self.field.read(&self.field.key()).unwrap_or(0)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The value at a position.
    ///
    /// # Panics
    ///
    /// If there are not so many values.
    pub fn get(&self, position: u32) -> T {
        self.try_get(position).unwrap_or_else(|| self.field.fail("position beyond the end of the list"))
    }

    /// The value at a position, or `None` if there are not so many.
    pub fn try_get(&self, position: u32) -> Option<T> {
        self.field.read(&self.key(position))
    }

    /// Replaces the value at a position.
    ///
    /// # Panics
    ///
    /// If there are not so many values.
    pub fn set(&mut self, position: u32, value: T) {
        if position >= self.len() {
            self.field.fail("position beyond the end of the list");
        }
        self.field.write(&self.key(position), &value);
    }

    /// Appends a value and answers its position.
    pub fn push(&mut self, value: T) -> u32 {
        let position = self.len();
        self.field.write(&self.key(position), &value);
        self.set_len(self.field.sum(position, 1));
        position
    }

    /// Takes off the last value, or `None` if there is none.
    pub fn pop(&mut self) -> Option<T> {
        let last = self.len().checked_sub(1)?;
        let key = self.key(last);
        let value = self.field.read(&key);
        env::storage_remove(&key);
        self.set_len(last);
        value
    }

    /// The values in order.
    pub fn iter(&self) -> impl Iterator<Item = T> + '_ {
        (0..self.len()).map(|position| self.get(position))
    }

    /// A part of the values, in order.
    pub fn page(&self, page: PageRequest) -> Page<T> {
        page.answer(self.len(), |position| self.get(position))
    }

    fn set_len(&mut self, length: u32) {
        self.field.write(&self.field.key(), &length);
    }

    fn key(&self, position: u32) -> Vec<u8> {
        let mut bytes = self.field.key();
        position.encode_key(&mut bytes);
        bytes
    }
}
