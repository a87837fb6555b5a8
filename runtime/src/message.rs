//! What each message of a transaction does, and costs beside what its contracts use.

use bytes::Bytes;
use rustorium_types::{
    block::MessageResult,
    code::Code,
    hash,
    id::{Address, ContractId, Hash},
    state::ContractRecord,
    transaction::Message,
    validators::{Electorate, ValidatorChange, ValidatorSignature},
};

use crate::{
    call::{self, CallFailure, Completed, Instantiation, Step},
    context::BlockContext,
    error::ExecuteError,
    gas,
    session::Session,
    state::StateKey,
    validate::{InvalidModule, Validated, validate},
};

/// What a message came to. Of a failed one the caller undoes whatever it left.
pub(crate) struct Done {
    /// Gas used.
    pub(crate) gas_used: u64,
    /// Its part of the receipt.
    pub(crate) result: Result<MessageResult, CallFailure>,
}

type Ran = Result<(Box<Session>, Done), ExecuteError>;

/// Runs a message with so much gas.
pub(crate) fn run(session: Box<Session>, sender: Address, message: &Message, gas_limit: u64) -> Ran {
    match message {
        Message::Transfer { to, amount } => charged(session, gas::TRANSFER, gas_limit, |session, gas| {
            let (session, completed) = call::transfer(session, sender, *to, *amount, gas)?;
            Ok((session, completed.done(|returned| MessageResult::Transfer { returned })))
        }),
        Message::StoreCode { wasm } => store_code(session, wasm, gas_limit),
        Message::Instantiate { code, salt, admin, label, args, value } => {
            let new = Instantiation {
                creator: sender,
                code: *code,
                salt: *salt,
                admin: *admin,
                label: label.clone(),
                arguments: args.clone(),
                value: *value,
            };
            let contract = hash::contract_id(sender, salt);
            charged(session, gas::INSTANTIATE, gas_limit, |session, gas| {
                let (session, completed) = call::instantiate(session, new, gas)?;
                Ok((
                    session,
                    completed.done(|mut returned| MessageResult::Instantiate {
                        contract,
                        // The address comes first.
                        returned: returned.split_off(Address::LEN.min(returned.len())),
                    }),
                ))
            })
        }
        Message::Call { contract, method, args, value } => charged(session, gas::CALL, gas_limit, |session, gas| {
            let (session, completed) = call::call(session, sender, *contract, method, args.clone(), *value, gas)?;
            Ok((session, completed.done(|returned| MessageResult::Call { returned })))
        }),
        Message::Upgrade { contract, code, args } => charged(session, gas::UPGRADE, gas_limit, |session, gas| {
            let (session, completed) = upgrade(session, sender, *contract, *code, args.clone(), gas)?;
            Ok((session, completed.done(|returned| MessageResult::Upgrade { returned })))
        }),
        Message::SetAdmin { contract, admin } => charged(session, gas::SET_ADMIN, gas_limit, |mut session, _| {
            let completed = match administered(&mut session, sender, *contract)? {
                Ok(record) => {
                    session.set_contract(*contract, &ContractRecord { admin: *admin, ..record });
                    Completed::returned(Vec::new())
                }
                Err(refused) => refused,
            };
            Ok((session, completed.done(|_| MessageResult::SetAdmin)))
        }),
        Message::SetValidators { change, signatures } => {
            let price = gas::set_validators(change.validators.len(), signatures.len());
            charged(session, price, gas_limit, |session, _| set_validators(session, change, signatures))
        }
    }
}

impl Done {
    fn refused(code: Code, reason: &impl ToString) -> Self {
        let message = Some(reason.to_string());
        Self { gas_used: 0, result: Err(CallFailure { message, ..CallFailure::new(code) }) }
    }
}

impl Completed {
    fn done(self, result: impl FnOnce(Vec<u8>) -> MessageResult) -> Done {
        Done { gas_used: self.gas_used, result: self.result.map(result) }
    }
}

/// Charges a price, then does the rest with what is left.
fn charged(session: Box<Session>, price: u64, gas_limit: u64, rest: impl FnOnce(Box<Session>, u64) -> Ran) -> Ran {
    let Some(gas) = gas_limit.checked_sub(price) else {
        return Ok((session, Done { gas_used: gas_limit, result: Err(CallFailure::new(Code::OutOfGas)) }));
    };
    let (session, done) = rest(session, gas)?;
    Ok((session, Done { gas_used: price + done.gas_used, ..done }))
}

fn store_code(mut session: Box<Session>, wasm: &[u8], gas_limit: u64) -> Ran {
    let limit = session.block.limits.code_bytes;
    if wasm.len() > limit as usize {
        let refused = InvalidModule::TooLarge { bytes: wasm.len(), limit };
        return Ok((session, Done::refused(Code::TooLarge, &refused)));
    }
    let code = hash::code_hash(wasm);
    let known = session.has_code(&code)?;
    let per_byte = if known { gas::KNOWN_CODE_BYTE } else { gas::NEW_CODE_BYTE };
    charged(session, gas::STORE_CODE + per_byte * wasm.len() as u64, gas_limit, |session, gas| {
        if known {
            return Ok((session, Done { gas_used: 0, result: Ok(MessageResult::StoreCode { code }) }));
        }
        match validate(wasm, limit) {
            Ok(validated) => charged(session, gas::compile(&validated.work, wasm.len()), gas, |session, _| {
                compile_and_store(session, code, wasm, &validated)
            }),
            Err(refused) => Ok((session, Done::refused(Code::InvalidModule, &refused))),
        }
    })
}

fn compile_and_store(mut session: Box<Session>, code: Hash, wasm: &[u8], validated: &Validated) -> Ran {
    if let Err(refused) = session.modules.prepare(&code, wasm, validated)? {
        return Ok((session, Done::refused(Code::InvalidModule, &refused)));
    }
    session.overlay.set(StateKey::code(&code), Some(Bytes::copy_from_slice(wasm)));
    Ok((session, Done { gas_used: 0, result: Ok(MessageResult::StoreCode { code }) }))
}

/// Writes down who is to validate next, if the validators of the block's epoch decided so.
fn set_validators(mut session: Box<Session>, change: &ValidatorChange, signatures: &[ValidatorSignature]) -> Ran {
    let changes = session.validator_change()?.map_or(0, |newest| newest.number);
    let BlockContext { genesis, epoch, validators, .. } = &session.block;
    let electorate = Electorate { chain: genesis, epoch: *epoch, changes, validators };
    if let Err(refused) = change.check(&electorate, signatures) {
        return Ok((session, Done::refused(refused.code(), &refused)));
    }
    session.set_validator_change(change);
    Ok((session, Done { gas_used: 0, result: Ok(MessageResult::SetValidators) }))
}

/// The record of a contract, if this is its admin.
fn administered(
    session: &mut Session,
    sender: Address,
    contract: ContractId,
) -> Result<Result<ContractRecord, Completed>, ExecuteError> {
    Ok(match session.contract(contract)? {
        None => Err(Completed::refused(Code::NotFound)),
        Some(record) if record.admin == Some(sender) => Ok(record),
        Some(_) => Err(Completed::refused_because(Code::Forbidden, "only the contract's admin may do this")),
    })
}

fn upgrade(
    mut session: Box<Session>,
    sender: Address,
    contract: ContractId,
    code: Hash,
    arguments: Vec<u8>,
    gas_limit: u64,
) -> Step {
    let record = match administered(&mut session, sender, contract)? {
        Ok(record) => record,
        Err(refused) => return Ok((session, refused)),
    };
    if !session.has_code(&code)? {
        return Ok((session, Completed::refused_because(Code::NotFound, "the code is not stored")));
    }
    session.set_contract(contract, &ContractRecord { code, ..record });
    call::migrate(session, sender, contract, &code, arguments, gas_limit)
}
