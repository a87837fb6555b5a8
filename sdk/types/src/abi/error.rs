//! Why a value does not fit its type, and where in the value.

use alloc::{format, string::String, vec::Vec};
use core::fmt;

/// Why a value does not fit its type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValueError {
    /// Where, as `orders[3].amount`; empty for the whole value.
    pub path: String,
    /// What is wrong there.
    pub problem: Problem,
}

/// What is wrong with a part of a value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// Another JSON value is needed.
    #[error("expected {expected}, found {found}")]
    Expected {
        /// The type and how it looks in JSON.
        expected: String,
        /// What was there, cut to a few characters.
        found: String,
    },
    /// A field is not there.
    #[error("missing; expected {0}")]
    Missing(String),
    /// A field is there that the type does not have.
    #[error("no such field; {}", known(.0))]
    Unknown(Vec<String>),
    /// The enum has no such variant.
    #[error("no such variant; {}", known(.0))]
    Variant(Vec<String>),
    /// A map's key is there twice.
    #[error("the map has this key twice")]
    Duplicate,
    /// A map's keys do not rise.
    #[error("the map's keys do not rise")]
    Unsorted,
    /// The encoding would be larger than any argument or stored value may be.
    #[error("larger than {0} bytes")]
    TooLarge(usize),
    /// More parts than a value of allowed size can have.
    #[error("more than {0} parts")]
    TooMany(usize),
    /// Types nest deeper than an ABI allows.
    #[error("nests too deep")]
    TooDeep,
    /// The ABI has no such type, method, event, error or storage field.
    #[error("`{0}` is not defined by the ABI")]
    Undefined(String),
    /// The bytes end inside the value.
    #[error("the bytes end inside the value")]
    End,
    /// Bytes follow the value.
    #[error("{0} bytes follow the value")]
    Behind(usize),
    /// Bytes that no value of the type has.
    #[error("no {0} has these bytes")]
    Encoding(&'static str),
}

fn known(names: &[String]) -> String {
    if names.is_empty() { "there are none".into() } else { format!("known: {}", names.join(", ")) }
}

impl ValueError {
    /// The same problem, seen from the value that has this part as a field.
    #[must_use]
    pub fn in_field(mut self, name: &str) -> Self {
        let joint = if self.path.is_empty() || self.path.starts_with('[') { "" } else { "." };
        self.path = format!("{name}{joint}{}", self.path);
        self
    }

    /// The same problem, seen from the list that has this part.
    #[must_use]
    pub fn in_list(self, index: usize) -> Self {
        self.in_field(&format!("[{index}]"))
    }
}

impl From<Problem> for ValueError {
    fn from(problem: Problem) -> Self {
        Self { path: String::new(), problem }
    }
}

impl fmt::Display for ValueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.path.is_empty() {
            write!(f, "`{}`: ", self.path)?;
        }
        self.problem.fmt(f)
    }
}

impl core::error::Error for ValueError {}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    #[test]
    fn paths_read_as_code() {
        let error = ValueError::from(Problem::End).in_field("amount").in_list(3).in_field("orders");
        assert_eq!(error.to_string(), "`orders[3].amount`: the bytes end inside the value");
    }
}
