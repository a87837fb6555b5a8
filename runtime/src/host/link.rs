//! From the rows of the host table to functions of wasmtime.
//!
//! The macro takes a row's parameters one by one and collects what each becomes: parameters of the WebAssembly
//! function, an argument of ours, and bytes to pay for. The result's kind then says how it is written. A row whose
//! function is missing, or of other types, does not compile.

use rustorium_types::{host::MODULE, host_table};
use wasmtime::{Caller, Engine, Linker};

use super::{Fixed, Row, Slice, Told, chain, contract, crypto, enter, storage};
use crate::call::Frame;

/// All functions of the table. Each name is in exactly one of the modules.
mod functions {
    pub(super) use super::{
        chain::{balance, caller, genesis_hash, height, this, time, value},
        contract::{arguments, call, emit, fail, instantiate, log, panic, query, rest, return_data, transfer},
        crypto::{blake3, ed25519_verify, keccak256, poseidon, sha256},
        storage::{storage_read, storage_remove, storage_write},
    };
}

macro_rules! link {
    // A parameter: what it is in WebAssembly, as our argument, and what is paid for.
    (@row $linker:ident $row:tt [$($wasm:tt)*] [$($argument:tt)*] [$($bytes:tt)*] u64, $($rest:tt)*) => {
        link!(@row $linker $row [$($wasm)* number: u64,] [$($argument)* number,] [$($bytes)*] $($rest)*)
    };
    (@row $linker:ident $row:tt [$($wasm:tt)*] [$($argument:tt)*] [$($bytes:tt)*] fixed($size:literal), $($rest:tt)*) => {
        link!(@row $linker $row
            [$($wasm)* pointer: u32,] [$($argument)* Fixed::<$size>(pointer),] [$($bytes)*] $($rest)*)
    };
    (@row $linker:ident $row:tt [$($wasm:tt)*] [$($argument:tt)*] [$($bytes:tt)*] bytes, $($rest:tt)*) => {
        link!(@row $linker $row
            [$($wasm)* pointer: u32, length: u32,]
            [$($argument)* Slice { pointer, length },]
            [$($bytes)* + u64::from(length)]
            $($rest)*)
    };
    // No parameter is left: the result.
    (@row $linker:ident ($name:ident $base:literal $per_byte:literal unit)
        [$($wasm:tt)*] [$($argument:tt)*] [$($bytes:tt)*]) => {
        link!(@define $linker $name $base $per_byte [$($bytes)*] [$($argument)*] [$($wasm)*] ()
            |host| functions::$name(host, $($argument)*))
    };
    (@row $linker:ident ($name:ident $base:literal $per_byte:literal never)
        [$($wasm:tt)*] [$($argument:tt)*] [$($bytes:tt)*]) => {
        link!(@define $linker $name $base $per_byte [$($bytes)*] [$($argument)*] [$($wasm)*] ()
            |host| Err(functions::$name(host, $($argument)*)))
    };
    (@row $linker:ident ($name:ident $base:literal $per_byte:literal u64)
        [$($wasm:tt)*] [$($argument:tt)*] [$($bytes:tt)*]) => {
        link!(@define $linker $name $base $per_byte [$($bytes)*] [$($argument)*] [$($wasm)*] u64
            |host| functions::$name(host, $($argument)*))
    };
    (@row $linker:ident ($name:ident $base:literal $per_byte:literal flag)
        [$($wasm:tt)*] [$($argument:tt)*] [$($bytes:tt)*]) => {
        link!(@define $linker $name $base $per_byte [$($bytes)*] [$($argument)*] [$($wasm)*] u32
            |host| functions::$name(host, $($argument)*).map(u32::from))
    };
    (@row $linker:ident ($name:ident $base:literal $per_byte:literal fixed($size:literal))
        [$($wasm:tt)*] [$($argument:tt)*] [$($bytes:tt)*]) => {
        link!(@define $linker $name $base $per_byte [$($bytes)*] [$($argument)*] [$($wasm)* target: u32,] ()
            |host| {
                let result: [u8; $size] = functions::$name(host, $($argument)*)?;
                host.write(target, &result)
            })
    };
    (@row $linker:ident ($name:ident $base:literal $per_byte:literal maybe_fixed($size:literal))
        [$($wasm:tt)*] [$($argument:tt)*] [$($bytes:tt)*]) => {
        link!(@define $linker $name $base $per_byte [$($bytes)*] [$($argument)*] [$($wasm)* target: u32,] u32
            |host| {
                let result: Option<[u8; $size]> = functions::$name(host, $($argument)*)?;
                match result {
                    Some(result) => host.write(target, &result).map(|()| 1),
                    None => host.check_buffer(target, $size).map(|()| 0),
                }
            })
    };
    (@row $linker:ident ($name:ident $base:literal $per_byte:literal bytes)
        [$($wasm:tt)*] [$($argument:tt)*] [$($bytes:tt)*]) => {
        link!(@define $linker $name $base $per_byte [$($bytes)*] [$($argument)*] [$($wasm)* target: u32, capacity: u32,] i64
            |host| {
                let result = functions::$name(host, $($argument)*)?;
                host.put(result, target, capacity)
            })
    };
    (@row $linker:ident ($name:ident $base:literal $per_byte:literal maybe_bytes)
        [$($wasm:tt)*] [$($argument:tt)*] [$($bytes:tt)*]) => {
        link!(@define $linker $name $base $per_byte [$($bytes)*] [$($argument)*] [$($wasm)* target: u32, capacity: u32,] i64
            |host| match functions::$name(host, $($argument)*)? {
                Some(result) => host.put(result, target, capacity),
                None => host.check_buffer(target, capacity).map(|()| -1),
            })
    };
    (@row $linker:ident ($name:ident $base:literal $per_byte:literal outcome)
        [$($wasm:tt)*] [$($argument:tt)*] [$($bytes:tt)*]) => {
        link!(@define $linker $name $base $per_byte [$($bytes)*] [$($argument)*] [$($wasm)* target: u32, capacity: u32,] i64
            |host| {
                let result = functions::$name(host, $($argument)*)?;
                host.put_outcome(result, target, capacity)
            })
    };
    (@define $linker:ident $name:ident $base:literal $per_byte:literal [$($bytes:tt)*] [$($argument:expr,)*]
        [$($parameter:ident: $type:ty,)*] $return:tt |$host:ident| $function:expr) => {
        $linker.func_wrap(
            MODULE,
            stringify!($name),
            |caller: Caller<'_, Frame>, $($parameter: $type),*| -> wasmtime::Result<$return> {
                let row = Row { name: stringify!($name), base: $base, per_byte: $per_byte };
                enter(caller, row, 0 $($bytes)*, |_host| vec![$($argument.told(_host)),*], |$host| $function)
            },
        )?;
    };
    // The table.
    ($(
        $(#[$doc:meta])*
        fn $name:ident($($parameter:ident: $kind:ident $(($size:literal))?),*) -> $result:ident $(($result_size:literal))?,
        gas $base:literal + $per_byte:literal;
    )*) => {
        /// Every function of the table.
        pub(crate) fn linker(engine: &Engine) -> wasmtime::Result<Linker<Frame>> {
            let mut linker = Linker::new(engine);
            $(link!(@row linker ($name $base $per_byte $result $(($result_size))?) [] [] [] $($kind $(($size))?,)*);)*
            Ok(linker)
        }
    };
}

host_table!(link);
