//! Takes out of a module what only its toolchain wrote there.
//!
//! ```text
//! kept as they are   every section that runs; custom sections of the contract, its ABI first of all
//! rewritten          name: functions only, demangled, without hashes, at most NAME_BYTES each
//! left out           producers, target_features, linking, reloc.*, debug information
//! ```
//!
//! Function names stay because a trap is explained with one: in `contracts/token` they are a seventh of the
//! module. Mangled they would be half as much again, and carry hashes of the toolchain into the code's hash.

use rustc_demangle::demangle;
use thiserror::Error;
use wasm_encoder::{Module, NameMap, NameSection, RawSection};
use wasmparser::{BinaryReaderError, CustomSectionReader, KnownCustom, Name, NameSectionReader, Parser, Payload};

/// Bytes of a function's name that are kept: generic ones grow without bound and end in what matters least.
const NAME_BYTES: usize = 120;

/// What is said to be a module cannot be parsed.
#[derive(Debug, Error)]
#[error(transparent)]
pub struct NotAModule(#[from] BinaryReaderError);

/// The module without what its toolchain left in it.
pub(super) fn slim(wasm: &[u8]) -> Result<Vec<u8>, NotAModule> {
    let mut module = Module::new();
    let mut names = None;
    for payload in Parser::new(0).parse_all(wasm) {
        let payload = payload?;
        if let Payload::CustomSection(section) = &payload {
            if let KnownCustom::Name(reader) = section.as_known() {
                names = Some(function_names(reader)?);
                continue;
            }
            if is_toolchain(section) {
                continue;
            }
        }
        if let Some((id, range)) = payload.as_section() {
            module.section(&RawSection { id, data: wasm.get(range).unwrap_or_default() });
        }
    }
    if let Some(functions) = names {
        let mut section = NameSection::new();
        section.functions(&functions);
        module.section(&section);
    }
    Ok(module.finish())
}

/// The bytes of a custom section.
pub(super) fn custom_section<'a>(wasm: &'a [u8], name: &str) -> Result<Option<&'a [u8]>, NotAModule> {
    for payload in Parser::new(0).parse_all(wasm) {
        if let Payload::CustomSection(section) = payload?
            && section.name() == name
        {
            return Ok(Some(section.data()));
        }
    }
    Ok(None)
}

fn is_toolchain(section: &CustomSectionReader<'_>) -> bool {
    let name = section.name();
    matches!(name, "producers" | "target_features" | "linking" | "sourceMappingURL" | "external_debug_info")
        || name.starts_with("reloc.")
        || name.starts_with(".debug_")
}

fn function_names(reader: NameSectionReader<'_>) -> Result<NameMap, NotAModule> {
    let mut functions = NameMap::new();
    for subsection in reader {
        let Name::Function(names) = subsection? else { continue };
        for naming in names {
            let naming = naming?;
            let mut name = format!("{:#}", demangle(naming.name));
            name.truncate(name.floor_char_boundary(NAME_BYTES));
            functions.append(naming.index, &name);
        }
    }
    Ok(functions)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use std::borrow::Cow;

    use wasm_encoder::{CodeSection, CustomSection, Function, FunctionSection, TypeSection};

    use super::*;

    fn module() -> Vec<u8> {
        let mut types = TypeSection::new();
        types.ty().function([], []);
        let mut functions = FunctionSection::new();
        functions.function(0);
        let mut code = CodeSection::new();
        let mut body = Function::new([]);
        body.instructions().end();
        code.function(&body);
        let mut names = NameSection::new();
        names.module("small");
        let mut map = NameMap::new();
        map.append(0, "_ZN5token8transfer17h1234567890abcdefE");
        names.functions(&map);
        let mut module = Module::new();
        module.section(&types).section(&functions).section(&code);
        for (name, data) in [("rustorium.abi", b"abi".as_slice()), ("producers", b"x"), (".debug_info", b"y")] {
            module.section(&CustomSection { name: name.into(), data: Cow::Borrowed(data) });
        }
        module.section(&names);
        module.finish()
    }

    #[test]
    fn the_toolchain_leaves_and_the_contract_stays() {
        let slimmed = slim(&module()).unwrap();
        assert_eq!(custom_section(&slimmed, "rustorium.abi").unwrap(), Some(b"abi".as_slice()));
        assert_eq!(custom_section(&slimmed, "producers").unwrap(), None);
        assert_eq!(custom_section(&slimmed, ".debug_info").unwrap(), None);
        let text = String::from_utf8_lossy(&slimmed);
        assert!(text.contains("token::transfer"));
        assert!(!text.contains("1234567890abcdef") && !text.contains("small"));
        assert_eq!(slim(&slimmed).unwrap(), slimmed, "slimming again changes nothing");
        wasmparser::validate(&slimmed).unwrap();
    }

    #[test]
    fn what_is_no_module_is_an_error() {
        assert!(slim(b"\0asm\x01\0\0\0\xff").is_err());
    }
}
