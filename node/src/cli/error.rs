//! How a command fails: an exit code for scripts, a code and a sentence for people, an object in JSON.

use std::{error::Error, fmt::Write};

use rustorium_client::{ClientError, model::ContractError};
use rustorium_types::{abi::error::ValueError, code::Code};
use serde_json::{Map, Value, json};

use crate::keystore::KeystoreError;

/// What the process ends with. Part of the interface: documented in `--help` and `docs/cli.md`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Something failed.
    Failure = 1,
    /// The command line is wrong.
    Usage = 2,
    /// A contract reverted.
    Reverted = 3,
    /// A proof did not verify.
    Unverified = 4,
    /// No node answers.
    Unreachable = 5,
}

/// Why a command failed.
#[derive(Debug)]
pub(crate) struct CliError {
    pub(crate) exit: Exit,
    /// Apart, so that what nearly never happens does not make every result large.
    told: Box<Told>,
}

/// What is told of a failure.
#[derive(Debug, Default)]
struct Told {
    code: String,
    message: String,
    hint: Option<String>,
    /// Fields of the error object beside code and message.
    details: Map<String, Value>,
    /// Fields of the object that the error stands in: a failed transaction has a hash.
    around: Map<String, Value>,
    /// Lines of text below the message.
    lines: Vec<String>,
}

impl CliError {
    /// A failure with a code of the common vocabulary.
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Self {
        Self::with(Exit::Failure, code.text(), message)
    }

    /// A wrong command line, by a code that says more.
    pub(crate) fn misnamed(code: Code, message: impl Into<String>) -> Self {
        Self::with(Exit::Usage, code.text(), message)
    }

    /// A wrong command line.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::with(Exit::Usage, Code::BadUserInput.text(), message)
    }

    /// Something that a node said and that is not so; names the check that failed.
    pub(crate) fn unverified(check: &str, message: impl Into<String>) -> Self {
        let mut error = Self::with(Exit::Unverified, "UNVERIFIED", message);
        error.told.details.insert("check".into(), check.into());
        error
    }

    /// A contract's refusal. `around` are the fields of the object that it stands in; `name` shortens addresses.
    pub(crate) fn reverted(error: &ContractError, around: Map<String, Value>, name: impl Fn(&str) -> String) -> Self {
        let mut message = match &error.name {
            Some(declared) if error.message.is_empty() => declared.clone(),
            Some(declared) if error.message.starts_with(declared.as_str()) => error.message.clone(),
            Some(declared) => format!("{declared}: {}", error.message),
            None => format!("{}: {}", error.code, error.message),
        };
        // An error without a sentence is told by its fields.
        let fields = error.fields.as_ref().and_then(Value::as_object).filter(|fields| !fields.is_empty());
        if let (true, Some(fields)) = (Some(&message) == error.name.as_ref(), fields) {
            let fields: Vec<_> = fields.iter().map(|(name, value)| format!("{name}={}", plain(value))).collect();
            let _ = write!(message, " ({})", fields.join(", "));
        }
        let mut lines = Vec::new();
        for (depth, frame) in error.path.iter().enumerate() {
            let function = frame.function.as_ref().map(|name| format!(", in `{name}`")).unwrap_or_default();
            let (indent, gas) = ("  ".repeat(depth), super::output::digits(frame.gas_used));
            lines.push(format!("{indent}in {}.{} ({gas} gas{function})", name(&frame.contract), frame.method));
        }
        let details = match serde_json::to_value(error) {
            Ok(Value::Object(details)) => details,
            _ => Map::new(),
        };
        let told = Told { code: error.code.clone(), message, hint: None, details, around, lines };
        Self { exit: Exit::Reverted, told: Box::new(told) }
    }

    fn with(exit: Exit, code: &str, message: impl Into<String>) -> Self {
        Self { exit, told: Box::new(Told { code: code.into(), message: message.into(), ..Told::default() }) }
    }

    /// The same, with what to do about it.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.told.hint = Some(hint.into());
        self
    }

    /// The same, standing in an object with these fields.
    pub(crate) fn around(mut self, around: Map<String, Value>) -> Self {
        self.told.around = around;
        self
    }

    /// The same, with one more field in the object that it stands in.
    pub(crate) fn beside(mut self, name: &str, value: Value) -> Self {
        self.told.around.insert(name.into(), value);
        self
    }

    /// The text for people.
    pub(crate) fn text(&self) -> String {
        let Told { message, hint, lines, .. } = &*self.told;
        let mut text = message.clone();
        for line in lines {
            let _ = write!(text, "\n  {line}");
        }
        if let Some(hint) = hint {
            let _ = write!(text, "\n  {hint}");
        }
        text
    }

    /// The object for programs.
    pub(crate) fn json(&self) -> Value {
        let Told { code, message, hint, details, around, .. } = &*self.told;
        let mut error = json!({ "code": code, "message": message });
        if let Value::Object(error) = &mut error {
            error.extend(details.clone());
            error.extend(hint.clone().map(|hint| ("hint".into(), hint.into())));
        }
        let mut object = around.clone();
        object.insert("error".into(), error);
        object.into()
    }
}

/// Texts without their quotes, the rest as JSON.
fn plain(value: &Value) -> String {
    rustorium_types::abi::json::plain(value)
}

impl<E: Error + Send + Sync + 'static> From<E> for CliError {
    fn from(error: E) -> Self {
        let error: Box<dyn Error + Send + Sync> = Box::new(error);
        if let Some(error) = error.downcast_ref::<ClientError>() {
            return match error {
                ClientError::Unreachable { .. } => Self::with(Exit::Unreachable, "UNREACHABLE", error.to_string())
                    .hint("is one running? `rustorium dev` starts a chain; `--node` names another"),
                ClientError::Url(_) => Self::usage(error.to_string()),
                ClientError::Problem(problem) => Self::with(Exit::Failure, &problem.code, problem.message.clone()),
                _ => Self::with(Exit::Failure, Code::Internal.text(), error.to_string()),
            };
        }
        if error.is::<ValueError>() {
            return Self::usage(error.to_string());
        }
        let code = match error.downcast_ref::<KeystoreError>() {
            Some(KeystoreError::NotFound(_)) => Code::NotFound,
            Some(KeystoreError::Exists(_)) => Code::AlreadyExists,
            Some(KeystoreError::Passphrase(_)) => Code::Unauthenticated,
            Some(KeystoreError::Name(_)) => return Self::usage(error.to_string()),
            _ => Code::Internal,
        };
        let mut message = error.to_string();
        let mut cause = error.source();
        while let Some(source) = cause {
            let said = source.to_string();
            if !message.contains(&said) {
                let _ = write!(message, ": {said}");
            }
            cause = source.source();
        }
        let mut failure = Self::with(Exit::Failure, "FAILURE", message);
        if code != Code::Internal {
            failure.told.code = code.text().into();
        }
        failure
    }
}

#[cfg(test)]
mod tests {
    use rustorium_client::model::Frame;

    use super::*;

    #[test]
    fn a_revert_reads_well_and_is_complete() {
        let frame = |contract: &str, method: &str| Frame {
            contract: contract.into(),
            method: method.into(),
            gas_used: 12_345,
            function: None,
        };
        let error = ContractError {
            code: "CONTRACT_ERROR".into(),
            message: "needs 5, has 3".into(),
            message_index: 1,
            contract: Some("con1b".into()),
            name: Some("Insufficient".into()),
            fields: Some(json!({"needed": "5", "available": "3"})),
            path: vec![frame("con1a", "swap"), frame("con1b", "transfer")],
        };
        let around = Map::from_iter([("transaction".into(), "0x00".into())]);
        let failure = CliError::reverted(&error, around, |address| address.replace("con1", ""));
        assert_eq!(
            failure.text(),
            "Insufficient: needs 5, has 3\n  in a.swap (12,345 gas)\n    in b.transfer (12,345 gas)"
        );
        let object = failure.json();
        assert_eq!(object["transaction"], "0x00");
        for (field, value) in
            [("code", json!("CONTRACT_ERROR")), ("name", json!("Insufficient")), ("messageIndex", json!(1))]
        {
            assert_eq!(object["error"][field], value);
        }
        assert_eq!(object["error"]["path"][1]["method"], "transfer");
        assert_eq!(failure.exit, Exit::Reverted);
    }

    #[test]
    fn the_kind_of_a_client_s_error_decides_the_exit_code() {
        let unreachable = ClientError::Unreachable { url: "u".into(), reason: "r".into() };
        assert_eq!(CliError::from(unreachable).exit, Exit::Unreachable);
        let problem = rustorium_client::Problem::new(Code::NotFound, "nothing");
        let failure = CliError::from(ClientError::from(problem));
        assert_eq!((failure.exit, failure.json()["error"]["code"].as_str()), (Exit::Failure, Some("NOT_FOUND")));
    }
}
