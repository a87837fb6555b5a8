//! The features of WebAssembly that are accepted, and how a compiler is told to leave the others out.

use wasmparser::{Error, WasmFeatures};

/// The features of accepted modules.
pub(crate) const FEATURES: WasmFeatures = WasmFeatures::BULK_MEMORY
    .union(WasmFeatures::SIGN_EXTENSION)
    .union(WasmFeatures::MUTABLE_GLOBAL)
    .union(WasmFeatures::MULTI_VALUE)
    .union(WasmFeatures::CALL_INDIRECT_OVERLONG);

/// What compilers call the features that they may use and no chain accepts.
const COMPILERS_NAMES: [(WasmFeatures, &str); 8] = [
    (WasmFeatures::EXCEPTIONS, "exception-handling"),
    (WasmFeatures::EXTENDED_CONST, "extended-const"),
    (WasmFeatures::REFERENCE_TYPES, "reference-types"),
    (WasmFeatures::RELAXED_SIMD, "relaxed-simd"),
    (WasmFeatures::SIMD, "simd128"),
    (WasmFeatures::TAIL_CALL, "tail-call"),
    (WasmFeatures::THREADS, "atomics"),
    (WasmFeatures::WIDE_ARITHMETIC, "wide-arithmetic"),
];

/// True if it is floating-point numbers that are refused.
pub(super) fn are_floats(error: &Error) -> bool {
    error.missing_wasm_feature().is_some_and(|missing| missing.contains(WasmFeatures::FLOATS))
}

/// What the validator says, and of a feature that is not accepted, what to tell the compiler.
pub(super) fn message(error: &Error) -> String {
    let message = error.message();
    let missing = error.missing_wasm_feature().unwrap_or(WasmFeatures::empty());
    match COMPILERS_NAMES.iter().find(|(feature, _)| missing.contains(*feature)) {
        Some((_, name)) => format!("{message}; compile without it: `-Ctarget-feature=-{name}`"),
        None => message.to_owned(),
    }
}
