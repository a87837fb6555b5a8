//! A view's failure in readable form, by the ABI of the contract that failed: the proven one.

use rustorium_client::model::{ContractError, Frame};
use rustorium_runtime::Diagnostics;
use rustorium_types::{
    abi::json,
    block::Failure,
    host::{CALL_PREFIX, VIEW_PREFIX},
};
use serde_json::Value;

use super::Proven;

/// The same as a node would say of it.
pub(super) fn readable(proven: &Proven, failure: &Failure, diagnostics: &Diagnostics) -> ContractError {
    let failing = failure.path.last().map(|frame| frame.contract);
    let declared = failing.zip(failure.error.as_ref()).and_then(|(contract, error)| {
        let abi = proven.abi(contract).ok()?;
        json::error(&abi, error).ok()
    });
    let message = match (&declared, &diagnostics.message) {
        (Some(error), _) => error.message.clone(),
        (None, Some(message)) => message.clone(),
        (None, None) => failure.code.text().into(),
    };
    let last = failure.path.len().saturating_sub(1);
    let frame = |(index, frame): (usize, &rustorium_types::block::Frame)| {
        let export = frame.export.as_str();
        let method = export.strip_prefix(VIEW_PREFIX).or_else(|| export.strip_prefix(CALL_PREFIX)).unwrap_or(export);
        Frame {
            contract: frame.contract.to_string(),
            method: method.into(),
            gas_used: frame.gas_used.0,
            function: diagnostics.function.clone().filter(|_| index == last),
        }
    };
    ContractError {
        code: failure.code.text().into(),
        message,
        message_index: failure.message_index,
        contract: failing.map(|contract| contract.to_string()),
        name: failure.error.as_ref().map(|error| error.name.clone()),
        fields: declared.map(|error| error.fields).filter(|fields| *fields != Value::Null),
        path: failure.path.iter().enumerate().map(frame).collect(),
    }
}
