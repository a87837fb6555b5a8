//! Which WebAssembly a chain accepts: decided once, when code is stored, the same by every machine.
//!
//! - The features of the MVP without floats, and bulk memory, sign extension, mutable globals, multi-value and the
//!   overlong encoding of `call_indirect`. No threads, no SIMD, no reference types: nothing whose result could
//!   differ between machines, and nothing that is not needed.
//! - Imports only from the host table, with its exact signatures. No start function: `init` is called, and
//!   instantiation runs no code, so it has a price by rule.
//! - One memory, exported as `memory`; one table at the most. Data and elements fit what an instance starts with,
//!   so that instantiation cannot trap: it happens outside of any contract's frame.
//! - Entry points are functions without parameters or results, named `init`, `migrate`, `receive`, `call.NAME`
//!   and `view.NAME`. Marks are such functions, too, and never called: `payable.NAME` and `payable.init` say that
//!   value may come with the call, `reentrant.NAME` that the contract may be entered while it is on the stack.
//!   `receive` always takes value. Other exports are ignored, but for names that this crate adds itself.
//! - An ABI, where there is one, describes these exports and no others: clients and explorers believe it.
//! - Everything is bounded: see [`limits`].
//!
//! Invariant: what is accepted here compiles, instantiates in the pool, and cannot make either take long.

use rustorium_types::{
    abi::{Abi, AbiError},
    host, limits as protocol,
};
use thiserror::Error;
use wasmparser::{FuncValidatorAllocations, Parser, Payload, ValidPayload, Validator};

use crate::gas::Reach;

mod agreement;
mod features;
mod function;
mod limits;
mod names;
mod structure;

pub(crate) use features::FEATURES;
pub(crate) use function::Shape;
pub(crate) use limits::{PAGE_BYTES, STACK_UNIT_BYTES, STACK_UNITS, TABLE_ELEMENTS};
#[cfg(test)]
pub(crate) use names::function_name;
pub(crate) use names::shown;
use structure::Structure;

/// The start of export names that contracts must leave to this crate.
pub(crate) const RESERVED_PREFIX: &str = "rustorium.";
/// The start of the marks for methods that take value.
pub(crate) const PAYABLE_PREFIX: &str = "payable.";
/// The start of the marks for methods that may be re-entered.
pub(crate) const REENTRANT_PREFIX: &str = "reentrant.";

/// What the price of an instance follows from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Facts {
    /// Bytes of the code.
    pub(crate) code_bytes: u32,
    /// Pages of memory that an instance starts with.
    pub(crate) memory_pages: u32,
    /// Elements of the table that an instance starts with.
    pub(crate) table_elements: u32,
}

/// A module that is accepted.
#[derive(Clone, Debug)]
pub(crate) struct Validated {
    /// What its price follows from.
    pub(crate) facts: Facts,
    /// Its ABI, if it has one.
    pub(crate) abi: Option<Abi>,
    /// The names of its exported functions, in order of the module.
    pub(crate) functions: Vec<String>,
    /// Units of stack of each function that it defines.
    pub(crate) stack_units: Vec<u32>,
    /// What compiling it takes, beside its bytes.
    pub(crate) work: Work,
    /// How large its memory is or can become.
    pub(crate) reach: Reach,
}

/// What takes the compiler longer than a code's bytes tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Work {
    /// Locals times blocks of all functions.
    pub(crate) joins: u64,
    /// Nanoseconds that the compiler takes for all functions beside that, at the worst.
    pub(crate) compile_ns: u64,
    /// Bytes from the first to the last that data segments put into memory: all are kept with the compiled module.
    pub(crate) image_bytes: u64,
}

/// How many values a function type takes and gives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Signature {
    /// Parameters.
    pub(crate) parameters: u32,
    /// Results.
    pub(crate) results: u32,
}

/// Why a module is refused, and where.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum InvalidModule {
    /// Larger than the chain allows.
    #[error("the code has {bytes} bytes; at most {limit} are allowed")]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// The chain's limit.
        limit: u32,
    },
    /// Not WebAssembly, or of features that are not accepted.
    #[error("at byte {offset}: {message}")]
    Malformed {
        /// Where.
        offset: usize,
        /// What the validator says.
        message: String,
    },
    /// Not valid, or of features that are not accepted, inside a function.
    #[error("in `{function}`, at byte {offset}: {message}")]
    Function {
        /// Which function.
        function: String,
        /// Where.
        offset: usize,
        /// What the validator says.
        message: String,
    },
    /// Floats.
    #[error("`{function}` uses floating-point numbers, which may differ between machines; use integers or `Decimal`")]
    Float {
        /// The first function that does.
        function: String,
    },
    /// An import that the host does not offer.
    #[error("the import `{module}` `{name}` is not offered; contracts import functions of `{offered}` only", offered = host::MODULE)]
    UnknownImport {
        /// The import's module.
        module: String,
        /// The import's name.
        name: String,
    },
    /// An import of another type than the host offers.
    #[error("the import `{name}` has the type {found}; the host's is {expected}")]
    ImportType {
        /// The import's name.
        name: String,
        /// Its type in the module.
        found: String,
        /// Its type in the host table.
        expected: String,
    },
    /// A start function.
    #[error("a start function is not allowed; `init` runs when a contract is made")]
    Start,
    /// Not exactly one memory that is exported as `memory`.
    #[error("a contract has exactly one memory of its own and exports it as `memory`")]
    Memory,
    /// Too many of something.
    #[error("the module has {found} {what}; at most {limit} are allowed")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many.
        found: u64,
        /// How many are allowed.
        limit: u64,
    },
    /// Too many of something in one function.
    #[error("`{function}` has {found} {what}; at most {limit} are allowed in one function")]
    FunctionTooLarge {
        /// Which function.
        function: String,
        /// Of what.
        what: &'static str,
        /// How many.
        found: u64,
        /// How many are allowed.
        limit: u64,
    },
    /// An entry point or mark of another type.
    #[error("the export `{0}` must be a function without parameters and results")]
    EntryType(String),
    /// A name that contracts may not use.
    #[error("the export `{0}` has a name that is reserved, empty, too long or not printable")]
    ExportName(String),
    /// A segment that would not fit when an instance is made.
    #[error("{what} segment {index} does not fit the {place} that an instance starts with")]
    Segment {
        /// Of data or of elements.
        what: &'static str,
        /// Which one.
        index: u32,
        /// Where it goes.
        place: &'static str,
    },
    /// The ABI describes an export that is not there.
    #[error("the ABI describes `{0}`, which the code does not export")]
    NotExported(String),
    /// An entry point or mark that the ABI does not describe.
    #[error("the code exports `{0}`, which its ABI does not describe")]
    NotDescribed(String),
    /// The ABI section is damaged.
    #[error("the section `{section}`: {0}", section = host::ABI_SECTION)]
    Abi(AbiError),
    /// The compiler refuses it.
    #[error("the compiler refuses the module: {0}")]
    Compiler(String),
}

/// Checks a module.
///
/// # Errors
/// The first reason to refuse it.
pub(crate) fn validate(wasm: &[u8], code_bytes: u32) -> Result<Validated, InvalidModule> {
    if wasm.len() > code_bytes as usize {
        return Err(InvalidModule::TooLarge { bytes: wasm.len(), limit: code_bytes });
    }
    let mut structure = Structure::default();
    let mut validator = Validator::new_with_features(FEATURES);
    let mut parser = Parser::new(0);
    parser.set_features(FEATURES);
    let mut allocations = FuncValidatorAllocations::default();
    for payload in parser.parse_all(wasm) {
        let payload = payload.map_err(|error| refusal(wasm, &error))?;
        // Our limits first: they keep the validator's own work small.
        structure.check(&payload)?;
        match validator.payload(&payload).map_err(|error| refusal(wasm, &error))? {
            ValidPayload::Func(function, body) => {
                let index = function.index;
                let mut validator = function.into_validator(allocations);
                validator.validate(&body).map_err(|error| function_refusal(wasm, index, &error))?;
                allocations = validator.into_allocations();
            }
            ValidPayload::End(types) => structure.check_entries(&types)?,
            ValidPayload::Ok | ValidPayload::Parser(_) => {}
        }
        if let Payload::CodeSectionEntry(body) = &payload {
            structure.check_function(body, wasm)?;
        }
    }
    structure.finish(wasm)
}

fn refusal(wasm: &[u8], error: &wasmparser::Error) -> InvalidModule {
    if features::are_floats(error)
        && let Some(index) = names::function_with_floats(wasm)
    {
        return InvalidModule::Float { function: names::function_name(wasm, index) };
    }
    InvalidModule::Malformed { offset: error.offset(), message: features::message(error) }
}

fn function_refusal(wasm: &[u8], index: u32, error: &wasmparser::Error) -> InvalidModule {
    let function = names::function_name(wasm, index);
    if features::are_floats(error) {
        return InvalidModule::Float { function };
    }
    InvalidModule::Function { function, offset: error.offset(), message: features::message(error) }
}

/// True for an export that must be an entry point or a mark.
fn is_entry(name: &str) -> bool {
    matches!(name, host::INIT | host::MIGRATE | host::RECEIVE)
        || [host::CALL_PREFIX, host::VIEW_PREFIX, PAYABLE_PREFIX, REENTRANT_PREFIX]
            .iter()
            .any(|prefix| name.starts_with(prefix))
}

/// The name behind an entry's or mark's prefix.
fn method_name(name: &str) -> &str {
    name.split_once('.').map_or(name, |(_, method)| method)
}

/// True for an entry or mark whose name is as it should be.
fn is_method_name(name: &str) -> bool {
    let method = method_name(name);
    !method.is_empty() && method.len() <= protocol::NAME_BYTES && !method.contains(char::is_control)
}
