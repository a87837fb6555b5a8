//! Frames: a contract's export run once, in an instance of its own.
//!
//! ```text
//! message ─► operations (what may be called, value, rollback) ─► run ─► instance ─► host functions
//!                 ▲                                                                       │
//!                 └──────────────── a contract that calls another ◄───────────────────────┘
//! ```
//!
//! Gas of a frame: the price of the instance, then fuel. A contract's own error uses what was used until then; a
//! trap and running out use the whole limit, because fuel is not exact at a trap.
//!
//! Invariant: an [`ExecuteError`] passes through every frame and is never turned into an outcome; everything else
//! that happens in a contract is an outcome, the same on every machine.

use std::{borrow::Cow, fmt, sync::Arc};

use rustorium_types::{
    block::{self, TypedError},
    code::Code,
    id::{Address, Amount, ContractId, Gas},
    limits::MEMORY_BYTES,
};
use wasmtime::{AsContextMut, Extern, Instance, Memory, ResourceLimiter, Store, Val};

use crate::{
    error::{EngineError, ExecuteError},
    gas,
    instrument::EXHAUSTED,
    module::Module,
    session::Session,
    state::StateError,
    validate::PAGE_BYTES,
};

mod ending;
mod operations;

use ending::Ending;
pub(crate) use operations::{Instantiation, call, instantiate, migrate, query, transfer};

/// What to run.
pub(crate) struct Invocation {
    /// Of which contract.
    pub(crate) contract: ContractId,
    /// Its code.
    pub(crate) module: Arc<Module>,
    /// The export's full name.
    pub(crate) export: String,
    /// Who called.
    pub(crate) caller: Option<Address>,
    /// What came with the call.
    pub(crate) value: Amount,
    /// `borsh` of the arguments.
    pub(crate) arguments: Vec<u8>,
    /// A view, or called from one.
    pub(crate) read_only: bool,
    /// The most gas that it may use.
    pub(crate) gas_limit: u64,
}

/// What a call came to.
pub(crate) struct Completed {
    /// Gas used by it and all that it called.
    pub(crate) gas_used: u64,
    /// What it returned, or why it failed. Of a failed call all effects are undone.
    pub(crate) result: Result<Vec<u8>, CallFailure>,
}

/// Why a call failed.
#[derive(Debug)]
pub(crate) struct CallFailure {
    /// The code.
    pub(crate) code: Code,
    /// The contract's own error.
    pub(crate) error: Option<TypedError>,
    /// The frames from the called contract to the one that failed.
    pub(crate) path: Vec<block::Frame>,
    /// For people.
    pub(crate) message: Option<String>,
    /// The function that trapped.
    pub(crate) function: Option<String>,
}

/// The session handed back, and what the call came to.
pub(crate) type Step = Result<(Box<Session>, Completed), ExecuteError>;

impl Completed {
    /// A call that was refused before anything ran.
    pub(crate) fn refused(code: Code) -> Self {
        Self { gas_used: 0, result: Err(CallFailure::new(code)) }
    }

    /// As [`Self::refused`], with a word to people.
    pub(crate) fn refused_because(code: Code, message: &str) -> Self {
        Self { gas_used: 0, result: Err(CallFailure { message: Some(message.to_owned()), ..CallFailure::new(code) }) }
    }

    /// Gas that a contract which called pays: failing costs more, unless nothing ran.
    pub(crate) const fn price(&self) -> u64 {
        let caught = if self.result.is_err() && self.gas_used > 0 { gas::CATCH } else { 0 };
        self.gas_used.saturating_add(caught)
    }

    /// A call that returned, having used no gas.
    pub(crate) fn returned(data: Vec<u8>) -> Self {
        Self { gas_used: 0, result: Ok(data) }
    }
}

impl CallFailure {
    /// A failure of a code, and no more.
    pub(crate) fn new(code: Code) -> Self {
        Self { code, error: None, path: Vec::new(), message: None, function: None }
    }
}

/// Why a host function ended its frame.
#[derive(Debug)]
pub(crate) enum Abort {
    /// The contract's own error.
    Error(TypedError),
    /// A trap: `TRAP`, or `TOO_LARGE` where a limit was exceeded.
    Trap {
        /// The code.
        code: Code,
        /// For people.
        message: Cow<'static, str>,
    },
    /// The gas is used up.
    OutOfGas,
    /// Not the contract's doing.
    Fatal(ExecuteError),
}

impl Abort {
    /// A trap that says why.
    pub(crate) fn trap(message: impl Into<Cow<'static, str>>) -> Self {
        Self::Trap { code: Code::Trap, message: message.into() }
    }

    /// A trap because something is over a limit.
    pub(crate) fn too_large(message: impl Into<Cow<'static, str>>) -> Self {
        Self::Trap { code: Code::TooLarge, message: message.into() }
    }
}

impl fmt::Display for Abort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a host function ended the call")
    }
}

impl std::error::Error for Abort {}

impl From<ExecuteError> for Abort {
    fn from(error: ExecuteError) -> Self {
        Self::Fatal(error)
    }
}

impl From<EngineError> for Abort {
    fn from(error: EngineError) -> Self {
        Self::Fatal(error.into())
    }
}

impl From<StateError> for Abort {
    fn from(error: StateError) -> Self {
        Self::Fatal(error.into())
    }
}

/// What a store holds: one frame.
pub(crate) struct Frame {
    /// Everything that frames share; away while a callee runs.
    pub(crate) session: Option<Box<Session>>,
    /// Whose code runs.
    pub(crate) contract: ContractId,
    /// Who called.
    pub(crate) caller: Option<Address>,
    /// What came with the call.
    pub(crate) value: Amount,
    /// `borsh` of the arguments.
    pub(crate) arguments: Vec<u8>,
    /// A view, or called from one.
    pub(crate) read_only: bool,
    /// What it returns.
    pub(crate) returned: Vec<u8>,
    /// The whole last result of variable length, for `rest`.
    pub(crate) last: Vec<u8>,
    /// The callee that failed just now: what a failure that follows is put down to.
    pub(crate) failed_callee: Option<CallFailure>,
    /// The instance's memory, once there is an instance.
    pub(crate) memory: Option<Memory>,
    /// Gas at the last moment that it was known exactly; at most as much is left.
    pub(crate) gas: u64,
    /// The price of growing memory since then.
    pub(crate) pages_gas: u64,
    /// Somebody wants to see what it does.
    pub(crate) is_traced: bool,
}

impl ResourceLimiter for Frame {
    fn memory_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        if desired > MEMORY_BYTES as usize || maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        // The first pages are in the price of the instance.
        if self.memory.is_some() {
            let pages = |bytes: usize| (bytes / PAGE_BYTES as usize) as u32;
            self.pages_gas += gas::GROWTH + gas::pages(pages(current), pages(desired));
            if self.pages_gas > self.gas {
                return Err(wasmtime::Error::new(Abort::OutOfGas));
            }
        }
        Ok(true)
    }

    fn memory_grow_failed(&mut self, error: wasmtime::Error) -> wasmtime::Result<()> {
        // What the rules allow and the machine refuses must not become a −1 that other machines do not see.
        match error.downcast_ref::<std::io::Error>() {
            Some(_) => Err(wasmtime::Error::new(Abort::from(EngineError::Wasmtime(error)))),
            None => Ok(()),
        }
    }

    fn table_growing(&mut self, _: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        // Accepted modules cannot grow tables; this is asked for the first elements.
        Ok(desired <= crate::validate::TABLE_ELEMENTS as usize)
    }
}

/// Runs an export. Effects of a failed one are still there: [`operations`] undoes them together with what it did
/// before.
pub(crate) fn run(mut session: Box<Session>, invocation: Invocation) -> Step {
    let Invocation { contract, module, export, caller, value, arguments, read_only, gas_limit } = invocation;
    let frame_of = |gas_used| block::Frame { contract, export: export.clone(), gas_used: Gas(gas_used) };
    let Some(gas) = gas_limit.checked_sub(module.enter_gas) else {
        let failure = CallFailure { path: vec![frame_of(gas_limit)], ..CallFailure::new(Code::OutOfGas) };
        return Ok((session, Completed { gas_used: gas_limit, result: Err(failure) }));
    };
    session.stack.push(contract);
    let is_traced = session.recorder.is_some();
    let engine = session.modules.engine().clone();
    let mut store = Store::new(
        &engine,
        Frame {
            session: Some(session),
            contract,
            caller,
            value,
            arguments,
            read_only,
            returned: Vec::new(),
            last: Vec::new(),
            failed_callee: None,
            memory: None,
            gas,
            pages_gas: 0,
            is_traced,
        },
    );
    store.limiter(|frame| frame);
    let instance = instantiate_in(&mut store, &module, gas)?;
    let called = enter(&mut store, &instance, &module, &export)?;
    let ended = match called {
        Ok(()) => settle_pages(&mut store)?,
        Err(error) => Err(Ending::of(error, stack_is_exhausted(&mut store, &instance, &module))?),
    };
    let left = match &ended {
        Ok(()) | Err(Ending { abort: Abort::Error(_), .. }) => store.get_fuel().map_err(EngineError::from)?,
        Err(_) => 0,
    };
    let frame = store.into_data();
    let mut session = frame.session.ok_or(EngineError::Invariant("a callee kept the session"))?;
    session.stack.pop();
    let gas_used = gas_limit.saturating_sub(left);
    let result = match ended {
        Ok(()) => Ok(frame.returned),
        Err(ending) => Err(ending.failure(frame_of(gas_used), frame.failed_callee)?),
    };
    Ok((session, Completed { gas_used, result }))
}

fn instantiate_in(store: &mut Store<Frame>, module: &Module, gas: u64) -> Result<Instance, EngineError> {
    store.set_fuel(gas)?;
    let instance = module.instance.instantiate(&mut *store)?;
    let memory = instance.get_module_export(&mut *store, &module.memory).and_then(Extern::into_memory);
    store.data_mut().memory = Some(memory.ok_or(EngineError::Invariant("an instance has no memory"))?);
    Ok(instance)
}

/// Calls the export; the inner result is what happened in it.
fn enter(
    store: &mut Store<Frame>,
    instance: &Instance,
    module: &Module,
    export: &str,
) -> Result<Result<(), wasmtime::Error>, EngineError> {
    let missing = || EngineError::Invariant("an export that was looked up is not there");
    let index = module.export(export).ok_or_else(missing)?;
    let function = instance.get_module_export(&mut *store, index).and_then(Extern::into_func).ok_or_else(missing)?;
    let function = function.typed::<(), ()>(&mut *store)?;
    Ok(function.call(store, ()))
}

/// Charges pages that were added since the last host call.
fn settle_pages(store: &mut Store<Frame>) -> Result<Result<(), Ending>, EngineError> {
    let pages_gas = std::mem::take(&mut store.data_mut().pages_gas);
    if pages_gas == 0 {
        return Ok(Ok(()));
    }
    match store.get_fuel()?.checked_sub(pages_gas) {
        Some(left) => {
            store.set_fuel(left)?;
            Ok(Ok(()))
        }
        None => Ok(Err(Ending { abort: Abort::OutOfGas, function: None })),
    }
}

fn stack_is_exhausted(store: &mut impl AsContextMut<Data = Frame>, instance: &Instance, module: &Module) -> bool {
    let counter = instance.get_module_export(&mut *store, &module.stack).and_then(Extern::into_global);
    counter.is_some_and(|counter| matches!(counter.get(&mut *store), Val::I32(EXHAUSTED)))
}
