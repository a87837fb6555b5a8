//! What a contract takes, gives, says and does to others.

use rustorium_types::{
    block::{Event, TypedError},
    code::Code,
    id::{Address, Amount, Hash},
    limits::{ARGUMENT_BYTES, ERROR_BYTES, EVENT_BYTES, EVENTS, LABEL_BYTES, NAME_BYTES, RETURN_BYTES},
};

use super::{Fixed, Host, Outcome, Slice};
use crate::{
    call::{self, Abort, CallFailure, Instantiation},
    session::readable,
};

/// The arguments of this call.
pub(super) fn arguments(host: &mut Host<'_>) -> Result<Vec<u8>, Abort> {
    Ok(host.frame.arguments.clone())
}

/// The whole last result of variable length.
pub(super) fn rest(host: &mut Host<'_>) -> Result<Vec<u8>, Abort> {
    Ok(std::mem::take(&mut host.frame.last))
}

/// What this call returns.
pub(super) fn return_data(host: &mut Host<'_>, data: Slice) -> Result<(), Abort> {
    host.frame.returned = limited(host, data, RETURN_BYTES, "return data")?;
    Ok(())
}

/// Ends this call with an error of the contract's own.
pub(super) fn fail(host: &mut Host<'_>, name: Slice, fields: Slice) -> Abort {
    match typed_error(host, name, fields) {
        Ok(error) => Abort::Error(error),
        Err(abort) => abort,
    }
}

/// Ends this call with a trap that says why.
pub(super) fn panic(host: &mut Host<'_>, message: Slice) -> Abort {
    match host.bytes(message) {
        Ok(message) => Abort::trap(readable(message)),
        Err(abort) => abort,
    }
}

/// A line for people.
pub(super) fn log(host: &mut Host<'_>, message: Slice) -> Result<(), Abort> {
    let text = readable(host.bytes(message)?);
    let contract = host.frame.contract;
    if let Some(recorder) = host.recorder() {
        recorder.log(&text);
    }
    host.session()?.log(contract, text);
    Ok(())
}

/// Says that something happened.
pub(super) fn emit(host: &mut Host<'_>, name: Slice, fields: Slice) -> Result<(), Abort> {
    host.forbid_in_view("emit events")?;
    let name = text(host, name, "an event's name")?;
    let fields = limited(host, fields, EVENT_BYTES, "an event's fields")?;
    host.frame.failed_callee = None;
    let contract = host.frame.contract;
    if let Some(recorder) = host.recorder() {
        recorder.event(&name, &fields);
    }
    let events = &mut host.session()?.events;
    if events.len() >= EVENTS {
        return Err(Abort::too_large(format!("more than {EVENTS} events in one transaction")));
    }
    let event_index = events.len() as u32;
    events.push(Event { transaction_index: 0, event_index, contract, name, fields });
    Ok(())
}

/// Sends native value.
pub(super) fn transfer(
    host: &mut Host<'_>,
    to: Fixed<{ Address::LEN }>,
    amount: Fixed<16>,
    gas_limit: u64,
) -> Result<Outcome, Abort> {
    host.forbid_in_view("transfer value")?;
    let (to, amount) = (host.address(to)?, self::amount(host, amount)?);
    let this = Address::Contract(host.frame.contract);
    host.callee(gas_limit, |session, limit| call::transfer(session, this, to, amount, limit))
}

/// Runs a method of another contract.
pub(super) fn call(
    host: &mut Host<'_>,
    contract: Fixed<{ Address::LEN }>,
    method: Slice,
    arguments: Slice,
    value: Fixed<16>,
    gas_limit: u64,
) -> Result<Outcome, Abort> {
    host.forbid_in_view("call methods")?;
    let (contract, value) = (host.address(contract)?, amount(host, value)?);
    let arguments = limited(host, arguments, ARGUMENT_BYTES, "arguments")?;
    let method = method_name(host, method)?;
    let Some(contract) = contract.contract() else { return Ok(host.failed(CallFailure::new(Code::NotFound))) };
    let Some(method) = method else {
        return Ok(host.failed(CallFailure::new(Code::UnknownMethod)));
    };
    let this = Address::Contract(host.frame.contract);
    host.callee(gas_limit, |session, limit| call::call(session, this, contract, &method, arguments, value, limit))
}

/// Runs a view.
pub(super) fn query(
    host: &mut Host<'_>,
    contract: Fixed<{ Address::LEN }>,
    view: Slice,
    arguments: Slice,
    gas_limit: u64,
) -> Result<Outcome, Abort> {
    let contract = host.address(contract)?;
    let arguments = limited(host, arguments, ARGUMENT_BYTES, "arguments")?;
    let view = method_name(host, view)?;
    let Some(contract) = contract.contract() else { return Ok(host.failed(CallFailure::new(Code::NotFound))) };
    let Some(view) = view else {
        return Ok(host.failed(CallFailure::new(Code::UnknownMethod)));
    };
    let this = Address::Contract(host.frame.contract);
    host.callee(gas_limit, |session, limit| call::query(session, Some(this), contract, &view, arguments, limit))
}

/// Makes a contract.
#[expect(clippy::too_many_arguments, reason = "the host table's row")]
pub(super) fn instantiate(
    host: &mut Host<'_>,
    code: Fixed<32>,
    salt: Fixed<32>,
    admin: Slice,
    label: Slice,
    arguments: Slice,
    value: Fixed<16>,
    gas_limit: u64,
) -> Result<Outcome, Abort> {
    host.forbid_in_view("make contracts")?;
    let admin = match host.bytes(admin)? {
        [] => None,
        bytes => Some(borsh::from_slice(bytes).map_err(|_| Abort::trap("the admin is no address"))?),
    };
    let label = limited(host, label, LABEL_BYTES, "a label")?;
    let new = Instantiation {
        creator: Address::Contract(host.frame.contract),
        code: Hash(host.fixed(code)?),
        salt: host.fixed(salt)?,
        admin,
        label: String::from_utf8(label).map_err(|_| Abort::trap("the label is not UTF-8"))?,
        arguments: limited(host, arguments, ARGUMENT_BYTES, "arguments")?,
        value: amount(host, value)?,
    };
    host.callee(gas_limit, |session, limit| call::instantiate(session, new, limit))
}

fn typed_error(host: &Host<'_>, name: Slice, fields: Slice) -> Result<TypedError, Abort> {
    let name = text(host, name, "an error's name")?;
    Ok(TypedError { name, fields: limited(host, fields, ERROR_BYTES, "an error's fields")? })
}

fn amount(host: &Host<'_>, pointer: Fixed<16>) -> Result<Amount, Abort> {
    host.fixed(pointer).map(u128::from_le_bytes).map(Amount)
}

fn limited(host: &Host<'_>, slice: Slice, limit: usize, what: &str) -> Result<Vec<u8>, Abort> {
    let bytes = host.bytes(slice)?;
    if bytes.len() > limit {
        return Err(Abort::too_large(format!("{what} of {} bytes; {limit} are allowed", bytes.len())));
    }
    Ok(bytes.to_vec())
}

/// A name that receipts and events commit to.
fn text(host: &Host<'_>, slice: Slice, what: &str) -> Result<String, Abort> {
    let bytes = limited(host, slice, NAME_BYTES, what)?;
    match String::from_utf8(bytes) {
        Ok(name) if !name.is_empty() && !name.contains(char::is_control) => Ok(name),
        _ => Err(Abort::trap(format!("{what} is empty, not UTF-8 or has control characters"))),
    }
}

/// The name of a method or view, or nothing if no contract can have such a one.
fn method_name(host: &Host<'_>, slice: Slice) -> Result<Option<String>, Abort> {
    let bytes = host.bytes(slice)?;
    if bytes.len() > NAME_BYTES {
        return Ok(None);
    }
    Ok(std::str::from_utf8(bytes).ok().map(str::to_owned))
}
