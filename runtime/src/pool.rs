//! The engine's configuration, and the pool of slots that instances run in.
//!
//! Every call gets a fresh instance, so instances must be cheap: slots are reserved once, a slot's memory is a
//! copy-on-write image of the module's data, and giving it back resets the pages that were touched. Fresh
//! instances are what makes a call depend on nothing but state.
//!
//! Invariants: the settings that decide what code does or costs are all written here and never depend on the
//! machine (`pagemap_scan` and the like only decide how fast it is); and a slot is never missing, because no more
//! executions run at a time than have slots for a whole call stack each. A missing slot would fail a call on this
//! machine only.

use std::{
    num::NonZeroUsize,
    sync::{Condvar, Mutex, PoisonError},
};

use rustorium_types::limits::{CALL_DEPTH, MEMORY_BYTES};
use wasmtime::{
    Config, Enabled, Engine, Inlining, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig, Strategy,
    WasmFeatures,
};

use crate::{
    error::EngineError,
    gas, stack,
    validate::{FEATURES, PAGE_BYTES, TABLE_ELEMENTS},
};

/// Bytes of a memory that stay resident when its slot is given back: what most contracts touch, and more.
const MEMORY_RESIDENT_BYTES: usize = (gas::RESIDENT_PAGES * PAGE_BYTES) as usize;
/// Bytes of a table that stay resident: all of them.
const TABLE_RESIDENT_BYTES: usize = TABLE_ELEMENTS as usize * size_of::<usize>();
/// Bytes of an instance's metadata: globals, functions and imports at their limits are half of it.
const INSTANCE_BYTES: usize = 1 << 20;
/// Slots that keep the image of the module that used them last: beyond the number of contracts in steady use, a
/// call costs ten times as much.
const WARM_SLOTS: u32 = 256;
/// Frames of a trap that are looked at for the function's name: past a panic's own machinery.
const TRAP_FRAMES: usize = 24;

/// Sets the engine up.
pub(crate) fn engine(executions: u32, optimize: bool) -> Result<Engine, EngineError> {
    match build(executions, optimize, Enabled::Auto) {
        Ok(engine) => Ok(engine),
        // A kernel that promises to scan pages and refuses: slower, nothing else.
        Err(_) => Ok(build(executions, optimize, Enabled::No)?),
    }
}

fn build(executions: u32, optimize: bool, pagemap_scan: Enabled) -> wasmtime::Result<Engine> {
    let slots = executions.saturating_mul(CALL_DEPTH);
    let mut pool = PoolingAllocationConfig::new();
    pool.total_core_instances(slots)
        .total_memories(slots)
        .total_tables(slots)
        .max_memories_per_module(1)
        .max_tables_per_module(1)
        .max_memory_size(MEMORY_BYTES as usize)
        .table_elements(TABLE_ELEMENTS as usize)
        .max_core_instance_size(INSTANCE_BYTES)
        .max_unused_warm_slots(WARM_SLOTS)
        .linear_memory_keep_resident(MEMORY_RESIDENT_BYTES)
        .table_keep_resident(TABLE_RESIDENT_BYTES)
        .pagemap_scan(pagemap_scan);
    let mut config = Config::new();
    config
        .strategy(Strategy::Cranelift)
        .cranelift_opt_level(if optimize { OptLevel::Speed } else { OptLevel::None })
        // Inlining would put one function's frame into another's, past the stack counter.
        .compiler_inlining(Inlining::No)
        .consume_fuel(true)
        .operator_cost(gas::instructions())
        .signals_based_traps(true)
        // Fuel for data segments depends on this: with it, instantiation uses none.
        .memory_init_cow(true)
        .gc_support(false)
        .concurrency_support(false)
        .max_wasm_stack(stack::NATIVE_FRAME_BYTES)
        // Unused, but it must not be smaller.
        .async_stack_size(stack::NATIVE_FRAME_BYTES)
        .generate_address_map(false)
        .native_unwind_info(false)
        .wasm_backtrace_max_frames(NonZeroUsize::new(TRAP_FRAMES))
        .wasm_features(WasmFeatures::all().difference(FEATURES), false)
        .wasm_features(FEATURES, true)
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    Engine::new(&config)
}

/// Lets so many executions run at a time as there are slots for.
#[derive(Debug)]
pub(crate) struct Turnstile {
    free: Mutex<u32>,
    left: Condvar,
}

/// One execution's place; given back when dropped.
pub(crate) struct Turn<'a>(&'a Turnstile);

impl Turnstile {
    /// With so many places.
    pub(crate) fn new(places: u32) -> Self {
        Self { free: Mutex::new(places), left: Condvar::new() }
    }

    /// Waits for a place.
    pub(crate) fn enter(&self) -> Turn<'_> {
        // The number is right whatever happened to the thread that held the lock.
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        while *free == 0 {
            free = self.left.wait(free).unwrap_or_else(PoisonError::into_inner);
        }
        *free -= 1;
        Turn(self)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        *self.0.free.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.0.left.notify_one();
    }
}
