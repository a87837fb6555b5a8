//! The host table as data, so that no test or bench of it can forget a function.

use rustorium_types::host_table;

/// A parameter, or what a result adds to the parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A number.
    U64,
    /// A pointer to so many bytes.
    Fixed(u32),
    /// A pointer and a length.
    Bytes,
}

/// A row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    pub name: &'static str,
    pub parameters: &'static [Kind],
    /// Where the result is written.
    pub target: Option<Kind>,
    /// The type that the import returns, in the text format.
    pub returns: &'static str,
}

impl Row {
    /// Whatever is passed to it, in order.
    pub fn arguments(&self) -> impl Iterator<Item = Kind> {
        self.parameters.iter().copied().chain(self.target)
    }

    /// The import in the text format, under the function's name.
    pub fn import(&self) -> String {
        let parameters: Vec<&str> = self
            .arguments()
            .map(|kind| match kind {
                Kind::U64 => "i64",
                Kind::Fixed(_) => "i32",
                Kind::Bytes => "i32 i32",
            })
            .collect();
        let parameters =
            if parameters.is_empty() { String::new() } else { format!(" (param {})", parameters.join(" ")) };
        let result = if self.returns.is_empty() { String::new() } else { format!(" (result {})", self.returns) };
        format!("(import \"rustorium.1\" \"{0}\" (func ${0}{parameters}{result}))\n", self.name)
    }

    /// A call in the text format that drops what comes back.
    pub fn call(&self, arguments: &str) -> String {
        let call = format!("(call ${} {arguments})", self.name);
        if self.returns.is_empty() { call } else { format!("(drop {call})") }
    }
}

macro_rules! kind {
    (u64) => {
        Kind::U64
    };
    (bytes) => {
        Kind::Bytes
    };
    (fixed $size:literal) => {
        Kind::Fixed($size)
    };
}

/// Where a result of a kind is written.
macro_rules! target {
    (fixed $size:literal) => {
        Some(Kind::Fixed($size))
    };
    (maybe_fixed $size:literal) => {
        Some(Kind::Fixed($size))
    };
    (bytes) => {
        Some(Kind::Bytes)
    };
    (maybe_bytes) => {
        Some(Kind::Bytes)
    };
    (outcome) => {
        Some(Kind::Bytes)
    };
    ($other:ident) => {
        None
    };
}

/// What the import of a result of a kind returns.
macro_rules! returns {
    (u64) => {
        "i64"
    };
    (bytes) => {
        "i64"
    };
    (maybe_bytes) => {
        "i64"
    };
    (outcome) => {
        "i64"
    };
    (flag) => {
        "i32"
    };
    (maybe_fixed $size:literal) => {
        "i32"
    };
    ($other:ident $($size:literal)?) => {
        ""
    };
}

macro_rules! rows {
    ($(
        $(#[$doc:meta])*
        fn $name:ident($($parameter:ident: $kind:ident $(($size:literal))?),*) -> $result:ident $(($result_size:literal))?,
        gas $base:literal + $per_byte:literal;
    )*) => {
        /// Every function of the host.
        pub const TABLE: &[Row] = &[$(Row {
            name: stringify!($name),
            parameters: &[$(kind!($kind $($size)?)),*],
            target: target!($result $($result_size)?),
            returns: returns!($result $($result_size)?),
        }),*];
    };
}

host_table!(rows);
