//! A transaction: from state to effects.
//!
//! ```text
//! nonce used or too far ───────────────────────────────────► no-op, no receipt
//! expired; price too low; reservation not covered ─────────► dropped: the nonce is consumed, nothing is paid
//! reserve gas limit × maximum price from the payer
//! messages in order ── one fails ─► all of them undone ────► failure: the gas used is paid
//!                   └─ all succeed ────────────────────────► success: the gas used is paid
//! pay gas used × the header's price, return the rest
//! ```
//!
//! Invariants: a transaction is a function of state, block and body; the sum of all balances falls by exactly the
//! receipt's fee, which the engine credits once a block; a failed transaction changes nothing but the sender's nonce
//! and the payer's balance.

use rustorium_types::{
    block::{Failure, Outcome, Receipt},
    code::Code,
    id::{Address, Amount, Gas},
    state::NonceState,
};

use crate::{
    call::CallFailure,
    context::Transaction,
    effects::{Diagnostics, Effects, Execution, NoOp},
    error::ExecuteError,
    gas, message,
    session::Session,
    state::StateError,
    trace::Recorder,
};

/// What a transaction came to, and what was written down of it.
type Executed = (Execution, Option<Box<Recorder>>);

/// Executes a transaction in a session that nothing has used yet.
pub(crate) fn execute(mut session: Box<Session>, transaction: &Transaction) -> Result<Executed, ExecuteError> {
    let body = &transaction.body;
    let sender = Address::Account(body.sender);
    let mut account = session.account(sender)?;
    match account.nonces.state(body.nonce) {
        NonceState::Used => return Ok((Execution::NoOp(NoOp::NonceUsed), session.recorder)),
        NonceState::TooFar => return Ok((Execution::NoOp(NoOp::NonceTooFar), session.recorder)),
        NonceState::Unused => account.nonces.consume(body.nonce),
    };
    session.set_account(sender, &account);
    let reserved = match reserve(&mut session, transaction)? {
        Ok(reserved) => reserved,
        Err(code) => {
            let end = End { gas_used: 0, fee: Amount::ZERO, outcome: Outcome::Dropped { code } };
            return Ok(finish(*session, transaction, end, Diagnostics::default()));
        }
    };
    let mark = session.mark();
    let (mut session, gas_used, ran) = run_messages(session, transaction)?;
    let (outcome, diagnostics) = match ran {
        Ok(results) => (Outcome::Success { results }, Diagnostics::default()),
        Err((index, failure)) => {
            session.roll_back(mark);
            let diagnostics =
                Diagnostics { message: failure.message.clone(), function: failure.function.clone(), logs: Vec::new() };
            (Outcome::Failure(failure.at(index)), diagnostics)
        }
    };
    let fee = Gas(gas_used).cost(session.block.gas_price);
    // Never more than was reserved: neither the gas nor the price is above its limit.
    give_back(&mut session, transaction, reserved.saturating_sub(fee))?;
    Ok(finish(*session, transaction, End { gas_used, fee, outcome }, diagnostics))
}

/// Takes the most that the transaction can cost from its payer, or says why it is dropped.
fn reserve(session: &mut Session, transaction: &Transaction) -> Result<Result<Amount, Code>, StateError> {
    let body = &transaction.body;
    if body.valid_until.is_some_and(|last| last < session.block.time) {
        return Ok(Err(Code::Expired));
    }
    if body.max_gas_price < session.block.gas_price {
        return Ok(Err(Code::FeeUnpaid));
    }
    let most = transaction.gas_limit(&session.block.limits).cost(body.max_gas_price);
    let payer = Address::Account(body.payer());
    let mut account = session.account(payer)?;
    let Some(left) = account.balance.checked_sub(most) else { return Ok(Err(Code::FeeUnpaid)) };
    if most > Amount::ZERO {
        account.balance = left;
        session.set_account(payer, &account);
    }
    Ok(Ok(most))
}

fn give_back(session: &mut Session, transaction: &Transaction, amount: Amount) -> Result<(), StateError> {
    if amount == Amount::ZERO {
        return Ok(());
    }
    let payer = Address::Account(transaction.body.payer());
    let mut account = session.account(payer)?;
    // It was taken from here, so it fits.
    account.balance = Amount(account.balance.0.saturating_add(amount.0));
    session.set_account(payer, &account);
    Ok(())
}

/// The results of all messages, or the first that failed.
type RanMessages = Result<Vec<rustorium_types::block::MessageResult>, (usize, CallFailure)>;

fn run_messages(
    mut session: Box<Session>,
    transaction: &Transaction,
) -> Result<(Box<Session>, u64, RanMessages), ExecuteError> {
    let body = &transaction.body;
    let limit = transaction.gas_limit(&session.block.limits).0;
    let intrinsic =
        gas::TRANSACTION + gas::SIGNATURE * transaction.signatures() + gas::TRANSACTION_BYTE * transaction.bytes();
    if intrinsic > limit {
        return Ok((session, limit, Err((0, CallFailure::new(Code::OutOfGas)))));
    }
    if let Some(recorder) = &mut session.recorder {
        recorder.intrinsic(intrinsic);
    }
    let mut used = intrinsic;
    let mut results = Vec::with_capacity(body.messages.len());
    for (index, message) in body.messages.iter().enumerate() {
        let sender = Address::Account(body.sender);
        let (returned, done) = message::run(session, sender, message, limit - used)?;
        session = returned;
        if let Some(recorder) = &mut session.recorder {
            recorder.message(done.gas_used, done.result.as_ref().err());
        }
        used += done.gas_used;
        match done.result {
            Ok(result) => results.push(result),
            Err(failure) => return Ok((session, used, Err((index, failure)))),
        }
    }
    Ok((session, used, Ok(results)))
}

impl CallFailure {
    /// The failure of the message of an index.
    pub(crate) fn at(self, index: usize) -> Failure {
        Failure { code: self.code, message_index: index as u32, error: self.error, path: self.path }
    }
}

struct End {
    gas_used: u64,
    fee: Amount,
    outcome: Outcome,
}

fn finish(session: Session, transaction: &Transaction, end: End, diagnostics: Diagnostics) -> Executed {
    let body = &transaction.body;
    let receipt = Receipt {
        transaction: transaction.hash,
        sender: body.sender,
        nonce: body.nonce,
        gas_used: Gas(end.gas_used),
        fee: end.fee,
        paid_by: body.payer(),
        outcome: end.outcome,
    };
    let Session { overlay, events, logs, recorder, .. } = session;
    let (writes, reads) = overlay.finish();
    let diagnostics = Diagnostics { logs, ..diagnostics };
    (Execution::Done(Effects { writes, reads, receipt, events, diagnostics }), recorder)
}
