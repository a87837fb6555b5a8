//! The mock host's functions under the names of the imports.

use super::{parameter, result};
use crate::mock::host;

/// Bytes that the host answered.
pub type Answer = Vec<u8>;

macro_rules! functions {
    ($(
        $(#[doc = $doc:literal])*
        fn $name:ident($($parameter:ident: $kind:ident $(($length:literal))?),*) -> $result:ident $(($size:literal))?, gas $base:literal + $byte:literal;
    )*) => {
        $(function! {
            [$(#[doc = $doc])*] $name ($($parameter: $kind $($length)?),*) [$result $($size)?]
        })*
    };
}

macro_rules! function {
    // Answers are never too long for a buffer here.
    ($doc:tt rest $($ignored:tt)*) => {};
    (
        [$(#[doc = $doc:literal])*] $name:ident ($($parameter:ident: $kind:ident $($length:literal)?),*)
        [$result:ident $($size:literal)?]
    ) => {
        $(#[doc = $doc])*
        pub fn $name($($parameter: parameter!($kind $($length)?)),*) -> result!($result $($size)?) {
            host::$name($($parameter),*)
        }
    };
}

rustorium_types::host_table!(functions);
