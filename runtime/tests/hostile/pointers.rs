//! Every pointer and length of every host function: out of the memory, at its end, huge, and overlapping. Driven by
//! the host table, so that a function added to it is attacked as well.

use rustorium_types::code::Code;

use crate::{
    chain::{Chain, contract, failure},
    table::{Kind, Row, TABLE},
};

/// Bytes of the memory: one page.
const MEMORY: i64 = 65_536;
/// What a pointer out of the memory says.
const OUT_OF_MEMORY: [&str; 2] = [
    "a pointer that was passed to the host is out of the memory",
    "a pointer for a result of the host is out of the memory",
];

/// What an attack must come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expected {
    /// Whatever the function does with what is there, but no complaint about the pointer.
    InMemory,
    /// A trap that says so.
    OutOfMemory,
    /// As [`Self::OutOfMemory`], or the gas of so many bytes is not there.
    Refused,
}

/// A pointer, or a pointer and a length.
#[derive(Clone, Copy, Debug)]
struct Attack {
    pointer: i64,
    length: i64,
    expected: Expected,
}

/// What to pass where so many bytes are expected.
fn attacks_on(kind: Kind) -> Vec<Attack> {
    use Expected::{InMemory, OutOfMemory, Refused};
    let attack = |pointer, length, expected| Attack { pointer, length, expected };
    match kind {
        Kind::U64 => Vec::new(),
        Kind::Fixed(size) => {
            let last = MEMORY - i64::from(size);
            vec![
                attack(last, 0, InMemory),
                attack(last + 1, 0, OutOfMemory),
                attack(MEMORY - 1, 0, OutOfMemory),
                attack(MEMORY, 0, OutOfMemory),
                attack(0x7fff_ffff, 0, OutOfMemory),
                attack(-1, 0, OutOfMemory),
                attack(-i64::from(size), 0, OutOfMemory),
            ]
        }
        Kind::Bytes => vec![
            attack(0, 0, InMemory),
            attack(MEMORY, 0, InMemory),
            attack(MEMORY - 1, 1, InMemory),
            attack(MEMORY - 32, 32, InMemory),
            attack(MEMORY + 1, 0, OutOfMemory),
            attack(-1, 0, OutOfMemory),
            attack(MEMORY - 1, 2, OutOfMemory),
            attack(MEMORY, 1, OutOfMemory),
            attack(0, MEMORY + 1, OutOfMemory),
            // Their sum is 8 in 32 bits.
            attack(-8, 16, OutOfMemory),
            attack(16, -8, Refused),
            attack(0, 0x7fff_ffff, Refused),
            attack(0, -1, Refused),
            attack(-1, -1, Refused),
        ],
    }
}

/// What is passed where nothing is attacked: zeros, of which addresses, names and scalars can be made.
fn harmless(row: &Row, kind: Kind) -> &'static str {
    match kind {
        Kind::U64 => "(i64.const 0)",
        Kind::Fixed(_) => "(i32.const 0)",
        // No bytes are no admin; one byte is no address.
        Kind::Bytes if row.name == "instantiate" => "(i32.const 1024) (i32.const 0)",
        Kind::Bytes => "(i32.const 1024) (i32.const 1)",
    }
}

fn written(kind: Kind, pointer: i64, length: i64) -> String {
    let (pointer, length) = (pointer as u32, length as u32);
    match kind {
        Kind::U64 => "(i64.const 0)".to_owned(),
        Kind::Fixed(_) => format!("(i32.const {pointer})"),
        Kind::Bytes => format!("(i32.const {pointer}) (i32.const {length})"),
    }
}

/// A call with one argument attacked.
fn attacked(row: &Row, position: usize, attack: Attack) -> String {
    let argument = |(index, kind)| {
        if index == position { written(kind, attack.pointer, attack.length) } else { harmless(row, kind).to_owned() }
    };
    row.call(&row.arguments().enumerate().map(argument).collect::<Vec<_>>().join(" "))
}

/// Methods that are called one after the other, and the complaint of each, if it is one about memory.
fn run(bodies: &[String]) -> Vec<Result<(), (Code, String)>> {
    let methods: String = (0..)
        .zip(bodies)
        .map(|(index, body): (usize, _)| format!(r#"(func (export "call.m{index}") {body})"#))
        .collect();
    let mut chain = Chain::new();
    let id = chain.deploy(&contract(&format!(r#"(data (i32.const 1024) "name") (func (export "receive")) {methods}"#)));
    (0..bodies.len())
        .map(|index| {
            let effects = chain.call_with(id, &format!("m{index}"), b"args", 0, 10_000_000);
            if effects.receipt.succeeded() {
                return Ok(());
            }
            let message = effects.diagnostics.message.clone().unwrap_or_default();
            Err((failure(&effects).code, message))
        })
        .collect()
}

#[test]
fn every_pointer_of_every_host_function_is_checked() {
    for row in TABLE {
        let attacks: Vec<(usize, Attack)> = row
            .arguments()
            .enumerate()
            .flat_map(|(position, kind)| attacks_on(kind).into_iter().map(move |attack| (position, attack)))
            .collect();
        let bodies: Vec<String> = attacks.iter().map(|(position, attack)| attacked(row, *position, *attack)).collect();
        for ((body, (_, attack)), came_to) in bodies.iter().zip(attacks).zip(run(&bodies)) {
            let complains = matches!(&came_to, Err((Code::Trap, message)) if OUT_OF_MEMORY.contains(&message.as_str()));
            let unpaid = matches!(&came_to, Err((Code::OutOfGas, _)));
            match attack.expected {
                Expected::InMemory => assert!(!complains && !unpaid, "{body}: {came_to:?}"),
                // Nothing of the host reads a length before its bytes are paid for, whether they are there or not.
                Expected::OutOfMemory => assert!(complains, "{body}: {came_to:?}"),
                Expected::Refused => assert!(complains || unpaid, "{body}: {came_to:?}"),
            }
        }
    }
}

#[test]
fn every_host_function_takes_arguments_that_overlap_its_result() {
    for row in TABLE {
        // All at one place, all but a byte further, and all at the end of the memory.
        let layouts: [fn(i64, Kind) -> i64; 3] = [
            |_, _| 2_048,
            |index, _| 2_048 + index,
            |_, kind| if let Kind::Fixed(size) = kind { MEMORY - i64::from(size) } else { MEMORY - 32 },
        ];
        let bodies: Vec<String> = layouts
            .iter()
            .map(|layout| {
                let arguments: Vec<String> =
                    (0..).zip(row.arguments()).map(|(index, kind)| written(kind, layout(index, kind), 32)).collect();
                row.call(&arguments.join(" "))
            })
            .collect();
        let (once, again) = (run(&bodies), run(&bodies));
        assert_eq!(once, again, "{}", row.name);
        for (body, came_to) in bodies.iter().zip(once) {
            let complains = matches!(&came_to, Err((_, message)) if OUT_OF_MEMORY.contains(&message.as_str()));
            assert!(!complains, "{body}: {came_to:?}");
        }
    }
}

#[test]
fn a_result_over_its_own_argument_is_right() {
    let mut chain = Chain::new();
    let id = chain.deploy(&contract(
        r#"(func (export "call.hash")
            (drop (call $arguments (i32.const 100) (i32.const 64)))
            (call $sha256 (i32.const 100) (i32.const 64) (i32.const 116))
            (call $return_data (i32.const 116) (i32.const 32)))"#,
    ));
    let apart = chain.deploy(&contract(
        r#"(func (export "call.hash")
            (drop (call $arguments (i32.const 100) (i32.const 64)))
            (call $sha256 (i32.const 100) (i32.const 64) (i32.const 1000))
            (call $return_data (i32.const 1000) (i32.const 32)))"#,
    ));
    assert_eq!(chain.returned(id, "hash", &[7; 64]), chain.returned(apart, "hash", &[7; 64]));
}

#[test]
fn memory_that_has_grown_is_memory_for_the_host() {
    let mut chain = Chain::new();
    let id = chain.deploy(&contract(
        r#"(func (export "call.before") (call $log (i32.const 131071) (i32.const 1)))
        (func (export "call.after") (drop (memory.grow (i32.const 1))) (call $log (i32.const 131071) (i32.const 1)))
        (func (export "call.beyond") (drop (memory.grow (i32.const 1))) (call $log (i32.const 131071) (i32.const 2)))"#,
    ));
    assert!(!chain.call(id, "before", b"").receipt.succeeded());
    assert!(chain.call(id, "after", b"").receipt.succeeded());
    assert!(!chain.call(id, "beyond", b"").receipt.succeeded());
}

#[test]
fn huge_lengths_are_not_looked_at_before_they_are_paid_for() {
    let mut chain = Chain::new();
    let id = chain.deploy(&contract(r#"(func (export "call.x") (call $return_data (i32.const 1) (i32.const -1)))"#));
    let effects = chain.call(id, "x", b"");
    assert_eq!(failure(&effects).code, Code::OutOfGas, "4 GiB are not paid for, so not looked at");
}

#[test]
fn sizes_over_a_limit_trap_as_too_large() {
    let mut chain = Chain::new();
    let id = chain.deploy(&crate::chain::contract_of_pages(
        3,
        r#"(data (i32.const 0) "name")
        (func (export "call.key") (call $storage_write (i32.const 0) (i32.const 257) (i32.const 0) (i32.const 1)))
        (func (export "call.value") (call $storage_write (i32.const 0) (i32.const 4) (i32.const 0) (i32.const 65537)))
        (func (export "call.return") (call $return_data (i32.const 0) (i32.const 65537)))
        (func (export "call.event") (call $emit (i32.const 0) (i32.const 4) (i32.const 0) (i32.const 16385)))
        (func (export "call.name") (call $emit (i32.const 0) (i32.const 65) (i32.const 0) (i32.const 0)))
        (func (export "call.error") (call $fail (i32.const 0) (i32.const 4) (i32.const 0) (i32.const 4097)))
        (func (export "call.arguments") (drop (call $query (i32.const 128) (i32.const 0) (i32.const 4) (i32.const 0)
            (i32.const 65537) (i64.const 0) (i32.const 0) (i32.const 0))))
        (func (export "call.label") (drop (call $instantiate (i32.const 128) (i32.const 128) (i32.const 0) (i32.const 0)
            (i32.const 0) (i32.const 65) (i32.const 0) (i32.const 0) (i32.const 128) (i64.const 0) (i32.const 0)
            (i32.const 0))))
        (func (export "call.largest") (call $storage_write (i32.const 0) (i32.const 256) (i32.const 0) (i32.const 65536)))"#,
    ));
    for (method, message) in [
        ("key", "a storage key of 257 bytes; 256 are allowed"),
        ("value", "a value of 65537 bytes; 65536 are allowed"),
        ("return", "return data of 65537 bytes; 65536 are allowed"),
        ("event", "an event's fields of 16385 bytes; 16384 are allowed"),
        ("name", "an event's name of 65 bytes; 64 are allowed"),
        ("error", "an error's fields of 4097 bytes; 4096 are allowed"),
        ("arguments", "arguments of 65537 bytes; 65536 are allowed"),
        ("label", "a label of 65 bytes; 64 are allowed"),
    ] {
        let effects = chain.call(id, method, b"");
        assert_eq!(failure(&effects).code, Code::TooLarge, "{method}");
        assert_eq!(effects.diagnostics.message.as_deref(), Some(message));
    }
    assert!(chain.call(id, "largest", b"").receipt.succeeded());
}

#[test]
fn names_must_be_text_and_addresses_addresses() {
    let mut chain = Chain::new();
    for (body, message) in [
        (
            "(call $emit (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))",
            "an event's name is empty, not UTF-8 or has control characters",
        ),
        (
            "(call $emit (i32.const 64) (i32.const 1) (i32.const 0) (i32.const 0))",
            "an event's name is empty, not UTF-8 or has control characters",
        ),
        (
            "(call $fail (i32.const 64) (i32.const 1) (i32.const 0) (i32.const 0))",
            "an error's name is empty, not UTF-8 or has control characters",
        ),
        ("(call $balance (i32.const 64) (i32.const 128))", "what was passed to the host is no address"),
        (
            "(call $poseidon (i32.const 64) (i32.const 128) (i32.const 256))",
            "an argument of Poseidon is not below the modulus",
        ),
    ] {
        let id = chain.deploy(&contract(&format!(r#"(data (i32.const 64) "\ff") (func (export "call.x") {body})"#)));
        let effects = chain.call(id, "x", b"");
        assert_eq!(failure(&effects).code, Code::Trap, "{body}");
        assert_eq!(effects.diagnostics.message.as_deref(), Some(message), "{body}");
    }
}
