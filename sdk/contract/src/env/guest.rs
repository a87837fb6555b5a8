//! Imports of a contract.
//!
//! Results of variable length are first written into a small buffer in the frame; only of longer ones the
//! host is asked for the whole again, by `rest`. So most reads allocate nothing.
#![expect(unsafe_code, reason = "the imports of WebAssembly are unsafe to call; their pointers are made here alone")]

use core::{mem::MaybeUninit, ops::Deref};

use rustorium_types::host::CallError;

use super::{parameter, result};

/// Bytes of the buffer in the frame: entries and arguments are rarely longer.
const INLINE: usize = 256;

/// Bytes that the host answered.
pub struct Answer {
    inline: MaybeUninit<[u8; INLINE]>,
    length: usize,
    /// All bytes of an answer longer than `inline`.
    whole: Vec<u8>,
}

impl Answer {
    /// Takes the answer of a function that writes at a pointer as much as fits, and tells how long it is.
    fn take(write: impl FnOnce(*mut u8, usize) -> i64) -> (Self, i64) {
        let mut answer = Self { inline: MaybeUninit::uninit(), length: 0, whole: Vec::new() };
        let told = write(answer.inline.as_mut_ptr().cast(), INLINE);
        if told < 0 {
            return (answer, told);
        }
        // An outcome has its status in the upper half.
        answer.length = told as u32 as usize;
        if answer.length > INLINE {
            answer.whole.reserve_exact(answer.length);
            // SAFETY: the host writes `length` bytes, for which there is room, and nothing else.
            unsafe {
                raw::rest(answer.whole.as_mut_ptr(), answer.length);
                answer.whole.set_len(answer.length);
            }
        }
        (answer, told)
    }

    fn outcome((answer, told): (Self, i64)) -> Result<Self, CallError> {
        if told >> 32 == 0 {
            return Ok(answer);
        }
        Err(borsh::from_slice(&answer).unwrap_or_else(|_| super::trap(&["the host answered what is no failure"])))
    }
}

impl Deref for Answer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        if self.length > INLINE {
            return &self.whole;
        }
        // SAFETY: the host wrote the first `length` bytes of `inline`, which is at least as long.
        unsafe { core::slice::from_raw_parts(self.inline.as_ptr().cast(), self.length) }
    }
}

/// Declares the imports in `raw`, and a function over each.
macro_rules! imports {
    ($(
        $(#[doc = $doc:literal])*
        fn $name:ident($($parameter:ident: $kind:ident $(($length:literal))?),*) -> $result:ident $(($size:literal))?, gas $base:literal + $byte:literal;
    )*) => {
        mod raw {
            $(import! { $name [] [$($kind)*] $result })*
        }
        $(wrapper! {
            [$(#[doc = $doc])*] $name ($($parameter: $kind $($length)?),*) [$result $($size)?] [] [$($parameter: $kind,)*]
        })*
    };
}

/// Declares one import: takes parameter kinds off the second list and puts WebAssembly types into the first.
macro_rules! import {
    ($name:ident [$($flat:tt)*] [u64 $($rest:ident)*] $result:ident) => {
        import! { $name [$($flat)* _: u64,] [$($rest)*] $result }
    };
    ($name:ident [$($flat:tt)*] [fixed $($rest:ident)*] $result:ident) => {
        import! { $name [$($flat)* _: *const u8,] [$($rest)*] $result }
    };
    ($name:ident [$($flat:tt)*] [bytes $($rest:ident)*] $result:ident) => {
        import! { $name [$($flat)* _: *const u8, _: usize,] [$($rest)*] $result }
    };
    ($name:ident $flat:tt [] unit) => { import! { @declare $name $flat () } };
    ($name:ident $flat:tt [] never) => { import! { @declare $name $flat () } };
    ($name:ident $flat:tt [] u64) => { import! { @declare $name $flat u64 } };
    ($name:ident $flat:tt [] flag) => { import! { @declare $name $flat i32 } };
    ($name:ident [$($flat:tt)*] [] fixed) => { import! { @declare $name [$($flat)* _: *mut u8] () } };
    ($name:ident [$($flat:tt)*] [] maybe_fixed) => { import! { @declare $name [$($flat)* _: *mut u8] i32 } };
    ($name:ident [$($flat:tt)*] [] $buffered:ident) => {
        import! { @declare $name [$($flat)* _: *mut u8, _: usize] i64 }
    };
    (@declare $name:ident [$($flat:tt)*] $result:ty) => {
        #[link(wasm_import_module = "rustorium.1")]
        unsafe extern "C" {
            pub(super) fn $name($($flat)*) -> $result;
        }
    };
}

/// Defines the function over one import: takes parameters off the last list and puts WebAssembly arguments
/// into the one before.
macro_rules! wrapper {
    // Only `Answer` needs it.
    ($doc:tt rest $($ignored:tt)*) => {};
    ($doc:tt $name:ident $signature:tt $result:tt [$($flat:tt)*] [$parameter:ident: u64, $($rest:tt)*]) => {
        wrapper! { $doc $name $signature $result [$($flat)* $parameter,] [$($rest)*] }
    };
    ($doc:tt $name:ident $signature:tt $result:tt [$($flat:tt)*] [$parameter:ident: fixed, $($rest:tt)*]) => {
        wrapper! { $doc $name $signature $result [$($flat)* $parameter.as_ptr(),] [$($rest)*] }
    };
    ($doc:tt $name:ident $signature:tt $result:tt [$($flat:tt)*] [$parameter:ident: bytes, $($rest:tt)*]) => {
        wrapper! { $doc $name $signature $result [$($flat)* $parameter.as_ptr(), $parameter.len(),] [$($rest)*] }
    };
    (
        [$(#[doc = $doc:literal])*] $name:ident ($($parameter:ident: $kind:ident $($length:literal)?),*)
        [$result:ident $($size:literal)?] $flat:tt []
    ) => {
        $(#[doc = $doc])*
        pub fn $name($($parameter: parameter!($kind $($length)?)),*) -> result!($result $($size)?) {
            // SAFETY: the pointers and lengths are of live slices; the host writes only where a result goes.
            unsafe { answer!($result $($size)?, $name $flat) }
        }
    };
}

/// Calls an import and makes the Rust value of its result.
macro_rules! answer {
    (unit, $name:ident [$($flat:tt)*]) => { raw::$name($($flat)*) };
    (never, $name:ident [$($flat:tt)*]) => {{
        raw::$name($($flat)*);
        core::arch::wasm32::unreachable()
    }};
    (u64, $name:ident [$($flat:tt)*]) => { raw::$name($($flat)*) };
    (flag, $name:ident [$($flat:tt)*]) => { raw::$name($($flat)*) != 0 };
    (fixed $size:literal, $name:ident [$($flat:tt)*]) => {{
        let mut bytes = [0; $size];
        raw::$name($($flat)* bytes.as_mut_ptr());
        bytes
    }};
    (maybe_fixed $size:literal, $name:ident [$($flat:tt)*]) => {{
        let mut bytes = [0; $size];
        (raw::$name($($flat)* bytes.as_mut_ptr()) != 0).then_some(bytes)
    }};
    (bytes, $name:ident [$($flat:tt)*]) => {
        Answer::take(|pointer, capacity| raw::$name($($flat)* pointer, capacity)).0
    };
    (maybe_bytes, $name:ident [$($flat:tt)*]) => {{
        let (answer, told) = Answer::take(|pointer, capacity| raw::$name($($flat)* pointer, capacity));
        (told >= 0).then_some(answer)
    }};
    (outcome, $name:ident [$($flat:tt)*]) => {
        Answer::outcome(Answer::take(|pointer, capacity| raw::$name($($flat)* pointer, capacity)))
    };
}

rustorium_types::host_table!(imports);

/// Runs the function behind an export. A panic becomes a trap that says what it said and where.
pub fn enter(export: fn()) {
    std::panic::set_hook(Box::new(|info| {
        let payload = info.payload();
        let message = match (payload.downcast_ref::<&str>(), payload.downcast_ref::<String>()) {
            (Some(text), _) => text,
            (_, Some(text)) => text.as_str(),
            _ => "panicked",
        };
        match info.location() {
            Some(place) => super::trap(&[message, " (", place.file(), ":", &place.line().to_string(), ")"]),
            None => super::trap(&[message]),
        }
    }));
    export();
}
