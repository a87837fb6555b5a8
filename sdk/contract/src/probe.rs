//! Asking the compiler whether a type has a trait, for the macros.
//!
//! A method of the type itself wins over one of a trait: where the bound of the first does not hold, the
//! compiler falls back to the second, which the macro's output has in scope.

use core::{
    fmt::{Debug, Display},
    marker::PhantomData,
};

/// `get()` is the type's default, if it has one.
#[derive(Debug)]
pub struct DefaultOf<T>(PhantomData<T>);

impl<T> DefaultOf<T> {
    /// The one value.
    pub const NEW: Self = Self(PhantomData);
}

impl<T: Default> DefaultOf<T> {
    /// The type's default.
    pub fn get(&self) -> Option<T> {
        Some(T::default())
    }
}

/// The answer for types without a default.
pub trait WithoutDefault<T> {
    /// `None`.
    fn get(&self) -> Option<T>;
}

impl<T> WithoutDefault<T> for DefaultOf<T> {
    fn get(&self) -> Option<T> {
        None
    }
}

/// `text()` is what `Display` shows, or `Debug` where there is none.
#[derive(Debug)]
pub struct Shown<'a, T>(pub &'a T);

impl<T: Display> Shown<'_, T> {
    /// What `Display` shows.
    pub fn text(&self) -> String {
        self.0.to_string()
    }
}

/// The answer for types without `Display`.
pub trait ShownByDebug {
    /// What `Debug` shows.
    fn text(&self) -> String;
}

impl<T: Debug> ShownByDebug for Shown<'_, T> {
    fn text(&self) -> String {
        format!("{:?}", self.0)
    }
}
