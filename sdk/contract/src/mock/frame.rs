//! Running a method: its frame on the stack, and the end of it.
//!
//! A contract that fails or traps unwinds to its frame, silently where the host unwinds it ([`end`]); the
//! frame takes back what was changed since it began. In a test's own call the frame learns which method it
//! runs only when the method begins ([`entered`]), because the test calls it as a Rust method.

use core::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use rustorium_types::{
    abi::MethodKind,
    block::TypedError,
    code::Code,
    host::CallError,
    id::{Address, Amount, ContractId},
    limits,
};

use super::{
    Failure,
    state::{self, Mark, State},
};

/// A method on the stack.
pub(super) struct Frame {
    pub(super) contract: ContractId,
    pub(super) caller: Option<Address>,
    pub(super) kind: MethodKind,
    pub(super) value: Amount,
    pub(super) arguments: Vec<u8>,
    pub(super) returned: Vec<u8>,
    /// No changes here: a view, or below one.
    pub(super) read_only: bool,
    /// Which method, once it is known: the kind that it is marked as, and its name.
    pub(super) method: Option<(MethodKind, String)>,
    pub(super) mark: Mark,
}

impl Frame {
    /// A frame that a test calls; the method is not known yet.
    pub(super) fn new(contract: ContractId, caller: Option<Address>, kind: MethodKind, value: Amount) -> Self {
        Self {
            contract,
            caller,
            kind,
            value,
            arguments: Vec::new(),
            returned: Vec::new(),
            read_only: kind == MethodKind::View,
            method: None,
            mark: Mark::default(),
        }
    }

    /// A frame of a known method.
    pub(super) fn with_arguments(self, arguments: &[u8]) -> Self {
        Self { arguments: arguments.to_vec(), method: Some((self.kind, String::new())), ..self }
    }
}

/// How a frame ended otherwise than by returning.
pub(super) enum Ended {
    /// With an error of the contract's own.
    Fail(TypedError),
    /// By the host, which says why.
    Trap(Code, String),
    /// With a panic of Rust's, whose message is printed already.
    Panic(Box<dyn Any + Send>),
}

impl Ended {
    fn of(payload: Box<dyn Any + Send>) -> Self {
        payload.downcast::<Self>().map_or_else(Self::Panic, |ended| *ended)
    }

    /// Lets the test panic with it.
    #[track_caller]
    pub(super) fn unwind(self) -> ! {
        match self {
            Self::Panic(payload) => resume_unwind(payload),
            other => {
                let Failure { code, message } = other.into_failure();
                panic!("{code}: {message}")
            }
        }
    }

    pub(super) fn into_failure(self) -> Failure {
        let (code, message) = match self {
            Self::Fail(error) => (Code::ContractError, error.name),
            Self::Trap(code, message) => (code, message),
            Self::Panic(payload) => {
                let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
                (Code::Trap, text.or_else(|| payload.downcast::<String>().ok().map(|text| *text)).unwrap_or_default())
            }
        };
        Failure { code, message }
    }

    pub(super) fn into_call_error(self) -> CallError {
        match self {
            Self::Fail(error) => CallError { code: Code::ContractError, error: Some(error) },
            other => CallError { code: other.into_failure().code, error: None },
        }
    }
}

/// Ends the running frame.
pub(super) fn end(ended: Ended) -> ! {
    resume_unwind(Box::new(ended))
}

/// Runs a body in a frame; what it changed stays only if it succeeds. Answers the frame for what it returned.
pub(super) fn run<R>(frame: Frame, body: impl FnOnce() -> R, is_success: fn(&R) -> bool) -> Result<(R, Frame), Ended> {
    state::with(|state| state.enter(frame)).map_err(|code| Ended::Trap(code, "the call was refused".into()))?;
    let result = catch_unwind(AssertUnwindSafe(body));
    let frame = state::with(|state| state.leave(result.as_ref().is_ok_and(is_success)));
    match (result, frame) {
        (Ok(value), Some(frame)) => Ok((value, frame)),
        (Err(payload), _) => Err(Ended::of(payload)),
        (Ok(_), None) => Err(Ended::Trap(Code::Internal, "the mock lost a frame".into())),
    }
}

impl State {
    fn enter(&mut self, mut frame: Frame) -> Result<(), Code> {
        if self.frames.len() >= limits::CALL_DEPTH as usize {
            return Err(Code::TooLarge);
        }
        frame.mark = self.mark();
        frame.read_only |= self.frames.last().is_some_and(|below| below.read_only);
        if let Some(caller) = frame.caller
            && frame.value > Amount::ZERO
        {
            let moved = self.move_value(caller, frame.contract.into(), frame.value);
            if moved.is_err() {
                self.undo(frame.mark);
            }
            moved?;
        }
        self.frames.push(frame);
        Ok(())
    }

    fn leave(&mut self, success: bool) -> Option<Frame> {
        let frame = self.frames.pop()?;
        self.note(&frame, success);
        if !success {
            self.undo(frame.mark);
        }
        Some(frame)
    }
}

/// What `#[contract]` puts at the start of every method: a test's call of a Rust method becomes known to the
/// frame with its arguments, and must keep the host's rules. A method that another one calls as a function
/// changes nothing.
#[doc(hidden)]
pub fn entered(kind: MethodKind, method: &str, payable: bool, arguments: &dyn Fn(&mut Vec<u8>)) {
    let mut refused = None;
    state::try_with(|state| {
        let Some(frame) = state.frames.last_mut().filter(|frame| frame.method.is_none()) else { return };
        frame.method = Some((kind, method.to_owned()));
        arguments(&mut frame.arguments);
        let once = |kind| matches!(kind, MethodKind::Init | MethodKind::Migrate | MethodKind::Receive);
        if kind != frame.kind && (once(kind) || frame.kind == MethodKind::Init) {
            refused =
                Some((Code::UnknownMethod, "runs at its occasion alone: `Mock::deploy`, `upgrade` or `transfer`"));
        } else if frame.value > Amount::ZERO && !payable {
            refused = Some((Code::NotPayable, "takes no value: mark it `payable`"));
        }
    });
    if let Some((code, why)) = refused {
        end(Ended::Trap(code, format!("`{method}`: {why}")));
    }
}

/// The method that an export would run.
pub(super) fn checked_method(
    state: &State,
    contract: ContractId,
    kind: MethodKind,
    name: &str,
    value: Amount,
) -> Result<fn(), Code> {
    let program = state.program(contract).ok_or(Code::NotFound)?;
    let missing = if kind == MethodKind::Receive { Code::NotPayable } else { Code::UnknownMethod };
    let method = program.method(kind, name).ok_or(missing)?;
    let function = (program.function)(kind, name).ok_or(missing)?;
    let on_stack = state.frames.iter().any(|frame| frame.contract == contract);
    if on_stack && kind != MethodKind::View && !method.reentrant {
        return Err(Code::Reentrant);
    }
    if value > Amount::ZERO && !method.payable {
        return Err(Code::NotPayable);
    }
    Ok(function)
}
