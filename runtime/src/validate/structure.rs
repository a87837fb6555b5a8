//! A module's sections against the limits, the host table and the rules for exports.

use rustorium_types::{abi::Abi, host};
use wasmparser::{
    ConstExpr, CustomSectionReader, DataKind, DataSectionReader, ElementItems, ElementKind, ElementSectionReader,
    ExportSectionReader, ExternalKind, FunctionBody, ImportSectionReader, MemorySectionReader, Operator, Payload,
    TableSectionReader, TypeRef, TypeSectionReader, ValType, types::Types,
};

use super::{
    Facts, InvalidModule, RESERVED_PREFIX, Shape, Signature, Validated, Work, agreement, is_entry, is_method_name,
    limits, names, names::shown,
};
use crate::{
    gas::Reach,
    host::{HostFunction, WasmType},
};

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
    /// Pages that the memory can have, by its own maximum.
    most_pages: u64,
    /// There is `memory.grow` in a function.
    grows: bool,
    custom_sections: u32,
    /// Functions that are exported: name and index.
    exports: Vec<(String, u32)>,
    stack_units: Vec<u32>,
    work: Work,
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
            Payload::ElementSection(reader) => self.elements(reader),
            Payload::DataSection(reader) => self.data(reader),
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
            self.most_pages = memory.maximum.unwrap_or(limits::MEMORY_PAGES.into());
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

    fn elements(&self, reader: &ElementSectionReader<'_>) -> Result<(), InvalidModule> {
        at_most("element segments", reader.count(), limits::ELEMENT_SEGMENTS)?;
        let mut all: u64 = 0;
        for (index, segment) in (0..).zip(reader.clone().into_iter().map_while(Result::ok)) {
            let elements = match &segment.items {
                ElementItems::Functions(functions) => functions.count(),
                ElementItems::Expressions(_, expressions) => expressions.count(),
            };
            all += u64::from(elements);
            at_most("elements in segments", all, limits::SEGMENT_ELEMENTS)?;
            if let ElementKind::Active { offset_expr, .. } = &segment.kind
                && let Some(offset) = constant(offset_expr)
                && u64::from(offset) + u64::from(elements) > u64::from(self.facts.table_elements)
            {
                return Err(InvalidModule::Segment { what: "element", index, place: "table" });
            }
        }
        Ok(())
    }

    fn data(&mut self, reader: &DataSectionReader<'_>) -> Result<(), InvalidModule> {
        at_most("data segments", reader.count(), limits::DATA_SEGMENTS)?;
        let memory_bytes = u64::from(self.facts.memory_pages) * u64::from(limits::PAGE_BYTES);
        let (mut first, mut last) = (u64::MAX, 0);
        for (index, segment) in (0..).zip(reader.clone().into_iter().map_while(Result::ok)) {
            let DataKind::Active { offset_expr, .. } = &segment.kind else { continue };
            let Some(offset) = constant(offset_expr) else { continue };
            let end = u64::from(offset) + segment.data.len() as u64;
            if end > memory_bytes {
                return Err(InvalidModule::Segment { what: "data", index, place: "memory" });
            }
            if !segment.data.is_empty() {
                (first, last) = (first.min(offset.into()), last.max(end));
            }
        }
        self.work.image_bytes = last.saturating_sub(first);
        at_most("bytes between the first and the last byte of data", self.work.image_bytes, limits::DATA_SPAN_BYTES)
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
        self.work.joins = self.work.joins.saturating_add(shape.joins());
        self.grows |= shape.grows;
        self.work.compile_ns = self.work.compile_ns.saturating_add(shape.compile_ns);
        at_most("locals times blocks", self.work.joins, limits::MODULE_JOINS)?;
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
        if let Some(abi) = &self.abi {
            let entries = self.exports.iter().map(|(name, _)| name.as_str()).filter(|name| is_entry(name));
            agreement::check(abi, entries)?;
        }
        let pages = if self.grows { self.most_pages } else { self.facts.memory_pages.into() };
        self.facts.code_bytes = wasm.len().try_into().unwrap_or(u32::MAX);
        Ok(Validated {
            facts: self.facts,
            abi: self.abi,
            functions: self.exports.into_iter().map(|(name, _)| name).collect(),
            stack_units: self.stack_units,
            work: self.work,
            reach: Reach::of(pages),
        })
    }
}

fn at_most<N: TryInto<u64>, L: TryInto<u64>>(what: &'static str, found: N, limit: L) -> Result<(), InvalidModule> {
    let found = found.try_into().unwrap_or(u64::MAX);
    let limit = limit.try_into().unwrap_or(u64::MAX);
    if found > limit { Err(InvalidModule::TooMany { what, found, limit }) } else { Ok(()) }
}

/// An offset. The validator accepts none but constants, since there are no globals to import.
fn constant(expression: &ConstExpr<'_>) -> Option<u32> {
    match expression.get_operators_reader().read() {
        Ok(Operator::I32Const { value }) => Some(value.cast_unsigned()),
        _ => None,
    }
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
