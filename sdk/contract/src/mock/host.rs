//! The host's functions, one for each row of the host table.
//!
//! Arguments are as the table has them: addresses of 33 bytes, amounts of 16 bytes little-endian. What the
//! host refuses ends the running frame with a trap; what a callee does wrong is the caller's to handle.

use rustorium_types::{
    abi::MethodKind,
    block::{Event, TypedError},
    code::Code,
    ed25519::{PublicKey, Signature},
    field::Field,
    hash,
    hash::Domain,
    host::CallError,
    id::{Address, Amount, ContractId, Hash},
    limits, poseidon as poseidon_hash,
};
use sha2::Digest;

use super::{
    frame::{Ended, Frame, checked_method, end, run},
    state,
};

type Outcome = Result<Vec<u8>, CallError>;

pub(crate) fn arguments() -> Vec<u8> {
    with_frame(|frame| frame.arguments.clone())
}

pub(crate) fn return_data(data: &[u8]) {
    bounded("return data", data.len(), limits::RETURN_BYTES);
    with_frame(|frame| frame.returned = data.to_vec());
}

pub(crate) fn fail(name: &[u8], fields: &[u8]) -> ! {
    bounded("an error's fields", fields.len(), limits::ERROR_BYTES);
    end(Ended::Fail(TypedError { name: text(name), fields: fields.to_vec() }))
}

pub(crate) fn panic(message: &[u8]) -> ! {
    trap(Code::Trap, text(message))
}

pub(crate) fn log(message: &[u8]) {
    let line = text(message);
    state::with(|state| state.logs.push(line));
}

pub(crate) fn storage_read(key: &[u8]) -> Option<Vec<u8>> {
    bounded("a storage key", key.len(), limits::KEY_BYTES);
    let contract = this_id();
    state::with(|state| state.read(contract, key))
}

pub(crate) fn storage_write(key: &[u8], value: &[u8]) {
    bounded("a storage key", key.len(), limits::KEY_BYTES);
    bounded("a storage value", value.len(), limits::VALUE_BYTES);
    change("writes storage");
    let contract = this_id();
    state::with(|state| state.write(contract, key, Some(value)));
}

pub(crate) fn storage_remove(key: &[u8]) {
    bounded("a storage key", key.len(), limits::KEY_BYTES);
    change("writes storage");
    let contract = this_id();
    state::with(|state| state.write(contract, key, None));
}

pub(crate) fn caller() -> Option<[u8; 33]> {
    with_frame(|frame| frame.caller.map(Address::to_bytes))
}

pub(crate) fn this() -> [u8; 33] {
    Address::from(this_id()).to_bytes()
}

pub(crate) fn value() -> [u8; 16] {
    with_frame(|frame| frame.value.0.to_le_bytes())
}

pub(crate) fn balance(address: &[u8; 33]) -> [u8; 16] {
    let address = parse(address);
    state::with(|state| state.balance(address).0.to_le_bytes())
}

pub(crate) fn height() -> u64 {
    state::with(|state| state.height)
}

pub(crate) fn time() -> u64 {
    state::with(|state| state.time.0)
}

pub(crate) fn genesis_hash() -> [u8; 32] {
    hash::hash(Domain::Genesis, &[b"mock"]).0
}

pub(crate) fn transfer(to: &[u8; 33], amount: &[u8; 16], _gas: u64) -> Outcome {
    change("sends value");
    send(this_id().into(), parse(to), Amount(u128::from_le_bytes(*amount)))
}

pub(crate) fn call(contract: &[u8; 33], method: &[u8], arguments: &[u8], value: &[u8; 16], _gas: u64) -> Outcome {
    change("calls a method");
    let value = Amount(u128::from_le_bytes(*value));
    dispatch(this_id().into(), parse(contract), MethodKind::Call, &text(method), arguments, value)
}

pub(crate) fn query(contract: &[u8; 33], view: &[u8], arguments: &[u8], _gas: u64) -> Outcome {
    dispatch(this_id().into(), parse(contract), MethodKind::View, &text(view), arguments, Amount::ZERO)
}

pub(crate) fn instantiate(
    code: &[u8; 32],
    salt: &[u8; 32],
    admin: &[u8],
    label: &[u8],
    arguments: &[u8],
    value: &[u8; 16],
    _gas: u64,
) -> Outcome {
    change("makes a contract");
    bounded("a label", label.len(), limits::LABEL_BYTES);
    if !admin.is_empty() {
        parse(admin);
    }
    let creator = this_id().into();
    let (mark, made) = state::with(|state| (state.mark(), state.instantiate(&Hash(*code), creator, salt)));
    let address = Address::from(made.map_err(refusal)?);
    let value = Amount(u128::from_le_bytes(*value));
    let has_init = state::with(|state| checked_init(state, address));
    let returned = if has_init {
        dispatch(creator, address, MethodKind::Init, "init", arguments, value)
    } else if !arguments.is_empty() {
        Err(refusal(Code::UnknownMethod))
    } else if value > Amount::ZERO {
        Err(refusal(Code::NotPayable))
    } else {
        Ok(Vec::new())
    };
    match returned {
        Ok(returned) => Ok([&address.to_bytes()[..], &returned].concat()),
        Err(error) => {
            state::with(|state| state.undo(mark));
            Err(error)
        }
    }
}

pub(crate) fn emit(name: &[u8], fields: &[u8]) {
    change("emits an event");
    bounded("an event's fields", fields.len(), limits::EVENT_BYTES);
    let (contract, name) = (this_id(), text(name));
    let count = state::with(|state| {
        let event_index = state.events.len() as u32;
        state.events.push(Event { transaction_index: 0, event_index, contract, name, fields: fields.to_vec() });
        state.events_of_this_call()
    });
    bounded("the list of events", count, limits::EVENTS);
}

pub(crate) fn sha256(data: &[u8]) -> [u8; 32] {
    sha2::Sha256::digest(data).into()
}

pub(crate) fn keccak256(data: &[u8]) -> [u8; 32] {
    sha3::Keccak256::digest(data).into()
}

pub(crate) fn blake3(data: &[u8]) -> [u8; 32] {
    *blake3::hash(data).as_bytes()
}

pub(crate) fn poseidon(left: &[u8; 32], right: &[u8; 32]) -> [u8; 32] {
    match (Field::from_be_bytes(left), Field::from_be_bytes(right)) {
        (Ok(left), Ok(right)) => poseidon_hash::hash2(0, left, right).to_be_bytes(),
        _ => trap(Code::Trap, "poseidon takes elements below the field's order".into()),
    }
}

pub(crate) fn ed25519_verify(public_key: &[u8; 32], signature: &[u8; 64], message: &[u8]) -> bool {
    PublicKey(*public_key).verify(message, &Signature(*signature)).is_ok()
}

/// Moves native value; a contract that receives it runs `receive`.
pub(crate) fn send(from: Address, to: Address, amount: Amount) -> Outcome {
    if to.contract().is_some() {
        return dispatch(from, to, MethodKind::Receive, "receive", &[], amount);
    }
    let mark = state::with(|state| state.mark());
    state::with(|state| state.move_value(from, to, amount).inspect_err(|_| state.undo(mark))).map_err(refusal)?;
    Ok(Vec::new())
}

fn dispatch(caller: Address, to: Address, kind: MethodKind, name: &str, arguments: &[u8], value: Amount) -> Outcome {
    bounded("the arguments", arguments.len(), limits::ARGUMENT_BYTES);
    let contract = to.contract().ok_or(refusal(Code::NotFound))?;
    let function = state::with(|state| checked_method(state, contract, kind, name, value)).map_err(refusal)?;
    let frame = Frame::new(contract, Some(caller), kind, value).with_arguments(arguments);
    let (_, frame) = run(frame, function, |()| true).map_err(Ended::into_call_error)?;
    Ok(frame.returned)
}

fn checked_init(state: &state::State, address: Address) -> bool {
    let program = address.contract().and_then(|id| state.program(id));
    program.is_some_and(|program| program.method(MethodKind::Init, "init").is_some())
}

const fn refusal(code: Code) -> CallError {
    CallError { code, error: None }
}

fn trap(code: Code, message: String) -> ! {
    end(Ended::Trap(code, message))
}

fn bounded(what: &str, length: usize, limit: usize) {
    if length > limit {
        trap(Code::TooLarge, format!("{what} has a length of {length}; {limit} is the limit"));
    }
}

/// Traps in a view.
fn change(what: &str) {
    if with_frame(|frame| frame.read_only) {
        trap(Code::Trap, format!("a view {what}"));
    }
}

fn with_frame<R>(body: impl FnOnce(&mut Frame) -> R) -> R {
    let result = state::with(|state| state.frames.last_mut().map(body));
    result.unwrap_or_else(|| trap(Code::Internal, "no contract is running".into()))
}

fn this_id() -> ContractId {
    with_frame(|frame| frame.contract)
}

fn parse(address: &[u8]) -> Address {
    borsh::from_slice(address).unwrap_or_else(|_| trap(Code::Trap, "bytes that are no address".into()))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
