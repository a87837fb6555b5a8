//! What an execution did, step by step: the same execution, with a recorder in its session.
//!
//! ```text
//! Trace ─► message ─► frame ─► read │ write │ event │ log │ host call │ frame ─► …
//! ```
//!
//! Invariants: recording changes nothing of what an execution comes to, and what is read for it does not count among
//! the execution's reads; without a recorder it costs a look at a flag for each host call. A trace is bounded by
//! [`TraceLimits`], whatever the contract does: steps beyond them are counted and not kept, bytes beyond them are
//! cut and say how many there were.

use bytes::Bytes;
use rustorium_types::{
    code::Code,
    id::{Address, Amount, ContractId, Gas},
};

use crate::{
    call::{CallFailure, Completed},
    host::HostFunction,
};

/// Bytes of one value that a trace keeps: whatever people read is shorter, and decodes only if it is whole.
const EXCERPT_BYTES: usize = 4_096;
/// Bytes of an argument of a host call: addresses, hashes and signatures are whole.
const ARGUMENT_BYTES: usize = 64;
/// Host functions of which a frame says all: its arguments, what it returned, why it failed.
const SAID_BY_FRAME: [&str; 5] = ["arguments", "rest", "return_data", "fail", "panic"];
/// Host functions that have no step of their own once the frame that they entered has one.
const ENTER_FRAMES: [&str; 4] = ["transfer", "call", "query", "instantiate"];

/// How much a trace keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceLimits {
    /// Steps. Default: 5,000, some megabytes of JSON and more than anybody reads.
    pub steps: usize,
    /// Bytes of keys, values, arguments, events and texts, all together. Default: 1 MiB.
    pub bytes: usize,
}

impl Default for TraceLimits {
    fn default() -> Self {
        Self { steps: 5_000, bytes: 1 << 20 }
    }
}

/// What a transaction did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trace {
    /// Gas of the transaction itself: its bytes and signatures.
    pub intrinsic: Gas,
    /// The messages that ran, in order; the last is the one that failed, if one did.
    pub messages: Vec<MessageTrace>,
    /// Steps that are not kept, because there were too many.
    pub omitted: u64,
}

/// What a message did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageTrace {
    /// Gas used, all its frames included.
    pub gas_used: Gas,
    /// Why it failed, if it did.
    pub failure: Option<TracedFailure>,
    /// What happened in it.
    pub steps: Vec<Step>,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Gas used by it: of a frame, everything in it.
    pub gas: Gas,
    /// What.
    pub action: Action,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// A contract ran, or was refused to.
    Frame(Box<FrameTrace>),
    /// The frame's contract read an entry of its storage.
    Read {
        /// The storage key.
        key: Excerpt,
        /// Its value, if there was one.
        value: Option<Excerpt>,
    },
    /// The frame's contract set or removed an entry of its storage.
    Write {
        /// The storage key.
        key: Excerpt,
        /// Its value before.
        before: Option<Excerpt>,
        /// Its value from then on.
        after: Option<Excerpt>,
    },
    /// The frame's contract said that something happened.
    Event {
        /// The event's name.
        name: String,
        /// `borsh` of its fields.
        fields: Excerpt,
    },
    /// The frame's contract wrote a line for people.
    Log {
        /// The line.
        text: String,
    },
    /// Any other call of the host.
    Host {
        /// The function's name.
        function: &'static str,
        /// Its arguments by name.
        arguments: Vec<(&'static str, Argument)>,
    },
}

/// An argument of a host function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Argument {
    /// A number.
    Number(u64),
    /// Bytes that a pointer led to.
    Bytes(Excerpt),
    /// A pointer that led nowhere.
    OutOfMemory,
}

/// A call of a contract.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FrameTrace {
    /// Which contract.
    pub contract: ContractId,
    /// The export's full name.
    pub export: String,
    /// Who called.
    pub caller: Option<Address>,
    /// What came with the call.
    pub value: Amount,
    /// `borsh` of the arguments.
    pub arguments: Excerpt,
    /// A view, or called from one.
    pub read_only: bool,
    /// The most gas that it might use.
    pub gas_limit: Gas,
    /// What it returned, or why it failed: then all that it did is undone.
    pub result: Result<Excerpt, TracedFailure>,
    /// What happened in it.
    pub steps: Vec<Step>,
}

/// Why a frame or a message failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TracedFailure {
    /// The code.
    pub code: Code,
    /// Of a contract's own error: its name, and `borsh` of its fields.
    pub error: Option<(String, Excerpt)>,
    /// For people.
    pub message: Option<String>,
    /// The function that trapped.
    pub function: Option<String>,
}

/// Bytes, as far as a trace keeps them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Excerpt {
    /// The first of them.
    pub bytes: Bytes,
    /// How many there were.
    pub length: usize,
}

impl Excerpt {
    /// True if nothing was cut.
    pub fn is_whole(&self) -> bool {
        self.bytes.len() == self.length
    }
}

/// Writes a trace while an execution runs.
#[derive(Debug)]
pub(crate) struct Recorder {
    steps_left: usize,
    bytes_left: usize,
    trace: Trace,
    /// Steps of the message that runs, outside of its frames.
    steps: Vec<Step>,
    /// Frames on the stack, the outermost first; none of those that there was no room for.
    open: Vec<Option<FrameTrace>>,
    /// What the host call that runs has said of itself.
    said: Option<Action>,
    /// Frames entered so far.
    entered: u64,
}

/// What is known of a host call before it runs.
#[derive(Debug)]
pub(crate) struct HostCall {
    function: &'static str,
    arguments: Vec<Argument>,
    entered: u64,
}

/// What a frame is entered with.
pub(crate) struct Entered<'a> {
    pub(crate) contract: ContractId,
    pub(crate) export: &'a str,
    pub(crate) caller: Option<Address>,
    pub(crate) value: Amount,
    pub(crate) arguments: &'a [u8],
    pub(crate) read_only: bool,
    pub(crate) gas_limit: u64,
}

impl Argument {
    /// Bytes of the guest's memory, if the pointer is good.
    pub(crate) fn of(bytes: Option<&[u8]>) -> Self {
        bytes.map_or(Self::OutOfMemory, |bytes| {
            let cut = &bytes[..bytes.len().min(ARGUMENT_BYTES)];
            Self::Bytes(Excerpt { bytes: Bytes::copy_from_slice(cut), length: bytes.len() })
        })
    }
}

impl Recorder {
    pub(crate) fn new(limits: TraceLimits) -> Self {
        Self {
            steps_left: limits.steps,
            bytes_left: limits.bytes,
            trace: Trace::default(),
            steps: Vec::new(),
            open: Vec::new(),
            said: None,
            entered: 0,
        }
    }

    /// The trace.
    pub(crate) fn finish(self) -> Trace {
        self.trace
    }

    /// Notes what the transaction itself costs.
    pub(crate) fn intrinsic(&mut self, gas: u64) {
        self.trace.intrinsic = Gas(gas);
    }

    /// Notes that a message has ended.
    pub(crate) fn message(&mut self, gas_used: u64, failure: Option<&CallFailure>) {
        let failure = failure.map(|failure| self.failure(failure));
        let steps = std::mem::take(&mut self.steps);
        self.trace.messages.push(MessageTrace { gas_used: Gas(gas_used), failure, steps });
    }

    /// Notes that a contract is called.
    pub(crate) fn enter(&mut self, entered: &Entered<'_>) {
        self.entered += 1;
        if self.steps_left == 0 {
            self.open.push(None);
            return;
        }
        self.steps_left -= 1;
        let frame = FrameTrace {
            contract: entered.contract,
            export: self.text(entered.export),
            caller: entered.caller,
            value: entered.value,
            arguments: self.excerpt(entered.arguments),
            read_only: entered.read_only,
            gas_limit: Gas(entered.gas_limit),
            result: Ok(Excerpt { bytes: Bytes::new(), length: 0 }),
            steps: Vec::new(),
        };
        self.open.push(Some(frame));
    }

    /// Notes what the innermost call came to.
    pub(crate) fn leave(&mut self, completed: &Completed) {
        // Each call that is entered is left.
        let Some(Some(mut frame)) = self.open.pop() else {
            self.trace.omitted += 1;
            return;
        };
        frame.result = match &completed.result {
            Ok(returned) => Ok(self.excerpt(returned)),
            Err(failure) => Err(self.failure(failure)),
        };
        let gas = Gas(completed.gas_used);
        self.put(Step { gas, action: Action::Frame(Box::new(frame)) });
    }

    /// Notes a host call that is about to run.
    pub(crate) const fn call(&self, function: &'static str, arguments: Vec<Argument>) -> HostCall {
        HostCall { function, arguments, entered: self.entered }
    }

    /// Notes that a host call has ended.
    pub(crate) fn called(&mut self, call: HostCall, gas: u64) {
        let HostCall { function, arguments, entered } = call;
        let said = self.said.take();
        if said.is_none() {
            let is_said = SAID_BY_FRAME.contains(&function);
            if is_said || entered != self.entered && ENTER_FRAMES.contains(&function) {
                return;
            }
        }
        if self.steps_left == 0 {
            self.trace.omitted += 1;
            return;
        }
        self.steps_left -= 1;
        let action = said.unwrap_or_else(|| {
            let names = HostFunction::named(function).map(HostFunction::parameters).unwrap_or_default();
            Action::Host { function, arguments: names.iter().copied().zip(arguments).collect() }
        });
        self.put(Step { gas: Gas(gas), action });
    }

    /// The host call that runs reads an entry.
    pub(crate) fn read(&mut self, key: &[u8], value: Option<&Bytes>) {
        if self.has_room() {
            let (key, value) = (self.excerpt(key), value.map(|value| self.excerpt(value)));
            self.said = Some(Action::Read { key, value });
        }
    }

    /// The host call that runs sets or removes an entry.
    pub(crate) fn write(&mut self, key: &[u8], before: Option<&Bytes>, after: Option<&Bytes>) {
        if self.has_room() {
            let key = self.excerpt(key);
            let (before, after) = (before.map(|value| self.excerpt(value)), after.map(|value| self.excerpt(value)));
            self.said = Some(Action::Write { key, before, after });
        }
    }

    /// The host call that runs emits an event.
    pub(crate) fn event(&mut self, name: &str, fields: &[u8]) {
        if self.has_room() {
            let (name, fields) = (self.text(name), self.excerpt(fields));
            self.said = Some(Action::Event { name, fields });
        }
    }

    /// The host call that runs logs a line.
    pub(crate) fn log(&mut self, text: &str) {
        if self.has_room() {
            let text = self.text(text);
            self.said = Some(Action::Log { text });
        }
    }

    const fn has_room(&self) -> bool {
        self.steps_left > 0
    }

    /// Puts a step into the innermost frame. Where that one is omitted, nothing in it is kept.
    fn put(&mut self, step: Step) {
        match self.open.last_mut() {
            None => self.steps.push(step),
            Some(Some(frame)) => frame.steps.push(step),
            Some(None) => self.trace.omitted += 1,
        }
    }

    fn failure(&mut self, failure: &CallFailure) -> TracedFailure {
        TracedFailure {
            code: failure.code,
            error: failure.error.as_ref().map(|error| (self.text(&error.name), self.excerpt(&error.fields))),
            message: failure.message.as_ref().map(|message| self.text(message)),
            function: failure.function.as_ref().map(|function| self.text(function)),
        }
    }

    fn excerpt(&mut self, bytes: &[u8]) -> Excerpt {
        let kept = bytes.len().min(EXCERPT_BYTES).min(self.bytes_left);
        self.bytes_left -= kept;
        Excerpt { bytes: Bytes::copy_from_slice(&bytes[..kept]), length: bytes.len() }
    }

    fn text(&mut self, text: &str) -> String {
        let kept = text.floor_char_boundary(text.len().min(EXCERPT_BYTES).min(self.bytes_left));
        self.bytes_left -= kept;
        text[..kept].to_owned()
    }
}
