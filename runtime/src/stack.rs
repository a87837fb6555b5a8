//! Threads whose stack is deep enough for contracts that call contracts.
//!
//! A nested call runs on the native stack of its caller's host function, so the deepest stack is
//!
//! ```text
//! CALL_DEPTH × ( native frames of one instance │ the host's frames between two instances )
//!                  ≤ STACK_UNITS × STACK_UNIT_BYTES, by the counter in the module
//!                  ≤ NATIVE_FRAME_BYTES, by the engine, should a frame be larger than its bound
//! ```
//!
//! which only address space is reserved for: pages are used once they are touched. Invariant: no contract's code
//! runs on a smaller stack, so a native overflow cannot happen.

use std::{cell::Cell, io, thread};

use rustorium_types::limits::CALL_DEPTH;

use crate::{
    error::EngineError,
    validate::{STACK_UNIT_BYTES, STACK_UNITS},
};

/// Native stack that one instance may use: twice what the counter allows, so that the counter always comes first.
pub(crate) const NATIVE_FRAME_BYTES: usize = 2 * (STACK_UNITS * STACK_UNIT_BYTES) as usize;
/// Native stack of the host's functions between two instances; unoptimised ones use some tens of KiB.
const HOST_BYTES: usize = 256 << 10;
/// Native stack of a thread that executes.
const THREAD_BYTES: usize = (CALL_DEPTH as usize + 1) * (NATIVE_FRAME_BYTES + HOST_BYTES);

thread_local! {
    static IS_DEEP: Cell<bool> = const { Cell::new(false) };
}

/// Starts a thread on which [`Runtime::execute`](crate::Runtime::execute) and [`Runtime::view`](crate::Runtime::view)
/// run at full speed. On any other thread they start one for each call, which takes some tens of microseconds.
///
/// # Errors
/// When the operating system cannot start a thread, or has no address space of 265 MiB for its stack.
pub fn spawn<T: Send + 'static>(
    name: &str,
    run: impl FnOnce() -> T + Send + 'static,
) -> io::Result<thread::JoinHandle<T>> {
    thread::Builder::new().name(name.to_owned()).stack_size(THREAD_BYTES).spawn(move || {
        IS_DEEP.set(true);
        run()
    })
}

/// Runs on this thread if its stack is deep enough, else on a new one.
pub(crate) fn on_deep_stack<T: Send>(run: impl FnOnce() -> T + Send) -> Result<T, EngineError> {
    if IS_DEEP.get() {
        return Ok(run());
    }
    thread::scope(|scope| {
        let thread = thread::Builder::new().stack_size(THREAD_BYTES).spawn_scoped(scope, || {
            IS_DEEP.set(true);
            run()
        });
        match thread.map_err(EngineError::Thread)?.join() {
            Ok(value) => Ok(value),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}
