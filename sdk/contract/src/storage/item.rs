//! One value.

use core::{convert::Infallible, marker::PhantomData};

use super::{Field, StorageField};
use crate::{
    Checked,
    abi::{AbiType, Layout},
    env,
};

/// One value under the field's key.
///
/// ```text
/// field        borsh(value)
/// ```
#[derive(Debug)]
pub struct Item<T> {
    field: Field,
    value: PhantomData<T>,
}

impl<T: AbiType> StorageField for Item<T> {
    const LAYOUT: Layout = Layout::Item(T::TYPE);

    fn at(name: &'static str) -> Self {
        Self { field: Field(name), value: PhantomData }
    }
}

impl<T: AbiType> Item<T> {
    /// The value, or its type's zero if none is set.
    ///
    /// # Panics
    ///
    /// If none is set and the type has no zero.
    pub fn get(&self) -> T {
        self.try_get().unwrap_or_else(|| self.field.absent())
    }

    /// The value, or `None` if none is set.
    pub fn try_get(&self) -> Option<T> {
        self.field.read(&self.field.key())
    }

    /// The value, or another if none is set.
    pub fn get_or(&self, other: T) -> T {
        self.try_get().unwrap_or(other)
    }

    /// Whether a value is set.
    pub fn is_set(&self) -> bool {
        self.field.contains(&self.field.key())
    }

    /// Sets the value.
    pub fn set(&mut self, value: T) {
        self.field.write(&self.field.key(), &value);
    }

    /// Unsets the value.
    pub fn remove(&mut self) {
        env::storage_remove(&self.field.key());
    }

    /// Sets the value to what becomes of the one before, which is as [`get`](Self::get) answers. Answers the
    /// new value.
    pub fn update(&mut self, change: impl FnOnce(T) -> T) -> T {
        let Ok(value) = self.try_update(|value| Ok::<_, Infallible>(change(value)));
        value
    }

    /// As [`update`](Self::update), of a change that can fail and then changes nothing.
    ///
    /// # Errors
    ///
    /// Those of the change.
    pub fn try_update<E>(&mut self, change: impl FnOnce(T) -> Result<T, E>) -> Result<T, E> {
        let value = change(self.get())?;
        self.field.write(&self.field.key(), &value);
        Ok(value)
    }

    /// Adds to the value, and answers the sum.
    ///
    /// # Panics
    ///
    /// If the sum overflows; the message names the field.
    pub fn add(&mut self, amount: T) -> T
    where
        T: Checked,
    {
        let field = self.field;
        self.update(|value| field.sum(value, amount))
    }

    /// Subtracts from the value, and answers the difference.
    ///
    /// # Panics
    ///
    /// If the difference overflows, for unsigned types below zero; the message names the field.
    pub fn sub(&mut self, amount: T) -> T
    where
        T: Checked,
    {
        let field = self.field;
        self.update(|value| field.difference(value, amount))
    }
}
