//! The classes: what an instruction or a host function does at its worst, as text to repeat.
//!
//! A fragment leaves the stack as it was and may use the locals of [`machine`](crate::machine): `$a` and `$b` are 32-bit
//! numbers, `$x`, `$y` and `$big` 64-bit ones, `$r` is random, `$p` walks through memory and `$q` sits in it, `$zero`
//! and `$some` are lengths that the compiler does not know. Chains of instructions wait for each other, addresses and
//! branches cannot be foreseen: what a compiler or a machine is good at is not what a price may count on.

use crate::{
    heavy,
    machine::{FRAME_GAS, HEAVY},
    table::{Kind, Row, TABLE},
};

/// Something that is priced.
#[derive(Clone, Debug)]
pub struct Class {
    pub name: String,
    pub code: String,
    /// Functions that it calls.
    pub functions: String,
    /// Pages of memory that it walks through.
    pub pages: u32,
    /// Its price is for what a chain keeps for ever, more than for the time that it takes here.
    pub keeps: bool,
    /// How often a transaction can do it, where something but gas limits that.
    pub most: u32,
}

/// Instructions of a fragment, so that the loop around it does not count.
const UNROLLED: usize = 32;
/// Functions whose price is for what they change, which the state tree and the database follow up.
const KEEPING: [&str; 3] = ["storage_write", "storage_remove", "emit"];
/// A step of a random number that nobody can foresee: a linear congruence, of which the high bits are used.
const RANDOM: &str = "(local.set $r (i32.add (i32.mul (local.get $r) (i32.const 1664525)) (i32.const 1013904223)))";

fn class(name: impl Into<String>, code: impl Into<String>) -> Class {
    Class { name: name.into(), code: code.into(), functions: String::new(), pages: 1, keeps: false, most: u32::MAX }
}

impl Class {
    fn with(self, functions: impl Into<String>) -> Self {
        Self { functions: functions.into(), ..self }
    }
}

/// A function of more locals than a machine has registers, each of which is needed again.
fn crowd() -> String {
    let steps: String = (0..64)
        .map(|local| {
            let (next, far) = ((local + 1) % 64 + 1, (local + 29) % 64 + 1);
            format!("(local.set {} (i64.add (i64.xor (local.get {next}) (local.get {far})) (local.get 0)))", local + 1)
        })
        .collect();
    let sum: String = (1..=64).map(|local| format!("local.get {local} i64.add ")).collect();
    format!(
        "(func $crowd (param i64) (result i64) (local {}) (local $i i32) (loop {steps} (br_if 0 (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 50)))) local.get 0 {sum})",
        "i64 ".repeat(64)
    )
}

/// A function in which two ways meet, a short and a long one, with other locals in each place: whichever way the
/// compiler lets keep its places, the other must move all of them there. The short way is taken.
fn meet() -> String {
    const LOCALS: usize = 200;
    let turned: String = format!(
        "{} {}",
        (0..LOCALS).map(|local| format!("local.get {} ", (local + 1) % LOCALS + 1)).collect::<String>(),
        (0..LOCALS).rev().map(|local| format!("local.set {} ", local + 1)).collect::<String>()
    );
    let filled: String = (1..=LOCALS)
        .map(|local| format!("(local.set {local} (i64.load offset={} (i32.const 8192)))", 8 * local))
        .collect();
    let stored: String = (1..=LOCALS)
        .map(|local| format!("(i64.store offset={} (i32.const 8192) (local.get {local}))", 8 * local))
        .collect();
    let ways = format!("(block (block (br_if 0 (local.get 0)) {turned} (br 1)))");
    format!(
        "(func $meet (param i32) (local {}) {filled} (loop {ways} (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))) {stored})",
        "i64 ".repeat(LOCALS)
    )
}

/// A chain of one instruction on `$a`, or on `$x`.
fn chain(name: &str, instruction: &str) -> Class {
    let local = if name.starts_with("i32") { "$a" } else { "$x" };
    class(name, format!("local.get {local} {} local.set {local} ", instruction.repeat(UNROLLED)))
}

/// Every class.
pub fn all() -> Vec<Class> {
    let mut all = numbers();
    all.extend(control());
    all.extend(memory());
    all.extend(bulk());
    all.extend(frames());
    // Those that end or begin a frame are among `frames`.
    let framing = ["fail", "panic", "call", "query", "transfer", "instantiate"];
    all.extend(TABLE.iter().filter(|row| !framing.contains(&row.name)).flat_map(host));
    all
}

fn numbers() -> Vec<Class> {
    let mut all = Vec::new();
    for (ty, other, big) in [("i32", "local.get $b ", "local.get $r "), ("i64", "local.get $y ", "local.get $big ")] {
        for operation in ["add", "sub", "mul", "and", "xor", "shl", "shr_s", "rotl", "rotr"] {
            // Another instruction between them, lest two of them become one.
            all.push(chain(&format!("{ty}.{operation}"), &format!("{other} {ty}.{operation} {big} {ty}.add ")));
        }
        for operation in ["div_s", "div_u", "rem_s", "rem_u"] {
            // The dividend stays large and the divisor small, whatever came out.
            all.push(chain(&format!("{ty}.{operation}"), &format!("{big} {ty}.or {other} {ty}.{operation} ")));
        }
        for operation in ["clz", "ctz", "popcnt", "extend8_s", "extend16_s"] {
            all.push(chain(&format!("{ty}.{operation}"), &format!("{ty}.{operation} {other} {ty}.xor ")));
        }
        let back = if ty == "i64" { "i64.extend_i32_u " } else { "" };
        all.push(chain(&format!("{ty}.eqz"), &format!("{ty}.eqz {back} {other} {ty}.xor ")));
        all.push(chain(&format!("{ty}.lt_s"), &format!("{other} {ty}.lt_s {back} {big} {ty}.xor ")));
    }
    all.push(chain("i64.extend32_s", "i64.extend32_s local.get $big i64.xor "));
    all.push(chain("i64 wrap and extend", "i32.wrap_i64 i64.extend_i32_s local.get $big i64.xor "));
    all.push(chain("i64 select", "local.get $big local.get $b select local.get $y i64.xor "));
    all
}

fn control() -> Vec<Class> {
    let taken = "(block (br_if 0 (i32.and (local.get $b) (i32.const 1))) (global.set $g (local.get $y)))";
    let guessed = format!(
        "{RANDOM} (block (br_if 0 (i32.lt_s (local.get $r) (i32.const 0))) (global.set $g (i64.xor (global.get $g) (local.get $y))))"
    );
    let arms = format!(
        "{RANDOM} (if (i32.lt_s (local.get $r) (i32.const 0)) (then (global.set $g (i64.xor (global.get $g) (local.get $y)))) (else (global.set $h (i64.xor (global.get $h) (local.get $y)))))"
    );
    let cases: String = (0..16)
        .map(|case| format!("end local.get $x i64.const {case} i64.xor local.set $x global.get $g i64.const {case} i64.add global.set $g br {} ", 15 - case))
        .collect();
    let table = format!(
        "{RANDOM} block {blocks} local.get $r i32.const 28 i32.shr_u br_table 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 {cases} end ",
        blocks = "block ".repeat(16),
    );
    let calls = "local.get $x local.get $x local.get $x local.get $x local.get $x call $five local.set $x ";
    let indirect = |index: &str| format!("(local.set $x (call_indirect (type $hop) (local.get $x) {index}))");
    vec![
        class("br_if, foreseen", taken.repeat(UNROLLED)),
        class("br_if, by chance", guessed.repeat(UNROLLED)),
        class("if and else, by chance", arms.repeat(UNROLLED)),
        class("br_table, by chance", table.repeat(UNROLLED)),
        class("call", "call $empty ".repeat(UNROLLED)),
        class("call with five arguments", calls.repeat(UNROLLED)),
        class("call_indirect, by chance", format!("{RANDOM} {}", indirect("(i32.shr_u (local.get $r) (i32.const 26))")).repeat(UNROLLED)),
        class(
            "call with 32 arguments",
            format!("{} call $wide local.set $x ", "local.get $x ".repeat(32)).repeat(UNROLLED),
        )
        .with("(func $wide (param i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64) (result i64) (i64.xor (local.get 0) (local.get 31)))"),
        class("eight results", "call $eight drop drop drop drop drop drop drop local.set $x ".repeat(UNROLLED))
            .with("(func $eight (result i64 i64 i64 i64 i64 i64 i64 i64) global.get $g global.get $h global.get $g global.get $h global.get $g global.get $h global.get $g global.get $h)"),
        class("recursion", "(call $deepen (i32.const 900))"),
        class("64 locals in turn", "(local.set $x (call $crowd (local.get $y)))").with(crowd()),
        class("locals that meet", "(call $meet (i32.const 500))").with(meet()),
        class("globals", "(global.set $g (i64.xor (global.get $h) (local.get $y))) (global.set $h (i64.xor (global.get $g) (local.get $y)))".repeat(UNROLLED)),
        class("loop", "(local.set $b (i32.const 13)) (loop (br_if 0 (local.tee $b (i32.sub (local.get $b) (i32.const 1))))) (local.set $b (i32.const 13))"),
    ]
}

fn memory() -> Vec<Class> {
    let walk = format!("local.get $p {} local.set $p ", "i32.load ".repeat(UNROLLED));
    let mut all = vec![
        class("loads, one page", walk.clone()),
        class(
            "stores in order",
            "(i64.store (local.get $q) (local.get $y)) (i64.store offset=8 (local.get $q) (local.get $y))"
                .repeat(UNROLLED / 2),
        ),
        class(
            "load behind a narrow store",
            "(i32.store8 (local.get $q) (i32.wrap_i64 (local.get $x))) (local.set $x (i64.load (local.get $q)))"
                .repeat(UNROLLED),
        ),
        class("memory.size", "(local.set $a (i32.xor (local.get $a) (memory.size)))".repeat(UNROLLED)),
    ];
    for pages in [8_u32, 15, 31, 128, 255] {
        all.push(Class { pages, ..class(format!("loads, {} KiB", pages * 64), walk.clone()) });
    }
    // A frame pushes its caller's memory out of the caches, and the caller walks through all of that once.
    let round_trip = |pages: u32| {
        format!(
            "(local.set $b (i32.const {})) (loop {walk} (br_if 0 (local.tee $b (i32.sub (local.get $b) (i32.const 1))))) (local.set $b (i32.const 13))",
            pages * 1_024 / UNROLLED as u32
        )
    };
    for pages in [8, 15, 31] {
        let name = format!("loads, {} KiB, behind a frame as large", pages * 64);
        all.push(Class { pages, ..class(name, format!("{} {}", view("touch"), round_trip(pages))) });
    }
    if let Some(index) = heavy::all().iter().position(|heavy| heavy.name == "16 pages") {
        let frame = query(&format!("(i32.const {})", HEAVY + 33 * index), 1_048, 4, ALL);
        let code = format!("{frame} {}", round_trip(31));
        all.push(Class { pages: 31, ..class("loads, 1984 KiB, behind a frame of 16 pages", code) });
    }
    for pages in [8_u32, 31, 128] {
        // The most of it that is a power of two.
        let pages_walked = 1 << pages.ilog2();
        // Behind the address that each line begins with: whoever walks here later goes the whole way.
        let store = format!(
            "{RANDOM} (i64.store offset=65544 (i32.and (i32.shr_u (local.get $r) (i32.const 4)) (i32.const {})) (local.get $x))",
            pages_walked * 65_536 - 16
        );
        all.push(Class {
            pages,
            ..class(format!("stores by chance, {} KiB", pages_walked * 64), store.repeat(UNROLLED))
        });
    }
    all
}

fn bulk() -> Vec<Class> {
    // A page behind the chain is free to write to; the table behind its functions, too.
    let mut all = vec![
        class("memory.grow, none", "(drop (memory.grow (local.get $zero)))"),
        class("data.drop", "(data.drop $passive)"),
        class("elem.drop", "(elem.drop $passive)"),
    ];
    for (name, length) in [
        ("none", "(local.get $zero)"),
        ("64", "(local.get $some)"),
        ("1024", "(i32.shl (local.get $some) (i32.const 4))"),
    ] {
        all.push(class(
            format!("memory.fill, {name}"),
            format!("(memory.fill (i32.const 16384) (local.get $b) {length})"),
        ));
        all.push(class(
            format!("memory.copy, {name}"),
            format!("(memory.copy (i32.const 16385) (i32.const 16384) {length})"),
        ));
        all.push(class(
            format!("table.copy, {name}"),
            format!("(table.copy (i32.const 1025) (i32.const 1024) {length})"),
        ));
    }
    for (name, length) in [("none", "(local.get $zero)"), ("64", "(local.get $some)")] {
        all.push(class(
            format!("memory.init, {name}"),
            format!("(memory.init $passive (i32.const 16384) (i32.const 0) {length})"),
        ));
        all.push(class(
            format!("table.init, {name}"),
            format!("(table.init $passive (i32.const 4096) (i32.const 0) {length})"),
        ));
    }
    all
}

/// Frames: of this contract, called by itself, and of contracts that are heavy to enter.
fn frames() -> Vec<Class> {
    let mut all = vec![
        class("frame", view("noop")),
        class("frame that hops through the table", view("hop")),
        class(
            "frame of a method",
            "(drop (call $call (i32.const 3072) (i32.const 1048) (i32.const 4) (i32.const 0) (i32.const 0) (i32.const 2048) (i64.const 0) (i32.const 8192) (i32.const 64)))",
        ),
        class("frame that traps", view_with("trap", &enough(2_000))),
        class("frame that loads from nowhere", view_with("load", &enough(2_000))),
        class("frame that panics", view_with("panic", &enough(2_000))),
        class("frame that fails", view("fail")),
        class("frame that runs out of gas", view_with("spin", &enough(2_000))),
        class("frame that runs out of stack", view_with("deep", &enough(17_000))),
        class("frame that grows", view("grow")),
        class("frame of a view that is not there", view("nothing")),
        class(
            "frame of a contract that is not there",
            format!("{NEW_KEY} {}", query("(i32.const 2239)", 1_048, 4, ALL)),
        ),
        class(
            "transfer to itself",
            "(i32.store8 (i32.const 2200) (i32.const 1)) (drop (call $transfer (i32.const 3072) (i32.const 2200) (i64.const 0) (i32.const 8192) (i32.const 64)))",
        ),
        class(
            "transfer to new accounts",
            format!(
                "{NEW_KEY} (i32.store8 (i32.const 2200) (i32.const 1)) (drop (call $transfer (i32.const 2239) (i32.const 2200) (i64.const 0) (i32.const 8192) (i32.const 64)))"
            ),
        ),
        class(
            "instantiate",
            format!(
                "{NEW_KEY} (drop (call $instantiate (i32.const 4) (i32.const 2240) (i32.const 0) (i32.const 0) (i32.const 1024) (i32.const 4) (i32.const 0) (i32.const 0) (i32.const 2048) (i64.const 0) (i32.const 8192) (i32.const 64)))"
            ),
        ),
    ];
    for class in all.iter_mut().filter(|class| matches!(&*class.name, "transfer to new accounts" | "instantiate")) {
        class.keeps = true;
    }
    for (index, heavy) in heavy::all().iter().enumerate() {
        let address = format!("(i32.const {})", HEAVY + 33 * index);
        all.push(class(format!("frame of {}", heavy.name), query(&address, 1_048, 4, ALL)));
    }
    for pages in [1, 8, 15, 31, 127] {
        all.push(Class { pages, ..class(format!("frame of {} pages, touched", pages + 1), view("touch")) });
    }
    all
}

/// Makes the 32 bytes at 2240 other ones; before them is the kind of an account.
const NEW_KEY: &str = "(i32.store (i32.const 2240) (i32.add (i32.load (i32.const 2240)) (i32.const 1)))";

/// All the gas that there is.
const ALL: &str = "(i64.const 0)";

/// Enough gas to enter a frame of this contract, however large its memory is, and so much more. What traps uses all
/// that it was given: with less it would not begin, with more it would only look fast.
fn enough(more: u32) -> String {
    format!("(i64.add (i64.load (i32.const {FRAME_GAS})) (i64.const {more}))")
}

/// A view of this contract, with all the gas that there is.
fn view(name: &str) -> String {
    view_with(name, ALL)
}

fn view_with(name: &str, gas: &str) -> String {
    let mut bytes = [0; 8];
    bytes[..name.len()].copy_from_slice(name.as_bytes());
    let named = format!("(i64.store (i32.const 3200) (i64.const {}))", i64::from_le_bytes(bytes));
    format!("{named} {}", query("(i32.const 3072)", 3_200, name.len(), gas))
}

fn query(contract: &str, view: u32, length: usize, gas: &str) -> String {
    format!(
        "(drop (call $query {contract} (i32.const {view}) (i32.const {length}) (i32.const 0) (i32.const 0) {gas} (i32.const 8192) (i32.const 64)))"
    )
}

/// A row of the host table with arguments of several lengths.
fn host(row: &Row) -> Vec<Class> {
    let has_bytes = row.parameters.contains(&Kind::Bytes);
    let lengths: &[u32] = if has_bytes { &[4, 1_024, 16_384] } else { &[4] };
    let mut all: Vec<Class> = lengths
        .iter()
        .filter(|length| **length <= longest(row.name))
        .map(|length| {
            let name = if has_bytes { format!("{} {length}", row.name) } else { row.name.to_owned() };
            let most = if row.name == "emit" { 1_000 } else { u32::MAX };
            Class { most, keeps: KEEPING.contains(&row.name), ..class(name, row.call(&arguments(row, *length))) }
        })
        .collect();
    if row.name == "storage_read" {
        for (name, key) in [("32 bytes", 1_032), ("32 KiB", 1_040)] {
            all.push(class(
                format!("storage_read of {name}"),
                row.call(&format!("(i32.const {key}) (i32.const 5) (i32.const 8192) (i32.const 40000)")),
            ));
        }
    }
    // Each time another key, which the state is asked for.
    let new_keys = |arguments| Class {
        keeps: KEEPING.contains(&row.name),
        ..class(format!("{} of new keys", row.name), format!("{NEW_KEY} {}", row.call(arguments)))
    };
    match row.name {
        "storage_read" => all.push(new_keys("(i32.const 2240) (i32.const 4) (i32.const 8192) (i32.const 40000)")),
        "storage_write" => {
            all.push(new_keys("(i32.const 2240) (i32.const 4) (i32.const 8192) (i32.const 0)"));
            all.push(Class {
                most: 2_000,
                ..new_keys("(i32.const 2240) (i32.const 4) (i32.const 8192) (i32.const 4096)")
            });
        }
        "storage_remove" => all.push(new_keys("(i32.const 2240) (i32.const 4)")),
        "balance" => all.push(new_keys("(i32.const 2239) (i32.const 8192)")),
        _ => {}
    }
    all
}

/// The longest argument of a function whose last one is limited.
fn longest(name: &str) -> u32 {
    match name {
        "storage_read" | "storage_remove" => 256,
        "log" => 1_024,
        _ => 16_384,
    }
}

/// Arguments in order; the last bytes that go in are as long as asked for.
fn arguments(row: &Row, length: u32) -> String {
    if row.name == "ed25519_verify" {
        return format!("(i32.const 36) (i32.const 68) (i32.const 132) (i32.const {})", length.max(32));
    }
    let last = row.parameters.iter().rposition(|kind| *kind == Kind::Bytes);
    let argument = |(index, kind): (usize, Kind)| match kind {
        Kind::U64 => "(i64.const 0)".to_owned(),
        Kind::Fixed(33) | Kind::Fixed(16) => "(i32.const 2048)".to_owned(),
        Kind::Fixed(_) => "(i32.const 4096)".to_owned(),
        Kind::Bytes if Some(index) == last => format!("(i32.const 8192) (i32.const {length})"),
        Kind::Bytes => "(i32.const 1024) (i32.const 4)".to_owned(),
    };
    let parameters = row.parameters.iter().copied().enumerate().map(argument);
    let target = row.target.map(|kind| match kind {
        Kind::Bytes => "(i32.const 8192) (i32.const 40000)".to_owned(),
        _ => "(i32.const 8192)".to_owned(),
    });
    parameters.chain(target).collect::<Vec<_>>().join(" ")
}
