//! Views from outside: a contract's view over a state, with the header's height and time, no caller and no value.
//!
//! A node answers with the value; a verifier runs the same over a witness alone and compares.

use rustorium_types::{
    code::Code,
    id::{ContractId, Gas},
    limits::ARGUMENT_BYTES,
};

use crate::{
    call::{self, Completed},
    effects::{Diagnostics, ViewOutcome},
    error::ExecuteError,
    session::Session,
};

/// Runs a view in a session that nothing has used yet.
pub(crate) fn view(
    session: Box<Session>,
    contract: ContractId,
    view: &str,
    args: &[u8],
    gas_limit: Gas,
) -> Result<ViewOutcome, ExecuteError> {
    let (session, completed) = if args.len() > ARGUMENT_BYTES {
        (session, Completed::refused_because(Code::TooLarge, "the arguments are too long"))
    } else {
        call::query(session, None, contract, view, args.to_vec(), gas_limit.0)?
    };
    let Session { overlay, logs, .. } = *session;
    let (_, reads) = overlay.finish();
    let mut diagnostics = Diagnostics { logs, ..Diagnostics::default() };
    let result = completed.result.map_err(|failure| {
        diagnostics.message = failure.message.clone();
        diagnostics.function = failure.function.clone();
        failure.at(0)
    });
    Ok(ViewOutcome { result, gas_used: Gas(completed.gas_used), reads, diagnostics })
}
