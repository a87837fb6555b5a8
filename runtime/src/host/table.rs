//! The host table of `rustorium-types`, as data: names and WebAssembly types, for checking imports.

use rustorium_types::host_table;

/// A type that crosses the border between host and guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WasmType {
    /// A pointer, a length, or a flag.
    I32,
    /// A number, or a length with a status.
    I64,
}

impl WasmType {
    /// Its name in the text format.
    pub(crate) const fn text(self) -> &'static str {
        match self {
            Self::I32 => "i32",
            Self::I64 => "i64",
        }
    }
}

/// A row of the host table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HostFunction {
    name: &'static str,
    /// What its parameters are called.
    names: &'static [&'static str],
    /// What each parameter's kind becomes.
    parameters: &'static [&'static [WasmType]],
    /// What the result's kind adds to the parameters, and what it returns.
    result: (&'static [WasmType], &'static [WasmType]),
}

impl HostFunction {
    /// The function of a name.
    pub(crate) fn named(name: &str) -> Option<&'static Self> {
        TABLE.iter().find(|function| function.name == name)
    }

    /// What its parameters are called, those for its result left out.
    pub(crate) const fn parameters(&self) -> &'static [&'static str] {
        self.names
    }

    /// Parameters and results of the import.
    pub(crate) fn signature(&self) -> (Vec<WasmType>, Vec<WasmType>) {
        let parameters = self.parameters.iter().copied().chain([self.result.0]).flatten().copied().collect();
        (parameters, self.result.1.to_vec())
    }
}

macro_rules! parameter {
    (u64) => {
        &[WasmType::I64]
    };
    (fixed) => {
        &[WasmType::I32]
    };
    (bytes) => {
        &[WasmType::I32, WasmType::I32]
    };
}

macro_rules! result {
    (unit) => {
        (&[], &[])
    };
    (never) => {
        (&[], &[])
    };
    (u64) => {
        (&[], &[WasmType::I64])
    };
    (flag) => {
        (&[], &[WasmType::I32])
    };
    (fixed) => {
        (&[WasmType::I32], &[])
    };
    (maybe_fixed) => {
        (&[WasmType::I32], &[WasmType::I32])
    };
    (bytes) => {
        (&[WasmType::I32, WasmType::I32], &[WasmType::I64])
    };
    (maybe_bytes) => {
        result!(bytes)
    };
    (outcome) => {
        result!(bytes)
    };
}

macro_rules! rows {
    ($(
        $(#[$doc:meta])*
        fn $name:ident($($parameter:ident: $kind:ident $(($size:literal))?),*) -> $result:ident $(($result_size:literal))?,
        gas $base:literal + $per_byte:literal;
    )*) => {
        const TABLE: &[HostFunction] = &[$(HostFunction {
            name: stringify!($name),
            names: &[$(stringify!($parameter)),*],
            parameters: &[$(parameter!($kind)),*],
            result: result!($result),
        }),*];
    };
}

host_table!(rows);

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn signatures_follow_from_the_kinds() {
        use WasmType::{I32, I64};
        let signature = |name| HostFunction::named(name).unwrap().signature();
        assert_eq!(signature("height"), (vec![], vec![I64]));
        assert_eq!(signature("caller"), (vec![I32], vec![I32]));
        assert_eq!(signature("storage_read"), (vec![I32; 4], vec![I64]));
        assert_eq!(signature("transfer"), (vec![I32, I32, I64, I32, I32], vec![I64]));
        assert_eq!(signature("fail"), (vec![I32; 4], vec![]));
        assert!(HostFunction::named("clock").is_none());
    }
}
