//! Calls between contracts: who calls, what is undone, what may be entered, and who keeps how much gas.

use rustorium_types::{
    block::TypedError,
    code::Code,
    host::CallError,
    id::{Address, Amount, ContractId},
    limits::CALL_DEPTH,
    transaction::Message,
};

use crate::{
    chain::{ALICE, Chain, contract, failure, path, returned},
    hosts::escaped,
};

/// What most tests call: it can write, fail, trap, loop, read and call back.
const CALLEE: &str = r#"
    (data (i32.const 0) "key") (data (i32.const 8) "Broken") (data (i32.const 16) "Event")
    (func $write
        (call $storage_write (i32.const 0) (i32.const 3) (i32.const 0) (i32.const 1))
        (call $emit (i32.const 16) (i32.const 5) (i32.const 0) (i32.const 1)))
    (func (export "call.succeed") (call $write) (call $return_data (i32.const 0) (i32.const 3)))
    (func (export "call.fail") (call $write) (call $fail (i32.const 8) (i32.const 6) (i32.const 0) (i32.const 2)))
    (func $trapping (export "call.trap") (call $write) unreachable)
    (func (export "call.spin") (call $write) (loop (br 0)))
    (func (export "view.write") (call $write))
    (func (export "view.caller") (drop (call $caller (i32.const 64))) (call $return_data (i32.const 64) (i32.const 33)))
    (func (export "call.caller") (drop (call $caller (i32.const 64))) (call $return_data (i32.const 64) (i32.const 33)))"#;

/// A method `run` that calls `method` of a contract with `value` and `gas`, leaves the outcome's status and length in
/// `$outcome` and its bytes at 2048, and goes on with `then`. More fields may follow.
fn caller(target: ContractId, method: &str, value: u8, gas: u64, then: &str, more: &str) -> String {
    contract(&format!(
        r#"(data (i32.const 1024) "{target}") (data (i32.const 1088) "{method}") (data (i32.const 1152) "\{value:02x}")
        (data (i32.const 1280) "mine") (data (i32.const 1296) "Sad")
        (func (export "receive")) {more}
        (func $outer (export "call.run") (local $outcome i64)
            (call $storage_write (i32.const 1280) (i32.const 4) (i32.const 1280) (i32.const 4))
            (local.set $outcome (call $call (i32.const 1024) (i32.const 1088) (i32.const {length})
                (i32.const 0) (i32.const 0) (i32.const 1152) (i64.const {gas}) (i32.const 2048) (i32.const 256)))
            {then})"#,
        target = escaped(&Address::Contract(target).to_bytes()),
        length = method.len(),
    ))
}

/// Returns status and bytes of the outcome.
const RETURN: &str = r#"
    (i64.store (i32.const 2040) (i64.shr_u (local.get $outcome) (i64.const 32)))
    (call $return_data (i32.const 2040) (i32.add (i32.const 8) (i32.wrap_i64 (local.get $outcome))))"#;
const FAIL: &str = "(call $fail (i32.const 1296) (i32.const 3) (i32.const 0) (i32.const 0))";

struct Pair {
    chain: Chain,
    callee: ContractId,
    outer: ContractId,
}

fn pair(method: &str, then: &str) -> Pair {
    let mut chain = Chain::new();
    let callee = chain.deploy(&contract(CALLEE));
    let outer = chain.deploy(&caller(callee, method, 0, 0, then, ""));
    Pair { chain, callee, outer }
}

fn status(outcome: &[u8]) -> (u64, &[u8]) {
    (u64::from_le_bytes(outcome[..8].try_into().unwrap()), &outcome[8..])
}

#[test]
fn a_callees_result_and_effects_reach_the_caller() {
    let Pair { mut chain, callee, outer } = pair("succeed", RETURN);
    let effects = chain.call(outer, "run", b"");
    assert_eq!(status(&returned(&effects)), (0, &b"key"[..]));
    assert_eq!(effects.events.len(), 1);
    assert_eq!(chain.entry(callee, b"key").unwrap(), b"k");
    assert_eq!(chain.entry(outer, b"mine").unwrap(), b"mine");
}

#[test]
fn a_failed_callee_is_undone_and_the_caller_goes_on() {
    for (method, code) in [("fail", Code::ContractError), ("trap", Code::Trap), ("spin", Code::OutOfGas)] {
        let Pair { mut chain, callee, outer } = pair(method, RETURN);
        let effects = chain.call(outer, "run", b"");
        let answer = returned(&effects);
        let (status, error) = status(&answer);
        assert_eq!(status, code as u64);
        let error: CallError = borsh::from_slice(error).unwrap();
        let own = TypedError { name: "Broken".into(), fields: b"ke".into() };
        assert_eq!(error, CallError { code, error: (code == Code::ContractError).then_some(own) });
        assert_eq!(chain.entry(callee, b"key"), None, "{method}: the callee's write is undone");
        assert!(effects.events.is_empty(), "{method}: and its event");
        assert_eq!(chain.entry(outer, b"mine").unwrap(), b"mine");
        assert_eq!(effects.diagnostics.message, None, "nothing failed in the end");
    }
}

#[test]
fn a_failure_names_the_cause_behind_it() {
    let Pair { mut chain, callee, outer } = pair("trap", FAIL);
    let effects = chain.call(outer, "run", b"");
    let failed = failure(&effects);
    assert_eq!((failed.code, failed.message_index), (Code::ContractError, 0));
    assert_eq!(failed.error.as_ref().unwrap().name, "Sad");
    assert_eq!(path(failed), ["call.run", "call.trap"]);
    assert_eq!([failed.path[0].contract, failed.path[1].contract], [outer, callee]);
    assert!(failed.path[0].gas_used > failed.path[1].gas_used);
    assert_eq!(effects.diagnostics.function.as_deref(), Some("trapping"));
    assert_eq!(effects.diagnostics.message.as_deref(), Some("wasm `unreachable` instruction executed"));
    assert_eq!(chain.entry(outer, b"mine"), None, "the caller failed as well");

    let later = format!("(call $storage_write (i32.const 1280) (i32.const 4) (i32.const 0) (i32.const 1)) {FAIL}");
    let Pair { mut chain, outer, .. } = pair("trap", &later);
    let effects = chain.call(outer, "run", b"");
    assert_eq!(path(failure(&effects)), ["call.run"], "it dealt with that and failed later");
}

#[test]
fn a_trap_of_the_caller_after_the_callees_names_both() {
    let Pair { mut chain, outer, .. } = pair("fail", "unreachable");
    let effects = chain.call(outer, "run", b"");
    assert_eq!(path(failure(&effects)), ["call.run", "call.fail"]);
    assert_eq!(effects.diagnostics.function.as_deref(), Some("outer"));
    assert!(failure(&effects).error.is_none());
}

#[test]
fn the_caller_is_the_immediate_one() {
    let Pair { mut chain, callee, outer } = pair("caller", RETURN);
    let answer = chain.returned(outer, "run", b"");
    assert_eq!(status(&answer).1, Address::Contract(outer).to_bytes());
    assert_eq!(chain.returned(callee, "caller", b""), Address::Account(ALICE).to_bytes());
}

#[test]
fn refusals_before_anything_ran() {
    let mut chain = Chain::new();
    let callee = chain.deploy(&contract(CALLEE));
    let mut outcome = |target, method, value| {
        let outer = chain.deploy(&caller(target, method, value, 0, RETURN, ""));
        let answer = chain.returned(outer, "run", b"");
        Code::from_number(status(&answer).0 as u8)
    };
    assert_eq!(outcome(ContractId([9; 32]), "succeed", 0), Some(Code::NotFound));
    assert_eq!(outcome(ContractId::SYSTEM, "succeed", 0), Some(Code::NotFound));
    assert_eq!(outcome(callee, "nothing", 0), Some(Code::UnknownMethod));
    assert_eq!(outcome(callee, "succeed", 1), Some(Code::NotPayable));
    let effects = chain.call(callee, "nothing", b"");
    assert_eq!(failure(&effects).code, Code::UnknownMethod);
    assert!(failure(&effects).path.is_empty(), "no frame ran");
    let effects = chain.send(vec![Message::Transfer { to: callee.into(), amount: Amount(1) }]);
    assert_eq!(failure(&effects).code, Code::NotPayable, "it has no `receive`");
    assert_eq!(chain.balance(callee), 0);
}

/// A contract that calls itself back through another, with the method marked re-entrant or not.
fn call_back(mark: &str) -> (Chain, ContractId) {
    let mut chain = Chain::new();
    // The relay calls whoever calls it back, by `again`.
    let relay = chain.deploy(&contract(
        r#"(data (i32.const 0) "again")
        (func (export "call.relay") (local $outcome i64)
            (drop (call $caller (i32.const 64)))
            (local.set $outcome (call $call (i32.const 64) (i32.const 0) (i32.const 5) (i32.const 0) (i32.const 0)
                (i32.const 128) (i64.const 0) (i32.const 256) (i32.const 64)))
            (i64.store (i32.const 248) (i64.shr_u (local.get $outcome) (i64.const 32)))
            (call $return_data (i32.const 248) (i32.const 8)))"#,
    ));
    let again = format!(r#"(func (export "call.again")) {mark}"#);
    let outer =
        chain.deploy(&caller(relay, "relay", 0, 0, "(call $return_data (i32.const 2048) (i32.const 8))", &again));
    (chain, outer)
}

#[test]
fn a_contract_on_the_stack_is_not_entered_again() {
    let (mut chain, outer) = call_back("");
    let answer = chain.returned(outer, "run", b"");
    assert_eq!(answer, (Code::Reentrant as u64).to_le_bytes());
    let (mut chain, outer) = call_back(r#"(func (export "reentrant.again"))"#);
    assert_eq!(chain.returned(outer, "run", b""), 0u64.to_le_bytes(), "but by a method that says so");
}

#[test]
fn a_view_may_enter_a_contract_on_the_stack_and_sees_its_writes() {
    let own = r#"
        (data (i32.const 0) "key") (data (i32.const 8) "get")
        (func (export "view.get") (call $return_data (i32.const 64)
            (i32.wrap_i64 (call $storage_read (i32.const 0) (i32.const 3) (i32.const 64) (i32.const 16)))))
        (func (export "call.run")
            (call $storage_write (i32.const 0) (i32.const 3) (i32.const 8) (i32.const 3))
            (call $this (i32.const 128))
            (call $return_data (i32.const 256) (i32.wrap_i64 (call $query (i32.const 128) (i32.const 8) (i32.const 3)
                (i32.const 0) (i32.const 0) (i64.const 0) (i32.const 256) (i32.const 16)))))"#;
    let mut chain = Chain::new();
    let id = chain.deploy(&contract(own));
    assert_eq!(chain.returned(id, "run", b""), b"get");
}

#[test]
fn views_change_nothing_at_any_depth() {
    let mut chain = Chain::new();
    let callee = chain.deploy(&contract(CALLEE));
    let outcome = chain.view(callee, "write", b"");
    assert_eq!(outcome.result.unwrap_err().code, Code::Trap);
    assert_eq!(outcome.diagnostics.message.as_deref(), Some("a view must not write storage"));
    // A view that a view calls, and a call from a view.
    let nested = format!(
        r#"(data (i32.const 0) "{target}") (data (i32.const 64) "write") (data (i32.const 80) "caller")
        (func (export "view.query") (local $outcome i64)
            (local.set $outcome (call $query (i32.const 0) (i32.const 64) (i32.const 5) (i32.const 0) (i32.const 0)
                (i64.const 100000) (i32.const 256) (i32.const 64)))
            (i64.store (i32.const 128) (i64.shr_u (local.get $outcome) (i64.const 32)))
            (call $return_data (i32.const 128) (i32.const 8)))
        (func (export "view.caller") (call $return_data (i32.const 256) (i32.wrap_i64 (call $query (i32.const 0)
            (i32.const 80) (i32.const 6) (i32.const 0) (i32.const 0) (i64.const 0) (i32.const 256) (i32.const 64)))))
        (func (export "view.call") (drop (call $call (i32.const 0) (i32.const 64) (i32.const 5) (i32.const 0)
            (i32.const 0) (i32.const 200) (i64.const 0) (i32.const 256) (i32.const 64))))
        (func (export "view.emit") (call $emit (i32.const 64) (i32.const 5) (i32.const 0) (i32.const 0)))
        (func (export "view.transfer") (drop (call $transfer (i32.const 0) (i32.const 200) (i64.const 0)
            (i32.const 256) (i32.const 64))))
        (func (export "view.remove") (call $storage_remove (i32.const 64) (i32.const 5)))
        (func (export "view.make") (drop (call $instantiate (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)
            (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 200) (i64.const 0) (i32.const 256) (i32.const 9))))"#,
        target = escaped(&Address::Contract(callee).to_bytes()),
    );
    let id = chain.deploy(&contract(&nested));
    assert_eq!(chain.view(id, "query", b"").result.unwrap(), (Code::Trap as u64).to_le_bytes());
    assert_eq!(chain.view(id, "caller", b"").result.unwrap(), Address::Contract(id).to_bytes());
    for forbidden in ["call", "emit", "transfer", "remove", "make"] {
        assert_eq!(chain.view(id, forbidden, b"").result.unwrap_err().code, Code::Trap, "{forbidden}");
    }
}

#[test]
fn value_goes_with_payable_calls_only_and_comes_back_on_failure() {
    let mut chain = Chain::new();
    let callee = chain.deploy(&contract(
        r#"(func (export "call.take")) (func (export "payable.take"))
        (func (export "call.refuse") unreachable) (func (export "payable.refuse"))"#,
    ));
    for (method, kept) in [("take", 93), ("refuse", 100)] {
        let outer = chain.deploy(&caller(callee, method, 7, 100_000, RETURN, ""));
        chain.send(vec![Message::Transfer { to: outer.into(), amount: Amount(100) }]);
        chain.returned(outer, "run", b"");
        assert_eq!(chain.balance(outer), kept, "{method}");
    }
    assert_eq!(chain.balance(callee), 7);
    let poor = chain.deploy(&caller(callee, "take", 7, 0, RETURN, ""));
    let answer = chain.returned(poor, "run", b"");
    assert_eq!(status(&answer).0, Code::InsufficientFunds as u64);
}

#[test]
fn the_caller_keeps_a_64th() {
    let Pair { mut chain, outer, .. } = pair("spin", RETURN);
    let limit = 10_000_000;
    let effects = chain.call_with(outer, "run", b"", 0, limit);
    assert!(effects.receipt.succeeded(), "what was kept is enough to go on");
    let used = effects.receipt.gas_used.0;
    let kept = limit - used;
    assert!(kept > limit / 64 - 20_000 && kept < limit / 64, "{kept}");
}

#[test]
fn a_gas_limit_of_the_callers_choice_bounds_the_callee() {
    let mut chain = Chain::new();
    let callee = chain.deploy(&contract(CALLEE));
    let mut used = |gas| {
        let outer = chain.deploy(&caller(callee, "spin", 0, gas, RETURN, ""));
        chain.call(outer, "run", b"").receipt.gas_used.0
    };
    let (small, large) = (used(100_000), used(600_000));
    assert_eq!(large - small, 500_000, "a callee that runs out has used its whole limit, and no more");
}

#[test]
fn calls_nest_to_the_limit_and_no_deeper() {
    // It calls itself, says how deep it came, and stops where it is refused.
    let fields = r#"
        (data (i32.const 0) "down")
        (func (export "reentrant.down"))
        (func (export "call.down") (local $outcome i64)
            (call $this (i32.const 64))
            (local.set $outcome (call $call (i32.const 64) (i32.const 0) (i32.const 4) (i32.const 0) (i32.const 0)
                (i32.const 128) (i64.const 0) (i32.const 256) (i32.const 64)))
            (if (i64.lt_u (local.get $outcome) (i64.const 0x100000000))
                (then (i32.store (i32.const 200) (i32.add (i32.const 1) (i32.load (i32.const 256)))))
                (else
                    (i32.store (i32.const 200) (i32.const 1))
                    (i32.store (i32.const 204) (i32.add (i32.const 64) (i32.wrap_i64 (i64.shr_u (local.get $outcome) (i64.const 32)))))
                    (call $log (i32.const 204) (i32.const 1))))
            (call $return_data (i32.const 200) (i32.const 4)))"#;
    let mut chain = Chain::new();
    let id = chain.deploy(&contract(fields));
    let effects = chain.call(id, "down", b"");
    assert_eq!(returned(&effects), CALL_DEPTH.to_le_bytes());
    assert_eq!(effects.diagnostics.logs[0].text.as_bytes(), [64 + Code::TooLarge as u8]);
}

#[test]
fn logs_of_undone_calls_are_kept() {
    let mut chain = Chain::new();
    let callee = chain.deploy(&contract(
        r#"(data (i32.const 0) "before") (func (export "call.trap") (call $log (i32.const 0) (i32.const 6)) unreachable)"#,
    ));
    let effects = chain.call(callee, "trap", b"");
    assert_eq!(effects.diagnostics.logs[0].text, "before", "that is where they are needed most");
}
