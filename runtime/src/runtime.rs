//! The handle that a node holds.

use std::{fmt, path::PathBuf, sync::Arc};

use rustorium_types::{
    abi::Abi,
    hash,
    id::{ContractId, Gas, Hash},
    limits,
};

use crate::{
    context::{BlockContext, Transaction},
    effects::{Execution, ViewOutcome},
    error::{EngineError, ExecuteError, RuntimeError},
    execute, host,
    module::{Directory, ModuleDisk, Modules},
    pool::{self, Turnstile},
    session::Session,
    stack,
    state::StateRead,
    trace::{Recorder, Trace, TraceLimits},
    validate::{InvalidModule, validate},
    view,
};

/// How a [`Runtime`] is set up. Nothing here changes what an execution comes to.
#[derive(Clone, Debug)]
pub struct RuntimeConfig {
    /// Where compiled modules are kept; nowhere if `None`, and each is compiled again by each process.
    pub cache_dir: Option<PathBuf>,
    /// Bytes of compiled modules in memory; those used longest ago leave first. Default 256 MiB.
    pub module_bytes: usize,
    /// Transactions and views that run at a time; others wait. Each has address space reserved for a whole call
    /// stack of instances, 128 GiB. Default 16.
    pub executions: u32,
    /// Whether compiled modules are optimized: slower to make, faster to run. Default true.
    pub optimize: bool,
}

impl Default for RuntimeConfig {
    fn default() -> Self {
        Self { cache_dir: None, module_bytes: 256 << 20, executions: 16, optimize: true }
    }
}

/// Executes transactions and views. Cheap to clone; clones share everything.
#[derive(Clone)]
pub struct Runtime {
    inner: Arc<Inner>,
}

struct Inner {
    modules: Arc<Modules>,
    turnstile: Turnstile,
}

/// What is known of code that nobody has stored yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CodeInfo {
    /// The hash that will name it.
    pub hash: Hash,
    /// Bytes of the code.
    pub bytes: usize,
    /// Pages of 64 KiB of memory that each instance starts with.
    pub memory_pages: u32,
    /// Its ABI, if it has one.
    pub abi: Option<Abi>,
    /// The functions that it exports.
    pub exports: Vec<String>,
}

impl Runtime {
    /// Sets the engine up. Takes some milliseconds.
    ///
    /// # Errors
    /// When there is no address space for the pool, or the directory cannot be made.
    pub fn new(config: RuntimeConfig) -> Result<Self, RuntimeError> {
        let disk = config.cache_dir.as_deref().map(|path| {
            Directory::open(path).map_err(|source| RuntimeError::CacheDir { path: path.to_owned(), source })
        });
        let disk = disk.transpose()?.map(|directory| Arc::new(directory) as Arc<dyn ModuleDisk>);
        Self::on(config, disk)
    }

    /// As [`Runtime::new`], with compiled modules on a disk of the caller's: a simulated one, for example.
    ///
    /// # Errors
    /// When there is no address space for the pool.
    pub fn new_on(config: RuntimeConfig, disk: Arc<dyn ModuleDisk>) -> Result<Self, RuntimeError> {
        Self::on(config, Some(disk))
    }

    fn on(config: RuntimeConfig, disk: Option<Arc<dyn ModuleDisk>>) -> Result<Self, RuntimeError> {
        let executions = config.executions.max(1);
        let engine = pool::engine(executions, config.optimize).map_err(RuntimeError::Engine)?;
        let linker = host::linker(&engine).map_err(|error| RuntimeError::Engine(EngineError::Wasmtime(error)))?;
        let modules = Arc::new(Modules::new(engine, linker, disk, config.module_bytes));
        Ok(Self { inner: Arc::new(Inner { modules, turnstile: Turnstile::new(executions) }) })
    }

    /// Executes a transaction over a state. The same state, block and transaction always have the same effects.
    ///
    /// Every clone of `state` is dropped when this returns. Call it on a thread from [`spawn`](crate::spawn).
    ///
    /// # Errors
    /// When state cannot be read or the machine cannot run it, which says nothing of the transaction.
    pub fn execute(
        &self,
        state: &Arc<dyn StateRead>,
        block: &BlockContext,
        transaction: &Transaction,
    ) -> Result<Execution, ExecuteError> {
        self.run(|| execute::execute(self.session(state, block), transaction)).map(|(execution, _)| execution)
    }

    /// Executes a transaction as [`Runtime::execute`] does, to the same outcome, and writes down what happens.
    ///
    /// # Errors
    /// As [`Runtime::execute`].
    pub fn trace(
        &self,
        state: &Arc<dyn StateRead>,
        block: &BlockContext,
        transaction: &Transaction,
        limits: TraceLimits,
    ) -> Result<(Execution, Trace), ExecuteError> {
        let (execution, recorder) = self.run(|| {
            let mut session = self.session(state, block);
            session.recorder = Some(Box::new(Recorder::new(limits)));
            execute::execute(session, transaction)
        })?;
        let recorder = recorder.ok_or(EngineError::Invariant("a session lost its recorder"))?;
        Ok((execution, recorder.finish()))
    }

    /// Runs a contract's view over a state: `args` are `borsh` of its arguments, the answer is `borsh` of what it
    /// returns. The block's height and time are what the view sees.
    ///
    /// Every clone of `state` is dropped when this returns. Call it on a thread from [`spawn`](crate::spawn).
    ///
    /// # Errors
    /// When state cannot be read, as where a witness does not cover it, or the machine cannot run it.
    pub fn view(
        &self,
        state: &Arc<dyn StateRead>,
        block: &BlockContext,
        contract: ContractId,
        view: &str,
        args: &[u8],
        gas_limit: Gas,
    ) -> Result<ViewOutcome, ExecuteError> {
        self.run(|| view::view(self.session(state, block), contract, view, args, gas_limit))
    }

    /// Checks code as storing it would, without storing it.
    ///
    /// # Errors
    /// Why it would be refused.
    pub fn inspect(&self, wasm: &[u8]) -> Result<CodeInfo, InvalidModule> {
        let validated = validate(wasm, limits::CODE_BYTES)?;
        Ok(CodeInfo {
            hash: hash::code_hash(wasm),
            bytes: wasm.len(),
            memory_pages: validated.facts.memory_pages,
            abi: validated.abi,
            exports: validated.functions,
        })
    }

    /// Checks and compiles code, so that it may be put into state: a chain for development may do so by command.
    ///
    /// # Errors
    /// When the machine cannot compile; the inner error is why the code is refused.
    pub fn prepare(&self, wasm: &[u8]) -> Result<Result<Hash, InvalidModule>, ExecuteError> {
        let hash = hash::code_hash(wasm);
        let validated = match validate(wasm, limits::CODE_BYTES) {
            Ok(validated) => validated,
            Err(refused) => return Ok(Err(refused)),
        };
        Ok(self.inner.modules.prepare(&hash, wasm, &validated)?.map(|()| hash))
    }

    fn session(&self, state: &Arc<dyn StateRead>, block: &BlockContext) -> Box<Session> {
        Session::new(self.inner.modules.clone(), state.clone(), block.clone())
    }

    fn run<T: Send>(&self, run: impl FnOnce() -> Result<T, ExecuteError> + Send) -> Result<T, ExecuteError> {
        let _turn = self.inner.turnstile.enter();
        stack::on_deep_stack(run)?
    }
}

impl fmt::Debug for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runtime").finish_non_exhaustive()
    }
}
