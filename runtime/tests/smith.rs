//! Contracts that nobody wrote: wasm-smith makes modules of bytes, under the accepted features.

use arbitrary::Unstructured;
use wasm_encoder::{Instruction, MemArg, ValType};
use wasm_smith::{Config, Module};
use wasmparser::FuncType;

use crate::{
    adapt::{Added, Original},
    table::{Row, TABLE},
};

/// Functions of each that are called.
const METHODS: usize = 3;

/// A contract, and the names of its methods.
pub struct Contract {
    pub wasm: Vec<u8>,
    pub methods: Vec<String>,
}

fn config(may_trap: bool) -> Config {
    // Functions that end a call are not offered: little would be left behind them.
    let host: String = TABLE.iter().filter(|row| !matches!(row.name, "fail" | "panic")).map(Row::import).collect();
    Config {
        available_imports: Some(wat::parse_str(format!("(module {host})")).unwrap()),
        allow_floats: false,
        allow_start_export: false,
        bulk_memory_enabled: true,
        disallow_traps: !may_trap,
        exceptions_enabled: false,
        extended_const_enabled: false,
        gc_enabled: false,
        custom_descriptors_enabled: false,
        custom_page_sizes_enabled: false,
        generate_custom_sections: false,
        max_data_segments: 4,
        max_element_segments: 4,
        max_elements: 16,
        max_exports: 8,
        max_funcs: 12,
        max_globals: 6,
        max_imports: 10,
        max_instructions: 300,
        max_memories: 1,
        max_memory32_bytes: 8 << 16,
        max_table_elements: 64,
        max_tables: 1,
        max_types: 12,
        memory64_enabled: false,
        memory_offset_choices: wasm_smith::MemoryOffsetChoices(99, 1, 0),
        min_funcs: 3,
        min_memories: 1,
        multi_value_enabled: true,
        reference_types_enabled: false,
        relaxed_simd_enabled: false,
        saturating_float_to_int_enabled: false,
        shared_everything_threads_enabled: false,
        sign_extension_ops_enabled: true,
        simd_enabled: false,
        tail_call_enabled: false,
        threads_enabled: false,
        wide_arithmetic_enabled: false,
        ..Config::default()
    }
}

/// The contract that bytes make, if any, whose methods call the functions of the module with further bytes.
pub fn contract(source: &[u8], mut arguments: impl Iterator<Item = u8>, may_trap: bool) -> Option<Contract> {
    let module = Module::new(config(may_trap), &mut Unstructured::new(source)).ok()?;
    let wasm = module.to_bytes();
    let original = Original::parse(&wasm).ok()?;
    original.memory.filter(|memory| memory.initial > 0)?;
    let pair = FuncType::new([wasmparser::ValType::I32; 2], []);
    let imported = original.imports.len() as u32;
    let functions = (0..original.functions.len() as u32).map(|index| imported + index).take(METHODS);
    let added: Vec<Added> = (0..)
        .zip(functions)
        .map(|(method, function): (u32, u32)| method_of(&original, method, function, imported, &mut arguments))
        .collect();
    if added.is_empty() {
        return None;
    }
    let methods = (0..added.len()).map(|method| format!("m{method}")).collect();
    Some(Contract { wasm: original.contract(&[("return_data", pair)], &added), methods })
}

/// Calls a function with small numbers and returns the first page of the memory, where results and globals are put.
fn method_of(
    original: &Original<'_>,
    method: u32,
    function: u32,
    return_data: u32,
    bytes: &mut impl Iterator<Item = u8>,
) -> Added {
    let ty = original.function_type(function).unwrap();
    let at = |offset: u32| MemArg { offset: u64::from(offset), align: 0, memory_index: 0 };
    let mut body = Vec::new();
    for parameter in ty.params() {
        let value = i32::from(bytes.next().unwrap_or_default());
        body.push(match parameter {
            wasmparser::ValType::I64 => Instruction::I64Const(value.into()),
            _ => Instruction::I32Const(value),
        });
    }
    // Behind the import that was added.
    body.push(Instruction::Call(function + 1));
    let locals: Vec<ValType> = ty
        .results()
        .iter()
        .map(|ty| if *ty == wasmparser::ValType::I64 { ValType::I64 } else { ValType::I32 })
        .collect();
    body.extend((0..locals.len() as u32).rev().map(Instruction::LocalSet));
    let results = (0..).zip(&locals).map(|(index, ty)| (Instruction::LocalGet(index), *ty));
    let globals = (0..).zip(&original.globals).map(|(index, global)| {
        let is_long = global.ty.content_type == wasmparser::ValType::I64;
        (Instruction::GlobalGet(index), if is_long { ValType::I64 } else { ValType::I32 })
    });
    for (index, (get, ty)) in (0..).zip(results.chain(globals)) {
        body.push(Instruction::I32Const(0));
        body.push(get);
        body.push(match ty {
            ValType::I64 => Instruction::I64Store(at(8 * index)),
            _ => Instruction::I32Store(at(8 * index)),
        });
    }
    body.extend([Instruction::I32Const(0), Instruction::I32Const(1 << 15), Instruction::Call(return_data)]);
    Added { export: Some(format!("call.m{method}")), locals, body }
}
