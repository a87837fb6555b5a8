//! The same WebAssembly in bare wasmtime: a fresh instance for each call, fuel on, state in a hash map, and of the
//! host only what a token's transfer asks for.

use std::{collections::HashMap, hint::black_box};

use wasmtime::{Caller, Config, Engine, Extern, InstancePre, Linker, Module, Store};

const FUEL: u64 = 10_000_000;

/// A contract's storage.
pub(crate) type Entries = HashMap<Vec<u8>, Vec<u8>>;

/// A module, and who calls it.
pub(crate) struct Bare {
    engine: Engine,
    instance: InstancePre<State>,
    caller: Vec<u8>,
}

struct State {
    arguments: Vec<u8>,
    caller: Vec<u8>,
    entries: Entries,
    events: Vec<Vec<u8>>,
}

impl Bare {
    /// With a configuration of wasmtime's; fuel is added to it.
    pub(crate) fn new(mut config: Config, wasm: &[u8], caller: Vec<u8>) -> Self {
        let engine = Engine::new(config.consume_fuel(true)).unwrap();
        let module = Module::new(&engine, wasm).unwrap();
        let mut linker = linker(&engine);
        linker.define_unknown_imports_as_traps(&module).unwrap();
        let instance = linker.instantiate_pre(&module).unwrap();
        Self { engine, instance, caller }
    }

    /// Calls an export; answers the storage as it is then.
    pub(crate) fn call(&self, export: &str, arguments: &[u8], entries: Entries) -> Entries {
        let state = State { arguments: arguments.to_vec(), caller: self.caller.clone(), entries, events: Vec::new() };
        let mut store = Store::new(&self.engine, state);
        store.set_fuel(FUEL).unwrap();
        let instance = self.instance.instantiate(&mut store).unwrap();
        let function = instance.get_typed_func::<(), ()>(&mut store, export).unwrap();
        function.call(&mut store, ()).unwrap();
        let state = store.into_data();
        black_box(state.events);
        state.entries
    }
}

fn linker(engine: &Engine) -> Linker<State> {
    type Host<'a> = Caller<'a, State>;
    fn memory<'a>(host: &'a mut Host<'_>) -> (&'a mut [u8], &'a mut State) {
        let memory = host.get_export("memory").and_then(Extern::into_memory).unwrap();
        memory.data_and_store_mut(host)
    }
    fn slice(memory: &[u8], pointer: u32, length: u32) -> &[u8] {
        &memory[pointer as usize..][..length as usize]
    }
    fn put(memory: &mut [u8], bytes: &[u8], target: u32, capacity: u32) -> i64 {
        assert!(bytes.len() <= capacity as usize, "more than a transfer needs");
        memory[target as usize..][..bytes.len()].copy_from_slice(bytes);
        bytes.len() as i64
    }
    let module = "rustorium.1";
    let mut linker = Linker::new(engine);
    linker
        .func_wrap(module, "arguments", |mut host: Host<'_>, target: u32, capacity: u32| {
            let (memory, state) = memory(&mut host);
            put(memory, &state.arguments, target, capacity)
        })
        .unwrap();
    linker
        .func_wrap(module, "caller", |mut host: Host<'_>, target: u32| {
            let (memory, state) = memory(&mut host);
            put(memory, &state.caller, target, u32::MAX);
            1
        })
        .unwrap();
    linker
        .func_wrap(module, "return_data", |mut host: Host<'_>, pointer: u32, length: u32| {
            black_box(slice(memory(&mut host).0, pointer, length).to_vec());
        })
        .unwrap();
    linker
        .func_wrap(module, "storage_read", |mut host: Host<'_>, key: u32, length: u32, target: u32, capacity: u32| {
            let (memory, state) = memory(&mut host);
            let value = state.entries.get(slice(memory, key, length));
            value.map_or(-1, |value| put(memory, value, target, capacity))
        })
        .unwrap();
    linker
        .func_wrap(module, "storage_write", |mut host: Host<'_>, key: u32, key_length: u32, value: u32, length: u32| {
            let (memory, state) = memory(&mut host);
            state.entries.insert(slice(memory, key, key_length).to_vec(), slice(memory, value, length).to_vec());
        })
        .unwrap();
    linker
        .func_wrap(module, "emit", |mut host: Host<'_>, _: u32, _: u32, fields: u32, length: u32| {
            let (memory, state) = memory(&mut host);
            state.events.push(slice(memory, fields, length).to_vec());
        })
        .unwrap();
    linker
}
