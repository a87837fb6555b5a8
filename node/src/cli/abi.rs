//! `rustorium abi`: what a contract offers.

use std::{fmt::Write, path::Path};

use rustorium_types::{
    abi::{Abi, Field, Layout, MethodKind, Shape},
    code::Code,
};

use super::{CliError, Context};

/// Shows what a contract offers.
#[derive(Debug, clap::Args)]
pub(crate) struct AbiArgs {
    /// The contract: its name, its address, or a .wasm file.
    #[arg(value_name = "CONTRACT|FILE.wasm")]
    contract: String,
}

pub(crate) async fn run(args: AbiArgs, context: &Context) -> Result<(), CliError> {
    let is_file = Path::new(&args.contract).extension().is_some_and(|extension| extension == "wasm");
    let abi = if is_file {
        let wasm =
            std::fs::read(&args.contract).map_err(|error| CliError::usage(format!("{}: {error}", args.contract)))?;
        let abi = Abi::from_wasm(&wasm).map_err(|error| CliError::new(Code::InvalidModule, error.to_string()))?;
        abi.ok_or_else(|| CliError::new(Code::NotFound, format!("{} has no ABI", args.contract)))?
    } else {
        context.contract_and_abi(&args.contract).await?.1
    };
    context.output.show(&abi.to_json(), || listing(&abi));
    Ok(())
}

/// An ABI as people read it.
fn listing(abi: &Abi) -> String {
    let mut text = format!("{} {}", abi.contract.name, abi.contract.version);
    doc(&mut text, "", &abi.contract.doc);
    for method in abi.methods.values() {
        let marks = [(method.payable, " payable"), (method.reentrant, " reentrant")];
        let marks: String = marks.iter().filter(|(is, _)| *is).map(|(_, mark)| *mark).collect();
        let kind = if method.kind == MethodKind::Init { String::new() } else { format!("{} ", method.kind.text()) };
        let _ = write!(text, "\n\n{kind}{method}{marks}");
        doc(&mut text, "  ", &method.doc);
    }
    for event in abi.events.values() {
        let indexed: Vec<_> =
            event.fields.iter().filter(|field| field.indexed).map(|field| field.name.as_str()).collect();
        let indexed = if indexed.is_empty() { String::new() } else { format!("  (indexed: {})", indexed.join(", ")) };
        let _ = write!(text, "\n\nevent {event}{indexed}");
        doc(&mut text, "  ", &event.doc);
    }
    for error in abi.errors.values() {
        let _ = write!(text, "\n\nerror {error}");
        doc(&mut text, "  ", &error.message);
    }
    for definition in abi.types.values() {
        let shape = match &definition.shape {
            Shape::Struct(fields) => format!("struct {} {{ {} }}", definition.name, list(fields)),
            Shape::Enum(variants) => {
                let variants: Vec<_> = variants.iter().map(ToString::to_string).collect();
                format!("enum {} {{ {} }}", definition.name, variants.join(", "))
            }
        };
        let _ = write!(text, "\n\n{shape}");
        doc(&mut text, "  ", &definition.doc);
    }
    for field in abi.storage.values() {
        let layout = match &field.layout {
            Layout::Item(value) => format!("{value}"),
            Layout::Map(key, value) => format!("map {key} -> {value}"),
            Layout::List(value) => format!("list of {value}"),
            Layout::EnumMap(key, value) => format!("map {key} -> {value}, can be paged"),
        };
        let _ = write!(text, "\n\nstorage {}: {layout}", field.name);
        doc(&mut text, "  ", &field.doc);
    }
    text
}

fn doc(text: &mut String, indent: &str, doc: &str) {
    for line in doc.lines() {
        let _ = write!(text, "\n{indent}{}", line.trim());
    }
}

fn list(fields: &[Field]) -> String {
    fields.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
