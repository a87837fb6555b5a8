//! The host's side of the host table: what a contract can ask for.
//!
//! A row of the table says how many bytes go in and come out and what they cost; [`link`] makes wasmtime functions
//! out of the rows, and the functions in the modules below only say what each does. Every call goes through
//! [`enter`]: the gas for what goes in is charged before anything is looked at, a pointer out of the memory traps,
//! and the gas for what comes out is charged before it is written.
//!
//! Invariant: nothing that a guest passes can panic the host. Pointers and lengths are 32-bit and added in 64 bits;
//! a result may overlap the arguments, which are no longer needed when it is written.

use rustorium_types::{code::Code, id::Address};
use wasmtime::Caller;

use crate::{
    call::{Abort, CallFailure, Completed, Frame},
    error::{EngineError, ExecuteError},
    gas,
    session::Session,
    trace::{Argument, Recorder},
};

mod chain;
mod contract;
mod crypto;
mod link;
mod storage;
mod table;

pub(crate) use link::linker;
pub(crate) use table::{HostFunction, WasmType};

/// Bytes in the guest's memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slice {
    pointer: u32,
    length: u32,
}

/// N bytes in the guest's memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fixed<const N: usize>(u32);

/// What a cross-contract operation answers.
pub(crate) enum Outcome {
    /// What the callee returned.
    Returned(Vec<u8>),
    /// Why it failed, and `borsh` of the error.
    Failed(Code, Vec<u8>),
}

/// A host function's view of its caller.
pub(crate) struct Host<'a> {
    memory: &'a mut [u8],
    pub(crate) frame: &'a mut Frame,
    /// Gas left.
    gas: u64,
    /// The price of a byte that goes in or comes out.
    per_byte: u64,
}

/// What a host function is called with, for those who look on.
trait Told {
    fn told(&self, host: &Host<'_>) -> Argument;
}

impl Told for u64 {
    fn told(&self, _: &Host<'_>) -> Argument {
        Argument::Number(*self)
    }
}

impl Told for Slice {
    fn told(&self, host: &Host<'_>) -> Argument {
        Argument::of(host.bytes(*self).ok())
    }
}

impl<const N: usize> Told for Fixed<N> {
    fn told(&self, host: &Host<'_>) -> Argument {
        Slice { pointer: self.0, length: N as u32 }.told(host)
    }
}

/// A row of the table, as far as entering it needs.
#[derive(Clone, Copy)]
struct Row {
    name: &'static str,
    base: u64,
    per_byte: u64,
}

/// Runs a host function: charges its base and the bytes that go in, and keeps the fuel right. `arguments` is asked
/// only where somebody looks on.
fn enter<R>(
    mut caller: Caller<'_, Frame>,
    row: Row,
    bytes_in: u64,
    arguments: impl FnOnce(&Host<'_>) -> Vec<Argument>,
    function: impl FnOnce(&mut Host<'_>) -> Result<R, Abort>,
) -> wasmtime::Result<R> {
    let Row { name, base, per_byte } = row;
    let gas = caller.get_fuel()?;
    let memory = caller.data().memory.ok_or_else(|| fatal("a host function runs before there is a memory"))?;
    let (memory, frame) = memory.data_and_store_mut(&mut caller);
    let pages_gas = std::mem::take(&mut frame.pages_gas);
    let mut host = Host { memory, frame, gas, per_byte };
    let told = if host.frame.is_traced {
        let arguments = arguments(&host);
        host.recorder().map(|recorder| recorder.call(name, arguments))
    } else {
        None
    };
    let result = host
        .charge(pages_gas)
        .and_then(|()| host.charge(base + per_byte * bytes_in))
        .and_then(|()| function(&mut host));
    let left = host.gas;
    if let (Some(told), Some(recorder)) = (told, host.recorder()) {
        recorder.called(told, gas - left);
    }
    let gas = left;
    host.frame.gas = gas;
    caller.set_fuel(gas)?;
    result.map_err(wasmtime::Error::new)
}

fn fatal(invariant: &'static str) -> wasmtime::Error {
    wasmtime::Error::new(Abort::Fatal(EngineError::Invariant(invariant).into()))
}

impl Host<'_> {
    /// Uses gas.
    fn charge(&mut self, gas: u64) -> Result<(), Abort> {
        self.gas = self.gas.checked_sub(gas).ok_or(Abort::OutOfGas)?;
        Ok(())
    }

    /// What the frames share.
    pub(crate) fn session(&mut self) -> Result<&mut Session, Abort> {
        self.frame.session.as_deref_mut().ok_or_else(|| Abort::from(EngineError::Invariant("a frame lost its session")))
    }

    /// Who writes down what happens, if anybody does.
    pub(crate) fn recorder(&mut self) -> Option<&mut Recorder> {
        self.frame.session.as_mut()?.recorder.as_deref_mut()
    }

    /// Traps in a view, and in whatever a view called.
    pub(crate) fn forbid_in_view(&self, what: &'static str) -> Result<(), Abort> {
        if self.frame.read_only { Err(Abort::trap(format!("a view must not {what}"))) } else { Ok(()) }
    }

    /// The bytes of a slice.
    pub(crate) fn bytes(&self, slice: Slice) -> Result<&[u8], Abort> {
        let start = slice.pointer as usize;
        self.memory
            .get(start..start + slice.length as usize)
            .ok_or(Abort::trap("a pointer that was passed to the host is out of the memory"))
    }

    /// The bytes of an argument of fixed length.
    pub(crate) fn fixed<const N: usize>(&self, Fixed(pointer): Fixed<N>) -> Result<[u8; N], Abort> {
        let bytes = self.bytes(Slice { pointer, length: N as u32 })?;
        bytes.try_into().map_err(|_| Abort::trap("a pointer that was passed to the host is out of the memory"))
    }

    /// An address.
    pub(crate) fn address(&self, pointer: Fixed<{ Address::LEN }>) -> Result<Address, Abort> {
        let bytes = self.fixed(pointer)?;
        borsh::from_slice(&bytes).map_err(|_| Abort::trap("what was passed to the host is no address"))
    }

    fn write(&mut self, pointer: u32, bytes: &[u8]) -> Result<(), Abort> {
        let start = pointer as usize;
        let target = self
            .memory
            .get_mut(start..start + bytes.len())
            .ok_or(Abort::trap("a pointer for a result of the host is out of the memory"))?;
        target.copy_from_slice(bytes);
        Ok(())
    }

    /// Refuses a buffer that is not there, even where no result would reach its end.
    fn check_buffer(&self, pointer: u32, capacity: u32) -> Result<(), Abort> {
        self.bytes(Slice { pointer, length: capacity }).map(|_| ())
    }

    /// Writes a result of variable length as far as it fits, keeps it for `rest`, and answers its length.
    fn put(&mut self, bytes: Vec<u8>, pointer: u32, capacity: u32) -> Result<i64, Abort> {
        self.charge(self.per_byte * bytes.len() as u64)?;
        let written = self.write_some(&bytes, pointer, capacity)?;
        self.frame.last = bytes;
        Ok(written)
    }

    fn write_some(&mut self, bytes: &[u8], pointer: u32, capacity: u32) -> Result<i64, Abort> {
        self.check_buffer(pointer, capacity)?;
        self.write(pointer, &bytes[..bytes.len().min(capacity as usize)])?;
        Ok(bytes.len() as i64)
    }

    fn put_outcome(&mut self, outcome: Outcome, pointer: u32, capacity: u32) -> Result<i64, Abort> {
        let (status, bytes) = match outcome {
            Outcome::Returned(bytes) => (0, bytes),
            Outcome::Failed(code, bytes) => (code as i64, bytes),
        };
        Ok(self.put(bytes, pointer, capacity)? | status << 32)
    }

    /// Runs something in another contract, with at most so much gas; 0 is all but what this frame keeps: a 64th, and the
    /// price of a failure.
    pub(crate) fn callee(
        &mut self,
        gas_limit: u64,
        operation: impl FnOnce(Box<Session>, u64) -> Result<(Box<Session>, Completed), ExecuteError>,
    ) -> Result<Outcome, Abort> {
        let free = self.gas.saturating_sub(gas::CATCH);
        let most = free - (free >> rustorium_types::limits::GAS_KEPT_SHIFT);
        let limit = if gas_limit == 0 { most } else { gas_limit.min(most) };
        let session = self.frame.session.take().ok_or(EngineError::Invariant("a frame lost its session"))?;
        let (session, completed) = operation(session, limit)?;
        self.frame.session = Some(session);
        self.charge(completed.price())?;
        Ok(match completed.result {
            Ok(returned) => {
                self.frame.failed_callee = None;
                Outcome::Returned(returned)
            }
            Err(failure) => self.failed(failure),
        })
    }

    /// What this frame learns of a callee's failure; the rest is kept, should it fail for that reason.
    pub(crate) fn failed(&mut self, failure: CallFailure) -> Outcome {
        let error = rustorium_types::host::CallError { code: failure.code, error: failure.error.clone() };
        let code = failure.code;
        self.frame.failed_callee = Some(failure);
        // Writing to memory cannot fail.
        Outcome::Failed(code, borsh::to_vec(&error).unwrap_or_default())
    }
}
