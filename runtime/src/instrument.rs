//! Counts the depth of the WebAssembly stack inside the module itself, so that every machine runs out of it at the
//! same instruction, whatever its native frames look like; and makes sure that code whose gas is used up ends soon.
//!
//! A global counts the units that are left. Each function takes its own on entry and gives them back on exit:
//!
//! ```text
//! global.get $left │ i32.const units │ i32.lt_u │ if │ i32.const −1 │ global.set $left │ unreachable │ end
//! global.get $left │ i32.const units │ i32.sub │ global.set $left
//! block (results of the function)
//!   the body, each `return` replaced by a branch to this block
//! end
//! global.get $left │ i32.const units │ i32.add │ global.set $left
//! ```
//!
//! The block takes the place of the function's own label, so branches keep their depths. The global comes last in
//! its index space and functions keep theirs, so nothing else is renumbered, and the name section still holds. A
//! trap leaves the counter as it is; the instance is dropped then. −1 tells this trap from any other
//! `unreachable`. All that the module does not need to run is left out.
//!
//! Compiled code counts its fuel everywhere, but compares it with what it has only where functions and loops begin.
//! Where neither comes for long, an empty `loop end` is put in: see [`checks`]. What is to be paid beside the
//! instructions themselves is put in as `nop`s: see [`surcharges`].

use wasm_encoder::{CodeSection, Encode, ExportKind, ExportSection, Instruction, Module, RawSection, TypeSection};
use wasmparser::{FuncType, FunctionBody, KnownCustom, Operator, Parser, Payload, TypeRef, ValType};
use wasmtime::OperatorCost;

use crate::{
    gas,
    validate::{FEATURES, STACK_UNITS, Validated},
};

mod checks;
mod surcharges;

use checks::Unchecked;
use surcharges::Surcharges;

/// The export of the counter.
pub(crate) const STACK_EXPORT: &str = "rustorium.stack";
/// What the counter shows once a function did not have its units.
pub(crate) const EXHAUSTED: i32 = -1;
/// Rises when the rewriting changes, so that modules compiled from another are not loaded.
pub(crate) const VERSION: u32 = 3;

/// Rewrites a module that [`validate`](crate::validate::validate) accepted.
///
/// # Errors
/// Where the module does not parse, which an accepted one does.
pub(crate) fn instrument(wasm: &[u8], validated: &Validated) -> wasmparser::Result<Vec<u8>> {
    let Validated { stack_units, reach, .. } = validated;
    let costs = gas::instructions();
    let mut rewriter = Rewriter { wasm, stack_units, reach: *reach, costs, ..Rewriter::default() };
    let mut parser = Parser::new(0);
    parser.set_features(FEATURES);
    for payload in parser.parse_all(wasm) {
        rewriter.payload(payload?)?;
    }
    Ok(rewriter.module.finish())
}

#[derive(Default)]
struct Rewriter<'a> {
    wasm: &'a [u8],
    stack_units: &'a [u32],
    reach: gas::Reach,
    costs: OperatorCost,
    module: Module,
    types: Vec<FuncType>,
    /// Imported functions, which come first in the index space.
    imported: u32,
    /// Of each defined function, the index of its type.
    functions: Vec<u32>,
    /// The counter's index, once the section of globals is written.
    counter: Option<u32>,
    code: CodeSection,
    bodies: usize,
}

impl<'a> Rewriter<'a> {
    fn payload(&mut self, payload: Payload<'a>) -> wasmparser::Result<()> {
        match payload {
            Payload::TypeSection(reader) => {
                let count = reader.count();
                let entries = &self.wasm[reader.original_position()..reader.range().end];
                for ty in reader.into_iter_err_on_gc_types() {
                    self.types.push(ty?);
                }
                self.write_types(count, entries);
            }
            Payload::ImportSection(reader) => {
                self.section(SECTION_IMPORT, reader.range());
                for import in reader.into_imports() {
                    self.imported += u32::from(matches!(import?.ty, TypeRef::Func(_)));
                }
            }
            Payload::FunctionSection(reader) => {
                self.section(SECTION_FUNCTION, reader.range());
                for ty in reader {
                    self.functions.push(ty?);
                }
            }
            Payload::GlobalSection(reader) => {
                let entries = &self.wasm[reader.original_position()..reader.range().end];
                self.write_globals(reader.count(), entries);
            }
            Payload::ExportSection(reader) => {
                if self.counter.is_none() {
                    self.write_globals(0, &[]);
                }
                self.write_exports(reader.count(), &self.wasm[reader.original_position()..reader.range().end]);
            }
            Payload::CodeSectionStart { .. } => {}
            Payload::CodeSectionEntry(body) => self.body(&body)?,
            Payload::CustomSection(section) => {
                if let KnownCustom::Name(_) = section.as_known() {
                    self.section(SECTION_CUSTOM, section.range());
                }
            }
            other => {
                if let Some((id, range)) = other.as_section() {
                    self.section(id, range);
                }
            }
        }
        Ok(())
    }

    fn section(&mut self, id: u8, range: std::ops::Range<usize>) {
        self.module.section(&RawSection { id, data: &self.wasm[range] });
    }

    /// The types as they are, and behind them `[] -> results` for the block around each function of several results.
    fn write_types(&mut self, count: u32, entries: &[u8]) {
        let mut data = Vec::with_capacity(entries.len() + 16);
        let blocks: Vec<FuncType> = self
            .types
            .iter()
            .filter(|ty| ty.results().len() > 1)
            .map(|ty| FuncType::new([], ty.results().iter().copied()))
            .collect();
        (count + blocks.len() as u32).encode(&mut data);
        data.extend_from_slice(entries);
        for ty in &blocks {
            let mut section = TypeSection::new();
            section.ty().function([], ty.results().iter().map(encoded_type));
            // Behind the section's own count of one.
            let mut bytes = Vec::new();
            section.encode(&mut bytes);
            data.extend_from_slice(&bytes[SINGLE_ENTRY_AT..]);
        }
        self.types.extend(blocks);
        self.module.section(&RawSection { id: SECTION_TYPE, data: &data });
    }

    fn write_globals(&mut self, count: u32, entries: &[u8]) {
        let mut data = Vec::with_capacity(entries.len() + 16);
        (count + 1).encode(&mut data);
        data.extend_from_slice(entries);
        data.extend_from_slice(&[TYPE_I32, MUTABLE]);
        Instruction::I32Const(STACK_UNITS.cast_signed()).encode(&mut data);
        Instruction::End.encode(&mut data);
        self.counter = Some(count);
        self.module.section(&RawSection { id: SECTION_GLOBAL, data: &data });
    }

    fn write_exports(&mut self, count: u32, entries: &[u8]) {
        let mut section = ExportSection::new();
        section.export(STACK_EXPORT, ExportKind::Global, self.counter.unwrap_or_default());
        let mut bytes = Vec::new();
        section.encode(&mut bytes);
        let mut data = Vec::with_capacity(entries.len() + bytes.len());
        (count + 1).encode(&mut data);
        data.extend_from_slice(entries);
        data.extend_from_slice(&bytes[SINGLE_ENTRY_AT..]);
        self.module.section(&RawSection { id: SECTION_EXPORT, data: &data });
    }

    fn body(&mut self, body: &FunctionBody<'a>) -> wasmparser::Result<()> {
        let index = self.bodies;
        self.bodies += 1;
        let units = self.stack_units.get(index).copied().unwrap_or(u32::MAX).cast_signed();
        let counter = self.counter.unwrap_or_default();
        let block = self.block_type(index);
        let mut operators = body.get_operators_reader()?;
        let start = operators.original_position();
        let mut out = Vec::with_capacity(body.as_bytes().len() + 48);
        out.extend_from_slice(&self.wasm[body.range().start..start]);
        let prologue = [
            Instruction::GlobalGet(counter),
            Instruction::I32Const(units),
            Instruction::I32LtU,
            Instruction::If(wasm_encoder::BlockType::Empty),
            Instruction::I32Const(EXHAUSTED),
            Instruction::GlobalSet(counter),
            Instruction::Unreachable,
            Instruction::End,
            Instruction::GlobalGet(counter),
            Instruction::I32Const(units),
            Instruction::I32Sub,
            Instruction::GlobalSet(counter),
            Instruction::Block(block),
        ];
        prologue.iter().for_each(|instruction| instruction.encode(&mut out));
        let mut copied = start;
        let mut depth = 0;
        let mut surcharges = Surcharges::of(body.get_operators_reader()?, self.locals(index, body)?, self.reach)?;
        let mut unchecked = Unchecked::new(&self.costs, self.imported);
        while !operators.eof() {
            let (operator, at) = operators.read_with_offset()?;
            let surcharge = surcharges.units(&operator);
            let is_loop = matches!(operator, Operator::Loop { .. });
            let needs_check = unchecked.needs_check_before(&operator, surcharge);
            if needs_check || surcharge > 0 {
                // Those of a loop are inside of it.
                let place = if is_loop { operators.original_position() } else { at };
                out.extend_from_slice(&self.wasm[copied..place]);
                copied = place;
                if needs_check {
                    CHECK.iter().for_each(|instruction| instruction.encode(&mut out));
                }
                (0..surcharge).for_each(|_| Instruction::Nop.encode(&mut out));
            }
            match operator {
                Operator::Block { .. } | Operator::Loop { .. } | Operator::If { .. } => depth += 1,
                Operator::End if depth > 0 => depth -= 1,
                Operator::Return => {
                    out.extend_from_slice(&self.wasm[copied..at]);
                    Instruction::Br(depth).encode(&mut out);
                    copied = operators.original_position();
                }
                _ => {}
            }
        }
        // The function's own `end` now ends the block.
        out.extend_from_slice(&self.wasm[copied..operators.original_position()]);
        let epilogue = [
            Instruction::GlobalGet(counter),
            Instruction::I32Const(units),
            Instruction::I32Add,
            Instruction::GlobalSet(counter),
            Instruction::End,
        ];
        epilogue.iter().for_each(|instruction| instruction.encode(&mut out));
        self.code.raw(&out);
        if self.bodies == self.functions.len() {
            self.module.section(&std::mem::take(&mut self.code));
        }
        Ok(())
    }

    /// Parameters and locals of a function.
    fn locals(&self, index: usize, body: &FunctionBody<'_>) -> wasmparser::Result<u32> {
        let ty = self.functions.get(index).and_then(|ty| self.types.get(*ty as usize));
        let mut locals = ty.map_or(0, |ty| ty.params().len() as u32);
        for declared in body.get_locals_reader()? {
            locals += declared?.0;
        }
        Ok(locals)
    }

    /// The type of the block around a function's body.
    fn block_type(&self, index: usize) -> wasm_encoder::BlockType {
        let ty = self.functions.get(index).and_then(|ty| self.types.get(*ty as usize));
        match ty.map(FuncType::results) {
            None | Some([]) => wasm_encoder::BlockType::Empty,
            Some([result]) => wasm_encoder::BlockType::Result(encoded_type(result)),
            Some(results) => {
                let found = self.types.iter().position(|ty| ty.params().is_empty() && ty.results() == results);
                wasm_encoder::BlockType::FunctionType(found.unwrap_or_default() as u32)
            }
        }
    }
}

/// A place at which compiled code compares its fuel.
const CHECK: [Instruction<'_>; 2] = [Instruction::Loop(wasm_encoder::BlockType::Empty), Instruction::End];

/// The types that accepted modules have.
fn encoded_type(ty: &ValType) -> wasm_encoder::ValType {
    match ty {
        ValType::I64 => wasm_encoder::ValType::I64,
        _ => wasm_encoder::ValType::I32,
    }
}

const SECTION_CUSTOM: u8 = 0;
const SECTION_TYPE: u8 = 1;
const SECTION_IMPORT: u8 = 2;
const SECTION_FUNCTION: u8 = 3;
const SECTION_GLOBAL: u8 = 6;
const SECTION_EXPORT: u8 = 7;
/// The byte of `i32` in a global's type, and of `mut`.
const TYPE_I32: u8 = 0x7f;
const MUTABLE: u8 = 1;
/// Where the entry of an encoded section of one short entry starts: behind its length and its count.
const SINGLE_ENTRY_AT: usize = 2;

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::validate::{function_name, validate};

    fn instrumented(wat: &str) -> Vec<u8> {
        let wasm = wat::parse_str(wat).unwrap();
        let validated = validate(&wasm, 1 << 20).unwrap();
        let module = instrument(&wasm, &validated).unwrap();
        wasmparser::Validator::new_with_features(FEATURES).validate_all(&module).unwrap();
        module
    }

    #[test]
    fn what_comes_out_is_valid() {
        for body in [
            "",
            "return",
            "(block (loop (br_if 2 (i32.const 1)) (br 0))) unreachable",
            "(block (return) (return)) (drop (call $two)) drop",
        ] {
            instrumented(&format!(
                r#"(module
                    (memory (export "memory") 1)
                    (func (export "call.x") {body})
                    (func $two (result i32 i64) (return (i32.const 1) (i64.const 2)))
                    (func $deep (param i32) (result i32)
                        (block (result i32) (if (local.get 0) (then (return (i32.const 7)))) (br 1 (i32.const 8)))))"#
            ));
        }
    }

    #[test]
    fn names_and_globals_stay_where_they_were() {
        let module = instrumented(
            r#"(module
                (global $own (mut i64) (i64.const 5))
                (memory (export "memory") 1)
                (func $first (export "call.x") (global.set $own (i64.const 6))))"#,
        );
        assert_eq!(function_name(&module, 0), "first");
        let globals = Parser::new(0).parse_all(&module).find_map(|payload| match payload.unwrap() {
            Payload::GlobalSection(reader) => Some(reader.into_iter().map(Result::unwrap).collect::<Vec<_>>()),
            _ => None,
        });
        let types: Vec<ValType> = globals.unwrap().iter().map(|global| global.ty.content_type).collect();
        assert_eq!(types, [ValType::I64, ValType::I32], "the counter is the last");
    }
}
