//! How a frame ends before its time: what an engine's error means, and the failure that comes of it.

use std::borrow::Cow;

use rustorium_types::{block, code::Code};
use wasmtime::{Trap, WasmBacktrace};

use super::{Abort, CallFailure};
use crate::{
    error::{EngineError, ExecuteError},
    validate::shown,
};

/// How a frame ended before its time.
pub(super) struct Ending {
    /// Why.
    pub(super) abort: Abort,
    /// The function that it was in.
    pub(super) function: Option<String>,
}

impl Ending {
    /// What wasmtime's error means.
    pub(super) fn of(error: wasmtime::Error, stack_exhausted: bool) -> Result<Self, ExecuteError> {
        let function = error.downcast_ref::<WasmBacktrace>().and_then(trapped_function);
        let abort = match error.downcast_ref::<Trap>() {
            Some(Trap::OutOfFuel) => Abort::OutOfGas,
            Some(Trap::UnreachableCodeReached) if stack_exhausted => {
                Abort::trap("the stack is exhausted: functions call each other too deep")
            }
            Some(trap) => {
                if *trap == Trap::StackOverflow {
                    // The counter allows half of this. Should it ever happen, the bound on frames is wrong.
                    tracing::error!(?function, "native stack overflow before the stack counter's limit");
                }
                let text = trap.to_string();
                Abort::trap(text.strip_prefix("wasm trap: ").unwrap_or(&text).to_owned())
            }
            None => match error.downcast::<Abort>() {
                Ok(abort) => abort,
                Err(error) => return Err(EngineError::Wasmtime(error).into()),
            },
        };
        match abort {
            Abort::Fatal(error) => Err(error),
            abort => Ok(Self { abort, function }),
        }
    }

    /// The failure of the frame. One that follows a callee's has the callee's path behind its own frame, so that
    /// whoever reads it sees the cause.
    pub(super) fn failure(self, frame: block::Frame, callee: Option<CallFailure>) -> Result<CallFailure, ExecuteError> {
        let (code, error, message) = match self.abort {
            Abort::Error(error) => (Code::ContractError, Some(error), None),
            Abort::Trap { code, message } => (code, None, Some(message.into_owned())),
            Abort::OutOfGas => (Code::OutOfGas, None, None),
            Abort::Fatal(error) => return Err(error),
        };
        let is_trap = error.is_none();
        let mut failure = CallFailure {
            code,
            error,
            path: vec![frame],
            message,
            function: if is_trap { self.function } else { None },
        };
        if let Some(callee) = callee {
            failure.path.extend(callee.path);
            failure.message = failure.message.or(callee.message);
            failure.function = failure.function.or(callee.function);
        }
        Ok(failure)
    }
}

/// The innermost function that is the contract's own, past the machinery of panics and the SDK.
fn trapped_function(backtrace: &WasmBacktrace) -> Option<String> {
    const MACHINERY: [&str; 8] =
        ["core::", "alloc::", "std::", "rust_", "__rust", "rustorium_sdk::", "<core::", "<alloc::"];
    let names: Vec<Cow<'_, str>> = backtrace
        .frames()
        .iter()
        .map(|frame| match frame.func_name() {
            Some(name) => Cow::Borrowed(name),
            None => Cow::Owned(format!("function {}", frame.func_index())),
        })
        .collect();
    let own = names.iter().find(|name| !MACHINERY.iter().any(|machinery| name.starts_with(machinery)));
    own.or(names.first()).map(|name| shown(name))
}
