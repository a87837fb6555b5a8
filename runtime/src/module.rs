//! Modules ready to be instantiated: compiled when code is stored, kept in memory and on disk.
//!
//! ```text
//! code in state ─ validate ─ instrument ─ compile ─► Module ─► disk
//!                                                      │        │
//!                            memory, least recently ◄──┴────────┘
//!                            used out first
//! ```
//!
//! Invariant: neither cache shows. What a call does, costs and reads is the same whether its module was in memory,
//! on disk or compiled just now; a code is only run because a record in state names it.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
};

use rustorium_types::{
    hash,
    host::{CALL_PREFIX, INIT, MEMORY, RECEIVE},
    id::Hash,
};
use wasmtime::{Engine, InstancePre, Linker, ModuleExport};

use crate::{
    call::Frame,
    error::{EngineError, ExecuteError},
    gas,
    instrument::{self, STACK_EXPORT},
    state::{Damage, StateError},
    validate::{Facts, InvalidModule, PAYABLE_PREFIX, REENTRANT_PREFIX, Validated, validate},
};

mod directory;
mod disk;

pub(crate) use directory::Directory;
pub use disk::ModuleDisk;

use disk::Kept;

/// A contract's code, ready to be instantiated.
pub(crate) struct Module {
    /// With its imports resolved.
    pub(crate) instance: InstancePre<Frame>,
    /// The price of a fresh instance.
    pub(crate) enter_gas: u64,
    /// Its memory.
    pub(crate) memory: ModuleExport,
    /// The counter of its stack.
    pub(crate) stack: ModuleExport,
    exports: HashMap<String, ModuleExport>,
    /// Bytes that it takes in memory.
    bytes: usize,
}

impl Module {
    /// An exported function, by its full name.
    pub(crate) fn export(&self, name: &str) -> Option<&ModuleExport> {
        self.exports.get(name)
    }

    /// True if value may come with a call of this export.
    pub(crate) fn is_payable(&self, export: &str) -> bool {
        match export.strip_prefix(CALL_PREFIX) {
            Some(method) => self.exports.contains_key(&format!("{PAYABLE_PREFIX}{method}")),
            None if export == INIT => self.exports.contains_key(&format!("{PAYABLE_PREFIX}{INIT}")),
            None => export == RECEIVE,
        }
    }

    /// True if this export may be called while its contract is on the stack.
    pub(crate) fn is_reentrant(&self, export: &str) -> bool {
        let method = export.strip_prefix(CALL_PREFIX).unwrap_or(export);
        self.exports.contains_key(&format!("{REENTRANT_PREFIX}{method}"))
    }

    fn new(compiled: &wasmtime::Module, facts: &Facts, linker: &Linker<Frame>) -> Result<Self, EngineError> {
        let export =
            |name| compiled.get_export_index(name).ok_or(EngineError::Invariant("an accepted module lacks an export"));
        let functions = compiled.exports().filter(|export| export.ty().func().is_some());
        let image = compiled.image_range();
        Ok(Self {
            instance: linker.instantiate_pre(compiled)?,
            enter_gas: gas::enter(facts),
            memory: export(MEMORY)?,
            stack: export(STACK_EXPORT)?,
            exports: functions
                .filter_map(|function| {
                    compiled.get_export_index(function.name()).map(|index| (function.name().to_owned(), index))
                })
                .collect(),
            bytes: image.end.addr().saturating_sub(image.start.addr()),
        })
    }
}

/// All modules.
pub(crate) struct Modules {
    engine: Engine,
    linker: Linker<Frame>,
    disk: Option<Kept>,
    memory: RwLock<HashMap<Hash, Entry>>,
    budget_bytes: usize,
    /// Counts uses, to tell which was longest ago.
    clock: AtomicU64,
    /// Held while a module is loaded or compiled, so that nothing is compiled twice at a time.
    loading: Mutex<()>,
}

struct Entry {
    module: Arc<Module>,
    used: AtomicU64,
}

impl Modules {
    /// None in memory yet; kept on a disk if there is one.
    pub(crate) fn new(
        engine: Engine,
        linker: Linker<Frame>,
        disk: Option<Arc<dyn ModuleDisk>>,
        budget_bytes: usize,
    ) -> Self {
        let disk = disk.map(|disk| Kept::new(disk, &engine));
        Self {
            engine,
            linker,
            disk,
            memory: RwLock::default(),
            budget_bytes,
            clock: AtomicU64::new(0),
            loading: Mutex::default(),
        }
    }

    /// The module of a code that a record names. `code` is asked for the WebAssembly only if it must be compiled.
    pub(crate) fn get(
        &self,
        hash: &Hash,
        code: impl FnOnce() -> Result<Option<bytes::Bytes>, StateError>,
    ) -> Result<Arc<Module>, ExecuteError> {
        if let Some(module) = self.lookup(hash) {
            return Ok(module);
        }
        let _loading = self.loading.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(module) = self.lookup(hash) {
            return Ok(module);
        }
        if let Some((compiled, facts)) = self.disk.as_ref().and_then(|disk| disk.load(hash, &self.engine)) {
            return Ok(self.keep(hash, Module::new(&compiled, &facts, &self.linker)?));
        }
        let damaged = || StateError::Damaged(Damage::Code(*hash));
        let wasm = code()?.filter(|wasm| hash::code_hash(wasm) == *hash).ok_or_else(damaged)?;
        // It was accepted when it was stored, by the same rules.
        let validated = validate(&wasm, u32::MAX).map_err(|_| damaged())?;
        match self.compile(hash, &wasm, &validated)? {
            Ok(module) => Ok(module),
            Err(_) => Err(damaged().into()),
        }
    }

    /// Compiles a code that is about to be stored, so that its first call finds it ready.
    pub(crate) fn prepare(
        &self,
        hash: &Hash,
        wasm: &[u8],
        validated: &Validated,
    ) -> Result<Result<(), InvalidModule>, EngineError> {
        let _loading = self.loading.lock().unwrap_or_else(PoisonError::into_inner);
        if self.lookup(hash).is_some() {
            return Ok(Ok(()));
        }
        Ok(self.compile(hash, wasm, validated)?.map(|_| ()))
    }

    fn compile(
        &self,
        hash: &Hash,
        wasm: &[u8],
        validated: &Validated,
    ) -> Result<Result<Arc<Module>, InvalidModule>, EngineError> {
        let instrumented = instrument::instrument(wasm, validated)
            .map_err(|_| EngineError::Invariant("an accepted module does not parse"))?;
        // Compilation fails only on what the module is: the compiler has limits of its own.
        let compiled = match wasmtime::Module::new(&self.engine, &instrumented) {
            Ok(compiled) => compiled,
            Err(error) => return Ok(Err(InvalidModule::Compiler(format!("{error:#}")))),
        };
        if let Some(disk) = &self.disk {
            disk.store(hash, &validated.facts, &compiled.serialize()?);
        }
        Ok(Ok(self.keep(hash, Module::new(&compiled, &validated.facts, &self.linker)?)))
    }

    fn lookup(&self, hash: &Hash) -> Option<Arc<Module>> {
        let memory = self.memory.read().unwrap_or_else(PoisonError::into_inner);
        let entry = memory.get(hash)?;
        entry.used.store(self.clock.fetch_add(1, Ordering::Relaxed), Ordering::Relaxed);
        Some(entry.module.clone())
    }

    /// Puts a module into memory, and others out until the budget is kept. The newest always stays.
    fn keep(&self, hash: &Hash, module: Module) -> Arc<Module> {
        let module = Arc::new(module);
        let mut memory = self.memory.write().unwrap_or_else(PoisonError::into_inner);
        let mut bytes = memory.values().map(|entry| entry.module.bytes).sum::<usize>() + module.bytes;
        while bytes > self.budget_bytes {
            let oldest = memory.iter().min_by_key(|(_, entry)| entry.used.load(Ordering::Relaxed));
            let Some((oldest, oldest_bytes)) = oldest.map(|(hash, entry)| (*hash, entry.module.bytes)) else { break };
            memory.remove(&oldest);
            bytes -= oldest_bytes;
        }
        let used = AtomicU64::new(self.clock.fetch_add(1, Ordering::Relaxed));
        memory.insert(*hash, Entry { module: module.clone(), used });
        module
    }

    /// The engine that they were compiled for.
    pub(crate) fn engine(&self) -> &Engine {
        &self.engine
    }
}
