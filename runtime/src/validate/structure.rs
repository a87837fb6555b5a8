//! A module's sections against the limits, the host table and the rules for exports.

use rustorium_types::{abi::Abi, host};
use wasmparser::{
    CustomSectionReader, ExportSectionReader, ExternalKind, FunctionBody, ImportSectionReader, MemorySectionReader,
    Payload, TableSectionReader, TypeRef, TypeSectionReader, ValType, types::Types,
};

use super::{
    Facts, InvalidModule, RESERVED_PREFIX, Shape, Signature, Validated, is_entry, is_method_name, limits, names,
};
use crate::host::{HostFunction, WasmType};

/// Parameters and results.
type ImportType = (Vec<WasmType>, Vec<WasmType>);

/// What was seen of a module so far.
#[derive(Debug, Default)]
pub(super) struct Structure {
    facts: Facts,
    abi: Option<Abi>,
    types: Vec<Signature>,
    /// The types again, with their parameters and results; `None` for those that no import may have.
    import_types: Vec<Option<ImportType>>,
    /// The type of each function, imported ones first.
    functions: Vec<u32>,
    imported: u32,
    memories: u32,
    memory_exported: bool,
    custom_sections: u32,
    /// Functions that are exported: name and index.
    exports: Vec<(String, u32)>,
    stack_units: Vec<u32>,
    joins: u64,
}

impl Structure {
    /// Checks a section before the validator sees it.
    pub(super) fn check(&mut self, payload: &Payload<'_>) -> Result<(), InvalidModule> {
        match payload {
            Payload::TypeSection(reader) => self.types(reader),
            Payload::ImportSection(reader) => self.imports(reader),
            Payload::FunctionSection(reader) => {
                at_most("functions", reader.count(), limits::FUNCTIONS)?;
                self.functions.extend(reader.clone().into_iter().map_while(Result::ok));
                Ok(())
            }
            Payload::TableSection(reader) => self.tables(reader),
            Payload::MemorySection(reader) => self.memories(reader),
            Payload::GlobalSection(reader) => at_most("globals", reader.count(), limits::GLOBALS),
            Payload::ExportSection(reader) => self.exports(reader),
            Payload::StartSection { .. } => Err(InvalidModule::Start),
            Payload::ElementSection(reader) => at_most("element segments", reader.count(), limits::ELEMENT_SEGMENTS),
            Payload::DataSection(reader) => at_most("data segments", reader.count(), limits::DATA_SEGMENTS),
            Payload::CustomSection(section) => self.custom(section),
            _ => Ok(()),
        }
    }

    fn types(&mut self, reader: &TypeSectionReader<'_>) -> Result<(), InvalidModule> {
        at_most("function types", reader.count(), limits::TYPES)?;
        for ty in reader.clone().into_iter_err_on_gc_types().map_while(Result::ok) {
            at_most("parameters in one function type", ty.params().len(), limits::PARAMETERS)?;
            at_most("results in one function type", ty.results().len(), limits::RESULTS)?;
            self.types.push(Signature { parameters: ty.params().len() as u32, results: ty.results().len() as u32 });
            self.import_types.push(wasm_types(ty.params()).zip(wasm_types(ty.results())));
        }
        Ok(())
    }

    fn imports(&mut self, reader: &ImportSectionReader<'_>) -> Result<(), InvalidModule> {
        at_most("imports", reader.count(), limits::IMPORTS)?;
        for import in reader.clone().into_imports().map_while(Result::ok) {
            let unknown = || InvalidModule::UnknownImport { module: shown(import.module), name: shown(import.name) };
            let (true, TypeRef::Func(ty)) = (import.module == host::MODULE, import.ty) else {
                return Err(unknown());
            };
            let function = HostFunction::named(import.name).ok_or_else(unknown)?;
            let found = self.import_types.get(ty as usize).and_then(Option::as_ref);
            let expected = function.signature();
            if found != Some(&expected) {
                let found = found.map_or_else(|| "another".to_owned(), describe);
                return Err(InvalidModule::ImportType {
                    name: shown(import.name),
                    found,
                    expected: describe(&expected),
                });
            }
            self.functions.push(ty);
            self.imported += 1;
        }
        Ok(())
    }

    fn tables(&mut self, reader: &TableSectionReader<'_>) -> Result<(), InvalidModule> {
        at_most("tables", reader.count(), 1)?;
        for table in reader.clone().into_iter().map_while(Result::ok) {
            at_most("table elements", table.ty.initial, u64::from(limits::TABLE_ELEMENTS))?;
            self.facts.table_elements = table.ty.initial.try_into().unwrap_or(limits::TABLE_ELEMENTS);
        }
        Ok(())
    }

    fn memories(&mut self, reader: &MemorySectionReader<'_>) -> Result<(), InvalidModule> {
        self.memories = reader.count();
        for memory in reader.clone().into_iter().map_while(Result::ok) {
            at_most("pages of memory", memory.initial, u64::from(limits::MEMORY_PAGES))?;
            self.facts.memory_pages = memory.initial.try_into().unwrap_or(limits::MEMORY_PAGES);
        }
        Ok(())
    }

    fn exports(&mut self, reader: &ExportSectionReader<'_>) -> Result<(), InvalidModule> {
        at_most("exports", reader.count(), limits::EXPORTS)?;
        for export in reader.clone().into_iter().map_while(Result::ok) {
            let name = || shown(export.name);
            if export.name.len() > limits::EXPORT_NAME_BYTES || export.name.starts_with(RESERVED_PREFIX) {
                return Err(InvalidModule::ExportName(name()));
            }
            if is_entry(export.name) {
                if !is_method_name(export.name) {
                    return Err(InvalidModule::ExportName(name()));
                }
                if export.kind != ExternalKind::Func {
                    return Err(InvalidModule::EntryType(name()));
                }
            }
            match export.kind {
                ExternalKind::Func => self.exports.push((export.name.to_owned(), export.index)),
                ExternalKind::Memory if export.name == host::MEMORY => self.memory_exported = true,
                _ => {}
            }
        }
        Ok(())
    }

    fn custom(&mut self, section: &CustomSectionReader<'_>) -> Result<(), InvalidModule> {
        self.custom_sections += 1;
        at_most("custom sections", self.custom_sections, limits::CUSTOM_SECTIONS)?;
        if section.name() != host::ABI_SECTION {
            return Ok(());
        }
        if self.abi.is_some() {
            return Err(InvalidModule::TooMany { what: "ABI sections", found: 2, limit: 1 });
        }
        self.abi = Some(Abi::from_section(section.data()).map_err(InvalidModule::Abi)?);
        Ok(())
    }

    /// Counts a function's body that the validator has accepted, against the limits.
    pub(super) fn check_function(&mut self, body: &FunctionBody<'_>, wasm: &[u8]) -> Result<(), InvalidModule> {
        let index = self.imported as usize + self.stack_units.len();
        let own = self.functions.get(index).and_then(|ty| self.types.get(*ty as usize)).copied().unwrap_or_default();
        let shape = Shape::of(body, &own, &self.types, &self.functions).map_err(|error| InvalidModule::Malformed {
            offset: error.offset(),
            message: error.message().to_owned(),
        })?;
        if let Some((what, found, limit)) = shape.excess() {
            let function = names::function_name(wasm, index as u32);
            return Err(InvalidModule::FunctionTooLarge { function, what, found, limit });
        }
        self.joins = self.joins.saturating_add(shape.joins());
        at_most("locals times blocks", self.joins, limits::MODULE_JOINS)?;
        self.stack_units.push(shape.stack_units());
        Ok(())
    }

    /// Checks the types of entry points, once all is known.
    pub(super) fn check_entries(&self, types: &Types) -> Result<(), InvalidModule> {
        let types = types.as_ref();
        for (name, index) in self.exports.iter().filter(|(name, _)| is_entry(name)) {
            let ty = types[types.core_function_at(*index)].unwrap_func();
            // An imported function as an entry point would have no frame of its own to fail in.
            if !ty.params().is_empty() || !ty.results().is_empty() || *index < self.imported {
                return Err(InvalidModule::EntryType(name.clone()));
            }
        }
        Ok(())
    }

    /// What is left to check, and what was found.
    pub(super) fn finish(mut self, wasm: &[u8]) -> Result<Validated, InvalidModule> {
        if self.memories != 1 || !self.memory_exported {
            return Err(InvalidModule::Memory);
        }
        self.facts.code_bytes = wasm.len().try_into().unwrap_or(u32::MAX);
        Ok(Validated {
            facts: self.facts,
            abi: self.abi,
            functions: self.exports.into_iter().map(|(name, _)| name).collect(),
            stack_units: self.stack_units,
            joins: self.joins,
        })
    }
}

fn at_most<N: TryInto<u64>, L: TryInto<u64>>(what: &'static str, found: N, limit: L) -> Result<(), InvalidModule> {
    let found = found.try_into().unwrap_or(u64::MAX);
    let limit = limit.try_into().unwrap_or(u64::MAX);
    if found > limit { Err(InvalidModule::TooMany { what, found, limit }) } else { Ok(()) }
}

/// The types, if they are of the only two that cross the host's border.
fn wasm_types(types: &[ValType]) -> Option<Vec<WasmType>> {
    let convert = |ty: &ValType| match ty {
        ValType::I32 => Some(WasmType::I32),
        ValType::I64 => Some(WasmType::I64),
        _ => None,
    };
    types.iter().map(convert).collect()
}

fn describe((parameters, results): &ImportType) -> String {
    let list = |types: &[WasmType]| types.iter().map(|ty| ty.text()).collect::<Vec<_>>().join(", ");
    format!("({}) -> ({})", list(parameters), list(results))
}

/// As much of a name of the module as a message shows.
fn shown(name: &str) -> String {
    name.chars().take(limits::EXPORT_NAME_BYTES).collect()
}
