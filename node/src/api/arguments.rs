//! Arguments of methods and views, as callers give them: JSON by the ABI, or bytes.

use std::sync::Arc;

use rustorium_types::{
    abi::{Abi, MethodKind, json},
    code::Code,
};
use serde_json::{Map, Value};

use super::{
    problem::ApiError,
    scalar::{Bytes, Json},
};

/// Arguments for a method.
pub(crate) struct Arguments<'a> {
    pub(crate) kind: MethodKind,
    pub(crate) method: &'a str,
    pub(crate) args: Option<Json>,
    pub(crate) raw: Option<Bytes>,
}

impl Arguments<'_> {
    /// Their borsh. Neither JSON nor bytes is no arguments, for which no ABI is needed.
    pub(crate) fn encode(self, abi: impl FnOnce() -> Result<Arc<Abi>, ApiError>) -> Result<Vec<u8>, ApiError> {
        let args = match (self.args, self.raw) {
            (Some(_), Some(_)) => return Err(ApiError::bad_input("`args` and `raw` exclude each other")),
            (None, Some(raw)) => return Ok(raw.0.to_vec()),
            (args, None) => args.map(|args| args.0).filter(|args| !args.is_null()),
        };
        let abi = match abi() {
            Err(error) if args.is_none() && error.code == Code::BadUserInput => return Ok(Vec::new()),
            abi => abi?,
        };
        let Some(known) = abi.method(self.kind, self.method) else {
            // `init`, `migrate` and `receive` need not be there.
            if args.is_none() && !matches!(self.kind, MethodKind::Call | MethodKind::View) {
                return Ok(Vec::new());
            }
            return Err(unknown(&abi, self.kind, self.method));
        };
        let args = args.unwrap_or_else(|| Value::Object(Map::new()));
        json::encode_fields(&abi, &known.arguments, &args, &|_| None)
            .map_err(|error| ApiError::bad_input(format!("`{}`: {error}", self.method)))
    }
}

fn unknown(abi: &Abi, kind: MethodKind, method: &str) -> ApiError {
    let known: Vec<_> = abi.methods.keys().filter(|(other, _)| *other == kind).map(|(_, name)| name.as_str()).collect();
    let message = format!("{} has no `{method}`; it has {}", abi.contract.name, known.join(", "));
    ApiError::new(Code::UnknownMethod, message)
}
