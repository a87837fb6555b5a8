//! Names of a module's functions for error messages, and where in a module floats are.
//!
//! Names come from the custom section `name` (WebAssembly specification, appendix 7.4.1). It is not validated by
//! engines, so it is read as far as it makes sense and never decides anything.

use wasmparser::{FuncType, KnownCustom, Name, Parser, Payload, TypeRef, ValType};

/// Bytes of a name that messages show.
const SHOWN_BYTES: usize = 200;

/// The name of a function of a module, or `function INDEX` where the module does not say, or says nonsense.
pub(crate) fn function_name(wasm: &[u8], index: u32) -> String {
    let sections = Parser::new(0).parse_all(wasm).map_while(Result::ok).filter_map(|payload| match payload {
        Payload::CustomSection(section) => match section.as_known() {
            KnownCustom::Name(reader) => Some(reader),
            _ => None,
        },
        _ => None,
    });
    sections
        .flat_map(|reader| reader.into_iter().map_while(Result::ok))
        .filter_map(|subsection| match subsection {
            Name::Function(functions) => Some(functions),
            _ => None,
        })
        .flat_map(|functions| functions.into_iter().map_while(Result::ok))
        .find(|naming| naming.index == index)
        .map_or_else(|| format!("function {index}"), |naming| shown(naming.name))
}

/// As much of a name as messages show, without what a terminal might obey: names are whatever somebody stored.
pub(crate) fn shown(name: &str) -> String {
    let mut end = name.len().min(SHOWN_BYTES);
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    let printable = |letter: char| if letter.is_control() { char::REPLACEMENT_CHARACTER } else { letter };
    name[..end].chars().map(printable).collect()
}

/// The first function of a module that has a float in its type, locals or instructions. Only asked once the
/// validator has refused the module, so it is allowed to be slow and to find nothing.
pub(crate) fn function_with_floats(wasm: &[u8]) -> Option<u32> {
    let is_float = |ty: &ValType| matches!(ty, ValType::F32 | ValType::F64 | ValType::V128);
    let mut float_types = Vec::new();
    let mut imported = 0;
    let mut declared: Vec<u32> = Vec::new();
    let mut body_index = 0;
    for payload in Parser::new(0).parse_all(wasm) {
        match payload.ok()? {
            Payload::TypeSection(reader) => {
                let floats = |ty: FuncType| ty.params().iter().chain(ty.results()).any(is_float);
                float_types = reader.into_iter_err_on_gc_types().map_while(Result::ok).map(floats).collect();
            }
            Payload::ImportSection(reader) => {
                let imports = reader.into_imports().map_while(Result::ok);
                imported = imports.filter(|import| matches!(import.ty, TypeRef::Func(_))).count() as u32;
            }
            Payload::FunctionSection(reader) => declared = reader.into_iter().map_while(Result::ok).collect(),
            Payload::CodeSectionEntry(body) => {
                let ty = declared.get(body_index as usize).copied().unwrap_or(u32::MAX);
                let in_type = float_types.get(ty as usize).copied().unwrap_or(false);
                let in_locals = body.get_locals_reader().ok()?.into_iter().flatten().any(|(_, ty)| is_float(&ty));
                // Float instructions carry F32 or F64 in their names, conversions included.
                let in_body = body.get_operators_reader().ok()?.into_iter().map_while(Result::ok).any(|operator| {
                    let name = format!("{operator:?}");
                    name.contains("F32") || name.contains("F64")
                });
                if in_type || in_locals || in_body {
                    return Some(imported + body_index);
                }
                body_index += 1;
            }
            _ => {}
        }
    }
    None
}
