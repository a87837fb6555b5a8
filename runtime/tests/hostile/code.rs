//! Code that runs too long, too deep, too wide, or into a wall.

use rustorium_types::{
    code::Code,
    id::{Address, Amount},
    limits::{EVENTS, LOG_BYTES, LOG_LINES, TRANSACTION_GAS},
    transaction::Message,
};

use crate::{
    chain::{Chain, GAS, contract, contract_of_pages, failure, path, returned},
    hosts::escaped,
};

const OUT_OF_STACK: &str = "the stack is exhausted: functions call each other too deep";

/// Gas of a transaction that is meant to run out of it: enough to be long, little enough for a test.
const SOME_GAS: u64 = 5_000_000;

#[test]
fn an_endless_loop_ends_with_its_gas() {
    let mut chain = Chain::new();
    let id = chain.deploy(&contract(
        r#"(global $g (mut i64) (i64.const 0))
        (func (export "call.tight") (loop (br 0)))
        (func (export "call.counting") (local i64) (loop (local.set 0 (i64.add (local.get 0) (i64.const 1))) (br 0)))
        (func (export "call.conditional") (loop (br_if 0 (i32.const 1))))
        (func (export "call.table") (loop (br_table 0 0 0 (i32.const 7))))
        (func (export "call.nested") (loop (loop (global.set $g (i64.const 1)) (br 0))))
        (func $leaf) (func (export "call.calling") (loop (call $leaf) (br 0)))
        (func (export "call.hosting") (loop (drop (call $height)) (br 0)))
        (func (export "call.storing") (loop (i64.store (i32.const 0) (i64.const 1)) (br 0)))
        (func (export "call.growing") (loop (drop (memory.grow (i32.const 0))) (br 0)))
        (func (export "call.copying") (loop (memory.copy (i32.const 0) (i32.const 1) (i32.const 60000)) (br 0)))
        (func (export "call.filling") (loop (memory.fill (i32.const 0) (i32.const 1) (i32.const 0)) (br 0)))
        (func (export "view.tight") (loop (br 0)))
        (func (export "receive") (loop (br 0)))"#,
    ));
    for method in [
        "tight",
        "counting",
        "conditional",
        "table",
        "nested",
        "calling",
        "hosting",
        "storing",
        "growing",
        "copying",
        "filling",
    ] {
        let effects = chain.call_with(id, method, b"", 0, SOME_GAS);
        assert_eq!(failure(&effects).code, Code::OutOfGas, "{method}");
        assert_eq!(effects.receipt.gas_used.0, SOME_GAS, "{method}: all that was allowed, and no more");
    }
    let outcome = chain.view(id, "tight", b"");
    assert_eq!((outcome.result.unwrap_err().code, outcome.gas_used.0), (Code::OutOfGas, GAS));
    let received = chain.send(vec![Message::Transfer { to: id.into(), amount: Amount(1) }]);
    assert_eq!(failure(&received).code, Code::OutOfGas);
    assert_eq!(chain.balance(id), 0, "and the value came back");
}

#[test]
fn an_endless_init_makes_no_contract() {
    let mut chain = Chain::new();
    let code = chain.store(&contract(r#"(func (export "init") (loop (br 0)))"#));
    let message = chain.instantiation(code, Vec::new());
    let effects = chain.send(vec![message]);
    assert_eq!(failure(&effects).code, Code::OutOfGas);
    assert_eq!(path(failure(&effects)), ["init"]);
    let made = effects.writes.keys().filter(|key| key.contract == rustorium_types::id::ContractId::SYSTEM).count();
    assert_eq!(made, 1, "the sender's account alone");
}

#[test]
fn recursion_ends_in_words_however_it_goes() {
    let mut chain = Chain::new();
    let id = chain.deploy(&contract(
        r#"(type $v (func)) (table 3 funcref) (elem (i32.const 0) $indirect $there $back)
        (func $direct (export "call.direct") (call $direct))
        (func $ping (export "call.mutual") (call $pong)) (func $pong (call $ping))
        (func $indirect (export "call.indirect") (call_indirect (type $v) (i32.const 0)))
        (func $there (export "call.mixed") (call_indirect (type $v) (i32.const 2)))
        (func $back (call $there))
        (func $wide (export "call.wide") (local i64 i64 i64 i64) (call $wide) (call $wide))
        (func $sum (param i32) (result i32) (i32.add (call $sum (local.get 0)) (i32.const 1)))
        (func (export "call.value") (drop (call $sum (i32.const 1))))
        (func $many (result i32 i64 i32) (call $many))
        (func (export "call.many") (call $many) drop drop drop)"#,
    ));
    for method in ["direct", "mutual", "indirect", "mixed", "wide", "value", "many"] {
        let effects = chain.call(id, method, b"");
        assert_eq!(failure(&effects).code, Code::Trap, "{method}");
        assert_eq!(effects.diagnostics.message.as_deref(), Some(OUT_OF_STACK), "{method}");
        assert!(effects.diagnostics.function.is_some(), "{method}: and where");
    }
}

#[test]
fn every_trap_has_its_words_and_its_function() {
    let mut chain = Chain::new();
    let id = chain.deploy(&contract(
        r#"(type $v (func)) (table 3 funcref) (elem (i32.const 0) $other) (elem $e func $other) (data $d "x")
        (func $other (param i32))
        (func $f0 (export "call.unreachable") unreachable)
        (func $f1 (export "call.divide") (drop (i64.rem_u (i64.const 1) (i64.const 0))))
        (func $f2 (export "call.overflow") (drop (i32.div_s (i32.const 0x80000000) (i32.const -1))))
        (func $f3 (export "call.load") (drop (i64.load offset=4294967295 (i32.const -1))))
        (func $f4 (export "call.store") (i32.store8 (i32.const 65536) (i32.const 0)))
        (func $f5 (export "call.copy") (memory.copy (i32.const 65535) (i32.const 0) (i32.const 2)))
        (func $f6 (export "call.init") (memory.init $d (i32.const 0) (i32.const 0) (i32.const 2)))
        (func $f7 (export "call.table") (call_indirect (type $v) (i32.const 3)))
        (func $f8 (export "call.null") (call_indirect (type $v) (i32.const 2)))
        (func $f9 (export "call.type") (call_indirect (type $v) (i32.const 0)))
        (func $f10 (export "call.elements") (table.init $e (i32.const 3) (i32.const 0) (i32.const 1)))"#,
    ));
    for (index, (method, message)) in [
        ("unreachable", "wasm `unreachable` instruction executed"),
        ("divide", "integer divide by zero"),
        ("overflow", "integer overflow"),
        ("load", "out of bounds memory access"),
        ("store", "out of bounds memory access"),
        ("copy", "out of bounds memory access"),
        ("init", "out of bounds memory access"),
        ("table", "undefined element: out of bounds table access"),
        ("null", "uninitialized element"),
        ("type", "indirect call type mismatch"),
        ("elements", "undefined element: out of bounds table access"),
    ]
    .into_iter()
    .enumerate()
    {
        let effects = chain.call(id, method, b"");
        assert_eq!(failure(&effects).code, Code::Trap, "{method}");
        assert_eq!(effects.diagnostics.message.as_deref(), Some(message), "{method}");
        assert_eq!(effects.diagnostics.function.as_deref(), Some(&*format!("f{index}")), "{method}");
        assert_eq!(effects.receipt.gas_used.0, GAS, "{method}: the whole limit");
    }
}

#[test]
fn memory_stops_at_the_limit() {
    let mut chain = Chain::new();
    let id = chain.deploy(&contract(
        r#"(func (export "call.x")
            (if (i32.ne (memory.grow (i32.const 256)) (i32.const -1)) (then unreachable))
            (if (i32.ne (memory.grow (i32.const 65535)) (i32.const -1)) (then unreachable))
            (if (i32.ne (memory.grow (i32.const -1)) (i32.const -1)) (then unreachable))
            (if (i32.ne (memory.grow (i32.const 255)) (i32.const 1)) (then unreachable))
            (if (i32.ne (memory.grow (i32.const 1)) (i32.const -1)) (then unreachable))
            (i32.store8 (i32.const 0xffffff) (i32.const 1)))
        (func (export "call.beyond") (drop (memory.grow (i32.const 255))) (i32.store8 (i32.const 0x1000000) (i32.const 1)))"#,
    ));
    assert!(chain.call(id, "x", b"").receipt.succeeded());
    let effects = chain.call(id, "beyond", b"");
    assert_eq!(effects.diagnostics.message.as_deref(), Some("out of bounds memory access"));
}

#[test]
fn a_memory_of_its_own_maximum_stops_there_and_growth_that_fails_is_free() {
    let mut chain = Chain::new();
    let wat = format!(
        r#"(module {} (memory (export "memory") 1 3) (func (export "call.x") (local $i i32)
            (if (i32.ne (memory.grow (i32.const 3)) (i32.const -1)) (then unreachable))
            (loop (drop (memory.grow (i32.const 60000)))
                (br_if 0 (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 100))))
            (if (i32.ne (memory.grow (i32.const 2)) (i32.const 1)) (then unreachable))
            (if (i32.ne (memory.size) (i32.const 3)) (then unreachable))))"#,
        crate::chain::imports()
    );
    let id = chain.deploy(&wat);
    let effects = chain.call(id, "x", b"");
    assert!(effects.receipt.succeeded(), "{:?}", effects.diagnostics);
    assert!(effects.receipt.gas_used.0 < 300_000, "{}", effects.receipt.gas_used);
}

#[test]
fn lengths_of_gigabytes_in_bulk_instructions_cost_or_trap_and_touch_nothing() {
    let mut chain = Chain::new();
    let id = chain.deploy(&contract(
        r#"(data $d "x") (global $huge (mut i32) (i32.const -1))
        (func (export "call.fill") (memory.fill (i32.const 0) (i32.const 1) (global.get $huge)))
        (func (export "call.copy") (memory.copy (i32.const 0) (i32.const 1) (global.get $huge)))
        (func (export "call.init") (memory.init $d (i32.const 0) (i32.const 0) (global.get $huge)))
        (func (export "call.constant") (memory.fill (i32.const 0) (i32.const 1) (i32.const -1)))"#,
    ));
    for method in ["fill", "copy", "init", "constant"] {
        let effects = chain.call_with(id, method, b"", 0, SOME_GAS);
        assert!(matches!(failure(&effects).code, Code::OutOfGas | Code::Trap), "{method}");
        assert_eq!(effects.receipt.gas_used.0, SOME_GAS);
    }
}

#[test]
fn an_instance_is_always_fresh() {
    let mut chain = Chain::new();
    let id = chain.deploy(&contract(
        r#"(global $g (mut i32) (i32.const 0)) (data (i32.const 0) "\00")
        (table 2 funcref) (elem (i32.const 0) $f)
        (func $f)
        (func (export "call.x")
            (if (global.get $g) (then unreachable))
            (if (i32.load8_u (i32.const 0)) (then unreachable))
            (if (i32.load8_u (i32.const 60000)) (then unreachable))
            (if (i32.ne (memory.size) (i32.const 1)) (then unreachable))
            (call_indirect (i32.const 0))
            (global.set $g (i32.const 1)) (i32.store8 (i32.const 0) (i32.const 1))
            (i32.store8 (i32.const 60000) (i32.const 1)) (drop (memory.grow (i32.const 2))))"#,
    ));
    for _ in 0..3 {
        assert!(chain.call(id, "x", b"").receipt.succeeded());
    }
}

#[test]
fn one_contract_never_sees_anothers_memory() {
    let mut chain = Chain::new();
    // The second is what the slot of the first is given to next; it looks at all of 32 pages.
    let marks = chain.deploy(&contract_of_pages(
        32,
        r#"(func (export "call.x") (memory.fill (i32.const 0) (i32.const 0xa5) (i32.const 2097152)))"#,
    ));
    let looks = chain.deploy(&contract_of_pages(
        32,
        r#"(func (export "call.x") (local $at i32)
            (loop
                (if (i64.ne (i64.load (local.get $at)) (i64.const 0)) (then unreachable))
                (br_if 0 (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 8))) (i32.const 2097152)))))"#,
    ));
    for _ in 0..3 {
        assert!(chain.call(marks, "x", b"").receipt.succeeded());
        // So many loads of a memory of 2 MiB cost half of what a transaction may.
        assert!(chain.call_with(looks, "x", b"", 0, TRANSACTION_GAS.0).receipt.succeeded());
    }
}

#[test]
fn a_flood_of_events_is_stopped_and_undone() {
    let mut chain = Chain::new();
    let id = chain.deploy(&contract(
        r#"(data (i32.const 0) "Flood")
        (func (export "call.flood") (loop (call $emit (i32.const 0) (i32.const 5) (i32.const 0) (i32.const 0)) (br 0)))
        (func (export "call.most") (local $i i32)
            (loop (call $emit (i32.const 0) (i32.const 5) (i32.const 0) (i32.const 0))
                (br_if 0 (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 1024)))))"#,
    ));
    let effects = chain.call(id, "flood", b"");
    assert_eq!(failure(&effects).code, Code::TooLarge);
    assert_eq!(effects.diagnostics.message.as_deref(), Some("more than 1024 events in one transaction"));
    assert!(effects.events.is_empty());
    assert_eq!(chain.call(id, "most", b"").events.len(), EVENTS);
}

#[test]
fn events_of_calls_that_failed_leave_their_place_to_others() {
    let mut chain = Chain::new();
    let callee = chain.deploy(&contract(
        r#"(data (i32.const 0) "Flood") (func (export "call.flood") (local $i i32)
            (loop (call $emit (i32.const 0) (i32.const 5) (i32.const 0) (i32.const 0))
                (br_if 0 (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 1000))))
            unreachable)"#,
    ));
    let caller = chain.deploy(&contract(&format!(
        r#"(data (i32.const 0) "{}") (data (i32.const 64) "flood") (func (export "call.x") (local $i i32)
            (loop
                (drop (call $call (i32.const 0) (i32.const 64) (i32.const 5) (i32.const 0) (i32.const 0) (i32.const 128)
                    (i64.const 8000000) (i32.const 256) (i32.const 0)))
                (br_if 0 (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 5))))
            (call $emit (i32.const 64) (i32.const 5) (i32.const 0) (i32.const 0)))"#,
        escaped(&Address::Contract(callee).to_bytes())
    )));
    let effects = chain.call(caller, "x", b"");
    assert!(effects.receipt.succeeded(), "{:?}", effects.diagnostics);
    assert_eq!(effects.events.len(), 1);
    assert_eq!(effects.events[0].event_index, 0);
}

#[test]
fn a_flood_of_writes_ends_with_its_gas_and_is_undone() {
    let mut chain = Chain::new();
    let id = chain.deploy(&contract(
        r#"(func (export "call.many") (loop
            (i32.store (i32.const 0) (i32.add (i32.load (i32.const 0)) (i32.const 1)))
            (call $storage_write (i32.const 0) (i32.const 4) (i32.const 0) (i32.const 0)) (br 0)))
        (func (export "call.large") (loop
            (i32.store (i32.const 0) (i32.add (i32.load (i32.const 0)) (i32.const 1)))
            (call $storage_write (i32.const 0) (i32.const 4) (i32.const 0) (i32.const 65536)) (br 0)))
        (func (export "call.same") (loop
            (call $storage_write (i32.const 0) (i32.const 4) (i32.const 0) (i32.const 4)) (br 0)))
        (func (export "call.remove") (loop
            (i32.store (i32.const 0) (i32.add (i32.load (i32.const 0)) (i32.const 1)))
            (call $storage_remove (i32.const 0) (i32.const 4)) (br 0)))"#,
    ));
    for method in ["many", "large", "same", "remove"] {
        let effects = chain.call(id, method, b"");
        assert_eq!(failure(&effects).code, Code::OutOfGas, "{method}");
        let of_the_contract = effects.writes.keys().filter(|key| key.contract == id).count();
        assert_eq!(of_the_contract, 0, "{method}");
    }
}

#[test]
fn a_flood_of_reads_is_paid_for_each() {
    let mut chain = Chain::new();
    let id = chain.deploy(&contract(
        r#"(func (export "call.absent") (loop
            (i32.store (i32.const 0) (i32.add (i32.load (i32.const 0)) (i32.const 1)))
            (drop (call $storage_read (i32.const 0) (i32.const 4) (i32.const 64) (i32.const 0))) (br 0)))"#,
    ));
    let effects = chain.call_with(id, "absent", b"", 0, SOME_GAS);
    assert_eq!(failure(&effects).code, Code::OutOfGas);
    let read = effects.reads.iter().filter(|key| key.contract == id).count() as u64;
    assert!(read > 100 && read <= SOME_GAS / 1_000, "{read}: what the outcome depends on, undone or not");
}

#[test]
fn a_flood_of_logs_is_cut() {
    let mut chain = Chain::new();
    let id =
        chain.deploy(&contract(r#"(func (export "call.x") (loop (call $log (i32.const 0) (i32.const 5000)) (br 0)))"#));
    let effects = chain.call(id, "x", b"");
    assert_eq!(effects.diagnostics.logs.len(), LOG_LINES);
    // Each byte that is not printable became three.
    assert!(effects.diagnostics.logs.iter().all(|line| line.text.len() <= 3 * LOG_BYTES));
}

#[test]
fn panics_are_shown_cut_and_clean() {
    let mut chain = Chain::new();
    let id = chain.deploy(&contract(
        r#"(data (i32.const 0) "at src/lib.rs:7\n\1b[31mred\ff\00") (data (i32.const 1024) "x")
        (func (export "call.ugly") (call $panic (i32.const 0) (i32.const 26)))
        (func (export "call.long") (memory.fill (i32.const 0) (i32.const 120) (i32.const 60000))
            (call $panic (i32.const 0) (i32.const 60000)))
        (func (export "call.empty") (call $panic (i32.const 0) (i32.const 0)))"#,
    ));
    for (method, expected) in [
        ("ugly", "at src/lib.rs:7\n\u{fffd}[31mred\u{fffd}\u{fffd}".to_owned()),
        ("long", "x".repeat(LOG_BYTES)),
        ("empty", String::new()),
    ] {
        let effects = chain.call(id, method, b"");
        assert_eq!(failure(&effects).code, Code::Trap, "{method}");
        assert_eq!(effects.diagnostics.message.as_deref(), Some(expected.as_str()));
    }
}

/// A contract that hands itself to another, which comes back through `export`; `marks` may allow it.
fn visited(export: &str, marks: &str) -> (Code, bool) {
    let mut chain = Chain::new();
    let visitor = chain.deploy(&contract(
        r#"(data (i32.const 0) "back") (data (i32.const 200) "\01") (func (export "receive"))
        (func $answer (param $outcome i64)
            (i64.store (i32.const 248) (i64.shr_u (local.get $outcome) (i64.const 32)))
            (call $return_data (i32.const 248) (i32.const 8)))
        (func (export "call.call") (drop (call $caller (i32.const 64)))
            (call $answer (call $call (i32.const 64) (i32.const 0) (i32.const 4) (i32.const 0) (i32.const 0)
                (i32.const 128) (i64.const 0) (i32.const 256) (i32.const 64))))
        (func (export "call.query") (drop (call $caller (i32.const 64)))
            (call $answer (call $query (i32.const 64) (i32.const 0) (i32.const 4) (i32.const 0) (i32.const 0)
                (i64.const 0) (i32.const 256) (i32.const 64))))
        (func (export "call.transfer") (drop (call $caller (i32.const 64)))
            (call $answer (call $transfer (i32.const 64) (i32.const 200) (i64.const 0) (i32.const 256) (i32.const 64))))"#,
    ));
    let id = chain.deploy(&contract(&format!(
        r#"(data (i32.const 0) "{visitor}") (data (i32.const 64) "{export}") (data (i32.const 300) "entered")
        (func $enter (call $storage_write (i32.const 300) (i32.const 7) (i32.const 0) (i32.const 0)))
        (func (export "call.back") (call $enter)) (func (export "view.back")) (func (export "receive") (call $enter))
        {marks}
        (func (export "call.x")
            (drop (call $call (i32.const 0) (i32.const 64) (i32.const {length}) (i32.const 0) (i32.const 0)
                (i32.const 128) (i64.const 0) (i32.const 256) (i32.const 64)))
            (call $return_data (i32.const 256) (i32.const 8)))"#,
        visitor = escaped(&Address::Contract(visitor).to_bytes()),
        length = export.len(),
    )));
    let effects = chain.send(vec![Message::Transfer { to: visitor.into(), amount: Amount(10) }]);
    assert!(effects.receipt.succeeded());
    let effects = chain.call(id, "x", b"");
    let status = u64::from_le_bytes(returned(&effects).try_into().unwrap());
    let code = if status == 0 { Code::BadUserInput } else { Code::from_number(status as u8).unwrap() };
    (code, chain.entry(id, b"entered").is_some())
}

#[test]
fn a_contract_on_the_stack_is_entered_by_nobody_but_as_it_allows() {
    const ENTERED: Code = Code::BadUserInput;
    assert_eq!(visited("call", ""), (Code::Reentrant, false));
    assert_eq!(visited("transfer", ""), (Code::Reentrant, false));
    assert_eq!(visited("query", ""), (ENTERED, false), "views change nothing");
    assert_eq!(visited("call", r#"(func (export "reentrant.back"))"#), (ENTERED, true));
    assert_eq!(visited("transfer", r#"(func (export "reentrant.receive"))"#), (ENTERED, true));
    assert_eq!(visited("call", r#"(func (export "reentrant.x"))"#), (Code::Reentrant, false), "another's mark");
}

#[test]
fn a_contract_that_is_being_made_is_not_entered() {
    let mut chain = Chain::new();
    let visitor = chain.deploy(&contract(
        r#"(data (i32.const 0) "back") (func (export "call.visit") (drop (call $caller (i32.const 64)))
            (i64.store (i32.const 248) (i64.shr_u (call $call (i32.const 64) (i32.const 0) (i32.const 4) (i32.const 0)
                (i32.const 0) (i32.const 128) (i64.const 0) (i32.const 256) (i32.const 64)) (i64.const 32)))
            (call $return_data (i32.const 248) (i32.const 8)))"#,
    ));
    let code = chain.store(&contract(&format!(
        r#"(data (i32.const 0) "{}") (data (i32.const 64) "visit") (data (i32.const 80) "told")
        (func (export "call.back"))
        (func (export "init")
            (drop (call $call (i32.const 0) (i32.const 64) (i32.const 5) (i32.const 0) (i32.const 0)
                (i32.const 128) (i64.const 0) (i32.const 256) (i32.const 64)))
            (call $storage_write (i32.const 80) (i32.const 4) (i32.const 256) (i32.const 8)))"#,
        escaped(&Address::Contract(visitor).to_bytes())
    )));
    let id = chain.instantiate(code, Vec::new());
    assert_eq!(chain.entry(id, b"told").unwrap(), (Code::Reentrant as u64).to_le_bytes());
}
