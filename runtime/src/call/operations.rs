//! What can be done to contracts, by messages and by contracts alike: the rules of calls.
//!
//! - The caller is the immediate one; there is no origin.
//! - A contract on the stack is not entered again, but by views and by methods that are marked `reentrant.`.
//! - Value comes only with calls of what is marked `payable.`; a plain transfer runs `receive`.
//! - Calls nest to a bounded depth.
//!
//! Invariant: after a failed operation the session is as it was before it, but for what it read and logged.

use rustorium_types::{
    code::Code,
    hash,
    host::{CALL_PREFIX, INIT, MIGRATE, RECEIVE, VIEW_PREFIX},
    id::{Address, Amount, ContractId, Hash},
    limits::CALL_DEPTH,
    state::ContractRecord,
};

use super::{Completed, Invocation, Step, run};
use crate::{error::ExecuteError, session::Session, trace::Entered};

/// A contract to make.
pub(crate) struct Instantiation {
    /// Who makes it.
    pub(crate) creator: Address,
    /// Its code.
    pub(crate) code: Hash,
    /// With the creator, decides the address.
    pub(crate) salt: [u8; 32],
    /// Who may upgrade it.
    pub(crate) admin: Option<Address>,
    /// A name for people, within the limit.
    pub(crate) label: String,
    /// `borsh` of the arguments of `init`.
    pub(crate) arguments: Vec<u8>,
    /// Value that it starts with.
    pub(crate) value: Amount,
}

/// Moves value. A contract that gets some runs `receive`, or refuses it by not having one.
pub(crate) fn transfer(mut session: Box<Session>, from: Address, to: Address, amount: Amount, gas_limit: u64) -> Step {
    let Address::Contract(contract) = to else {
        let moved = session.move_value(from, to, amount)?;
        let completed =
            if moved { Completed::returned(Vec::new()) } else { Completed::refused(Code::InsufficientFunds) };
        return Ok((session, completed));
    };
    let arguments = Vec::new();
    let entry =
        Entry { contract, export: RECEIVE.into(), caller: Some(from), arguments, value: amount, read_only: false };
    enter(session, entry, gas_limit)
}

/// Runs a method.
pub(crate) fn call(
    session: Box<Session>,
    caller: Address,
    contract: ContractId,
    method: &str,
    arguments: Vec<u8>,
    value: Amount,
    gas_limit: u64,
) -> Step {
    let export = format!("{CALL_PREFIX}{method}");
    let entry = Entry { contract, export, caller: Some(caller), arguments, value, read_only: false };
    enter(session, entry, gas_limit)
}

/// Runs a view; nobody called it if it is asked for from outside.
pub(crate) fn query(
    session: Box<Session>,
    caller: Option<Address>,
    contract: ContractId,
    view: &str,
    arguments: Vec<u8>,
    gas_limit: u64,
) -> Step {
    let export = format!("{VIEW_PREFIX}{view}");
    let entry = Entry { contract, export, caller, arguments, value: Amount::ZERO, read_only: true };
    enter(session, entry, gas_limit)
}

/// Makes a contract and runs its `init`; returns its address, 33 bytes, and what `init` returned.
pub(crate) fn instantiate(mut session: Box<Session>, new: Instantiation, gas_limit: u64) -> Step {
    let contract = hash::contract_id(new.creator, &new.salt);
    if !session.has_code(&new.code)? {
        return Ok((session, Completed::refused_because(Code::NotFound, "the code is not stored")));
    }
    if session.contract(contract)?.is_some() {
        return Ok((session, Completed::refused(Code::AlreadyExists)));
    }
    let mark = session.mark();
    let record = ContractRecord {
        code: new.code,
        admin: new.admin,
        creator: new.creator,
        height: session.block.height,
        label: new.label,
    };
    session.set_contract(contract, &record);
    let entry = Entry {
        contract,
        export: INIT.into(),
        caller: Some(new.creator),
        arguments: new.arguments,
        value: new.value,
        read_only: false,
    };
    let (mut session, mut completed) = enter_optional(session, entry, &record.code, gas_limit)?;
    match &mut completed.result {
        Ok(returned) => {
            let address = Address::Contract(contract).to_bytes();
            returned.splice(..0, address);
        }
        Err(_) => session.roll_back(mark),
    }
    Ok((session, completed))
}

/// Runs `migrate` of a contract that has just been given another code.
pub(crate) fn migrate(
    session: Box<Session>,
    caller: Address,
    contract: ContractId,
    code: &Hash,
    arguments: Vec<u8>,
    gas_limit: u64,
) -> Step {
    let export = MIGRATE.into();
    let entry = Entry { contract, export, caller: Some(caller), arguments, value: Amount::ZERO, read_only: false };
    enter_optional(session, entry, code, gas_limit)
}

/// A call that is not checked yet.
struct Entry {
    contract: ContractId,
    export: String,
    caller: Option<Address>,
    arguments: Vec<u8>,
    value: Amount,
    read_only: bool,
}

impl Entry {
    fn as_entered(&self, gas_limit: u64) -> Entered<'_> {
        Entered {
            contract: self.contract,
            export: &self.export,
            caller: self.caller,
            value: self.value,
            arguments: &self.arguments,
            read_only: self.read_only,
            gas_limit,
        }
    }
}

/// Enters an export that a contract may leave out, if it then needs neither arguments nor value.
fn enter_optional(mut session: Box<Session>, entry: Entry, code: &Hash, gas_limit: u64) -> Step {
    if session.module(code)?.export(&entry.export).is_some() {
        return enter(session, entry, gas_limit);
    }
    let completed = if !entry.arguments.is_empty() {
        Completed::refused(Code::UnknownMethod)
    } else if entry.value != Amount::ZERO {
        Completed::refused(Code::NotPayable)
    } else {
        Completed::returned(Vec::new())
    };
    Ok((session, completed))
}

fn enter(mut session: Box<Session>, entry: Entry, gas_limit: u64) -> Step {
    if let Some(recorder) = &mut session.recorder {
        recorder.enter(&entry.as_entered(gas_limit));
    }
    let mark = session.mark();
    let (mut session, completed) = match admit(&mut session, entry, gas_limit)? {
        Ok(invocation) => run(session, invocation)?,
        Err(refused) => (session, refused),
    };
    if completed.result.is_err() {
        session.roll_back(mark);
    }
    if let Some(recorder) = &mut session.recorder {
        recorder.leave(&completed);
    }
    Ok((session, completed))
}

/// Checks the rules and moves the value.
fn admit(session: &mut Session, entry: Entry, gas_limit: u64) -> Result<Result<Invocation, Completed>, ExecuteError> {
    let Entry { contract, export, caller, arguments, value, read_only } = entry;
    if session.stack.len() >= CALL_DEPTH as usize {
        return Ok(Err(Completed::refused_because(Code::TooLarge, "calls between contracts nest too deep")));
    }
    let Some(record) = session.contract(contract)? else { return Ok(Err(Completed::refused(Code::NotFound))) };
    let module = session.module(&record.code)?;
    if module.export(&export).is_none() {
        let code = if export == RECEIVE { Code::NotPayable } else { Code::UnknownMethod };
        return Ok(Err(Completed::refused(code)));
    }
    if !read_only && session.stack.contains(&contract) && !module.is_reentrant(&export) {
        return Ok(Err(Completed::refused(Code::Reentrant)));
    }
    if value != Amount::ZERO {
        if !module.is_payable(&export) {
            return Ok(Err(Completed::refused(Code::NotPayable)));
        }
        // Only calls have value, and calls have callers.
        let Some(from) = caller else { return Ok(Err(Completed::refused(Code::NotPayable))) };
        if !session.move_value(from, Address::Contract(contract), value)? {
            return Ok(Err(Completed::refused(Code::InsufficientFunds)));
        }
    }
    Ok(Ok(Invocation { contract, module, export, caller, value, arguments, read_only, gas_limit }))
}
