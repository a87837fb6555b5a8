//! Limits on modules, each part of the protocol: what one machine accepts at deploy, every machine must.
//!
//! They bound what a megabyte of hostile code can make the validator, the compiler and the pool do. A contract
//! of 350 KiB, the largest seen with `serde` inside, stays at least a factor of three below each of them.

use rustorium_types::limits::{MEMORY_BYTES, WASM_FRAMES};

/// Bytes of a WebAssembly page.
pub(crate) const PAGE_BYTES: u32 = 64 << 10;
/// Pages of a memory.
pub(crate) const MEMORY_PAGES: u32 = MEMORY_BYTES / PAGE_BYTES;

/// Function types; a large contract has a few hundred.
pub(crate) const TYPES: u32 = 2_048;
/// Parameters of a function: compilers pass more through memory.
pub(crate) const PARAMETERS: usize = 32;
/// Results of a function: rustc returns one, and more through memory.
pub(crate) const RESULTS: usize = 8;
/// Imports: each function of the host table once, and room for tables to come.
pub(crate) const IMPORTS: u32 = 128;
/// Functions; peers allow 10,000 to 20,000, in codes of the same size.
pub(crate) const FUNCTIONS: u32 = 10_000;
/// Globals: each is stored and loaded through the instance, which has a slot of fixed size.
pub(crate) const GLOBALS: u32 = 256;
/// Elements of the one table: it is cleared for each instance, and 64 KiB of it stay resident.
pub(crate) const TABLE_ELEMENTS: u32 = 8_192;
/// Element segments.
pub(crate) const ELEMENT_SEGMENTS: u32 = 256;
/// Elements of all segments, which may overlap and need not be in the table: eight times over.
pub(crate) const SEGMENT_ELEMENTS: u32 = 8 * TABLE_ELEMENTS;
/// Bytes from the first to the last byte of data: the image that instances start from is kept with the compiled
/// module, holes and all, and must never be so large that it is written at each instantiation instead.
pub(crate) const DATA_SPAN_BYTES: u32 = 4 << 20;
/// Data segments; `lld` writes one or two.
pub(crate) const DATA_SEGMENTS: u32 = 256;
/// Exports: methods, views, their marks, and what linkers add.
pub(crate) const EXPORTS: u32 = 1_024;
/// Bytes of an export's or import's name: a prefix and a method's name, and what linkers add.
pub(crate) const EXPORT_NAME_BYTES: usize = 128;
/// Custom sections; they are not executed, but parsed over.
pub(crate) const CUSTOM_SECTIONS: u32 = 64;

/// Parameters and locals of one function. Optimised code has tens; peers allow 100 to 1,024.
pub(crate) const LOCALS: u32 = 1_024;
/// Instructions of one function, and the targets of its branch tables: compilers take more than linear time in
/// the length of a function, and the frame's size is bounded by it.
pub(crate) const INSTRUCTIONS: u32 = 65_536;
/// Blocks within blocks: one for each arm of a `match` on an enum of that size.
pub(crate) const NESTING: u32 = 1_024;
/// Locals times blocks of one function: at each meeting of control flow the compiler may have to join each local,
/// which takes it up to 0.8 µs. The standard token has 17,000 in all its functions together.
pub(crate) const JOINS: u64 = 1 << 18;
/// Locals times blocks of all functions together: 0.4 s.
pub(crate) const MODULE_JOINS: u64 = 1 << 19;

/// Units of WebAssembly stack that one instance has. A function's frame takes at least one of them.
pub(crate) const STACK_UNITS: u32 = WASM_FRAMES;
/// Bytes of native stack that a unit stands for.
pub(crate) const STACK_UNIT_BYTES: u32 = 4 << 10;
