//! A contract's own arguments on the command line: `name=value` by the ABI, or `@args.json`.
//!
//! A text becomes JSON by the type that the ABI wants, so that nobody quotes a string or an address: numbers
//! may have `_`, `null` is an absent option, an enum's variant without fields is its bare name, and whatever
//! holds other values is written as JSON.

use std::{fs, path::Path};

use rustorium_types::{
    abi::{Abi, Field, Method, MethodKind, Type, json},
    code::Code,
};
use serde_json::{Map, Value};

use super::{CliError, output::nearest};

/// Encodes arguments for a method.
pub(crate) fn encode(
    abi: &Abi,
    method: &Method,
    arguments: &[String],
    names: json::Names<'_>,
) -> Result<Vec<u8>, CliError> {
    let object = object(&method.arguments, arguments)?;
    json::encode_fields(abi, &method.arguments, &object, names)
        .map_err(|error| CliError::usage(error.to_string()).hint(format!("{} is {method}", method.kind.text())))
}

/// The method of a kind and name, or which one was meant.
pub(crate) fn method<'a>(abi: &'a Abi, kind: MethodKind, name: &str) -> Result<&'a Method, CliError> {
    if let Some(method) = abi.method(kind, name) {
        return Ok(method);
    }
    let names =
        |kind| abi.methods.values().filter(move |method| method.kind == kind).map(|method| method.name.as_str());
    let contract = &abi.contract.name;
    let error = CliError::misnamed(Code::UnknownMethod, format!("{contract} has no {} `{name}`", kind.text()));
    let other = match kind {
        MethodKind::Call if names(MethodKind::View).any(|view| view == name) => Some("query"),
        MethodKind::View if names(MethodKind::Call).any(|call| call == name) => Some("call"),
        _ => None,
    };
    if let Some(other) = other {
        return Err(error.hint(format!("it has one to {other}: `rustorium {other} CONTRACT {name}`")));
    }
    Err(error.hint(match nearest(name, names(kind)) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("it has {}", names(kind).collect::<Vec<_>>().join(", ")),
    }))
}

/// The object that arguments make.
pub(crate) fn object(fields: &[Field], arguments: &[String]) -> Result<Value, CliError> {
    let mut object = Map::new();
    for argument in arguments {
        if let Some(path) = argument.strip_prefix('@') {
            match read_json(Path::new(path))? {
                Value::Object(read) => object.extend(read),
                _ => return Err(CliError::usage(format!("{path} must hold a JSON object of arguments by name"))),
            }
            continue;
        }
        let Some((name, text)) = argument.split_once('=') else {
            return Err(CliError::usage(format!("`{argument}` is no argument: write NAME=VALUE, or @FILE.json")));
        };
        let Some(field) = fields.iter().find(|field| field.name == name) else {
            let error = CliError::usage(format!("there is no argument `{name}`"));
            let known: Vec<_> = fields.iter().map(ToString::to_string).collect();
            return Err(match nearest(name, fields.iter().map(|field| field.name.as_str())) {
                Some(near) => error.hint(format!("did you mean `{near}`?")),
                None if known.is_empty() => error.hint("it takes no arguments"),
                None => error.hint(format!("it takes {}", known.join(", "))),
            });
        };
        let value = value(&field.ty, text).map_err(|reason| CliError::usage(format!("`{name}`: {reason}")))?;
        if object.insert(name.into(), value).is_some() {
            return Err(CliError::usage(format!("`{name}` is given twice")));
        }
    }
    Ok(object.into())
}

/// The JSON of a text, by its type. What it cannot be is for the encoder to say.
pub(crate) fn value(ty: &Type, text: &str) -> Result<Value, String> {
    Ok(match ty {
        Type::Unit if text == "null" => Value::Null,
        Type::Bool => match text {
            "true" => true.into(),
            "false" => false.into(),
            _ => text.into(),
        },
        Type::U8
        | Type::U16
        | Type::U32
        | Type::U64
        | Type::U128
        | Type::I8
        | Type::I16
        | Type::I32
        | Type::I64
        | Type::I128
        | Type::U256
        | Type::Field
        | Type::Decimal => number(text).into(),
        Type::Option(_) if text == "null" => Value::Null,
        Type::Option(inner) => value(inner, text)?,
        Type::Vec(_) | Type::Map(..) | Type::Tuple(_) | Type::Record(_) => parse(text)?,
        Type::Named(_) if text.starts_with(['{', '[', '"']) => parse(text)?,
        _ => text.into(),
    })
}

/// Digits without the `_` between them.
pub(crate) fn number(text: &str) -> String {
    text.replace('_', "")
}

fn parse(text: &str) -> Result<Value, String> {
    serde_json::from_str(text).map_err(|error| format!("not JSON ({error})"))
}

/// The JSON of a file, `-` being stdin.
pub(crate) fn read_json(path: &Path) -> Result<Value, CliError> {
    let text =
        if path == Path::new("-") { std::io::read_to_string(std::io::stdin()) } else { fs::read_to_string(path) };
    let text = text.map_err(|error| CliError::usage(format!("{}: {error}", path.display())))?;
    serde_json::from_str(&text).map_err(|error| CliError::usage(format!("{}: {error}", path.display())))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use serde_json::json;

    use super::*;

    fn fields() -> Vec<Field> {
        let field = |name: &str, ty| Field { name: name.into(), ty, doc: String::new(), indexed: false };
        vec![
            field("to", Type::Address),
            field("amount", Type::U128),
            field("note", Type::Option(Box::new(Type::String))),
            field("flag", Type::Bool),
            field("list", Type::Vec(Box::new(Type::U8))),
            field("choice", Type::Named("Choice".into())),
        ]
    }

    fn made(arguments: &[&str]) -> Result<Value, String> {
        let arguments: Vec<_> = arguments.iter().map(ToString::to_string).collect();
        object(&fields(), &arguments).map_err(|error| error.text())
    }

    #[test]
    fn texts_become_json_by_type() {
        let object = made(&["to=alice", "amount=1_000", "note=5", "flag=true", "list=[1,2]", "choice=Yes"]);
        let expected =
            json!({"to": "alice", "amount": "1000", "note": "5", "flag": true, "list": [1, 2], "choice": "Yes"});
        assert_eq!(object, Ok(expected));
        assert_eq!(
            made(&["note=null", "choice={\"type\":\"No\"}"]),
            Ok(json!({"note": null, "choice": {"type": "No"}}))
        );
        assert_eq!(made(&["note=a=b"]), Ok(json!({"note": "a=b"})));
    }

    #[test]
    fn mistakes_are_told() {
        assert!(made(&["amout=1"]).unwrap_err().contains("did you mean `amount`?"));
        assert!(made(&["amount"]).unwrap_err().contains("NAME=VALUE"));
        assert!(made(&["amount=1", "amount=2"]).unwrap_err().contains("twice"));
        assert!(made(&["list=1,2"]).unwrap_err().contains("`list`: not JSON"));
        assert!(made(&["@/nowhere.json"]).unwrap_err().contains("/nowhere.json"));
    }

    #[test]
    fn arguments_come_from_a_file() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), r#"{"to":"bob"}"#).unwrap();
        let from_file = format!("@{}", file.path().display());
        assert_eq!(made(&[&from_file, "amount=1"]), Ok(json!({"to": "bob", "amount": "1"})));
    }
}
