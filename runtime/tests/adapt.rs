//! Makes contracts of modules that know nothing of contracts: those of the specification, and generated ones.
//!
//! What a module does stays as it is. Its exports are dropped, since their names would be entry points of nothing, and
//! in their place come entry points that call its functions as the test says. It gets a memory if it has none. Where a
//! function uses floating-point numbers its body becomes `unreachable` under the name [`FLOAT`], and `f32` and `f64`
//! become `i32` and `i64` in all types, so that the functions around it can be tested all the same.

use std::collections::HashMap;

use wasm_encoder::{
    CodeSection, DataCountSection, DataSection, ElementSection, EntityType, ExportKind, ExportSection, Function,
    FunctionSection, GlobalSection, GlobalType, ImportSection, Instruction, MemorySection, Module, NameMap,
    NameSection, RawSection, TableSection, TypeSection, ValType,
    reencode::{Error, Reencode, utils},
};
use wasmparser::{
    DataSectionReader, ElementSectionReader, ExternalKind, FuncType, FunctionBody, Global, KnownCustom, MemoryType,
    Operator, Parser, Payload, TableSectionReader, TypeRef,
};

/// The name of functions that used floating-point numbers.
pub const FLOAT: &str = "float";
/// The name of functions that a test adds.
pub const ADDED: &str = "added";

/// A module, taken apart.
pub struct Original<'a> {
    pub types: Vec<FuncType>,
    pub imports: Vec<(&'a str, &'a str, u32)>,
    /// The type of each function that it defines.
    pub functions: Vec<u32>,
    pub globals: Vec<Global<'a>>,
    pub exports: HashMap<&'a str, (ExternalKind, u32)>,
    pub memory: Option<MemoryType>,
    tables: Option<TableSectionReader<'a>>,
    elements: Option<ElementSectionReader<'a>>,
    data: Option<DataSectionReader<'a>>,
    data_count: Option<u32>,
    bodies: Vec<FunctionBody<'a>>,
}

/// A function to add.
#[derive(Default)]
pub struct Added {
    /// Under which name it is exported, if under any.
    pub export: Option<String>,
    pub locals: Vec<ValType>,
    pub body: Vec<Instruction<'static>>,
}

impl<'a> Original<'a> {
    /// Takes a module apart, or says why it cannot be made a contract.
    pub fn parse(wasm: &'a [u8]) -> Result<Self, &'static str> {
        let mut original = Self {
            types: Vec::new(),
            imports: Vec::new(),
            functions: Vec::new(),
            globals: Vec::new(),
            exports: HashMap::new(),
            memory: None,
            tables: None,
            elements: None,
            data: None,
            data_count: None,
            bodies: Vec::new(),
        };
        for payload in Parser::new(0).parse_all(wasm) {
            match payload.map_err(|_| "it does not parse")? {
                Payload::TypeSection(reader) => {
                    for ty in reader.into_iter_err_on_gc_types() {
                        original.types.push(ty.map_err(|_| "types of garbage collection")?);
                    }
                }
                Payload::ImportSection(reader) => {
                    for import in reader.into_imports() {
                        let import = import.map_err(|_| "it does not parse")?;
                        match import.ty {
                            TypeRef::Func(ty) => original.imports.push((import.module, import.name, ty)),
                            _ => return Err("imports that are no functions"),
                        }
                    }
                }
                Payload::FunctionSection(reader) => {
                    original.functions = reader.into_iter().map_while(Result::ok).collect()
                }
                Payload::TableSection(reader) => original.tables = Some(reader),
                Payload::MemorySection(reader) => original.memory = reader.into_iter().map_while(Result::ok).next(),
                Payload::GlobalSection(reader) => original.globals = reader.into_iter().map_while(Result::ok).collect(),
                Payload::ExportSection(reader) => {
                    let exports = reader.into_iter().map_while(Result::ok);
                    original.exports = exports.map(|export| (export.name, (export.kind, export.index))).collect();
                }
                Payload::StartSection { .. } => return Err("a start function"),
                Payload::ElementSection(reader) => original.elements = Some(reader),
                Payload::DataCountSection { count, .. } => original.data_count = Some(count),
                Payload::CodeSectionEntry(body) => original.bodies.push(body),
                Payload::DataSection(reader) => original.data = Some(reader),
                _ => {}
            }
        }
        Ok(original)
    }

    /// The type of a function, imported ones first.
    pub fn function_type(&self, index: u32) -> Option<&FuncType> {
        let defined = |index: usize| self.functions.get(index - self.imports.len());
        let ty = match self.imports.get(index as usize) {
            Some((_, _, ty)) => Some(ty),
            None => defined(index as usize),
        };
        ty.and_then(|ty| self.types.get(*ty as usize))
    }

    /// True if a function that it defines had to be emptied.
    pub fn has_floats(&self) -> bool {
        self.bodies.iter().any(uses_floats)
    }

    /// The index in the contract of the first function that is added, given how many imports are.
    pub fn first_added(&self, imports: usize) -> u32 {
        (self.imports.len() + imports + self.functions.len()) as u32
    }

    /// The module as a contract, with imports of the host table behind its own, and functions behind its own.
    pub fn contract(&self, imports: &[(&str, FuncType)], added: &[Added]) -> Vec<u8> {
        let mut renumber = Renumber { imported: self.imports.len() as u32, added: imports.len() as u32 };
        let mut module = Module::new();
        let entry_type = self.write_types(&mut module, imports);
        self.write_imports(&mut module, imports);
        let mut functions = FunctionSection::new();
        self.functions.iter().for_each(|ty| _ = functions.function(*ty));
        added.iter().for_each(|_| _ = functions.function(entry_type));
        module.section(&functions);
        if let Some(reader) = self.tables.clone() {
            let mut tables = TableSection::new();
            renumber.parse_table_section(&mut tables, reader).unwrap();
            module.section(&tables);
        }
        let mut memories = MemorySection::new();
        memories.memory(match self.memory {
            Some(memory) => renumber.memory_type(memory).unwrap(),
            None => wasm_encoder::MemoryType {
                minimum: 1,
                maximum: None,
                memory64: false,
                shared: false,
                page_size_log2: None,
            },
        });
        module.section(&memories);
        self.write_globals(&mut module, &mut renumber);
        let first = self.first_added(imports.len());
        let mut exports = ExportSection::new();
        exports.export("memory", ExportKind::Memory, 0);
        for (index, function) in (first..).zip(added) {
            if let Some(name) = &function.export {
                exports.export(name, ExportKind::Func, index);
            }
        }
        module.section(&exports);
        if let Some(reader) = self.elements.clone() {
            let mut elements = ElementSection::new();
            renumber.parse_element_section(&mut elements, reader).unwrap();
            module.section(&elements);
        }
        if let Some(count) = self.data_count {
            module.section(&DataCountSection { count });
        }
        let names = self.write_code(&mut module, &mut renumber, added);
        if let Some(reader) = self.data.clone() {
            let mut data = DataSection::new();
            renumber.parse_data_section(&mut data, reader).unwrap();
            module.section(&data);
        }
        module.section(&names);
        module.finish()
    }

    /// The types, those of more imports, and that of entry points, whose index is returned.
    fn write_types(&self, module: &mut Module, imports: &[(&str, FuncType)]) -> u32 {
        let mut types = TypeSection::new();
        for ty in self.types.iter().chain(imports.iter().map(|(_, ty)| ty)) {
            types.ty().function(ty.params().iter().map(without_floats), ty.results().iter().map(without_floats));
        }
        types.ty().function([], []);
        module.section(&types);
        (self.types.len() + imports.len()) as u32
    }

    fn write_imports(&self, module: &mut Module, more: &[(&str, FuncType)]) {
        let mut imports = ImportSection::new();
        for (from, name, ty) in &self.imports {
            imports.import(from, name, EntityType::Function(*ty));
        }
        for (ty, (name, _)) in (self.types.len() as u32..).zip(more) {
            imports.import("rustorium.1", name, EntityType::Function(ty));
        }
        if !imports.is_empty() {
            module.section(&imports);
        }
    }

    fn write_globals(&self, module: &mut Module, renumber: &mut Renumber) {
        let mut globals = GlobalSection::new();
        for global in &self.globals {
            let GlobalType { val_type, .. } = renumber.global_type(global.ty).unwrap();
            let value = match (is_float(&global.ty.content_type), val_type) {
                (true, ValType::I32) => wasm_encoder::ConstExpr::i32_const(0),
                (true, _) => wasm_encoder::ConstExpr::i64_const(0),
                (false, _) => renumber.const_expr(global.init_expr.clone()).unwrap(),
            };
            globals.global(GlobalType { val_type, mutable: global.ty.mutable, shared: false }, &value);
        }
        if !globals.is_empty() {
            module.section(&globals);
        }
    }

    fn write_code(&self, module: &mut Module, renumber: &mut Renumber, added: &[Added]) -> NameSection {
        let mut code = CodeSection::new();
        let mut names = NameMap::new();
        let first = renumber.imported + renumber.added;
        for (index, body) in (first..).zip(&self.bodies) {
            if uses_floats(body) {
                let mut function = Function::new([]);
                function.instruction(&Instruction::Unreachable).instruction(&Instruction::End);
                code.function(&function);
                names.append(index, FLOAT);
            } else {
                renumber.parse_function_body(&mut code, body.clone()).unwrap();
            }
        }
        for (index, function) in (first + self.bodies.len() as u32..).zip(added) {
            let mut encoded = Function::new(function.locals.iter().map(|ty| (1, *ty)));
            function.body.iter().for_each(|instruction| _ = encoded.instruction(instruction));
            encoded.instruction(&Instruction::End);
            code.function(&encoded);
            names.append(index, ADDED);
        }
        module.section(&code);
        let mut section = NameSection::new();
        section.functions(&names);
        section
    }
}

/// Makes room for imports behind those that a module has, and leaves floats out of its types.
struct Renumber {
    imported: u32,
    added: u32,
}

impl Reencode for Renumber {
    type Error = std::convert::Infallible;

    fn function_index(&mut self, function: u32) -> Result<u32, Error<Self::Error>> {
        Ok(if function < self.imported { function } else { function + self.added })
    }

    fn val_type(&mut self, ty: wasmparser::ValType) -> Result<ValType, Error<Self::Error>> {
        match ty {
            wasmparser::ValType::F32 => Ok(ValType::I32),
            wasmparser::ValType::F64 => Ok(ValType::I64),
            other => utils::val_type(self, other),
        }
    }
}

fn without_floats(ty: &wasmparser::ValType) -> ValType {
    match ty {
        wasmparser::ValType::I64 | wasmparser::ValType::F64 => ValType::I64,
        _ => ValType::I32,
    }
}

fn is_float(ty: &wasmparser::ValType) -> bool {
    matches!(ty, wasmparser::ValType::F32 | wasmparser::ValType::F64)
}

fn uses_floats(body: &FunctionBody<'_>) -> bool {
    let float = |operator: Operator<'_>| {
        let name = format!("{operator:?}");
        // Blocks of float types are fine: the types are replaced.
        !name.contains("blockty") && (name.contains("F32") || name.contains("F64"))
    };
    body.get_operators_reader().unwrap().into_iter().map_while(Result::ok).any(float)
}

/// A module without its names, which differ between versions of what wrote it.
pub fn without_names(wasm: &[u8]) -> Vec<u8> {
    let mut module = Module::new();
    for payload in Parser::new(0).parse_all(wasm) {
        let payload = payload.unwrap();
        if matches!(&payload, Payload::CustomSection(section) if matches!(section.as_known(), KnownCustom::Name(_))) {
            continue;
        }
        if let Some((id, range)) = payload.as_section() {
            module.section(&RawSection { id, data: &wasm[range] });
        }
    }
    module.finish()
}
