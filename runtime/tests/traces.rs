//! What is written down of an execution. That writing it down changes nothing is checked by every test of this crate.

use rustorium_runtime::{Action, Argument, Execution, FrameTrace, Step, Trace, TraceLimits, Transaction};
use rustorium_types::{
    code::Code,
    id::{Address, ContractId},
    transaction::Message,
};

use crate::{
    chain::{ALICE, BOB, Chain, contract},
    hosts::escaped,
};

/// Reads, writes, says, logs and asks; `fail` does all of that and fails.
const INNER: &str = r#"
    (data (i32.const 0) "key") (data (i32.const 8) "Event") (data (i32.const 16) "NotOwner") (data (i32.const 32) "hello")
    (func $all
        (drop (call $storage_read (i32.const 0) (i32.const 3) (i32.const 64) (i32.const 64)))
        (call $storage_write (i32.const 0) (i32.const 3) (i32.const 0) (i32.const 2))
        (call $storage_write (i32.const 0) (i32.const 3) (i32.const 0) (i32.const 1))
        (call $storage_remove (i32.const 0) (i32.const 3))
        (call $emit (i32.const 8) (i32.const 5) (i32.const 0) (i32.const 3))
        (call $log (i32.const 32) (i32.const 5))
        (call $sha256 (i32.const 0) (i32.const 3) (i32.const 128)))
    (func (export "call.all") (call $all) (call $return_data (i32.const 0) (i32.const 3)))
    (func (export "call.fail") (call $all) (call $fail (i32.const 16) (i32.const 8) (i32.const 0) (i32.const 2)))"#;

/// A method that calls a method of another contract and goes on whatever it came to.
fn outer(target: ContractId, method: &str) -> String {
    contract(&format!(
        r#"(data (i32.const 1024) "{target}") (data (i32.const 1088) "{method}")
        (func (export "call.run")
            (drop (call $call (i32.const 1024) (i32.const 1088) (i32.const {length}) (i32.const 1088) (i32.const 4)
                (i32.const 1152) (i64.const 0) (i32.const 2048) (i32.const 256)))
            (drop (call $height)))"#,
        target = escaped(&Address::Contract(target).to_bytes()),
        length = method.len(),
    ))
}

fn frame(step: &Step) -> &FrameTrace {
    let Action::Frame(frame) = &step.action else { panic!("{step:?}") };
    frame
}

/// The steps as words, for comparing.
fn words(steps: &[Step]) -> Vec<String> {
    let text = |value: &Option<rustorium_runtime::Excerpt>| {
        value.as_ref().map_or("nothing".into(), |value| String::from_utf8_lossy(&value.bytes).into_owned())
    };
    let word = |step: &Step| match &step.action {
        Action::Frame(frame) => format!("frame {}", frame.export),
        Action::Read { key, value } => format!("read {} {}", text(&Some(key.clone())), text(value)),
        Action::Write { key, before, after } => {
            format!("write {} {} {}", text(&Some(key.clone())), text(before), text(after))
        }
        Action::Event { name, fields } => format!("event {name} {}", text(&Some(fields.clone()))),
        Action::Log { text } => format!("log {text}"),
        Action::Host { function, arguments } => format!("{function} {}", arguments.len()),
    };
    steps.iter().map(word).collect()
}

#[test]
fn every_step_is_there_in_order_with_what_it_found() {
    let mut chain = Chain::new();
    let id = chain.deploy(&contract(INNER));
    let used = chain.call(id, "all", b"args").receipt.gas_used;
    let [message] = &chain.trace.messages[..] else { panic!("{:?}", chain.trace) };
    assert_eq!(chain.trace.intrinsic.0 + message.gas_used.0, used.0, "nothing else costs gas");
    let [step] = &message.steps[..] else { panic!("{message:?}") };
    let frame = frame(step);
    assert_eq!((frame.contract, frame.caller), (id, Some(ALICE.into())));
    assert_eq!((&frame.arguments.bytes[..], frame.read_only), (&b"args"[..], false));
    assert_eq!(frame.result.as_ref().map(|returned| returned.bytes.to_vec()), Ok(b"key".to_vec()));
    assert_eq!(
        words(&frame.steps),
        [
            "read key nothing",
            "write key nothing ke",
            "write key ke k",
            "write key k nothing",
            "event Event key",
            "log hello",
            "sha256 1",
        ]
    );
    assert!(frame.steps.iter().all(|step| step.gas.0 > 0));
    let inside: u64 = frame.steps.iter().map(|step| step.gas.0).sum();
    assert!(inside < step.gas.0 && step.gas <= frame.gas_limit);
    let Action::Host { arguments, .. } = &frame.steps[6].action else { panic!() };
    assert!(matches!(&arguments[..], [("data", Argument::Bytes(data))] if data.bytes == "key"), "{arguments:?}");
}

#[test]
fn a_callee_that_fails_is_shown_with_all_that_was_undone() {
    let mut chain = Chain::new();
    let inner = chain.deploy(&contract(INNER));
    let id = chain.deploy(&outer(inner, "fail"));
    assert!(chain.call(id, "run", b"").receipt.succeeded());
    let run = frame(&chain.trace.messages[0].steps[0]);
    assert_eq!(words(&run.steps), ["frame call.fail", "height 0"], "a call has one step, its frame");
    let failed = frame(&run.steps[0]);
    assert_eq!((failed.caller, &failed.arguments.bytes[..]), (Some(Address::Contract(id)), &b"fail"[..]));
    let failure = failed.result.as_ref().unwrap_err();
    let (name, fields) = failure.error.clone().unwrap();
    assert_eq!((failure.code, name.as_str(), &fields.bytes[..]), (Code::ContractError, "NotOwner", &b"ke"[..]));
    assert_eq!(failed.steps.len(), 7);
    assert!(failed.steps.iter().map(|step| step.gas.0).sum::<u64>() < run.steps[0].gas.0);
}

#[test]
fn what_is_refused_has_a_frame_without_steps_or_a_step() {
    let mut chain = Chain::new();
    let inner = chain.deploy(&contract(INNER));
    let id = chain.deploy(&outer(inner, "none"));
    chain.call(id, "run", b"");
    let run = frame(&chain.trace.messages[0].steps[0]);
    let refused = frame(&run.steps[0]);
    assert_eq!(refused.result.as_ref().unwrap_err().code, Code::UnknownMethod);
    assert_eq!((refused.steps.len(), run.steps[0].gas.0), (0, 0));

    chain.call(ContractId([9; 32]), "run", b"");
    let message = &chain.trace.messages[0];
    assert_eq!(message.failure.as_ref().unwrap().code, Code::NotFound);
    assert_eq!(frame(&message.steps[0]).result.as_ref().unwrap_err().code, Code::NotFound);

    chain.send(vec![Message::Transfer { to: BOB.into(), amount: rustorium_types::id::Amount(u128::MAX) }]);
    let message = &chain.trace.messages[0];
    assert_eq!((message.failure.as_ref().unwrap().code, message.steps.len()), (Code::InsufficientFunds, 0));
}

#[test]
fn a_pointer_that_leads_nowhere_is_shown_as_such() {
    let mut chain = Chain::new();
    let id =
        chain.deploy(&contract(r#"(func $out (export "call.run") (call $log (i32.const 65530) (i32.const 100)))"#));
    chain.call(id, "run", b"");
    let run = frame(&chain.trace.messages[0].steps[0]);
    let failure = run.result.as_ref().unwrap_err();
    assert_eq!((failure.code, failure.function.as_deref()), (Code::Trap, Some("out")));
    let Action::Host { function, arguments } = &run.steps[0].action else { panic!("{run:?}") };
    assert_eq!((*function, &arguments[..]), ("log", &[("message", Argument::OutOfMemory)][..]));
}

/// Writes 64 KiB under one key after the other until its gas is used up, having called itself once at each step.
const FLOOD: &str = r#"(module
    (import "rustorium.1" "storage_write" (func $write (param i32 i32 i32 i32)))
    (import "rustorium.1" "storage_read" (func $read (param i32 i32 i32 i32) (result i64)))
    (import "rustorium.1" "height" (func $height (result i64)))
    (import "rustorium.1" "this" (func $this (param i32)))
    (import "rustorium.1" "query" (func $query (param i32 i32 i32 i32 i32 i64 i32 i32) (result i64)))
    (memory (export "memory") 2)
    (data (i32.const 64) "ask")
    (func (export "view.ask") (drop (call $height)))
    (func (export "call.run")
        (call $this (i32.const 0))
        (call $write (i32.const 0) (i32.const 33) (i32.const 1024) (i32.const 65536))
        (loop
            (drop (call $read (i32.const 0) (i32.const 33) (i32.const 0) (i32.const 0)))
            (drop (call $height))
            (drop (call $query (i32.const 0) (i32.const 64) (i32.const 3) (i32.const 0) (i32.const 0)
                (i64.const 100000) (i32.const 0) (i32.const 0)))
            (br 0))))"#;

fn steps(steps: &[Step]) -> usize {
    let inside = steps.iter().map(|step| match &step.action {
        Action::Frame(frame) => self::steps(&frame.steps),
        _ => 0,
    });
    steps.len() + inside.sum::<usize>()
}

fn bytes(trace: &Trace) -> usize {
    fn of(steps: &[Step]) -> usize {
        let value = |value: &Option<rustorium_runtime::Excerpt>| value.as_ref().map_or(0, |value| value.bytes.len());
        let of = |step: &Step| match &step.action {
            Action::Frame(frame) => of(&frame.steps) + frame.arguments.bytes.len() + frame.export.len(),
            Action::Read { key, value: found } => key.bytes.len() + value(found),
            Action::Write { key, before, after } => key.bytes.len() + value(before) + value(after),
            _ => 0,
        };
        steps.iter().map(of).sum()
    }
    trace.messages.iter().map(|message| of(&message.steps)).sum()
}

#[test]
fn a_flood_of_steps_gives_a_bounded_trace_that_says_what_it_leaves_out() {
    let mut chain = Chain::new();
    let id = chain.deploy(FLOOD);
    let body = chain.body(vec![Message::Call {
        contract: id,
        method: "run".into(),
        args: Vec::new(),
        value: rustorium_types::id::Amount::ZERO,
    }]);
    let transaction = Transaction::new(body, &chain.block.genesis);
    let state: std::sync::Arc<dyn rustorium_runtime::StateRead> = chain.state.clone();
    let mut outcomes = Vec::new();
    for limits in [
        TraceLimits::default(),
        TraceLimits { steps: 100, bytes: 10_000 },
        TraceLimits { steps: 1, bytes: 0 },
        TraceLimits { steps: 0, bytes: 0 },
    ] {
        let (execution, trace) = chain.runtime.trace(&state, &chain.block, &transaction, limits).unwrap();
        let kept: usize = trace.messages.iter().map(|message| steps(&message.steps)).sum();
        assert!(kept <= limits.steps && bytes(&trace) <= limits.bytes, "{kept} steps, {} bytes", bytes(&trace));
        outcomes.push((execution, kept as u64 + trace.omitted));
    }
    let Execution::Done(effects) = &outcomes[0].0 else { panic!() };
    assert!(!effects.receipt.succeeded(), "it runs until its gas is used up");
    assert!(outcomes.iter().all(|outcome| *outcome == outcomes[0]), "what is left out is counted, and nothing changes");
    assert!(outcomes[0].1 > 500, "{}", outcomes[0].1);
}
